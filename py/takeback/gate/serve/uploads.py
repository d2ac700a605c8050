"""Reads an uploaded file from a request: streamed, in memory, within limits on bytes and on time.

A file is never written to disk: what a person uploads stays with the platform that asked.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from takeback.errors import InvalidMessage, RequestRefused

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_BODY_SECONDS: Final = 60.0
"""For a whole body, so that a slow caller does not hold a place for ever."""
_TYPE_BY_FIELD: Final = {"photo": "image/*", "image": "image/*", "picture": "image/*", "video": "video/*"}
"""What a form's field says of a file without a media type."""
type ReserveBytes = Callable[[int], None]
_FORM_OVERHEAD_BYTES: Final = 64 * 1024
"""Bytes that a form may have around its one file."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file: its bytes, the name of the form's field it came in (empty for a bare body), and its media type."""

    data: bytes
    field: str = ""
    given: str = ""


class BodyBudget:
    """Bytes of bodies that a process holds at once, those that are still arriving among them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0

    @contextmanager
    def share(self) -> Iterator[ReserveBytes]:
        """Gives what takes room for so many bytes more; all of it is given back at the end."""
        taken = 0

        def take(count: int) -> None:
            nonlocal taken
            if self._held + count > self._most:
                raise RequestRefused(503, "busy", "too many uploads wait here; send it again in a moment")
            taken += count
            self._held += count

        try:
            yield take
        finally:
            self._held -= taken


def _unlimited(_count: int) -> None:
    """Room without an end, for bodies that are small anyway."""


async def read_upload(request: Request, limit: int, take: ReserveBytes = _unlimited) -> Upload:
    """The one file of a request: its form's only file, or its whole body. Raises `RequestRefused`, `InvalidMessage`.

    `take` hears of the bytes as they come.
    """
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given == "multipart/form-data":
        return await _from_form(request, limit, take)
    data = await read_body(request, limit, take)
    if not data:
        raise InvalidMessage("send a file: as the body, or as the one file of a multipart/form-data form")
    return Upload(data, given=given)


async def read_body(request: Request, limit: int, take: ReserveBytes = _unlimited) -> bytes:
    """The whole body, which may have `limit` bytes."""
    async with _time_limit():
        return b"".join([part async for part in _limited(request, limit, take)])


async def _from_form(request: Request, limit: int, take: ReserveBytes) -> Upload:
    """The one file of a form. Other fields are passed over."""
    _, options = parse_options_header(request.headers["content-type"])
    form = _Form()
    try:
        parser = MultipartParser(options.get(b"boundary", b""), form.callbacks(), max_size=limit + _FORM_OVERHEAD_BYTES)
        async with _time_limit():
            async for part in _limited(request, limit + _FORM_OVERHEAD_BYTES, take):
                parser.write(part)
        parser.finalize()
    except FormParserError as error:
        raise InvalidMessage("the form cannot be read: send one file as multipart/form-data") from error
    if not form.ended or len(form.files) != 1:
        raise InvalidMessage("the form must be whole and hold exactly one file")
    ((field, data),) = form.files
    if len(data) > limit:
        raise _too_large(limit)
    return Upload(bytes(data), field, form.given or _TYPE_BY_FIELD.get(field.lower(), ""))


class _Form:
    """Gathers the files of a form, in memory, while the parser goes through it."""

    def __init__(self) -> None:
        self.files: list[tuple[str, bytearray]] = []
        self.given = ""
        self.ended = False
        self._name = self._value = b""
        self._given = ""
        self._is_file = False

    def callbacks(self) -> "MultipartCallbacks":
        """What the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_part_data": self._data,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._is_file = False
        self._given = ""
        self._name = self._value = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            if b"filename" in options:
                self._is_file = True
                self.files.append((options.get(b"name", b"").decode("utf-8", "replace"), bytearray()))
        elif self._name.lower() == b"content-type":
            self._given = self._value.decode("latin-1")
        self._name = self._value = b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self.files[-1][1].extend(data[start:end])
            self.given = self._given

    def _end(self) -> None:
        self.ended = True


@asynccontextmanager
async def _time_limit() -> AsyncIterator[None]:
    """A body that is read inside must arrive within `MAX_BODY_SECONDS`."""
    try:
        async with asyncio.timeout(MAX_BODY_SECONDS):
            yield
    except TimeoutError as error:
        text = f"the body did not arrive within {MAX_BODY_SECONDS:.0f} seconds"
        raise RequestRefused(408, "too-slow", text) from error
    except ClientDisconnect as error:
        raise RequestRefused(408, "too-slow", "the caller went away") from error


async def _limited(request: Request, limit: int, take: ReserveBytes) -> AsyncIterator[bytes]:
    """The body in parts. Raises as soon as it is known to be over the limit, or that there is no room for it."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise _too_large(limit)
    read = 0
    async for part in request.stream():
        read += len(part)
        if read > limit:
            raise _too_large(limit)
        take(len(part))
        yield part


def _too_large(limit: int) -> RequestRefused:
    return RequestRefused(413, "too-large", f"the body is over the limit of {limit} bytes")
