"""Checks a file's structure before decoding, and refuses files made to keep a decoder busy.

Decoders read these parts one by one, some copying everything read so far, so a crafted file of a few megabytes takes
minutes. Malformed structure is left for the decoder to report.
"""

import struct
from collections.abc import Callable
from typing import Final

from takeback.errors import PictureTooLarge
from takeback.hashing import tiff

MAX_FRAMES: Final = 10_000
"""Five minutes of animation; a file with more frames was made to keep a decoder busy."""
MAX_SCANS: Final = 100
"""Scans of a progressive JPEG; encoders make about ten. Each takes as long as the whole picture and few bytes."""
MAX_PREFACE_BYTES: Final = 32 * 1024 * 1024
"""Bytes before the pixel data. Colour profiles take a few megabytes; phones append their maps at the end."""
MAX_GIF_PREFACE_BYTES: Final = 1024 * 1024
"""The same for GIF, whose comments a decoder joins 255 bytes at a time."""
MAX_SEGMENTS: Final = 10_000
"""Segments before a JPEG's first scan: `MAX_PREFACE_BYTES` in segments of the usual 64 KB makes 512."""
MAX_CHUNKS: Final = 200_000
"""Chunks of a PNG: the largest file in the usual chunks of 8 KB has 49,000."""
MAX_BLOCKS: Final = 2_000_000
"""Blocks of a GIF: the largest file in full blocks of 255 bytes has 1.6 million."""

_TOO_MUCH: Final = "the file holds too much besides the picture; save a plain copy and try that"


def check_structure(name: str, data: bytes) -> None:
    """Checks `data`, a file of the format `name`, against the limits above.

    Raises `PictureTooLarge`, and for TIFF also `DamagedPicture`.
    """
    check = _CHECKS.get(name)
    if check is None:
        return
    try:
        check(data)
    except (IndexError, struct.error):
        return  # truncated: the decoder will report it, and what precedes the end is within the limits


def _check_jpeg(data: bytes) -> None:
    """Walks the segments up to the first scan (ITU T.81, annex B)."""
    place = 2
    for _ in range(MAX_SEGMENTS):
        place = data.find(b"\xff", place)
        if place < 0:
            return
        # Any number of 0xFF may precede a marker (ITU T.81, B.1.1.2); a crafted file has megabytes of them.
        while data[place + 1] == 0xFF and place <= MAX_PREFACE_BYTES:
            place += 1
        if place > MAX_PREFACE_BYTES:
            break
        marker = data[place + 1]
        if marker == 0xDA:
            # Coded data never contains these bytes, because a 0 follows each 0xFF in it (ITU T.81, B.1.1.5).
            if data.count(b"\xff\xda", place) > MAX_SCANS:
                raise PictureTooLarge(f"the file is drawn in over {MAX_SCANS} passes; save a plain copy and try that")
            return
        # Markers without a length: a stuffed 0, TEM, RST, SOI and EOI.
        alone = marker in {0x00, 0x01} or 0xD0 <= marker <= 0xD9
        place += 2 if alone else 2 + struct.unpack_from(">H", data, place + 2)[0]
    raise PictureTooLarge(_TOO_MUCH)


def _check_png(data: bytes) -> None:
    """Walks all chunks (PNG specification, W3C)."""
    place, drawing = 8, False
    for _ in range(MAX_CHUNKS):
        length, kind = struct.unpack_from(">I4s", data, place)
        drawing = drawing or kind == b"IDAT"
        if kind == b"IEND":
            return
        if kind == b"acTL" and struct.unpack_from(">I", data, place + 8)[0] > MAX_FRAMES:
            raise _too_many_frames()
        place += 12 + length
        if not drawing and place > MAX_PREFACE_BYTES:
            break
    raise PictureTooLarge(_TOO_MUCH)


def _check_gif(data: bytes) -> None:
    """Walks all blocks (GIF89a specification)."""
    place, frames, blocks = 13 + _palette(data[10]), 0, 0
    while blocks < MAX_BLOCKS:
        if data[place] == 0x2C:
            frames += 1
            if frames > MAX_FRAMES:
                raise _too_many_frames()
            # Ten bytes of image descriptor, and one with the code size.
            place += 11 + _palette(data[place + 9])
        elif data[place] == 0x21:
            place += 2
        else:
            return
        while (size := data[place]) and blocks < MAX_BLOCKS:
            place += size + 1
            blocks += 1
        place += 1
        if not frames and place > MAX_GIF_PREFACE_BYTES:
            break
    raise PictureTooLarge(_TOO_MUCH)


def _palette(flags: int) -> int:
    """Bytes of the palette announced by a GIF's flags."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _check_webp(data: bytes) -> None:
    """Counts the `ANMF` markers, one per frame of an animation."""
    if data.count(b"ANMF") > MAX_FRAMES:
        raise _too_many_frames()


def _too_many_frames() -> PictureTooLarge:
    return PictureTooLarge(f"the file has over {MAX_FRAMES:,} frames; save the first one as a picture and try that")


_CHECKS: Final[dict[str, Callable[[bytes], None]]] = {
    "JPEG": _check_jpeg,
    "PNG": _check_png,
    "GIF": _check_gif,
    "WEBP": _check_webp,
    "TIFF": tiff.check_directories,
}
