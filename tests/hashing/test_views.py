"""Which pixels are hashed: every colour model, every orientation, deep greys, and luma where there is luma."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from takeback.errors import DamagedPicture
from takeback.hashing import hash_picture, picture, tiff
from takeback.signals import Variant
from tests import oracle

y, x = np.mgrid[0:170, 0:230]
GREY = (128 + 90 * np.sin(x / 23 + y * y / 3000) + 30 * np.cos(x * y / 900)).astype(np.uint8)
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], -1)
TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a[::-1].swapaxes(0, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a[:, ::-1].swapaxes(0, 1),
}
"""What each EXIF orientation tells a viewer to do."""


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The file of a picture."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def marked(orientation: int) -> Image.Exif:
    """EXIF with nothing but an orientation."""
    exif = Image.Exif()
    exif[tiff.ORIENTATION] = orientation
    return exif


def pdq_of(data: bytes, variant: Variant = Variant.WHOLE) -> str:
    """One variant's PDQ."""
    return next(signal.value for signal in hash_picture(data).signals if signal.variant is variant)


def expected(pixels: np.ndarray) -> str:
    """The oracle's PDQ."""
    return oracle.pdq(np.ascontiguousarray(pixels))[0]["orig"]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_every_turn_of_every_format(kind: str, orientation: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture with an orientation mark is hashed as viewers turn it and as stored, whatever the strips."""
    monkeypatch.setattr(picture, "STRIP_BYTES", 40_000)
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(Image.fromarray(COLOUR), kind, exif=marked(orientation), **options)
    upright = TURNS[orientation](COLOUR)
    result = hash_picture(data)
    assert (result.height, result.width) == upright.shape[:2]
    assert pdq_of(data) == expected(upright)
    assert pdq_of(data, Variant.STORED) == expected(COLOUR)


@pytest.mark.parametrize("orientation", [0, 1, 9, 65_535])
def test_a_mark_that_turns_nothing(orientation: int) -> None:
    """Orientation 1, and one that does not exist, give a single variant."""
    result = hash_picture(encode(Image.fromarray(COLOUR), "PNG", exif=marked(orientation)))
    assert [signal.type for signal in result.signals] == ["pdq", "sha256", "md5", "phash"]


def test_a_picture_alike_when_turned_is_hashed_once() -> None:
    """A stored variant with the hash of the upright one is not sent."""
    result = hash_picture(encode(Image.new("RGB", (80, 80), "red"), "PNG", exif=marked(3)))
    assert [signal.type for signal in result.signals] == ["pdq", "sha256", "md5", "phash"]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "LAB"])
def test_modes_of_tiff(mode: str) -> None:
    """Each colour model is hashed as Pillow's RGB of it; LAB, which needs a colour engine, by its lightness."""
    image = Image.fromarray(COLOUR)
    image = Image.merge("LAB", image.split()) if mode == "LAB" else image.convert(mode)
    data = encode(image, "TIFF")
    with Image.open(io.BytesIO(data)) as stored:
        assert stored.mode == mode
        seen = stored.getchannel(0) if mode == "LAB" else stored.convert("L" if mode in {"1", "L"} else "RGB")
        assert pdq_of(data) == expected(np.asarray(seen))


@pytest.mark.parametrize("mode", ["LA", "PA", "RGBA", "La", "RGBa", "HSV", "YCbCr"])
def test_modes_that_no_file_or_few_give(mode: str) -> None:
    """Alpha of every kind is composited over white, and HSV converted to RGB, in each strip passed to the kernel."""
    rgba = Image.fromarray(np.dstack([COLOUR, GREY.T[:170, :1].repeat(230, 1)]))
    paths = {"La": ("LA", "La"), "RGBa": ("RGBa",), "PA": ("PA",), "HSV": ("RGB", "HSV"), "YCbCr": ("RGB", "YCbCr")}
    image: Image.Image = rgba
    for step in paths.get(mode, (mode,)):
        image = image.convert(step)
    assert image.mode == mode
    pixels = picture._pixels(image, 1)
    strips = b"".join(pixels.strips)
    found = np.frombuffer(strips, np.uint8).reshape(pixels.height, pixels.width, 4)[..., :3]
    plain = {"La": "LA", "RGBa": "RGBA"}.get(mode, mode)
    whole = image.convert(plain).convert("RGB" if mode in {"HSV", "YCbCr"} else "RGBA").convert("RGBA")
    wanted = Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole).convert("RGB")
    assert np.array_equal(found, np.asarray(wanted))


