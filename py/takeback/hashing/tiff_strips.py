"""Unpacks TIFF strips compressed with Deflate or JPEG, which the browser's libtiff cannot do.

Both sides unpack them here, with zlib and libjpeg, so that both see the same pixels. Everything else is left to
libtiff.
"""

import io
import struct
import zlib
from typing import Final, NamedTuple

from PIL import Image

from takeback.hashing.tiff import Directory, first_directory

COMPRESSION: Final = 259
PHOTOMETRIC: Final = 262
PREDICTOR: Final = 317
_WIDTH: Final = 256
_HEIGHT: Final = 257
_BITS: Final = 258
_SAMPLES: Final = 277
_ROWS: Final = 278
_PLANAR: Final = 284
_TABLES: Final = 347
_STRIPS: Final = (273, 279)
_TILES: Final = (324, 325)
_TILE_SIDES: Final = (322, 323)
_DEFLATE: Final = frozenset({8, 32946})
_JPEG: Final = 7
_YCBCR: Final = 6
_RGB: Final = 2
_PNG_COLOURS: Final = {1: 0, 2: 4, 3: 2, 4: 6}
"""PNG's colour type by 8-bit samples a pixel: its filter Sub is what TIFF calls predictor 2."""
_START: Final = b"\xff\xd8"
_END: Final = b"\xff\xd9"


class _Block(NamedTuple):
    """What all strips or tiles of a file share: sides in pixels, bytes per row, samples per pixel, and predictor."""

    width: int
    height: int
    row: int
    samples: int
    predictor: int


def plain_tiff(data: bytes) -> bytes:
    """Returns the file with its first picture unpacked and appended, or unchanged if that does not apply."""
    try:
        directory = first_directory(data)
        compression = directory.value(COMPRESSION, 1)
        if compression not in _DEFLATE | {_JPEG} or directory.value(_PLANAR, 1) != 1:
            return data
        if compression == _JPEG and directory.value(_SAMPLES, 1) > len("RGB"):
            return data  # libjpeg inverts CMYK, libtiff does not
        return _unpacked(data, directory, compression)
    except (KeyError, ValueError, IndexError, OSError, SyntaxError, struct.error, zlib.error):
        return data


def _unpacked(data: bytes, directory: Directory, compression: int) -> bytes:
    """The file with uncompressed strips. Raises the errors that `plain_tiff` catches."""
    offsets, counts = _TILES if _TILES[0] in directory.entries else _STRIPS
    block = _block(directory, tiled=offsets == _TILES[0])
    # Unpacked strips go to the end, so that all other offsets in the file remain valid.
    file, ends = bytearray(data), list[int]()
    height = directory.value(_HEIGHT)
    for number, (at, size) in enumerate(zip(directory.values(offsets), directory.values(counts), strict=True)):
        rows = block.height if offsets == _TILES[0] else min(block.height, height - number * block.height)
        packed = data[at : at + size]
        ends.append(len(file))
        file += _inflated(packed, block, rows) if compression in _DEFLATE else _pixels(packed, directory, rows)
    directory.put(file, offsets, ends)
    directory.put(file, COMPRESSION, [1])
    if PREDICTOR in directory.entries:
        directory.put(file, PREDICTOR, [1])
    if compression == _JPEG and directory.value(PHOTOMETRIC) == _YCBCR:
        # libjpeg has converted the pixels already.
        directory.put(file, PHOTOMETRIC, [_RGB])
    return bytes(file)


def _block(directory: Directory, *, tiled: bool) -> _Block:
    width, height = (
        (directory.value(_TILE_SIDES[0]), directory.value(_TILE_SIDES[1]))
        if tiled
        else (directory.value(_WIDTH), min(directory.value(_ROWS, 1 << 31), directory.value(_HEIGHT)))
    )
    samples, bits = directory.value(_SAMPLES, 1), directory.values(_BITS)
    predictor = directory.value(PREDICTOR, 1)
    if predictor not in {1, 2} or (predictor == 2 and set(bits) != {8}):
        raise ValueError("this predictor is left to libtiff")
    return _Block(width, height, (width * samples * bits[0] + 7) // 8, samples, predictor)


def _inflated(packed: bytes, block: _Block, rows: int) -> bytes:
    size = block.row * rows
    # Limited to what the strip can hold: Deflate may expand crafted data a thousandfold.
    pixels = zlib.decompressobj().decompress(packed, size).ljust(size, b"\0")
    return _summed(pixels, block, rows) if block.predictor == 2 else pixels


def _summed(pixels: bytes, block: _Block, rows: int) -> bytes:
    """Undoes predictor 2 (each sample is stored as the difference from its left neighbour) with PNG's decoder."""
    from PIL.PngImagePlugin import PngImageFile

    lines = b"".join(b"\1" + pixels[at : at + block.row] for at in range(0, len(pixels), block.row))
    head = struct.pack(">IIBBBBB", block.width, rows, 8, _PNG_COLOURS[block.samples], 0, 0, 0)
    # Level 0 only copies: the data is decoded again at once.
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines, 0)), (b"IEND", b""))
    png = b"".join(struct.pack(">I", len(part)) + name + part + _checksum(name + part) for name, part in parts)
    return PngImageFile(io.BytesIO(b"\x89PNG\r\n\x1a\n" + png)).tobytes()


def _checksum(data: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(data))


def _pixels(packed: bytes, directory: Directory, rows: int) -> bytes:
    """A strip that is a JPEG without its tables, which the file stores once for all strips."""
    from PIL.JpegImagePlugin import JpegImageFile

    tables = bytes(directory.values(_TABLES)) if _TABLES in directory.entries else b""
    colour = bytes([directory.value(PHOTOMETRIC) == _YCBCR])
    adobe = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + colour  # the marker that tells RGB from YCbCr
    body = tables.removeprefix(_START).removesuffix(_END) + packed.removeprefix(_START)
    image: Image.Image = JpegImageFile(io.BytesIO(_START + adobe + body))
    return image.crop((0, 0, image.width, rows)).tobytes()
