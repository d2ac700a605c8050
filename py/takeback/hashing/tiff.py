"""Reads TIFF directories: a picture's EXIF, or a TIFF file before it is decoded."""

import itertools
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from takeback.errors import DamagedPicture, PictureTooLarge

ORIENTATION: Final = 274
MAX_DIRECTORIES: Final = 2_000
"""Directories of one TIFF file. A long fax has a few hundred pages; a decoder walks them all before the first."""
_POINTERS: Final = frozenset({34665, 34853, 40965})
"""Tags that point to further directories: Exif, GPS, interoperability."""
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes per value of each field type (TIFF 6.0, section 2; BigTIFF)."""
_CODES: Final = {1: "B", 3: "H", 4: "I", 7: "B", 13: "I", 16: "Q"}
"""struct's codes of the field types that are plain numbers or bytes."""
_SHORT: Final = 3


class _Layout(NamedTuple):
    """How a file encodes its directories: byte order, and the struct codes of counts and offsets."""

    order: str
    offset: str
    entries: str
    first: int
    """Offset of the pointer to the first directory."""


class _Entry(NamedTuple):
    """One field of a directory, of `length` values. `inline` holds them, or their offset."""

    tag: int
    kind: int
    length: int
    inline: bytes


_LAYOUTS: Final = {
    b"II*\0": _Layout("<", "I", "H", 4),
    b"MM\0*": _Layout(">", "I", "H", 4),
    b"II+\0": _Layout("<", "Q", "Q", 8),
    b"MM\0+": _Layout(">", "Q", "Q", 8),
}
SIGNATURES: Final = tuple(_LAYOUTS)


def orientation_of(data: bytes) -> int:
    """Returns the orientation, 1 to 8, from the first directory of a TIFF file or EXIF block (CIPA DC-008).

    Returns 1 if there is none or it is malformed, because bad metadata must not prevent hashing.
    """
    data = data.removeprefix(b"Exif\0\0")
    layout = _LAYOUTS.get(data[:4])
    if layout is None:
        return 1
    try:
        (start,) = _read(layout, layout.offset, data, layout.first)
        marked = [entry for entry in _entries(data, layout, start) if entry.tag == ORIENTATION]
    except struct.error:
        return 1
    if not marked or marked[0].kind != _SHORT:
        return 1
    (value,) = _read(layout, "H", marked[0].inline, 0)
    return value if 1 <= value <= 8 else 1


class Directory:
    """A directory's fields by tag. Reading an absent field raises `KeyError`; a truncated one, `struct.error`."""

    def __init__(self, data: bytes, layout: _Layout, start: int) -> None:
        self._data, self._layout = data, layout
        entries = zip(itertools.count(), _entries(data, layout, start))
        size, first = _entry_struct(layout).size, start + struct.calcsize("=" + layout.entries)
        self.entries = {entry.tag: (entry, first + size * (number + 1)) for number, entry in entries}

    def value(self, tag: int, default: int | None = None) -> int:
        """Returns the first number of a field, or `default` if the field is absent."""
        return default if default is not None and tag not in self.entries else self.values(tag)[0]

    def values(self, tag: int) -> tuple[int, ...]:
        """Returns the numbers of a field."""
        entry = self.entries[tag][0]
        return _read(self._layout, f"{entry.length}{_CODES[entry.kind]}", self._data, self._place(tag))

    def put(self, file: bytearray, tag: int, values: list[int]) -> None:
        """Overwrites the numbers of a field with as many others."""
        kind = _CODES[self.entries[tag][0].kind]
        struct.pack_into(f"{self._layout.order}{len(values)}{kind}", file, self._place(tag), *values)

    def _place(self, tag: int) -> int:
        """The offset of a field's numbers: inside its entry if they fit."""
        entry, end = self.entries[tag]
        if entry.length * _SIZES[entry.kind] <= len(entry.inline):
            return end - len(entry.inline)
        return _read(self._layout, self._layout.offset, entry.inline, 0)[0]


def first_directory(data: bytes) -> Directory:
    """Returns the directory of a TIFF's first picture. Raises `struct.error` if the data is truncated."""
    layout = _LAYOUTS[data[:4]]
    return Directory(data, layout, _read(layout, layout.offset, data, layout.first)[0])


def check_directories(data: bytes) -> None:
    """Refuses a TIFF file whose directories would keep a decoder busy.

    Raises `PictureTooLarge` for over `MAX_DIRECTORIES` directories, and `DamagedPicture` if the values of one directory
    overlap so much that together they exceed the file: a decoder would copy each of them.
    """
    layout = _LAYOUTS[data[:4]]
    try:
        waiting = [*_read(layout, layout.offset, data, layout.first)]
        seen: set[int] = set()
        while waiting:
            start = waiting.pop()
            # 0 ends a chain of directories; a crafted chain may lead back to an earlier one.
            if start == 0 or start in seen:
                continue
            seen.add(start)
            if len(seen) > MAX_DIRECTORIES:
                raise PictureTooLarge(f"the file has over {MAX_DIRECTORIES} pages; save the first one as a picture")
            waiting += _check_directory(data, layout, start)
    except struct.error as error:
        raise DamagedPicture("the picture is cut short or broken inside") from error


def _check_directory(data: bytes, layout: _Layout, start: int) -> list[int]:
    """The offsets that one directory points to; none if it cannot be read."""
    found: list[int] = []
    size = 0
    try:
        for entry in _entries(data, layout, start):
            size += entry.length * _SIZES.get(entry.kind, 0)
            if entry.tag in _POINTERS:
                found += _read(layout, layout.offset, entry.inline, 0)
        found += _read(layout, layout.offset, data, _end(data, layout, start))
    except struct.error:
        pass
    if size > len(data):
        raise DamagedPicture("the picture is cut short or broken inside")
    return found


def _read(layout: _Layout, code: str, data: bytes, place: int) -> tuple[int, ...]:
    """The numbers at `place`. Raises `struct.error` past the end of the data."""
    if place > len(data):  # struct raises another error for an offset that does not fit a machine word
        raise struct.error("beyond the end")
    return struct.unpack_from(layout.order + code, data, place)


def _entry_struct(layout: _Layout) -> struct.Struct:
    return struct.Struct(f"{layout.order}HH{layout.offset}{struct.calcsize('=' + layout.offset)}s")


def _end(data: bytes, layout: _Layout, start: int) -> int:
    """The offset of the pointer to the next directory."""
    (count,) = _read(layout, layout.entries, data, start)
    return int(start + struct.calcsize("=" + layout.entries) + count * _entry_struct(layout).size)


def _entries(data: bytes, layout: _Layout, start: int) -> Iterator[_Entry]:
    """The entries of the directory at `start`. Raises `struct.error` past the end of the data."""
    reader = _entry_struct(layout)
    (count,) = _read(layout, layout.entries, data, start)
    first = start + struct.calcsize("=" + layout.entries)
    # A crafted count may be 2**64 - 1; the first entry past the end of the data raises.
    for number in range(min(count, len(data) // reader.size + 1)):
        yield _Entry(*reader.unpack_from(data, first + number * reader.size))
