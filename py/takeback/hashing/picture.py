"""Decodes a picture to upright 8-bit pixels.

The same Pillow runs in CPython and in the browser, and only the formats named here are ever tried, each by its own
signature. A decoder is loaded when the first picture of its format comes; those that are not Pillow's: `decoders.py`.
"""

import io
import itertools
import math
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, override

from PIL import Image, ImageFile

from takeback.errors import DamagedPicture, PictureError, PictureTooLarge, UnknownFormat
from takeback.hashing import boxes, jxl, partial, tiff
from takeback.hashing.animation import Still, check_total_pixels
from takeback.hashing.decoders import DecodedImage, Decoder, decoders
from takeback.hashing.kernel import COLUMNS, MAX_SIDE_PIXELS, resize_rows
from takeback.hashing.pdq import Pixels
from takeback.hashing.structure import check_structure
from takeback.hashing.tiff_strips import plain_tiff
from takeback.signals import Variant

MAX_PIXELS: Final = 210_000_000
"""Above the largest pictures of phones: 200 megapixels, 12,240 x 16,320."""
MAX_BYTES: Final = 640 * 1024 * 1024
"""`MAX_PIXELS` without any compression, in three bytes a pixel, and room for metadata."""
STRIP_BYTES: Final = 1 << 20
"""Pixels are normalised and handed on in pieces of about this size, so that no second picture is kept in memory."""

_SIGNATURES: Final = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "WEBP": (b"RIFF",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "BMP": (b"BM",),
    "TIFF": tiff.SIGNATURES,
    "JXL": jxl.SIGNATURES,
}
"""What a file of each format begins with. HEIC and AVIF are told apart by what they say (`boxes.kind_of`)."""
FORMATS: Final = (*_SIGNATURES, "HEIC", "AVIF", "MPO")
"""Every name that `DecodedPicture.format` may have. MPO is a JPEG with further pictures behind the main one."""
MAX_COLOUR_PIXELS: Final = 120_000_000
"""Of a larger JPEG phash is made of its luma: its colours would take half a gigabyte more."""
TALL_RATIO: Final = 100
"""Pillow shrinks the columns of a picture before its rows if it is more than so many times as high as wide."""

