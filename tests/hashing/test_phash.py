"""phash equals imagehash's for the same file, and the browser's DCT equals scipy's."""

import importlib.util
import io
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import imagehash
import numpy as np
import pytest
import scipy.fftpack
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageDraw, ImageOps
from PIL.ExifTags import Base

from takeback.hashing import hash_picture
from takeback.hashing.kernel import COLUMNS, MAX_SIDE_PIXELS, resize_rows
from takeback.hashing.picture import open_picture
from takeback.signals import SignalType, Variant

ROOT = Path(__file__).parents[2]
SHIM = ROOT / "py" / "builder" / "runtime" / "slim" / "scipy" / "fftpack.py"


def phashes(file: Path) -> dict[Variant, str]:
    """The phash of each variant of a file."""
    signals = hash_picture(file.read_bytes()).signals
    return {signal.variant: signal.value for signal in signals if signal.type is SignalType.PHASH}


def load(path: Path) -> ModuleType:
    """Loads a module from its file."""
    spec = importlib.util.spec_from_file_location("shim", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["turned-6.jpg", "turned-3.jpg"])
def test_a_turned_picture_has_what_stock_clients_make_of_it(name: str) -> None:
    """The stored variant's phash is imagehash's of the file; the whole picture's is that of the upright file."""
    file = ROOT / "tests" / "vectors" / "pictures" / name
    with Image.open(file) as image:
        assert phashes(file) == {
            Variant.WHOLE: str(imagehash.phash(ImageOps.exif_transpose(image))),
            Variant.STORED: str(imagehash.phash(image)),
        }


def test_every_photograph_beside_the_repository() -> None:
    """Its phash equals imagehash's to the bit."""
    folder = ROOT.parent / "shared" / "photos"
    if not folder.is_dir():
        pytest.skip("there are no photographs beside the repository")
    files = [file for file in sorted(folder.rglob("*")) if file.suffix in {".jpg", ".png", ".webp"}]
    assert len(files) > 50
    for file in files:
        with Image.open(file) as image:
            stored = str(imagehash.phash(image))
        found = phashes(file)
        assert found.get(Variant.STORED, found[Variant.WHOLE]) == stored, file.name


colours = st.sampled_from([0, 255]) | st.integers(0, 255)
shapes = st.tuples(st.tuples(*[st.integers(-20, 90)] * 4), st.booleans(), st.tuples(colours, colours, colours))


def drawn(marks: list[Any], ground: tuple[int, int, int]) -> Image.Image:
    """Filled boxes and ellipses on a plain background."""
    picture = Image.new("RGB", (73, 57), ground)
    pen = ImageDraw.Draw(picture)
    for (left, top, right, bottom), is_round, colour in marks:
        box = (min(left, right), min(top, bottom), max(left, right), max(top, bottom))
        (pen.ellipse if is_round else pen.rectangle)(box, fill=colour)
    return picture


@given(
    marks=st.lists(shapes, min_size=1, max_size=8),
    ground=st.tuples(colours, colours, colours),
    quality=st.integers(30, 100),
    subsampling=st.integers(0, 2),
    progressive=st.booleans(),
    orientation=st.integers(1, 8),
)
@example(
    marks=[((10, 5, 60, 40), True, (255, 0, 0))],
    ground=(0, 0, 255),
    quality=75,
    subsampling=2,
    progressive=False,
    orientation=1,
)
def test_a_drawn_jpeg_in_loud_colours(
    marks: list[Any], ground: tuple[int, int, int], orientation: int, **ways: Any
) -> None:
    """A JPEG with clipped colours has imagehash's phash, which differs from that of its luma."""
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    file = io.BytesIO()
    drawn(marks, ground).save(file, "JPEG", exif=exif, **ways)
    signals = hash_picture(file.getvalue()).signals
    whole = next(signal for signal in signals if signal.type is SignalType.PHASH)
    with Image.open(file) as image:
        assert whole.value == str(imagehash.phash(ImageOps.exif_transpose(image)))


def test_a_very_large_jpeg_is_shrunk_from_its_luma(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over `MAX_COLOUR_PIXELS` a JPEG is not decoded in colours."""
    file = io.BytesIO()
    drawn([((10, 5, 60, 40), True, (255, 0, 0))], (0, 0, 255)).save(file, "JPEG")
    with Image.open(file) as image:
        image.draft("L", image.size)
        luma = image.resize((COLUMNS, COLUMNS), Image.Resampling.LANCZOS).tobytes()
    coloured = open_picture(file.getvalue()).shrink()[Variant.WHOLE].tobytes()
    monkeypatch.setattr("takeback.hashing.picture.MAX_COLOUR_PIXELS", 73 * 57 - 1)
    assert open_picture(file.getvalue()).shrink()[Variant.WHOLE].tobytes() == luma != coloured


@given(width=st.integers(1, 6000), height=st.integers(1, 60), seed=st.integers(0, 2**32 - 1))
@example(width=32, height=9, seed=1)
@example(width=4096, height=32, seed=1)
@example(width=MAX_SIDE_PIXELS, height=2, seed=1)
def test_rows_are_resized_as_by_pillow(width: int, height: int, seed: int) -> None:
    """Every pixel equals Pillow's, even for high-contrast noise."""
    pixels = np.random.default_rng(seed).choice([0, 1, 127, 128, 254, 255], (height, width)).astype(np.uint8)
    theirs = Image.fromarray(pixels).resize((COLUMNS, height), Image.Resampling.LANCZOS)
    ours = resize_rows([row.tobytes() for row in np.array_split(pixels, min(3, height))], width)
    assert ours == theirs.tobytes()


@given(
    shape=st.tuples(st.integers(1, 400), st.integers(1, 400)) | st.tuples(st.integers(200, 900), st.integers(1, 9)),
    orientation=st.integers(1, 8),
    mode=st.sampled_from(["L", "RGB", "RGBA", "P", "1"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_whatever_the_picture_it_is_shrunk_as_by_pillow(
    shape: tuple[int, int], orientation: int, mode: str, seed: int
) -> None:
    """For every shape, mode and orientation, including very tall pictures, which Pillow shrinks in another order."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*shape, 4 if mode == "RGBA" else 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "PNG", exif=exif)
    with Image.open(file) as saved:
        grey = ImageOps.exif_transpose(saved).convert("L")
    found = open_picture(file.getvalue()).shrink()[Variant.WHOLE]
    assert found.tobytes() == grey.resize((COLUMNS, COLUMNS), Image.Resampling.LANCZOS).tobytes()


@given(pixels=arrays.arrays(np.uint8, (32, 32), elements=st.integers(0, 255)))
def test_the_dct_of_the_browser_is_scipys(pixels: Any) -> None:
    """The DCT by numpy equals scipy's in every bit of every coefficient, also for flat pictures."""
    dct: Callable[..., Any] = load(SHIM).dct
    here = dct(dct(pixels, axis=0), axis=1)
    assert np.array_equal(here, scipy.fftpack.dct(scipy.fftpack.dct(pixels, axis=0), axis=1))


def test_the_dct_of_the_browser_on_noise() -> None:
    """The same holds for 500 pictures of noise, where the order of every addition matters."""
    dct: Callable[..., Any] = load(SHIM).dct
    pixels = np.random.default_rng(1).integers(0, 256, (500, 32, 32))
    assert np.array_equal(
        dct(dct(pixels, axis=1), axis=2), scipy.fftpack.dct(scipy.fftpack.dct(pixels, axis=1), axis=2)
    )
