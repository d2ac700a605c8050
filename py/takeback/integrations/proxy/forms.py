"""Takes the files to be checked out of a form while it arrives.

A form that two programs might read differently is refused, because the application must not find a file where this
reader found none.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from takeback.errors import RequestRefused
from takeback.integrations.proxy.spool import Spool

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_FILES: Final = 100
"""Files of one form that are checked: more than any page lets people choose at once."""
MAX_PARTS: Final = 2000
"""Parts of a form, files or not."""
MAX_PART_HEADER_BYTES: Final = 16 * 1024
_QUOTED: Final = re.compile(rb'"(?:\\.|[^"\\])*"', re.DOTALL)
_NAMES: Final = re.compile(rb";\s*(name\*?[\w*]*)\s*=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FormFile:
    """A file of a form: its bytes and the media type that its part has, if any."""

    spool: Spool
    given: str


class FormReader:
    """Reads a form part by part; `files` are those whose field `wants` accepts, each in a spool that `make` gives."""

    def __init__(self, content_type: str, wants: Callable[[str], bool], make: Callable[[], Spool]) -> None:
        """Raises `RequestRefused` if the content type has no usable boundary."""
        _, options = parse_options_header(content_type)
        self.files: list[FormFile] = []
        self._wants, self._make = wants, make
        self._parts = self._header_bytes = 0
        self._name = self._value = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._into: Spool | None = None
        self._pending: list[tuple[Spool, bytes]] = []
        self._has_ended = False
        try:
            self._parser = MultipartParser(options.get(b"boundary", b""), self._callbacks())
        except FormParserError as error:
            raise _unreadable() from error

    async def feed(self, data: bytes) -> None:
        """Reads the next bytes. Raises `RequestRefused` if the form is malformed, or a file of it too large."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise _unreadable() from error
        pending, self._pending = self._pending, []
        for spool, part in pending:
            await spool.write(part)

    def finish(self) -> None:
        """Raises `RequestRefused` if the form is not complete."""
        if not self._has_ended:
            raise _unreadable()

    def _callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._on_part,
            "on_header_field": self._on_name,
            "on_header_value": self._on_value,
            "on_header_end": self._on_field,
            "on_headers_finished": self._on_header,
            "on_part_data": self._on_data,
            "on_end": self._on_end,
        }

    def _on_part(self) -> None:
        self._parts += 1
        self._header_bytes = 0
        self._fields, self._into = [], None
        if self._parts > MAX_PARTS:
            raise _unreadable()

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._name += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._value += data[start:end]

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > MAX_PART_HEADER_BYTES:
            raise _unreadable()

    def _on_field(self) -> None:
        self._fields.append((self._name.strip().lower(), self._value))
        self._name = self._value = b""

    def _on_header(self) -> None:
        """Decides whether a part is checked, once its header is complete."""
        dispositions = [value for name, value in self._fields if name == b"content-disposition"]
        types = [value for name, value in self._fields if name == b"content-type"]
        encodings = [value.strip().lower() for name, value in self._fields if name == b"content-transfer-encoding"]
        # RFC 7578 has exactly one `name`, never `name*`, and no encoding of the bytes.
        if len(dispositions) != 1 or len(types) > 1 or not {*encodings} <= {b"binary", b"7bit", b"8bit"}:
            raise _unreadable()
        if [found.lower() for found in _NAMES.findall(_QUOTED.sub(b"", dispositions[0]))] != [b"name"]:
            raise _unreadable()
        _, options = parse_options_header(dispositions[0])
        if not self._wants(options.get(b"name", b"").decode("utf-8", "replace")):
            return
        if len(self.files) == MAX_FILES:
            raise RequestRefused(413, "too-many-files", f"Send at most {MAX_FILES} files at once.")
        self._into = self._make()
        self.files.append(FormFile(self._into, types[0].decode("latin-1").strip() if types else ""))

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._into is not None:
            self._pending.append((self._into, data[start:end]))

    def _on_end(self) -> None:
        self._has_ended = True


def _unreadable() -> RequestRefused:
    return RequestRefused(400, "form-unreadable", "The form cannot be read: send it as multipart/form-data.")
