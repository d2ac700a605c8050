"""Reads the boxes of an ISO base media file, as HEIC and AVIF pictures are: what it is, its size, how it is turned."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAX_BOXES: Final = 20_000
"""Boxes that are looked at: a grid of 512-pixel tiles at the limit of pixels has under a thousand properties."""
BRANDS_READ: Final = 4096
"""Bytes from the start of a file by which it is told what it is."""
_HEIC: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"heif"})
_HEIC_PROFILES: Final = frozenset({b"MiHA", b"MiHB", b"MiHE"})
_AVIF: Final = frozenset({b"avif", b"avis", b"avio", b"MA1A", b"MA1B"})
_OPEN: Final = frozenset({b"mif1", b"mif2", b"mif3", b"msf1", b"miaf"})
"""Brands of pictures of either kind: which, say their items."""
STILLS: Final = _HEIC | _HEIC_PROFILES | _AVIF | _OPEN
"""All brands of pictures and of their sequences; `web/worker/sniff.js` has the same, and a test holds them together."""
_MOVING: Final = frozenset({b"moov", b"mdat", b"moof", b"styp", b"sidx"})
"""What stands behind the brands of a video, past what is skipped. Behind those of a picture stands `meta`."""
_SKIPPED: Final = frozenset({b"ftyp", b"etyp", b"free", b"skip", b"wide", b"uuid"})
_TURNED: Final = {
    (0, None): 1, (1, None): 8, (2, None): 3, (3, None): 6,
    (0, 0): 4, (1, 0): 5, (2, 0): 2, (3, 0): 7,
    (0, 1): 2, (1, 1): 7, (2, 1): 4, (3, 1): 5,
}  # fmt: skip
"""EXIF's orientation for quarter turns anticlockwise, then a mirror: 0 swaps top and bottom, 1 left and right."""


@dataclass(frozen=True, slots=True)
class PrimaryItem:
    """What a file says of its main picture: the size of its stored pixels, and EXIF's word for how to turn them."""

    width: int
    height: int
    orientation: int


def kind_of(data: bytes) -> str | None:
    """`AVIF` or `HEIC` by all brands that the file names (ISO/IEC 14496-12, 23008-12), or nothing.

    Where the first is not a picture's, a video that names a picture's among others is still a video.
    """
    if data[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(data[:4], "big"), len(data), BRANDS_READ)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))}
    if not brands & STILLS or (data[8:12] not in STILLS and _is_moving(data[:BRANDS_READ])):
        return None
    if brands & _AVIF:
        return "AVIF"
    return "HEIC" if brands & (_HEIC | _HEIC_PROFILES) or b"av01" not in data[:BRANDS_READ] else "AVIF"


def _is_moving(start: bytes) -> bool:
    """Whether the first box that is not skipped is a video's."""
    return next((name for name, _ in boxes_of(start) if name not in _SKIPPED), b"") in _MOVING


def main_picture(data: bytes) -> PrimaryItem | None:
    """What the file says of its main picture, or nothing when that cannot be read: its decoder will know."""
    try:
        meta = next(content for name, content in boxes_of(data) if name == b"meta")[4:]
        parts = dict(boxes_of(meta))
        item = _number(parts[b"pitm"], 4, 2 if parts[b"pitm"][0] == 0 else 4)
        kinds = list(boxes_of(dict(boxes_of(parts[b"iprp"]))[b"ipco"]))
        return _described([kinds[number - 1] for number in _properties(parts[b"iprp"], item) if number])
    except (StopIteration, KeyError, IndexError, struct.error):
        return None


def _described(properties: list[tuple[bytes, bytes]]) -> PrimaryItem:
    """The main picture by its properties: `ispe` its size, `irot` quarter turns, `imir` a mirror."""
    named = dict(reversed(properties))
    width, height = struct.unpack_from(">II", named[b"ispe"], 4)
    turns = named[b"irot"][0] & 3 if b"irot" in named else 0
    mirror = named[b"imir"][0] & 1 if b"imir" in named else None
    return PrimaryItem(width, height, _TURNED[turns, mirror])


def _properties(iprp: bytes, wanted: int) -> list[int]:
    """The numbers of the properties of the item `wanted`, from 1 (`ipma`, ISO/IEC 23008-12, 9.3)."""
    for name, content in boxes_of(iprp):
        if name != b"ipma":
            continue
        id_size, wide = (2 if content[0] == 0 else 4), content[3] & 1
        at = 8
        for _ in range(min(_number(content, 4, 4), len(content))):
            item, count, at = _number(content, at, id_size), content[at + id_size], at + id_size + 1
            size = 2 if wide else 1
            if item == wanted:
                mask = 0x7FFF if wide else 0x7F
                return [_number(content, at + size * i, size) & mask for i in range(count)]
            at += size * count
    raise KeyError(wanted)


def _number(data: bytes, at: int, size: int) -> int:
    """The number at `at`. Raises `IndexError` where the data ends."""
    if at + size > len(data):
        raise IndexError(at)
    return int.from_bytes(data[at : at + size], "big")


def boxes_of(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The boxes of `data` one after the other: name and content; none after one that is broken."""
    at = 0
    for _ in range(MAX_BOXES):
        if at + 8 > len(data):
            return
        size, name = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            size, head = _number(data, at + 8, 8), 16
        end = at + size if size else len(data)
        if size and size < head:
            return
        yield name, data[at + head : end]
        at = end