_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes stored pixels upright, by orientation; 1 leaves them be."""
_SIDEWAYS: Final = frozenset({5, 6, 7, 8})
"""Orientations that swap width and height: their rows are stored columns."""
_BACKWARDS: Final = frozenset({3, 4, 7, 8})
"""Orientations whose first row is stored last."""

_MOVING: Final = frozenset({"GIF", "WEBP", "AVIF"})
"""Formats whose further frames are an animation; of others they are pages, or sizes of the same picture."""
_GREY: Final = frozenset({"1", "L", "I", "F", "I;16", "I;16L", "I;16B", "I;16N", "LAB"})
"""Modes of one plane, and LAB, whose lightness is hashed: what makes colours of the rest is not in the browser."""
_DEEP: Final = _GREY - {"1", "L"}
"""Those that must be brought to 8 bits first."""
_KEYED: Final = frozenset({"1", "L", "P", "RGB"})
"""Modes in which a file may name one colour, or some of a palette, as transparent."""


type Small = Image.Image
"""A picture of `COLUMNS` x `COLUMNS` grey values: what imagehash shrinks a picture to."""


@dataclass(frozen=True, slots=True)
class DecodedPicture:
    """A decoded picture: its format, the size as a person sees it, its pixels upright and, if turned, as stored.

    `orientation` is what makes the decoded pixels upright, in EXIF's numbers. `shrink` makes what imagehash would make
    of these views. `frames` decodes an animation from its start, each frame upright; other pictures have none.
    `incomplete` says that the file is cut short or broken inside: what is missing is white.
    """

    format: str
    width: int
    height: int
    orientation: int
    upright: Pixels
    stored: Pixels | None
    shrink: Callable[[], dict[Variant, Small]]
    frames: Callable[[], Iterator[Still]] | None
    incomplete: bool


def open_picture(data: bytes, decode: Decoder | None = None) -> DecodedPicture:
    """Decodes the main picture or the first frame of `data`. Raises `PictureError` and nothing else.

    `decode` takes the place of a decoder that is not Pillow's. The pixels come when they are asked for, and asking
    raises `PictureError` as well.
    """
    if len(data) > MAX_BYTES:
        raise PictureTooLarge(f"the file is over {MAX_BYTES >> 20} MB; save the picture as a JPEG and try that")
    name = sniff(data)
    with _our_errors():
        check_structure(name, data)
        if own := decoders.get(name):
            _check_size(_announced(name, data))
            source = (decode or own)(data)
            _check_size(source.size)
            return _describe(source, name, data)
        image = _open(name, data)
        _check_size(image.size)
        shown = _load(image, name, data)
        return _describe(image, "MPO" if "mp" in image.info else name, data, shown)


def sniff(data: bytes) -> str:
    """The format by the first bytes. Raises `UnknownFormat`."""
    for name, signatures in _SIGNATURES.items():
        if data.startswith(signatures) and (name != "WEBP" or data[8:12] == b"WEBP"):
            return name
    if kind := boxes.kind_of(data):
        return kind
    kinds = ", ".join(name for name in FORMATS if name != "MPO")
    raise UnknownFormat(f"this is not a picture of a kind that can be read ({kinds})")


def _announced(name: str, data: bytes) -> tuple[int, int]:
    """The size that a file says it has, so that it can be refused before a decoder makes room for it."""
    if name == "JXL":
        return jxl.size_of(data) or (1, 1)
    main = boxes.main_picture(data) if name in {"HEIC", "AVIF"} else None
    return (main.width, main.height) if main else (1, 1)


def _load(image: ImageFile.ImageFile, name: str, data: bytes, *, coloured: bool = False) -> Image.Image | None:
    """Loads the picture, of a JPEG its luma, unless `coloured`. Nothing when it is whole, else what it shows."""

    def prepared(image: ImageFile.ImageFile) -> ImageFile.ImageFile:
        if name == "JPEG" and not coloured and _is_ycbcr(image):
            image.draft("L", image.size)
        return image

    if name in partial.FORMATS:
        shown = partial.load_shown(prepared(image), lambda: prepared(_open(name, data)))
        return image if shown is None and name == "JPEG" and partial.lacks_end(data) else shown
    image.load()
    return image if name == "WEBP" and partial.mended_webp(data) else None


def _open(name: str, data: bytes) -> ImageFile.ImageFile:
    """The picture, its header read. Not by `Image.open`, which loads decoders that are not wanted."""
    file = io.BytesIO(data)
    match name:
        case "JPEG":
            return _open_jpeg(file)
        case "PNG":
            from PIL.PngImagePlugin import PngImageFile

            return PngImageFile(file)
        case "WEBP":
            from PIL.WebPImagePlugin import WebPImageFile

            return WebPImageFile(io.BytesIO(partial.mended_webp(data) or data))
        case "GIF":
            from PIL.GifImagePlugin import GifImageFile

            return GifImageFile(file)
        case "BMP":
            from PIL.BmpImagePlugin import BmpImageFile

            return BmpImageFile(file)
        case _:
            return _open_tiff(data)


def _open_jpeg(file: io.BytesIO) -> ImageFile.ImageFile:
    """The main picture. Pillow would look for its resolution in EXIF, which loads its TIFF code and has no limits."""
    from PIL.JpegImagePlugin import JpegImageFile

    class Jpeg(JpegImageFile):
        ended = False
        """Whether the file lacks its end."""

        @override
        def _read_dpi_from_exif(self) -> None:
            """Nobody needs the resolution."""

        @override
        def load_read(self, read_bytes: int) -> bytes:
            """The next bytes; at the end of a file that lacks its own, an end."""
            assert self.fp is not None
            data = self.fp.read(read_bytes)
            if data or self.ended:
                return data
            self.ended = True
            return partial.END_OF_JPEG

    return Jpeg(file)


def _open_tiff(data: bytes) -> ImageFile.ImageFile:
    """The first page, its pixels as stored. Pillow would turn them, and read all EXIF for that, broken or not."""
    from PIL.TiffImagePlugin import TiffImageFile

    class Tiff(TiffImageFile):
        @override
        def load_end(self) -> None:
            """Leaves the pixels as they are: their size was told as if turned."""
            self._size = self.im.size

    return Tiff(io.BytesIO(plain_tiff(data)))


def _check_size(size: tuple[int, int]) -> None:
    """Refuses what would take too much memory. Raises `PictureTooLarge`, which names the limit."""
    if size[0] * size[1] > MAX_PIXELS:
        raise PictureTooLarge(
            f"the picture has over {MAX_PIXELS // 1_000_000} megapixels; save a smaller copy and try that"
        )
    if max(size) > MAX_SIDE_PIXELS:
        raise PictureTooLarge(f"a side is over {MAX_SIDE_PIXELS:,} pixels; save a smaller copy and try that")


def _in_colours(source: DecodedImage, shown: DecodedImage, data: bytes) -> DecodedImage:
    """What imagehash reads of the file: a JPEG in colours, whose grey is not its luma where colours are clipped.

    `shown` is what was decoded. It is kept where it has all colours, and where a decode with them has no room.
    """
    width, height = source.size
    if len(getattr(source, "layer", ())) != 3 or shown.mode != "L" or width * height > MAX_COLOUR_PIXELS:
        return shown
    with suppress(Exception):  # it was decoded once, so what fails now is memory, whatever the decoder calls it
        image = _open("JPEG", data)
        return _load(image, "JPEG", data, coloured=True) or image
    return shown


def _is_ycbcr(image: ImageFile.ImageFile) -> bool:
    """Whether a JPEG's first plane is luma: three planes, and neither an Adobe mark nor their names say RGB."""
    if image.mode != "RGB":
        return False
    planes = [layer[0] for layer in getattr(image, "layer", ())]
    return "jfif" in image.info or (image.info.get("adobe_transform") != 0 and planes != list(b"RGB"))


