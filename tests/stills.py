"""Pictures of the kinds that Pillow cannot write or read alone, made for tests: HEIC, AVIF and JPEG XL."""

import io
import struct
from fractions import Fraction
from typing import Any, Final

import av
import numpy as np
from imagecodecs import jpegxl_encode
from PIL import Image

SHOWN: Final = {
    (0, None): (), (1, None): (Image.Transpose.ROTATE_90,), (2, None): (Image.Transpose.ROTATE_180,),
    (3, None): (Image.Transpose.ROTATE_270,), (0, 0): (Image.Transpose.FLIP_TOP_BOTTOM,),
    (0, 1): (Image.Transpose.FLIP_LEFT_RIGHT,),
    (1, 1): (Image.Transpose.ROTATE_90, Image.Transpose.FLIP_LEFT_RIGHT),
}  # fmt: skip
"""Quarter turns anticlockwise and a mirror of HEIF, and what a viewer does about them."""


def shown(image: Image.Image, turns: int = 0, mirror: int | None = None) -> Image.Image:
    """The picture as a viewer turns it."""
    for step in SHOWN[turns, mirror]:
        image = image.transpose(step)
    return image


def heic(image: Image.Image, turns: int = 0, mirror: int | None = None, size: tuple[int, int] | None = None) -> bytes:
    """A HEIC file of one picture with even sides. `size` is what the file says of it, if not the truth."""
    configuration, coded = _hevc(image)
    turn = [_box(b"irot", bytes([turns]))] if turns else []
    flip = [_box(b"imir", bytes([mirror]))] if mirror is not None else []
    properties = [_full(b"ispe", struct.pack(">II", *(size or image.size))), configuration, *turn, *flip]
    numbers = bytes(0x80 | number for number in range(1, len(properties) + 1))
    association = struct.pack(">IHB", 1, 1, len(properties)) + numbers
    start = _box(b"ftyp", b"heic\0\0\0\0mif1heic")

    def meta(place: int) -> bytes:
        return _full(
            b"meta",
            _full(b"hdlr", b"\0\0\0\0pict" + bytes(13)),
            _full(b"pitm", struct.pack(">H", 1)),
            _full(b"iloc", struct.pack(">HHHHHII", 0x4400, 1, 1, 0, 1, place, len(coded))),
            _full(b"iinf", struct.pack(">H", 1), _full(b"infe", struct.pack(">HH", 1, 0), b"hvc1\0", version=2)),
            _box(b"iprp", _box(b"ipco", *properties), _full(b"ipma", association)),
        )

    return start + meta(len(start) + len(meta(0)) + 8) + _box(b"mdat", coded)


def avif(image: Image.Image, orientation: int = 1, **options: object) -> bytes:
    """An AVIF file whose properties turn it as EXIF's `orientation` says."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    image.save(out, "AVIF", exif=exif, speed=10, **options)
    return out.getvalue()


def jxl(image: Image.Image) -> bytes:
    """A JPEG XL file."""
    return bytes(jpegxl_encode(np.asarray(image), level=90, effort=3))


def _hevc(image: Image.Image) -> tuple[bytes, bytes]:
    """The picture as one frame of HEVC: its `hvcC` box, and the frame as an MP4 has it."""
    out = io.BytesIO()
    options = {"crf": "15", "preset": "ultrafast", "x265-params": "log-level=none:bframes=0"}
    with av.open(out, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx265", rate=1, options=options)
        stream.width, stream.height, stream.pix_fmt = *image.size, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.asarray(image.convert("RGB")), format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = 0, Fraction(1)
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    data = out.getvalue()
    return _found(data, b"hvcC"), _found(data, b"mdat")[8:]


def _found(data: bytes, name: bytes) -> bytes:
    """The first box of this name, wherever it stands."""
    start = data.index(name) - 4
    return data[start : start + struct.unpack_from(">I", data, start)[0]]


def _box(name: bytes, *content: bytes) -> bytes:
    whole = b"".join(content)
    return struct.pack(">I4s", len(whole) + 8, name) + whole


def _full(name: bytes, *content: bytes, version: int = 0) -> bytes:
    return _box(name, bytes([version, 0, 0, 0]), *content)
