"""Decodes a picture to upright 8-bit pixels.

The same Pillow runs in CPython and in the browser. Only the formats named here are tried, each recognised by its
signature, and a decoder is loaded when the first picture of its format arrives. Decoders outside Pillow are in
`decoders.py`.
"""

import io
import itertools
import math
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple, override

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
"""`MAX_PIXELS` uncompressed at three bytes a pixel, and room for metadata."""
STRIP_BYTES: Final = 1 << 20
"""Pixels are normalised and passed on in strips of about this size, so that no second copy is kept in memory."""

_SIGNATURES: Final = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "WEBP": (b"RIFF",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "BMP": (b"BM",),
    "TIFF": tiff.SIGNATURES,
    "JXL": jxl.SIGNATURES,
}
"""The first bytes of each format. HEIC and AVIF are recognised by their brands (`boxes.format_by_brands`)."""
FORMATS: Final = (*_SIGNATURES, "HEIC", "AVIF", "MPO")
"""All values of `DecodedPicture.format`. MPO is a JPEG with further pictures after the main one."""
MAX_COLOUR_PIXELS: Final = 120_000_000
"""phash of a larger JPEG uses its luma: decoding its colours would take half a gigabyte more."""
TALL_RATIO: Final = 100
"""Pillow shrinks columns before rows if the height is more than this many times the width."""

_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transposition that makes stored pixels upright, by orientation; 1 needs none."""
_SIDEWAYS: Final = frozenset({5, 6, 7, 8})
"""Orientations that swap width and height: their rows are stored as columns."""
_BACKWARDS: Final = frozenset({3, 4, 7, 8})
"""Orientations whose first row is stored last."""

_MOVING: Final = frozenset({"GIF", "PNG", "WEBP", "AVIF"})
"""Formats whose further frames are an animation; in others they are pages, or sizes of the same picture."""
_GREY: Final = frozenset({"1", "L", "I", "F", "I;16", "I;16L", "I;16B", "I;16N", "LAB"})
"""Modes of one plane, and LAB, of which only the lightness is hashed: the browser cannot convert it to colours."""
_DEEP: Final = _GREY - {"1", "L"}
"""Modes that must be reduced to 8 bits first."""
_KEYED: Final = frozenset({"1", "L", "P", "RGB"})
"""Modes in which a file may mark one colour, or palette entries, as transparent."""


type Small = Image.Image
"""A picture of `COLUMNS` x `COLUMNS` grey values: what imagehash shrinks a picture to."""


class DecodedPicture(NamedTuple):
    """A decoded picture: its format, its upright size, and its pixels upright and, if turned, as stored.

    `orientation` is the turn that makes the decoded pixels upright, in EXIF's numbering. `shrink` returns the grey
    values from which imagehash hashes each variant; if `reads_again`, it holds the file and none of the pixels, and
    decodes the file once more. `frames` decodes an animation from its start, each frame upright; it is `None` for other
    pictures. `incomplete` is true if the file is truncated or damaged and missing parts are
    filled in.
    """

    format: str
    width: int
    height: int
    orientation: int
    upright: Pixels
    stored: Pixels | None
    shrink: Callable[[], dict[Variant, Small]]
    reads_again: bool
    frames: Callable[[], Iterator[Still]] | None
    incomplete: bool


def open_picture(data: bytes, decode: Decoder | None = None) -> DecodedPicture:
    """Decodes the main picture or the first frame of `data`. Raises only `PictureError`.

    `decode` replaces a decoder outside Pillow. Pixels are decoded when they are iterated over, which raises
    `PictureError` as well.
    """
    if len(data) > MAX_BYTES:
        raise PictureTooLarge(f"the file is over {MAX_BYTES >> 20} MB; save the picture as a JPEG and try that")
    name = sniff(data)
    with _our_errors():
        # Before any decoder sees the file: a crafted one stalls a decoder before its size is known.
        check_structure(name, data)
        if own := decoders.get(name):
            _check_size(_announced(name, data))
            source = (decode or own)(data)
            _check_size(source.size)  # again, because the header may have announced less
            return _describe(source, name, data)
        image = _open(name, data)
        _check_size(image.size)
        shown = _load(image, name, data)
        return _describe(image, "MPO" if "mp" in image.info else name, data, shown)


def sniff(data: bytes) -> str:
    """Returns the format by the first bytes. Raises `UnknownFormat`."""
    for name, signatures in _SIGNATURES.items():
        # AVI and other formats start with `RIFF` too.
        if data.startswith(signatures) and (name != "WEBP" or data[8:12] == b"WEBP"):
            return name
    if kind := boxes.format_by_brands(data):
        return kind
    kinds = ", ".join(name for name in FORMATS if name != "MPO")
    raise UnknownFormat(f"this is not a picture of a kind that can be read ({kinds})")


def _announced(name: str, data: bytes) -> tuple[int, int]:
    """The size in the file's header, so that a picture over the limit is refused before its pixels are allocated."""
    if name == "JXL":
        return jxl.size_of(data) or (1, 1)
    main = boxes.primary_item(data) if name in {"HEIC", "AVIF"} else None
    return (main.width, main.height) if main else (1, 1)


