"""The public sample files beside the repository that once failed: what the page and this machine make of each."""

from pathlib import Path
from typing import Any, Final

import pytest

from takeback.hashing import hash_picture, with_variants
from takeback.signals import hamming_distance
from tests.e2e.door import hash_in_browser
from tests.e2e.hands import PlaywrightHands
from tests.e2e.product import Registry

LITTLE: Final = 2
"""Bits by which the page's decoder of AVIF may differ, and by which a file may that lacks one or two bytes."""
MORE: Final = 12
"""The same for a file that lacks a few percent."""
INCOMPLETE: Final = {
    "minus1.jpg": LITTLE, "no-eoi.jpg": LITTLE, "cut-last-row.jpg": MORE, "progressive-no-eoi.jpg": LITTLE,
    "minus1pct.jpg": MORE, "minus1pct.gif": MORE, "minus2pct.png": MORE, "prog-60pct.jpg": MORE,
}  # fmt: skip
"""Files that are cut short, and how far from the whole picture they may be."""
SMALL: Final = "91ea9c69b525a3197f395f2582646d89096f4a4f7a673a67332013f1acf0c4f4"
LARGE: Final = "3fd6dcec541baf766be944525505ab3ba09c64892cd2d0672a22cdd964bbc296"
"""The whole pictures that were cut, of 600 x 450 and of 1600 x 1200; the GIF is the larger one in 256 colours."""
WHOLE: Final = {
    "example.avif": (800, 533), "hopper-missing-pixi.avif": (128, 128), "kimono.crop.avif": (722, 1024),
    "Chimera_8bit_cropped_480x256.avif": (480, 270), "adeflate.tif": (600, 450), "jpg.tif": (600, 450),
    "Chimera_10bit_cropped_to_1920x1008_with_HDR_metadata.avif": (1920, 1080), "brand-mif2.heic": (600, 450),
    "brand-miaf.heic": (600, 450), "brand-heif.heic": (600, 450), "brand-MiHE.heic": (600, 450),
    "brand-miaf.avif": (600, 450), "C043.heic": (1280, 720), "heic-primary-is-a-thumbnail.heic": (1197, 1227),
    "C005.heic": (128, 72), "002.tiff": (640, 512), "colors-animated-8bpc-audio.avif": (150, 150),
}  # fmt: skip
"""Files that are whole, and their sizes."""


def test_every_still_is_hashed_alike_on_both_sides(page: PlaywrightHands, registry: Registry, shared: Path) -> None:
    """Each file has the same size, mark and hash on the page and natively, and one that is cut is near the whole."""
    folder = _cases(shared)
    names = [*INCOMPLETE, *WHOLE]
    files = [(folder / name).read_bytes() for name in names]
    answers = hash_in_browser(page, registry, files)
    print({name: _compare(name, file, answer) for name, file, answer in zip(names, files, answers, strict=True)})


def _cases(shared: Path) -> Path:
    folder = shared / "cases" / "files"
    if not folder.is_dir():
        pytest.skip("needs the sample files of ../shared/cases, which are not here")
    return folder


def _compare(name: str, file: bytes, answer: dict[str, Any]) -> int:
    """How many bits lie between page and machine."""
    native = hash_picture(file)
    assert (answer["width"], answer["height"]) == (native.width, native.height), name
    assert WHOLE.get(name) in {None, (native.width, native.height)}, name
    assert answer.get("incomplete", False) == native.incomplete == (name in INCOMPLETE), name
    found, expected = (answer["signals"][0]["value"], with_variants(native).signals[0].value)
    bits = hamming_distance(found, expected)
    assert bits <= (LITTLE if name.endswith(".avif") else 0), (name, bits)
    if name in INCOMPLETE:
        whole = SMALL if native.width == 600 else LARGE
        assert hamming_distance(expected, whole) <= INCOMPLETE[name], name
    return bits


def test_a_layered_heic_is_hashed_alike(page: PlaywrightHands, registry: Registry, shared: Path) -> None:
    """A HEIC of several layers, which only FFmpeg reads natively, is hashed alike on the page."""
    file = (_cases(shared) / "multilayer001.heic").read_bytes()
    (answer,) = hash_in_browser(page, registry, [file])
    assert (answer["width"], answer["height"], answer["quality"]) == (1024, 512, 100)
    assert hamming_distance(answer["signals"][0]["value"], hash_picture(file).signals[0].value) <= LITTLE