def _describe(source: DecodedImage, name: str, data: bytes, shown: Image.Image | None = None) -> DecodedPicture:
    """The two views of a decoded picture; `shown` is what can be seen of one that is incomplete."""
    moving = name in _MOVING and _is_animated(source)
    orientation, stored = _orientations(source, data)
    decoded = shown or source
    pixels = _pixels(decoded, orientation)
    turned = stored != orientation

    def shrink() -> dict[Variant, Small]:
        with _our_errors():
            coloured = _in_colours(source, decoded, data)
            views = {Variant.WHOLE: _shrink(coloured, orientation)}
            return {**views, Variant.STORED: _shrink(coloured, stored)} if turned else views

    return DecodedPicture(
        name,
        pixels.width,
        pixels.height,
        orientation,
        pixels,
        _pixels(decoded, stored) if turned else None,
        shrink,
        (lambda: _frames(name, data, orientation)) if moving else None,
        incomplete=shown is not None,
    )


def _is_animated(source: DecodedImage) -> bool:
    """Whether there is a second frame."""
    try:
        return bool(getattr(source, "is_animated", False))
    except Exception:  # noqa: BLE001 - what is behind the first frame is broken, and the first is not
        return False


def _frames(name: str, data: bytes, orientation: int) -> Iterator[Still]:
    """The frames of an animation, by a decoder of their own. Raises `PictureError` at the first that is broken."""
    with _our_errors():
        moving = decoders[name](data) if name in decoders else _open(name, data)
    assert isinstance(moving, ImageFile.ImageFile)
    for number in itertools.count():
        with _our_errors():
            try:
                moving.seek(number)
            except EOFError:
                return
            check_total_pixels(number, moving.size)
            shown = _load(moving, name, data) if number == 0 else None
            moving.load()
        yield Still(_pixels(shown or moving, orientation), moving.info.get("duration") or 0)


def _orientations(source: DecodedImage, data: bytes) -> tuple[int, int]:
    """What makes the decoded pixels upright, and what makes them as stored."""
    if data.startswith(tiff.SIGNATURES):
        return tiff.orientation_of(data), 1
    exif = source.info.get("exif")
    marked = tiff.orientation_of(exif) if isinstance(exif, bytes) else int(source.info.get("orientation", 1))
    return marked, 1


def _shrink(image: DecodedImage, orientation: int) -> Small:
    """The picture turned by `orientation`, in grey and shrunk as imagehash would."""
    width, height = _size(image, orientation)
    scale = _scale(image)

    def grey(top: int, bottom: int) -> Image.Image:
        strip = _cut(image, orientation, top, bottom)
        plain = _plain(strip, scale) if strip.mode in _DEEP else strip  # without a look at transparency, as imagehash
        return plain if plain.mode == "L" else plain.convert("L")

    if height > TALL_RATIO * width:
        narrow = grey(0, height)
    else:
        resized = resize_rows((grey(*piece).tobytes() for piece in _pieces(width, height)), width)
        narrow = Image.frombytes("L", (COLUMNS, height), resized)
    return narrow.resize((COLUMNS, COLUMNS), Image.Resampling.LANCZOS)