@pytest.mark.parametrize(
    ("values", "eight"),
    [
        (GREY.astype(np.uint16) * 256 + 77, GREY),
        (GREY.astype(">u2") * 256, GREY),
        (GREY.astype(np.int32), GREY),
        (GREY.astype(np.int32) * 256, GREY),
        (GREY.astype(np.float32), GREY),
        ((GREY / 256).astype(np.float32), (GREY / 256 * 255).astype(np.uint8)),
    ],
    ids=["I;16", "I;16B", "I small", "I", "F of 255", "F of 1"],
)
def test_deep_greys(values: np.ndarray, eight: np.ndarray) -> None:
    """Grey of 16 bits, 32 bits and floating point is scaled to what a viewer shows."""
    assert pdq_of(encode(Image.fromarray(values), "TIFF")) == expected(eight)


def test_values_that_are_no_numbers() -> None:
    """Infinite values and NaN give an error or a hash, and nothing else."""
    values = GREY.astype(np.float32)
    values[3, 3] = np.inf
    data = encode(Image.fromarray(values), "TIFF")
    with pytest.raises(DamagedPicture, match="not numbers"):
        hash_picture(data)


def test_a_jpeg_that_is_not_ycbcr_goes_through_rgb() -> None:
    """A JPEG of plain RGB planes is hashed from RGB, because its first plane is red and not luma."""
    data = encode(Image.fromarray(COLOUR), "JPEG", quality=95, keep_rgb=True)
    with Image.open(io.BytesIO(data)) as image:
        assert "jfif" not in image.info or image.info.get("adobe_transform") == 0
        assert pdq_of(data) == expected(np.asarray(image.convert("RGB")))


def test_a_grey_named_as_clear_lies_over_white() -> None:
    """A grey PNG that marks one grey as transparent is white there."""
    data = encode(Image.fromarray(GREY), "PNG", transparency=int(GREY[50, 50]))
    wanted = np.where(GREY[50, 50] == GREY, 255, GREY)
    assert pdq_of(data) == expected(np.repeat(wanted[..., None], 3, 2).astype(np.uint8))


@given(
    orientation=st.integers(0, 12),
    order=st.sampled_from("<>"),
    others=st.lists(st.tuples(st.integers(1, 30_000).filter(lambda tag: tag != 274), st.integers(0, 65_535))),
    prefix=st.sampled_from([b"", b"Exif\0\0"]),
)
def test_the_orientation_is_the_one_that_pillow_reads(
    orientation: int, order: str, others: list[tuple[int, int]], prefix: bytes
) -> None:
    """EXIF of either byte order and with any other short values gives the orientation that Pillow finds."""
    exif = Image.Exif()
    exif.endian = order
    for tag, value in others:
        exif[tag] = value
    exif[tiff.ORIENTATION] = orientation
    block = exif.tobytes()[6:]
    assert tiff.orientation_of(prefix + block) == (orientation if 1 <= orientation <= 8 else 1)


@given(st.binary(max_size=200), st.sampled_from(tiff.SIGNATURES))
def test_any_metadata_has_an_orientation(data: bytes, start: bytes) -> None:
    """Whatever stands in place of EXIF, the orientation is 1 to 8."""
    assert 1 <= tiff.orientation_of(start + data) <= 8
