"""Reads an uploaded file from a request: streamed into memory, within limits on size and time.

A file is never written to disk, so that the sidecar leaves no copy of an upload.
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
"""Time for a whole body to arrive, so that a slow caller does not occupy memory for ever."""
_TYPE_BY_FIELD: Final = {"photo": "image/*", "image": "image/*", "picture": "image/*", "video": "video/*"}
"""Media types that a form's field name implies for a file without one."""
type ReserveBytes = Callable[[int], None]
_FORM_OVERHEAD_BYTES: Final = 64 * 1024
"""Size that a form may have beyond that of its file."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file: its bytes, the name of its form field (empty for a plain body), and its declared media type."""

    data: bytes
    field: str = ""
    given: str = ""


# No lock, because only the event loop's thread uses it.
class BodyBudget:
    """The limit on the bytes of all bodies that a process holds at once, including those still arriving."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0

    @contextmanager
    def share(self) -> Iterator[ReserveBytes]:
        """Yields a function that reserves bytes and raises `RequestRefused` if none are left; frees them at the end."""
        taken = 0

        def take(count: int) -> None:
            nonlocal taken
            if self._held + count > self._most:
                raise RequestRefused(503, "busy", "too many uploads are waiting; try again in a moment")
            taken += count
            self._held += count

        try:
            yield take
        finally:
            self._held -= taken


def _unlimited(_count: int) -> None:
    """Reserves nothing, for bodies that are small anyway."""


async def read_upload(request: Request, limit: int, take: ReserveBytes = _unlimited) -> Upload:
    """Reads the file of a request: the only file of its form, or its whole body, of at most `limit` bytes.

    `take` is called with the number of bytes as they arrive. Raises `RequestRefused` if the body is too large or too
    slow, and `InvalidMessage` if there is no file.
    """
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given == "multipart/form-data":
        return await _from_form(request, limit, take)
    data = await read_body(request, limit, take)
    if not data:
        raise InvalidMessage("send a file: as the body, or as the one file of a multipart/form-data form")
    return Upload(data, given=given)


async def read_body(request: Request, limit: int, take: ReserveBytes = _unlimited) -> bytes:
    """Reads a body of at most `limit` bytes. Raises `RequestRefused` if it is too large or too slow."""
    async with _time_limit():
        return b"".join([part async for part in _limited(request, limit, take)])


async def _from_form(request: Request, limit: int, take: ReserveBytes) -> Upload:
    """Reads the only file of a form, ignoring its other fields."""
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
        raise InvalidMessage("the form must be complete and contain exactly one file")
    ((field, data),) = form.files
    if len(data) > limit:
        raise _too_large(limit)
    return Upload(bytes(data), field, form.given or _TYPE_BY_FIELD.get(field.lower(), ""))


class _Form:
    """Collects the files of a form in memory while it is parsed."""

    def __init__(self) -> None:
        self.files: list[tuple[str, bytearray]] = []
        self.given = ""
        self.ended = False
        self._name = self._value = b""
        self._given = ""
        self._is_file = False

    def callbacks(self) -> "MultipartCallbacks":
        """Returns the parser's callbacks."""
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
    """Limits the time for reading a body to `MAX_BODY_SECONDS`."""
    try:
        async with asyncio.timeout(MAX_BODY_SECONDS):
            yield
    except TimeoutError as error:
        text = f"the body did not arrive within {MAX_BODY_SECONDS:.0f} seconds"
        raise RequestRefused(408, "too-slow", text) from error
    except ClientDisconnect as error:
        raise RequestRefused(408, "too-slow", "the caller disconnected") from error


async def _limited(request: Request, limit: int, take: ReserveBytes) -> AsyncIterator[bytes]:
    """Yields the body as it arrives. Raises `RequestRefused` as soon as it is over the limit or cannot be reserved."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise _too_large(limit)
    # A chunked body announces no length, so what arrives is counted too.
    read = 0
    async for part in request.stream():
        read += len(part)
        if read > limit:
            raise _too_large(limit)
        take(len(part))
        yield part


def _too_large(limit: int) -> RequestRefused:
    return RequestRefused(413, "too-large", f"the body is larger than {limit} bytes")
