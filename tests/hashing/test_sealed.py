"""What the sealed worker keeps of a picture until its phash is made."""

import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from takeback.hashing import hash_picture, picture, sealed
from takeback.signals import SignalType, Variant

FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "TIFF"]


def drawn(kind: str, seed: int = 1) -> bytes:
    """A small file with loud colours."""
    pixels = np.random.default_rng(seed).choice([0, 255], (6, 8, 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize((160, 120), Image.Resampling.BICUBIC).save(file, kind)
    return file.getvalue()


def natively(file: bytes) -> list[str]:
    """The phash of a file as gates make it."""
    return [signal.value for signal in hash_picture(file).signals if signal.type is SignalType.PHASH]


def phashes(hashing: sealed.Hashing, number: int) -> list[str]:
    """The phash of a picture that was kept."""
    return [signal["value"] for signal in json.loads(hashing.phash_to_json(number))]


@pytest.mark.parametrize("are_shrunk", [True, False], ids=["while idle", "when asked for"])
def test_phash_is_the_same_whenever_it_is_made(are_shrunk: bool) -> None:
    """Pictures of every kind, hashed one after another, have the phash that gates make."""
    files = [drawn(kind, seed) for seed, kind in enumerate([*FORMATS, "JPEG"])]
    hashing = sealed.Hashing()
    for number, file in enumerate(files):
        hashing.hash(file)
        hashing.keep(number)
    if are_shrunk:
        assert [hashing.shrink_next() for _ in range(3)] == [True, True, False]  # the JPEGs alone
    assert [phashes(hashing, number) for number in range(len(files))] == [natively(file) for file in files]


def test_files_are_kept_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be over the limit is decoded again at once."""
    file = drawn("JPEG")
    monkeypatch.setattr(sealed, "MAX_KEPT_BYTES", 2 * len(file))
    hashing = sealed.Hashing()
    for number in range(4):
        hashing.hash(file)
        hashing.keep(number)
    assert [hashing.shrink_next() for _ in range(3)] == [True, True, False]
    assert [phashes(hashing, number) for number in range(4)] == [natively(file)] * 4


def test_no_pixels_are_kept() -> None:
    """A kept JPEG holds its file alone, so that ten large pictures do not fill the memory."""
    file = drawn("JPEG")
    hashing = sealed.Hashing()
    hashing.hash(file)
    hashing.keep(1)
    held = closed_over(hashing._kept[1].shrink)
    assert file in held
    assert not any(isinstance(one, Image.Image) for one in held)


def closed_over(function: object) -> list[object]:
    """What a function and those that it can call through its closure hold."""
    cells = getattr(function, "__closure__", None) or ()
    return [held for cell in cells for held in (cell.cell_contents, *closed_over(cell.cell_contents))]


def test_a_picture_that_cannot_be_hashed_has_no_phash() -> None:
    """Nothing is kept of a file that could not be decoded, and none of it is asked for."""
    hashing = sealed.Hashing()
    hashing.hash(drawn("JPEG"))
    assert "error" in json.loads(hashing.hash(b"\xff\xd8\xff\xe0 no picture"))
    hashing.keep(1)
    assert not hashing.shrink_next()
    assert phashes(hashing, 1) == []


def test_memory_may_be_short_for_the_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A JPEG that cannot be decoded in colours is shrunk from its luma."""
    load = picture._load

    def short(*given: Any, coloured: bool = False) -> Image.Image | None:
        if coloured:
            raise MemoryError
        return load(*given)

    file = drawn("JPEG")
    coloured = shrunk(file)
    monkeypatch.setattr(picture, "_load", short)
    without_memory = shrunk(file)
    monkeypatch.setattr(picture, "MAX_COLOUR_PIXELS", 0)
    assert shrunk(file) == without_memory != coloured


def shrunk(file: bytes) -> bytes:
    """The grey values of which the phash is made."""
    return picture.open_picture(file).shrink()[Variant.WHOLE].tobytes()