def _load(image: ImageFile.ImageFile, name: str, data: bytes, *, coloured: bool = False) -> Image.Image | None:
    """Loads the picture (a JPEG's luma alone unless `coloured`). Returns `None` if it is whole, else what it shows."""

    def prepared(image: ImageFile.ImageFile) -> ImageFile.ImageFile:
        if name == "JPEG" and not coloured and _is_ycbcr(image):
            # Takes 0.43 of the time and a quarter of the memory; PDQ of 194 photographs moved by 0.29 bits on average
            # and by 4 at most. Half the scale would cost up to 12 bits.
            image.draft("L", image.size)
        return image

    if name in partial.FORMATS:
        shown = partial.load_shown(prepared(image), lambda: prepared(_open(name, data)))
        return image if shown is None and name == "JPEG" and partial.lacks_end(data) else shown
    image.load()
    return image if name == "WEBP" and partial.mended_webp(data) else None


def _open(name: str, data: bytes) -> ImageFile.ImageFile:
    """Opens the picture and reads its header. Does not use `Image.open`, which loads decoders that are not wanted."""
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
    """Opens the main picture. Pillow would look for its resolution in EXIF with its TIFF code, which has no limits."""
    from PIL.JpegImagePlugin import JpegImageFile

    class Jpeg(JpegImageFile):
        ended = False
        """Whether the file lacks its end marker."""

        @override
        def _read_dpi_from_exif(self) -> None:
            """Does nothing: the resolution is not needed."""

        @override
        def load_read(self, read_bytes: int) -> bytes:
            """Returns the next bytes; at the end of a file without an end marker, returns one."""
            assert self.fp is not None
            data = self.fp.read(read_bytes)
            if data or self.ended:
                return data
            self.ended = True
            return partial.END_OF_JPEG

    return Jpeg(file)


def _open_tiff(data: bytes) -> ImageFile.ImageFile:
    """Opens the first page with its pixels as stored. Pillow would turn them, and parse all of EXIF for that."""
    from PIL.TiffImagePlugin import TiffImageFile

    class Tiff(TiffImageFile):
        @override
        def load_end(self) -> None:
            """Leaves the pixels as stored; until now the size was that of the turned picture."""
            self._size = self.im.size

    return Tiff(io.BytesIO(plain_tiff(data)))


def _check_size(size: tuple[int, int]) -> None:
    """Raises `PictureTooLarge`, which names the limit, for a picture that would take too much memory."""
    if size[0] * size[1] > MAX_PIXELS:
        raise PictureTooLarge(
            f"the picture has over {MAX_PIXELS // 1_000_000} megapixels; save a smaller copy and try that"
        )
    if max(size) > MAX_SIDE_PIXELS:
        raise PictureTooLarge(f"a side is over {MAX_SIDE_PIXELS:,} pixels; save a smaller copy and try that")


def _lacks_colours(source: DecodedImage, shown: DecodedImage) -> bool:
    """Whether `shown` is the luma of a JPEG in colours: imagehash's grey differs from it where colours clip.

    Not if decoding the colours would need too much memory.
    """
    # Of 2,000 drawn JPEGs, 22 % have another phash if it is made from luma, by up to 15 bits.
    width, height = source.size
    return len(getattr(source, "layer", ())) == 3 and shown.mode == "L" and width * height <= MAX_COLOUR_PIXELS


def _in_colours(data: bytes) -> DecodedImage:
    """The picture of a JPEG in colours, or its luma."""
    with suppress(Exception):  # the file has been decoded once already, so a failure now means too little memory
        image = _open("JPEG", data)
        return _load(image, "JPEG", data, coloured=True) or image
    image = _open("JPEG", data)
    return _load(image, "JPEG", data) or image


def _is_ycbcr(image: ImageFile.ImageFile) -> bool:
    """Whether a JPEG's first plane is luma: it has three planes, and no Adobe marker or plane name says RGB."""
    if image.mode != "RGB":
        return False
    planes = [layer[0] for layer in getattr(image, "layer", ())]
    # As libjpeg decides: JFIF is always YCbCr; otherwise Adobe's marker counts, then the planes' names.
    return "jfif" in image.info or (image.info.get("adobe_transform") != 0 and planes != list(b"RGB"))


def _describe(source: DecodedImage, name: str, data: bytes, shown: Image.Image | None = None) -> DecodedPicture:
    """Describes a decoded picture; `shown` holds the visible pixels of an incomplete one."""
    moving = name in _MOVING and _is_animated(source)
    orientation, stored = _orientations(source, data)
    decoded = shown or source
    pixels = _pixels(decoded, orientation)
    turned = stored != orientation
    reads_again = _lacks_colours(source, decoded)
    read = (lambda: _in_colours(data)) if reads_again else (lambda: decoded)
    orientations = {Variant.WHOLE: orientation, **({Variant.STORED: stored} if turned else {})}
    return DecodedPicture(
        name,
        pixels.width,
        pixels.height,
        orientation,
        pixels,
        _pixels(decoded, stored) if turned else None,
        lambda: _shrink_views(read, orientations),
        reads_again,
        (lambda: _frames(name, data, orientation)) if moving else None,
        incomplete=shown is not None,
    )


