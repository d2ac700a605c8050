"""Reads the boxes of ISO base media files (HEIC and AVIF pictures): their type, size and orientation."""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

MAX_BOXES: Final = 20_000
"""Boxes read at most: a grid of 512-pixel tiles at the pixel limit has under a thousand properties."""
BRANDS_BYTES: Final = 4096
"""Bytes at the start of a file from which its type is detected."""
_HEIC: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"heif"})
_HEIC_PROFILES: Final = frozenset({b"MiHA", b"MiHB", b"MiHE"})
_AVIF: Final = frozenset({b"avif", b"avis", b"avio", b"MA1A", b"MA1B"})
_OPEN: Final = frozenset({b"mif1", b"mif2", b"mif3", b"msf1", b"miaf"})
"""Brands that both HEIC and AVIF files use; the items tell which it is."""
STILLS: Final = _HEIC | _HEIC_PROFILES | _AVIF | _OPEN
"""All brands of pictures and picture sequences. A test keeps `web/worker/sniff.js` equal to it."""
_MOVING: Final = frozenset({b"moov", b"mdat", b"moof", b"styp", b"sidx"})
"""Boxes that follow a video's brands, past those skipped. In a picture, `meta` follows."""
_SKIPPED: Final = frozenset({b"ftyp", b"etyp", b"free", b"skip", b"wide", b"uuid"})
_TURNED: Final = {
    (0, None): 1, (1, None): 8, (2, None): 3, (3, None): 6,
    (0, 0): 4, (1, 0): 5, (2, 0): 2, (3, 0): 7,
    (0, 1): 2, (1, 1): 7, (2, 1): 4, (3, 1): 5,
}  # fmt: skip
"""EXIF's orientation by counter-clockwise quarter turns and a mirror: 0 swaps top and bottom, 1 left and right."""


class PrimaryItem(NamedTuple):
    """A file's primary item: the size of its stored pixels and its orientation in EXIF's numbering."""

    width: int
    height: int
    orientation: int


def format_by_brands(data: bytes) -> str | None:
    """Returns `AVIF` or `HEIC` by all brands in the file (ISO/IEC 14496-12, 23008-12), or `None`.

    If the major brand is not a picture's, a video that lists a picture's brand is still a video.
    """
    if data[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(data[:4], "big"), len(data), BRANDS_BYTES)
    # Bytes 12 to 15 are the minor version, which is not a brand (ISO/IEC 14496-12, 4.3).
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))}
    if not brands & STILLS or (data[8:12] not in STILLS and _is_moving(data[:BRANDS_BYTES])):
        return None
    if brands & _AVIF:
        return "AVIF"
    return "HEIC" if brands & (_HEIC | _HEIC_PROFILES) or b"av01" not in data[:BRANDS_BYTES] else "AVIF"


def _is_moving(start: bytes) -> bool:
    """Whether the first box that is not skipped belongs to a video."""
    return next((name for name, _ in boxes_of(start) if name not in _SKIPPED), b"") in _MOVING


def primary_item(data: bytes) -> PrimaryItem | None:
    """Returns the primary item, or `None` if its description cannot be read, which the decoder then reports."""
    try:
        # `meta` is a full box: its version and flags, four bytes, precede the boxes inside.
        meta = next(content for name, content in boxes_of(data) if name == b"meta")[4:]
        parts = dict(boxes_of(meta))
        item = _number(parts[b"pitm"], 4, 2 if parts[b"pitm"][0] == 0 else 4)
        kinds = list(boxes_of(dict(boxes_of(parts[b"iprp"]))[b"ipco"]))
        # Index 0 stands for no property (ISO/IEC 23008-12, 9.3).
        return _described([kinds[number - 1] for number in _properties(parts[b"iprp"], item) if number])
    except (StopIteration, KeyError, IndexError, struct.error):
        return None


def _described(properties: list[tuple[bytes, bytes]]) -> PrimaryItem:
    """The primary item from its properties: `ispe` is its size, `irot` its quarter turns, `imir` its mirror."""
    # Reversed, so that of several properties of one kind the first counts.
    named = dict(reversed(properties))
    width, height = struct.unpack_from(">II", named[b"ispe"], 4)
    turns = named[b"irot"][0] & 3 if b"irot" in named else 0
    mirror = named[b"imir"][0] & 1 if b"imir" in named else None
    return PrimaryItem(width, height, _TURNED[turns, mirror])


def _properties(iprp: bytes, wanted: int) -> list[int]:
    """The property indices, from 1, of the item `wanted` (`ipma`, ISO/IEC 23008-12, 9.3).

    Raises `KeyError` if the item has none.
    """
    for name, content in boxes_of(iprp):
        if name != b"ipma":
            continue
        id_size, wide = (2 if content[0] == 0 else 4), content[3] & 1
        at = 8
        # A crafted count may be 2**32 - 1, but every entry takes at least a byte.
        for _ in range(min(_number(content, 4, 4), len(content))):
            item, count, at = _number(content, at, id_size), content[at + id_size], at + id_size + 1
            size = 2 if wide else 1
            if item == wanted:
                # The highest bit marks the property as essential; the rest is its index.
                mask = 0x7FFF if wide else 0x7F
                return [_number(content, at + size * i, size) & mask for i in range(count)]
            at += size * count
    raise KeyError(wanted)


def _number(data: bytes, at: int, size: int) -> int:
    """The unsigned big-endian integer of `size` bytes at `at`. Raises `IndexError` past the end of the data."""
    if at + size > len(data):
        raise IndexError(at)
    return int.from_bytes(data[at : at + size], "big")


def boxes_of(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields the name and content of each box in `data`, up to the first malformed one."""
    at = 0
    for _ in range(MAX_BOXES):
        if at + 8 > len(data):
            return
        size, name = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:  # a 64-bit size follows; 0 means to the end of the data (ISO/IEC 14496-12, 4.2)
            size, head = _number(data, at + 8, 8), 16
        end = at + size if size else len(data)
        if size and size < head:
            return
        yield name, data[at + head : end]
        at = end
