"""Reads a picture's size from its header, so that the cost of decoding is known before it is paid."""

import io
import struct
from typing import Final

from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from takeback.hashing import boxes, jxl
from takeback.hashing.picture import sniff

_PLACES: Final = {"PNG": (">II", 16), "GIF": ("<HH", 6), "BMP": ("<ii", 18)}
"""Struct layout and offset of width and height, in formats that have them at a fixed place."""


def pixels_of(data: bytes) -> int:
    """Returns width times height by the file's header, or 0 if it cannot be read, which the decoder then reports."""
    try:
        width, height = _size(sniff(data), data)
    except Exception:  # noqa: BLE001 - parsers raise nearly any exception on a hostile file
        return 0
    # A BMP with rows from the top down has a negative height.
    return abs(width * height)


def _size(name: str, data: bytes) -> tuple[int, int]:
    if name in _PLACES:
        layout, at = _PLACES[name]
        width, height = struct.unpack_from(layout, data, at)
        return width, height
    match name:
        case "WEBP":
            return _webp(data)
        case "JXL":
            return jxl.size_of(data) or (0, 0)
        case "HEIC" | "AVIF":
            main = boxes.primary_item(data)
            return (main.width, main.height) if main else (0, 0)
        case "JPEG":
            return JpegImageFile(io.BytesIO(data)).size
        case _:
            return TiffImageFile(io.BytesIO(data)).size


def _webp(data: bytes) -> tuple[int, int]:
    """The canvas of an extended file, or the size of its single picture (RFC 9649, 2.5 to 2.7)."""
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF
