"""The decoders that Pillow does not bring, as CPython has them; the sealed worker hands over its own (`Handed`).

A decoder takes a whole file and gives what `DecodedImage` describes: pixels with a size and a mode of Pillow, cut
out piece by piece. It may raise anything; `picture.py` makes one of our errors of it.
"""

import io
from collections.abc import Callable
from typing import Any, Final, Protocol

from PIL import Image

from takeback.hashing.mend import mended_avif, mended_heic, still_of


class DecodedImage(Protocol):
    """A decoded picture: a Pillow image, or pixels elsewhere that are cut out as one."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the stored pixels."""

    @property
    def mode(self) -> str:
        """Pillow's name for what a pixel is."""

    @property
    def info(self) -> dict[Any, Any]:
        """`orientation` or `exif` tell how to turn the pixels upright; without them they are."""

    @property
    def has_transparency_data(self) -> bool:
        """Whether something may shine through."""

    def crop(self, box: tuple[int, int, int, int]) -> Image.Image:
        """The pixels from left, top to right, bottom."""


type Decoder = Callable[[bytes], DecodedImage]


class HandedPixels(Protocol):
    """Pixels that JavaScript holds (`web/worker/stills.js`): rows of `mode`, which is one of Pillow's."""

    width: int
    height: int
    mode: str

    def cut(self, left: int, top: int, right: int, bottom: int) -> object:
        """The bytes of a part, in a buffer or a JavaScript `Uint8Array`."""


class Handed:
    """A picture whose pixels stay where they were decoded: what is needed of them is fetched piece by piece."""

    def __init__(self, pixels: HandedPixels, orientation: int) -> None:
        self._pixels = pixels
        self.size = (pixels.width, pixels.height)
        self.mode = pixels.mode
        self.info: dict[Any, Any] = {"orientation": orientation}
        self.has_transparency_data = pixels.mode == "RGBA"

    def crop(self, box: tuple[int, int, int, int]) -> Image.Image:
        """The pixels from left, top to right, bottom."""
        left, top, right, bottom = box
        part = bytes_of(self._pixels.cut(left, top, right, bottom))
        return Image.frombytes(self.mode, (right - left, bottom - top), part)


def bytes_of(buffer: Any) -> bytes:
    """What is in a buffer, copied out of JavaScript's memory if it lies there. Raises `MemoryError`."""
    to_bytes = getattr(buffer, "to_bytes", None)
    return bytes(to_bytes() if to_bytes else buffer)


def decode_heic(data: bytes) -> DecodedImage:
    """The main picture by libheif, turned, mirrored and cropped as the file says; EXIF's mark counts no more."""
    from pi_heif import HeifImageFile

    try:
        image: Image.Image = HeifImageFile(io.BytesIO(mended_heic(data)))
        image.load()
    except Exception:  # libde265 1.1 refuses HEVC of several layers, which the browser's 1.0 and FFmpeg read
        other = _decode_by_ffmpeg(data)
        if other is None:
            raise
        image = other
    image.info.pop("exif", None)
    return image


def _decode_by_ffmpeg(data: bytes) -> Image.Image | None:
    """The main picture by FFmpeg if it is coded as a whole; None without PyAV and for what FFmpeg cannot read."""
    from PIL import ExifTags, ImageOps

    from takeback.hashing.boxes import main_picture
    from takeback.hashing.video import first_pixels

    main = main_picture(data)
    if main is None or (pixels := first_pixels(data, (main.width, main.height))) is None:
        return None
    image = Image.fromarray(pixels)
    image.getexif()[ExifTags.Base.Orientation] = main.orientation
    return ImageOps.exif_transpose(image)


def decode_avif(data: bytes) -> DecodedImage:
    """The main picture or the first frame by Pillow, which tells in `exif` how the file wants it turned."""
    from PIL.AvifImagePlugin import AvifImageFile

    mended = mended_avif(data)
    try:
        image = AvifImageFile(io.BytesIO(mended))
        image.load()
    except Exception:  # frames that are cut off make the decoder refuse the whole; the still may be there
        still = still_of(mended)
        if still is mended:
            raise
        image = AvifImageFile(io.BytesIO(still))
        image.load()
    return image


def decode_jxl(data: bytes) -> DecodedImage:
    """The first frame by libjxl, which turns it as the file says."""
    from imagecodecs import jpegxl_decode

    return image_of(jpegxl_decode(data, index=0))


def image_of(pixels: Any) -> Image.Image:
    """The image of an array of rows, columns and channels; more than 8 bits a channel are brought to 8."""
    if pixels.dtype.kind == "f":
        pixels = (pixels.clip(0, 1) * 255 + 0.5).astype("uint8")
    elif pixels.dtype.itemsize > 1:
        pixels = (pixels >> 8 * (pixels.dtype.itemsize - 1)).astype("uint8")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    return Image.fromarray(pixels)


decoders: Final[dict[str, Decoder]] = {"HEIC": decode_heic, "AVIF": decode_avif, "JXL": decode_jxl}
"""By the format's name in `picture.py`. A format that stands here is never given to another decoder."""
