"""Writes HEIC files, for the build's check and for tests, because no library in use does."""

import io
import struct
from fractions import Fraction
from typing import Any

import av
import numpy as np
from PIL import Image


def heic(image: Image.Image, turns: int = 0, mirror: int | None = None, size: tuple[int, int] | None = None) -> bytes:
    """Returns a HEIC file of one picture with even sides. `size` overrides the size that the file claims."""
    configuration, coded = hevc(image)
    turn = [box(b"irot", bytes([turns]))] if turns else []
    flip = [box(b"imir", bytes([mirror]))] if mirror is not None else []
    properties = [full(b"ispe", struct.pack(">II", *(size or image.size))), configuration, *turn, *flip]
    # 0x80 marks a property as essential.
    numbers = bytes(0x80 | number for number in range(1, len(properties) + 1))
    association = struct.pack(">IHB", 1, 1, len(properties)) + numbers
    start = box(b"ftyp", b"heic\0\0\0\0mif1heic")

    def meta(place: int) -> bytes:
        return full(
            b"meta",
            full(b"hdlr", b"\0\0\0\0pict" + bytes(13)),
            full(b"pitm", struct.pack(">H", 1)),
            full(b"iloc", struct.pack(">HHHHHII", 0x4400, 1, 1, 0, 1, place, len(coded))),
            full(b"iinf", struct.pack(">H", 1), full(b"infe", struct.pack(">HH", 1, 0), b"hvc1\0", version=2)),
            box(b"iprp", box(b"ipco", *properties), full(b"ipma", association)),
        )

    # `iloc` needs the place of the picture, which depends on the length of `meta`, whatever the number in it.
    return start + meta(len(start) + len(meta(0)) + 8) + box(b"mdat", coded)


def hevc(image: Image.Image) -> tuple[bytes, bytes]:
    """Encodes the picture as one frame of HEVC; returns its `hvcC` box and the frame as stored in an MP4."""
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
    """The first box called `name`, at any depth."""
    start = data.index(name) - 4
    return data[start : start + struct.unpack_from(">I", data, start)[0]]


def box(name: bytes, *content: bytes) -> bytes:
    """A box of an ISO base media file."""
    whole = b"".join(content)
    return struct.pack(">I4s", len(whole) + 8, name) + whole


def full(name: bytes, *content: bytes, version: int = 0) -> bytes:
    """A box with a version and no flags."""
    return box(name, bytes([version, 0, 0, 0]), *content)
