"""The decoders outside Pillow, for CPython; the sealed worker provides its own (`JavaScriptPicture`).

A decoder takes a whole file and returns a `DecodedImage`, whose pixels are read strip by strip. It may raise any
exception; `picture.py` converts it to one of ours.
"""

import io
from collections.abc import Callable
from typing import Any, Final, Protocol

from PIL import Image

from takeback.hashing.mend import mended_avif, mended_heic, still_of


class DecodedImage(Protocol):
    """A decoded picture: a Pillow image, or pixels elsewhere that can be cropped like one."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the stored pixels."""

    @property
    def mode(self) -> str:
        """Pillow's name of the pixel format."""

    @property
    def info(self) -> dict[Any, Any]:
        """Metadata; `orientation` or `exif` tells how to turn the pixels upright. Without either, they are upright."""

    @property
    def has_transparency_data(self) -> bool:
        """Whether any pixel may be transparent."""

    def crop(self, box: tuple[int, int, int, int]) -> Image.Image:
        """The pixels inside `box`: left, top, right, bottom."""


type Decoder = Callable[[bytes], DecodedImage]


class JavaScriptPixels(Protocol):
    """Pixels held by JavaScript (`web/worker/stills.js`) as rows of `mode`, one of Pillow's modes."""

    width: int
    height: int
    mode: str

    def cut(self, left: int, top: int, right: int, bottom: int) -> object:
        """The bytes of a region, in a buffer or a JavaScript `Uint8Array`."""


class JavaScriptPicture:
    """A picture whose pixels stay in JavaScript's memory; strips are copied out on demand."""

    def __init__(self, pixels: JavaScriptPixels, orientation: int) -> None:
        self._pixels = pixels
        self.size = (pixels.width, pixels.height)
        self.mode = pixels.mode
        self.info: dict[Any, Any] = {"orientation": orientation}
        self.has_transparency_data = pixels.mode == "RGBA"

    def crop(self, box: tuple[int, int, int, int]) -> Image.Image:
        """The pixels inside `box`: left, top, right, bottom."""
        left, top, right, bottom = box
        part = copy_bytes(self._pixels.cut(left, top, right, bottom))
        return Image.frombytes(self.mode, (right - left, bottom - top), part)


def copy_bytes(buffer: Any) -> bytes:
    """Copies the content of a Python buffer or a JavaScript array. Raises `MemoryError`."""
    to_bytes = getattr(buffer, "to_bytes", None)
    return bytes(to_bytes() if to_bytes else buffer)


def decode_heic(data: bytes) -> DecodedImage:
    """Decodes the primary item with libheif, which applies rotation, mirror and crop, so EXIF's mark is dropped."""
    from pi_heif import HeifImageFile

    try:
        # Loaded here and not when the pixels are read, so that FFmpeg can still take over.
        image: Image.Image = HeifImageFile(io.BytesIO(mended_heic(data)))
        image.load()
    except Exception:  # libde265 1.1 refuses HEVC with several layers, which the browser's 1.0 and FFmpeg decode
        other = _decode_by_ffmpeg(data)
        if other is None:
            raise
        image = other
    image.info.pop("exif", None)
    return image


def _decode_by_ffmpeg(data: bytes) -> Image.Image | None:
    """Decodes the primary item with FFmpeg if it is coded as a single picture.

    Returns `None` without PyAV, or if FFmpeg cannot read it.
    """
    from PIL import ExifTags, ImageOps

    from takeback.hashing.boxes import primary_item
    from takeback.hashing.video import first_pixels  # not at the top: the wheel for browsers has no video.py

    main = primary_item(data)
    if main is None or (pixels := first_pixels(data, (main.width, main.height))) is None:
        return None
    image = Image.fromarray(pixels)
    image.getexif()[ExifTags.Base.Orientation] = main.orientation
    return ImageOps.exif_transpose(image)


def decode_avif(data: bytes) -> DecodedImage:
    """Decodes the primary item or first frame with Pillow, which reports the file's orientation in `exif`."""
    from PIL.AvifImagePlugin import AvifImageFile

    mended = mended_avif(data)
    try:
        image = AvifImageFile(io.BytesIO(mended))
        image.load()
    except Exception:  # truncated frames make the decoder refuse the whole file; the still may be intact
        still = still_of(mended)
        if still is mended:
            raise
        image = AvifImageFile(io.BytesIO(still))
        image.load()
    return image


def decode_jxl(data: bytes) -> DecodedImage:
    """Decodes the first frame with libjxl, which applies the orientation."""
    from imagecodecs import jpegxl_decode

    return image_of(jpegxl_decode(data, index=0))


def image_of(pixels: Any) -> Image.Image:
    """Converts an array of rows, columns and channels to an image, scaling deeper channels to 8 bits."""
    if pixels.dtype.kind == "f":
        pixels = (pixels.clip(0, 1) * 255 + 0.5).astype("uint8")
    elif pixels.dtype.itemsize > 1:
        pixels = (pixels >> 8 * (pixels.dtype.itemsize - 1)).astype("uint8")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    return Image.fromarray(pixels)


decoders: Final[dict[str, Decoder]] = {"HEIC": decode_heic, "AVIF": decode_avif, "JXL": decode_jxl}
"""Decoders by the format names of `picture.py`. A format listed here is never given to another decoder."""