def _pixels(image: DecodedImage, orientation: int) -> Pixels:
    """The pixels of `image` turned by `orientation`, one strip after the other."""
    width, height = _size(image, orientation)
    alpha = image.has_transparency_data and (image.mode in _KEYED or "A" in image.mode.upper())
    layout = "L" if image.mode in _GREY and not alpha else "RGBX"

    def strips() -> Iterator[bytes]:
        with _our_errors():
            scale = _scale(image)
        for top, bottom in _pieces(width, height):
            with _our_errors():
                strip = _cut(image, orientation, top, bottom)
                plain = _on_white(strip) if alpha else _plain(strip, scale)
                pixels = plain.tobytes("raw", layout)
            yield pixels

    return Pixels(width, height, layout, strips())


def _size(image: DecodedImage, orientation: int) -> tuple[int, int]:
    """Width and height of the turned picture."""
    width, height = image.size
    return (height, width) if orientation in _SIDEWAYS else (width, height)


def _pieces(width: int, height: int) -> Iterator[tuple[int, int]]:
    """The first row of each strip of about `STRIP_BYTES`, and the row after its last."""
    rows = max(1, STRIP_BYTES // (4 * width))
    for top in range(0, height, rows):
        yield top, min(top + rows, height)


def _cut(image: DecodedImage, orientation: int, top: int, bottom: int) -> Image.Image:
    """Rows `top` to `bottom` of the turned picture: cut out where they are stored, then turned."""
    sideways = orientation in _SIDEWAYS
    width, height = image.size
    length = width if sideways else height
    if orientation in _BACKWARDS:
        top, bottom = length - bottom, length - top
    strip = image.crop((top, 0, bottom, height) if sideways else (0, top, width, bottom))
    turn = _TURNS.get(orientation)
    return strip if turn is None else strip.transpose(turn)


def _scale(image: DecodedImage) -> float:
    """What brings grey values deeper than 8 bits to 0-255, as a viewer would show them."""
    if not isinstance(image, Image.Image):
        return 1.0
    if image.mode.startswith("I;16"):
        return 1 / 256
    if image.mode not in {"I", "F"}:
        return 1.0
    _, highest = image.getextrema()
    assert not isinstance(highest, tuple)
    if not math.isfinite(highest):
        raise DamagedPicture("the picture has values that are not numbers")
    if image.mode == "F" and highest <= 1:
        return 255.0
    return 1.0 if highest <= 255 else 1 / 256 if highest <= 65_535 else 255 / highest


def _on_white(strip: Image.Image) -> Image.Image:
    """The strip over white, in RGB."""
    if strip.mode == "La":
        strip = strip.convert("LA")
    white = Image.new("RGBA", strip.size, "white")
    white.alpha_composite(strip.convert("RGBA"))
    return white.convert("RGB")


def _plain(strip: Image.Image, scale: float) -> Image.Image:
    """The strip in mode L when its mode is one of `_GREY`, else in RGB. `scale` is for values deeper than 8 bits."""
    if strip.mode in {"L", "RGB"}:
        return strip
    if strip.mode == "LAB":
        return strip.getchannel("L")
    if strip.mode.startswith("I;16"):
        strip = strip.convert("I")
    if strip.mode in {"I", "F"}:
        return strip.convert("F").point(lambda value: value * scale).convert("L")
    return strip.convert("L" if strip.mode == "1" else "RGB")


@contextmanager
def _our_errors() -> Iterator[None]:
    """Whatever Pillow raises becomes one of ours, and what it warns of is dropped: odd metadata harms no pixel."""
    try:
        with _silence:
            yield
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureTooLarge("there is not enough memory for this picture; close other programs or tabs") from error
    except Image.DecompressionBombError as error:
        raise PictureTooLarge("a part of the picture is too large; save a smaller copy and try that") from error
    except Exception as error:  # a hostile file makes decoders raise nearly anything
        raise DamagedPicture("the picture is cut short or broken inside") from error


class _Silence:
    """No warnings while any thread is inside: the first one in saves the filters, the last one out restores them.

    `warnings.catch_warnings` alone leaves its filters behind when two threads overlap.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._saved = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._saved = warnings.catch_warnings()
                self._saved.__enter__()
                warnings.simplefilter("ignore")

    def __exit__(self, *_exception: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._saved.__exit__(None, None, None)


_silence: Final = _Silence()
