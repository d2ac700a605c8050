"""Test pictures in formats that Pillow alone cannot read or write: HEIC, AVIF and JPEG XL."""

import io
import struct
from collections.abc import Sequence
from typing import Final

import numpy as np
from imagecodecs import jpegxl_encode
from PIL import Image

from builder.runtime.heic import box as _box
from builder.runtime.heic import full as _full
from builder.runtime.heic import heic, hevc

__all__ = ["SHOWN", "avif", "heic", "heic_pair", "jxl", "moving_avif", "places", "put", "shown"]

SHOWN: Final = {
    (0, None): (), (1, None): (Image.Transpose.ROTATE_90,), (2, None): (Image.Transpose.ROTATE_180,),
    (3, None): (Image.Transpose.ROTATE_270,), (0, 0): (Image.Transpose.FLIP_TOP_BOTTOM,),
    (0, 1): (Image.Transpose.FLIP_LEFT_RIGHT,),
    (1, 1): (Image.Transpose.ROTATE_90, Image.Transpose.FLIP_LEFT_RIGHT),
}  # fmt: skip
"""Counter-clockwise quarter turns and a mirror in HEIF, and what a viewer does about them."""
_PAIR: Final = bytes([0, 1, 2, 0x81, 0x82, 0, 2, 2, 0x83, 0x84])
"""The properties of the two items of a pair: a size and a configuration each."""
_TABLE: Final = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_INSIDE: Final = {b"meta": 12, b"stsd": 16, b"av01": 86, b"avc1": 86}
"""Bytes before a box's child boxes, where there are more than 8."""


def shown(image: Image.Image, turns: int = 0, mirror: int | None = None) -> Image.Image:
    """The picture turned as a viewer turns it."""
    for step in SHOWN[turns, mirror]:
        image = image.transpose(step)
    return image


def heic_pair(small: Image.Image, large: Image.Image) -> bytes:
    """A HEIC file whose primary item `small` is marked as the thumbnail of `large`."""
    coded = [hevc(image) for image in (small, large)]
    sizes = [_full(b"ispe", struct.pack(">II", *image.size)) for image in (small, large)]
    properties = [sizes[0], coded[0][0], sizes[1], coded[1][0]]
    start = _box(b"ftyp", b"heic\0\0\0\0mif1heic")
    lengths = [len(frame) for _, frame in coded]

    def meta(place: int) -> bytes:
        items = b"".join(
            struct.pack(">HHHII", item, 0, 1, place + sum(lengths[: item - 1]), lengths[item - 1]) for item in (1, 2)
        )
        infos = b"".join(_full(b"infe", struct.pack(">HH", item, 0), b"hvc1\0", version=2) for item in (1, 2))
        return _full(
            b"meta",
            _full(b"hdlr", b"\0\0\0\0pict" + bytes(13)),
            _full(b"pitm", struct.pack(">H", 1)),
            _full(b"iloc", struct.pack(">HH", 0x4400, 2), items),
            _full(b"iinf", struct.pack(">H", 2), infos),
            _full(b"iref", _box(b"thmb", struct.pack(">HHH", 1, 1, 2))),
            _box(b"iprp", _box(b"ipco", *properties), _full(b"ipma", struct.pack(">I", 2) + _PAIR)),
        )

    frames = b"".join(frame for _, frame in coded)
    return start + meta(len(start) + len(meta(0)) + 8) + _box(b"mdat", frames)


def avif(image: Image.Image, orientation: int = 1, **options: object) -> bytes:
    """An AVIF file with properties that turn it as EXIF's `orientation` does."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    image.save(out, "AVIF", exif=exif, speed=10, **options)
    return out.getvalue()


def moving_avif(frames: Sequence[Image.Image], turns: int, mirror: int | None) -> bytes:
    """An animated AVIF with frames of one second, turned and mirrored. Pillow's own encoder would crash on it."""
    file = bytearray(avif(frames[0], quality=90, save_all=True, append_images=frames[1:], duration=1000))
    size = len(file)
    turn = [_box(b"irot", bytes([turns]))] if turns else []
    flip = [_box(b"imir", bytes([mirror]))] if mirror is not None else []
    for number, mark in enumerate(turn + flip, 5):  # Pillow writes four properties
        put(file, (b"meta", b"iprp", b"ipco"), mark)
        put(file, (b"meta", b"iprp", b"ipma"), bytes([0x80 | number]))
        file[places(file, (b"meta", b"iprp", b"ipma"))[-1] + 18] += 1
        put(file, (*_TABLE, b"stsd", b"av01"), mark)
    chunks = places(file, (*_TABLE, b"stco"))[-1]
    (count,) = struct.unpack_from(">I", file, chunks + 12)
    for place in (places(file, (b"meta", b"iloc"))[-1] + 22, *range(chunks + 16, chunks + 16 + 4 * count, 4)):
        _grow(file, place, len(file) - size)
    return bytes(file)


def places(file: bytearray, path: Sequence[bytes]) -> list[int]:
    """The offsets of the boxes along a path, from the outermost on."""
    at, found = 0, list[int]()
    for name in path:
        while file[at + 4 : at + 8] != name:
            at += struct.unpack_from(">I", file, at)[0]
        found.append(at)
        at += _INSIDE.get(name, 8)
    return found


def put(file: bytearray, path: Sequence[bytes], content: bytes) -> None:
    """Appends to a box and enlarges the boxes around it."""
    around = places(file, path)
    end = around[-1] + struct.unpack_from(">I", file, around[-1])[0]
    for place in around:
        _grow(file, place, len(content))
    file[end:end] = content


def _grow(file: bytearray, place: int, by: int) -> None:
    struct.pack_into(">I", file, place, struct.unpack_from(">I", file, place)[0] + by)


def jxl(image: Image.Image) -> bytes:
    """A JPEG XL file."""
    return bytes(jpegxl_encode(np.asarray(image), level=90, effort=3))
