"""phash: what imagehash makes of the same file, and the browser's DCT the very same as scipy's."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import imagehash
import numpy as np
import pytest
import scipy.fftpack
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageOps

from takeback.hashing import hash_picture
from takeback.signals import SignalType, Variant

ROOT = Path(__file__).parents[2]
SHIM = ROOT / "py" / "builder" / "slim" / "scipy" / "fftpack.py"


def phashes(file: Path) -> dict[Variant, str]:
    """The phash of each view of a file."""
    signals = hash_picture(file.read_bytes()).signals
    return {signal.variant: signal.value for signal in signals if signal.type is SignalType.PHASH}


def load(path: Path) -> ModuleType:
    """A module by its file."""
    spec = importlib.util.spec_from_file_location("shim", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["turned-6.jpg", "turned-3.jpg"])
def test_a_turned_picture_has_what_stock_clients_make_of_it(name: str) -> None:
    """The phash of the stored view is imagehash's of the file, that of the whole picture of the file turned upright."""
    file = ROOT / "tests" / "vectors" / "pictures" / name
    with Image.open(file) as image:
        assert phashes(file) == {
            Variant.WHOLE: str(imagehash.phash(ImageOps.exif_transpose(image))),
            Variant.STORED: str(imagehash.phash(image)),
        }


def test_every_photograph_beside_the_repository() -> None:
    """Although a JPEG is read as luma alone, phash is to the bit what imagehash makes of each photograph."""
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


@given(pixels=arrays.arrays(np.uint8, (32, 32), elements=st.integers(0, 255)))
def test_the_dct_of_the_browser_is_scipys(pixels: Any) -> None:
    """The DCT by numpy gives every bit of every coefficient that scipy's gives, flat pictures included."""
    dct: Callable[..., Any] = load(SHIM).dct
    here = dct(dct(pixels, axis=0), axis=1)
    assert np.array_equal(here, scipy.fftpack.dct(scipy.fftpack.dct(pixels, axis=0), axis=1))


def test_the_dct_of_the_browser_on_noise() -> None:
    """The same on 500 pictures of noise, where the order of every addition shows."""
    dct: Callable[..., Any] = load(SHIM).dct
    pixels = np.random.default_rng(1).integers(0, 256, (500, 32, 32))
    assert np.array_equal(
        dct(dct(pixels, axis=1), axis=2), scipy.fftpack.dct(scipy.fftpack.dct(pixels, axis=1), axis=2)
    )
