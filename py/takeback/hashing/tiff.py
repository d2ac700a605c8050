"""Reads the directories of TIFF data: a picture's EXIF, or a TIFF file before it is given to a decoder."""

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from takeback.errors import DamagedPicture, PictureTooLarge

ORIENTATION: Final = 274
MAX_DIRECTORIES: Final = 2_000
"""Directories of one TIFF file. A long fax has a few hundred pages; a decoder walks them all before the first."""
_POINTERS: Final = frozenset({34665, 34853, 40965})
"""Tags that lead to further directories: Exif, GPS, interoperability."""
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of one value of each field type (TIFF 6.0, section 2; BigTIFF)."""
_CODES: Final = {1: "B", 3: "H", 4: "I", 7: "B", 13: "I", 16: "Q"}
"""How struct calls those field types that are plain numbers or bytes."""
_SHORT: Final = 3


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a file writes its directories: byte order and the struct codes of counts and offsets."""

    order: str
    offset: str
    entries: str
    first: int
    """Where the offset of the first directory stands."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One field of a directory. `inline` are the bytes where its value, or the offset of its value, stands."""

    tag: int
    kind: int
    count: int
    inline: bytes


_LAYOUTS: Final = {
    b"II*\0": _Layout("<", "I", "H", 4),
    b"MM\0*": _Layout(">", "I", "H", 4),
    b"II+\0": _Layout("<", "Q", "Q", 8),
    b"MM\0+": _Layout(">", "Q", "Q", 8),
}
SIGNATURES: Final = tuple(_LAYOUTS)


def orientation_of(data: bytes) -> int:
    """The orientation, 1 to 8, that the first directory of a TIFF file or an EXIF block gives (CIPA DC-008).

    It is 1 when there is none or it is broken, because bad metadata must not hide a picture.
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
    """The fields of a directory by their tags. Reading what is not there raises `KeyError` or `struct.error`."""

    def __init__(self, data: bytes, layout: _Layout, start: int) -> None:
        self._data, self._layout = data, layout
        entries = zip(itertools.count(), _entries(data, layout, start))
        size, first = _entry_struct(layout).size, start + struct.calcsize("=" + layout.entries)
        self.entries = {entry.tag: (entry, first + size * (number + 1)) for number, entry in entries}

    def value(self, tag: int, default: int | None = None) -> int:
        """The first number of a field, or `default` where there is none."""
        return default if default is not None and tag not in self.entries else self.values(tag)[0]

    def values(self, tag: int) -> tuple[int, ...]:
        """The numbers of a field."""
        entry = self.entries[tag][0]
        return _read(self._layout, f"{entry.count}{_CODES[entry.kind]}", self._data, self._place(tag))

    def put(self, file: bytearray, tag: int, values: list[int]) -> None:
        """Writes as many other numbers over those of a field."""
        kind = _CODES[self.entries[tag][0].kind]
        struct.pack_into(f"{self._layout.order}{len(values)}{kind}", file, self._place(tag), *values)

    def _place(self, tag: int) -> int:
        """Where the numbers of a field stand: in its entry if there is room."""
        entry, end = self.entries[tag]
        if entry.count * _SIZES[entry.kind] <= len(entry.inline):
            return end - len(entry.inline)
        return _read(self._layout, self._layout.offset, entry.inline, 0)[0]


def first_directory(data: bytes) -> Directory:
    """The directory of a TIFF's first picture. Raises `struct.error` where the data end."""
    layout = _LAYOUTS[data[:4]]
    return Directory(data, layout, _read(layout, layout.offset, data, layout.first)[0])


def check_directories(data: bytes) -> None:
    """Refuses a TIFF file whose directories would keep a decoder busy.

    Raises `PictureTooLarge` for over `MAX_DIRECTORIES` of them, and `DamagedPicture` when the values of one directory
    lie over each other, so that together they are larger than the file: a decoder would copy each.
    """
    layout = _LAYOUTS[data[:4]]
    try:
        waiting = [*_read(layout, layout.offset, data, layout.first)]
        seen: set[int] = set()
        while waiting:
            start = waiting.pop()
            if start == 0 or start in seen:
                continue
            seen.add(start)
            if len(seen) > MAX_DIRECTORIES:
                raise PictureTooLarge(f"the file has over {MAX_DIRECTORIES} pages; save the first one as a picture")
            waiting += _check_directory(data, layout, start)
    except struct.error as error:
        raise DamagedPicture("the picture is cut short or broken inside") from error


def _check_directory(data: bytes, layout: _Layout, start: int) -> list[int]:
    """The offsets that one directory leads to; one that cannot be read leads nowhere."""
    found: list[int] = []
    size = 0
    try:
        for entry in _entries(data, layout, start):
            size += entry.count * _SIZES.get(entry.kind, 0)
            if entry.tag in _POINTERS:
                found += _read(layout, layout.offset, entry.inline, 0)
        found += _read(layout, layout.offset, data, _end(data, layout, start))
    except struct.error:
        pass
    if size > len(data):
        raise DamagedPicture("the picture is cut short or broken inside")
    return found


def _read(layout: _Layout, code: str, data: bytes, place: int) -> tuple[int, ...]:
    """The number at `place`. Raises `struct.error` where the data ends."""
    if place > len(data):  # struct knows no places beyond what fits this machine
        raise struct.error("beyond the end")
    return struct.unpack_from(layout.order + code, data, place)


def _entry_struct(layout: _Layout) -> struct.Struct:
    return struct.Struct(f"{layout.order}HH{layout.offset}{struct.calcsize('=' + layout.offset)}s")


def _end(data: bytes, layout: _Layout, start: int) -> int:
    """Where the offset of the next directory stands."""
    (count,) = _read(layout, layout.entries, data, start)
    return int(start + struct.calcsize("=" + layout.entries) + count * _entry_struct(layout).size)


def _entries(data: bytes, layout: _Layout, start: int) -> Iterator[_Entry]:
    """The entries of the directory at `start`. Raises `struct.error` where the data ends."""
    reader = _entry_struct(layout)
    (count,) = _read(layout, layout.entries, data, start)
    first = start + struct.calcsize("=" + layout.entries)
    for number in range(min(count, len(data) // reader.size + 1)):
        yield _Entry(*reader.unpack_from(data, first + number * reader.size))
