"""Repairs HEIC and AVIF files that common viewers show but a decoder refuses or shows differently.

The same bytes go to the decoder natively and in the browser. A file that needs no repair, or cannot be parsed, is
returned unchanged: the decoder reports what is wrong.
"""

import struct
from collections.abc import Callable
from typing import Final

from takeback.hashing.boxes import boxes_of

_SKIPPED: Final = b"free"
_PIXI: Final = b"pixi"
_MATRIX: Final = {10: 9, 13: 9, 11: 9, 14: 9, 3: 2}
"""Matrix coefficients (ITU-T H.273) that libavif cannot convert, and the nearest that it can (BT.2020, unspecified)."""
_MATRIX_AT: Final = 8
"""Their offset in a `colr` box's content: after `nclx` and two more numbers."""

type _Boxes = list[tuple[bytes, bytes]]
type _Associations = dict[int, list[int]]


def mended_heic(data: bytes) -> bytes:
    """Returns the file with the primary item no longer marked as a thumbnail, which libheif's callers would skip."""
    return _tried(_without_thumbnail_mark, data)


def mended_avif(data: bytes) -> bytes:
    """Returns the file with what libavif requires: `pixi`, a `clap` that cuts nothing, and colours that it can convert.

    Viewers ignore an invalid `clap`, and libavif's callers ignore every `clap`.
    """
    return _tried(_with_plain_properties, data)


def still_of(data: bytes) -> bytes:
    """Returns an animated AVIF as a still, for decoders that refuse the animation; other files unchanged."""
    parts = list(boxes_of(data))
    if [name for name, _ in parts[:1]] != [b"ftyp"] or b"moov" not in dict(parts):
        return data
    place = _place(data, b"moov")
    end = int.from_bytes(data[:4], "big")
    # Names are replaced by names of the same length, because `iloc` holds offsets from the start of the file.
    return data[:end].replace(b"avis", b"avif") + data[end:place] + _SKIPPED + data[place + 4 :]


def _tried(mend: Callable[[bytes], bytes], data: bytes) -> bytes:
    try:
        return mend(data)
    except (KeyError, IndexError, StopIteration, ValueError, struct.error):
        return data


def _place(data: bytes, wanted: bytes) -> int:
    """The offset of the name of the first box called `wanted`. Raises `KeyError` if there is none."""
    at = 0
    for name, content in boxes_of(data):
        head = 16 if data[at : at + 4] == b"\0\0\0\1" else 8
        if name == wanted:
            return at + 4
        at += head + len(content)
    raise KeyError(wanted)


def _main_item(parts: dict[bytes, bytes]) -> int:
    pitm = parts[b"pitm"]
    return int.from_bytes(pitm[4:6] if pitm[0] == 0 else pitm[4:8], "big")


def _without_thumbnail_mark(data: bytes) -> bytes:
    meta = dict(boxes_of(data))[b"meta"]
    parts = dict(boxes_of(meta[4:]))
    references = parts[b"iref"]
    size = 2 if references[0] == 0 else 4
    start = data.index(references)
    at = start + 4
    changed = bytearray(data)
    for name, content in boxes_of(references[4:]):
        if name == b"thmb" and int.from_bytes(content[:size], "big") == _main_item(parts):
            # Overwritten in place: `iloc` holds offsets from the start of the file, so nothing may move.
            changed[at + 4 : at + 8] = _SKIPPED
        at += 8 + len(content)
    return bytes(changed)


def _with_plain_properties(data: bytes) -> bytes:
    meta = dict(boxes_of(data))[b"meta"]
    inside: _Boxes = list(boxes_of(meta[4:]))
    parts = dict(inside)
    within = list(boxes_of(parts[b"iprp"]))
    properties: _Boxes = [_plain(*box, parts) for box in boxes_of(dict(within)[b"ipco"])]
    changed = properties != list(boxes_of(dict(within)[b"ipco"]))
    flags, table = _associations(dict(within)[b"ipma"])
    for item, numbers in table.items():
        kinds = {properties[(number & 0x7FFF) - 1][0]: properties[(number & 0x7FFF) - 1][1] for number in numbers}
        if b"av1C" in kinds and _PIXI not in kinds:
            properties.append((_PIXI, _pixi(kinds[b"av1C"])))
            table[item] = [len(properties), *numbers]
            changed = True
    if not changed:
        return data
    rewritten = {b"ipco": b"".join(_box(*box) for box in properties), b"ipma": _ipma(flags, table)}
    iprp = b"".join(_box(name, rewritten.get(name, content)) for name, content in within)
    whole = b"".join(_box(name, iprp if name == b"iprp" else content) for name, content in inside)
    # The longer `meta` goes to the end, because `iloc` holds offsets from the start of the file.
    place = _place(data, b"meta")
    return data[:place] + _SKIPPED + data[place + 4 :] + _box(b"meta", meta[:4] + whole)


def _plain(name: bytes, content: bytes, parts: dict[bytes, bytes]) -> tuple[bytes, bytes]:
    """The property, replaced if libavif needs another value."""
    if name == b"clap":
        sizes = [box for kind, box in boxes_of(dict(boxes_of(parts[b"iprp"]))[b"ipco"]) if kind == b"ispe"]
        width, height = struct.unpack_from(">II", sizes[0], 4)
        return name, struct.pack(">8I", width, 1, height, 1, 0, 1, 0, 1)
    if name == b"colr" and content[:4] == b"nclx":
        (matrix,) = struct.unpack_from(">H", content, _MATRIX_AT)
        return name, content[:_MATRIX_AT] + struct.pack(">H", _MATRIX.get(matrix, matrix)) + content[_MATRIX_AT + 2 :]
    return name, content


def _pixi(av1c: bytes) -> bytes:
    """Bits per channel, from the decoder configuration (AV1 in ISOBMFF, 2.3.3)."""
    deep, deepest, grey = av1c[2] & 0x40, av1c[2] & 0x20, av1c[2] & 0x10
    channels = 1 if grey else 3
    return bytes([0, 0, 0, 0, channels]) + bytes([12 if deepest else 10 if deep else 8]) * channels


def _associations(ipma: bytes) -> tuple[bytes, _Associations]:
    """The header of `ipma`, and each item's property numbers, with 0x8000 set for essential ones."""
    wide, long = ipma[3] & 1, ipma[0] > 0
    (count,) = struct.unpack_from(">I", ipma, 4)
    table, at = dict[int, list[int]](), 8
    for _ in range(count):
        (item,) = struct.unpack_from(">I" if long else ">H", ipma, at)
        at += 4 if long else 2
        numbers = list(struct.unpack_from(f">{ipma[at]}{'H' if wide else 'B'}", ipma, at + 1))
        at += 1 + len(numbers) * (2 if wide else 1)
        table[item] = numbers if wide else [(number & 0x80) << 8 | number & 0x7F for number in numbers]
    return ipma[:4], table


def _ipma(head: bytes, table: _Associations) -> bytes:
    """The `ipma` box, with two bytes per association."""
    rows = b""
    for item, numbers in table.items():
        rows += struct.pack(">I" if head[0] else ">H", item) + bytes([len(numbers)])
        rows += struct.pack(f">{len(numbers)}H", *numbers)
    return head[:3] + bytes([head[3] | 1]) + struct.pack(">I", len(table)) + rows


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, name) + content