def _is_animated(source: DecodedImage) -> bool:
    """Whether there is a second frame."""
    try:
        return bool(getattr(source, "is_animated", False))
    except Exception:  # noqa: BLE001 - data after the first frame is damaged; the first frame is not
        return False


def _frames(name: str, data: bytes, orientation: int) -> Iterator[Still]:
    """Decodes the frames of an animation with a second decoder. Raises `PictureError` at the first damaged one."""
    with _our_errors():
        # A second decoder, because `shrink` still reads the first frame from the other one.
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
    """The orientations that make the decoded pixels upright, and as stored."""
    if data.startswith(tiff.SIGNATURES):
        return tiff.orientation_of(data), 1
    exif = source.info.get("exif")
    marked = tiff.orientation_of(exif) if isinstance(exif, bytes) else int(source.info.get("orientation", 1))
    return marked, 1


def _shrink_views(read: Callable[[], DecodedImage], orientations: Mapping[Variant, int]) -> dict[Variant, Small]:
    """The picture that `read` returns, turned by each of `orientations` and shrunk. Raises `PictureError`."""
    with _our_errors():
        image = read()
        return {variant: _shrink(image, orientation) for variant, orientation in orientations.items()}


def _shrink(image: DecodedImage, orientation: int) -> Small:
    """The picture turned by `orientation`, in grey, shrunk as imagehash does."""
    width, height = _size(image, orientation)
    scale = _scale(image)

    def grey(top: int, bottom: int) -> Image.Image:
        strip = _cut(image, orientation, top, bottom)
        plain = _plain(strip, scale) if strip.mode in _DEEP else strip  # ignores transparency, as imagehash does
        return plain if plain.mode == "L" else plain.convert("L")

    if height > TALL_RATIO * width:
        narrow = grey(0, height)
    else:
        resized = resize_rows((grey(*rows).tobytes() for rows in _strips(width, height)), width)
        narrow = Image.frombytes("L", (COLUMNS, height), resized)
    return narrow.resize((COLUMNS, COLUMNS), Image.Resampling.LANCZOS)


def _pixels(image: DecodedImage, orientation: int) -> Pixels:
    """The pixels of `image` turned by `orientation`, one strip at a time."""
    width, height = _size(image, orientation)
    alpha = image.has_transparency_data and (image.mode in _KEYED or "A" in image.mode.upper())
    layout = "L" if image.mode in _GREY and not alpha else "RGBX"

    def strips() -> Iterator[bytes]:
        with _our_errors():
            scale = _scale(image)
        for top, bottom in _strips(width, height):
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


def _strips(width: int, height: int) -> Iterator[tuple[int, int]]:
    """The first row of each strip of about `STRIP_BYTES`, and the row after its last."""
    rows = max(1, STRIP_BYTES // (4 * width))
    for top in range(0, height, rows):
        yield top, min(top + rows, height)


def _cut(image: DecodedImage, orientation: int, top: int, bottom: int) -> Image.Image:
    """Rows `top` to `bottom` of the turned picture, cropped as stored and then turned."""
    sideways = orientation in _SIDEWAYS
    width, height = image.size
    length = width if sideways else height
    if orientation in _BACKWARDS:
        top, bottom = length - bottom, length - top
    strip = image.crop((top, 0, bottom, height) if sideways else (0, top, width, bottom))
    turn = _TURNS.get(orientation)
    return strip if turn is None else strip.transpose(turn)


def _scale(image: DecodedImage) -> float:
    """The factor that maps grey values deeper than 8 bits to 0-255, as a viewer does."""
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
    """The strip composited over white, in RGB."""
    if strip.mode == "La":
        strip = strip.convert("LA")
    white = Image.new("RGBA", strip.size, "white")
    white.alpha_composite(strip.convert("RGBA"))
    return white.convert("RGB")


def _plain(strip: Image.Image, scale: float) -> Image.Image:
    """The strip in mode L if its mode is in `_GREY`, else in RGB. `scale` applies to values deeper than 8 bits."""
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
    """Converts Pillow's exceptions to `PictureError`, and drops its warnings: odd metadata changes no pixel."""
    try:
        with _silence:
            yield
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureTooLarge("there is not enough memory for this picture; close other programs or tabs") from error
    except Image.DecompressionBombError as error:
        raise PictureTooLarge("a part of the picture is too large; save a smaller copy and try that") from error
    except Exception as error:  # decoders raise nearly any exception on a hostile file
        raise DamagedPicture("the picture is cut short or broken inside") from error


class _Silence:
    """Suppresses warnings while any thread is inside: the first to enter saves the filters, the last restores them.

    `warnings.catch_warnings` alone does not restore its filters when two threads overlap.
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
