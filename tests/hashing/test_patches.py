"""Local hashes: against a second implementation, and what is and is not found by them."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from takeback.hashing import hash_picture, with_variants
from takeback.hashing.kernel import Thumbnail
from takeback.hashing.patches import FORM_BITS, MAX_ASKED, TURNS, asked_patches, patches_signals, sent_patches
from takeback.signals import MIN_PATCHES, SignalType, hamming_distance, patches_of
from tests import patches_oracle

VECTORS = Path(__file__).parents[1] / "vectors"
NEAR = 8
"""Bits within which a gate counts two local hashes as one."""


def thumbnail_of(picture: Image.Image) -> Thumbnail:
    """A grey picture of at most 512 pixels a side as it is."""
    return Thumbnail(picture.width, picture.height, picture.tobytes(), picture.width, picture.height)


def grown(seed: int, wide: int, high: int, blur: float) -> Image.Image:
    """Noise, blurred and stretched to all greys."""
    noise = np.random.default_rng(seed).integers(0, 256, (high, wide), np.uint8)
    return ImageOps.autocontrast(Image.fromarray(noise).filter(ImageFilter.GaussianBlur(blur)))


def clouds(seed: int, size: tuple[int, int] = (500, 380)) -> Image.Image:
    """Clouds of several sizes."""
    return ImageOps.autocontrast(Image.blend(grown(seed, *size, 4), grown(seed + 100, *size, 14), 0.5))


PICTURE = clouds(5)


@pytest.mark.parametrize(
    "vector", json.loads((VECTORS / "vectors.json").read_text("utf-8"))["vectors"], ids=lambda vector: vector["file"]
)
def test_the_vectors(vector: dict[str, Any]) -> None:
    """A picture has the local hashes that the second implementation gives it, however it is stored."""
    hashed = with_variants(hash_picture((VECTORS / "pictures" / vector["file"]).read_bytes()))
    values = [patches_of(signal.value) for signal in hashed.signals if signal.type is SignalType.PATCHES]
    assert sorted(sent_patches(hashed.thumbnail)) == vector["sent_patches"]
    assert values == ([(tuple(vector["sent_patches"]),)] if len(vector["sent_patches"]) >= MIN_PATCHES else [])


@settings(max_examples=25)
@given(
    st.integers(0, 999),
    st.one_of(st.tuples(st.integers(1, 512), st.integers(1, 40)), st.tuples(st.integers(1, 160), st.integers(1, 160))),
    st.sampled_from([0.0, 1.5, 4.0, 9.0]),
    st.booleans(),
)
def test_a_second_implementation_finds_the_same(seed: int, size: tuple[int, int], blur: float, stands: bool) -> None:
    """Thumbnails of every shape have the hashes that plain numpy gives them, in the same order of choice."""
    wide, high = size[::-1] if stands else size
    picture = grown(seed, wide, high, blur)
    assert sent_patches(thumbnail_of(picture)) == patches_oracle.sent(np.asarray(picture))


@pytest.mark.parametrize("seed", range(3))
def test_a_large_thumbnail_too(seed: int) -> None:
    """A thumbnail of the usual size, with blobs in all octaves."""
    picture = clouds(seed, (512, 384))
    found = sent_patches(thumbnail_of(picture))
    assert found == patches_oracle.sent(np.asarray(picture))
    assert len(found) > 8


@given(st.integers(0, 99), st.integers(16, 200), st.integers(16, 200))
def test_what_is_asked_keeps_its_bounds(seed: int, wide: int, high: int) -> None:
    """Every patch that is looked up has a place and a turn; upright ones are a part of all."""
    thumbnail = thumbnail_of(grown(seed, wide, high, 1.5))
    asked = asked_patches(thumbnail)
    assert len(asked) <= MAX_ASKED
    assert all(0 <= one.spot < 200 and 0 <= one.turn < TURNS for one in asked)
    assert asked_patches(thumbnail, turned=False) == [one for one in asked if one.turn == 0]


def found_in(copy: Image.Image) -> list[int]:
    """The least distance of each local hash of `PICTURE` to one that is looked up of a copy."""
    asked = [one.hash for one in asked_patches(thumbnail_of(copy))]
    return [min(hamming_distance(one, other) for other in asked) for one in sent_patches(thumbnail_of(PICTURE))]


def beside(picture: Image.Image) -> Image.Image:
    """The picture at half its size next to another one."""
    canvas = clouds(9, (500, 300))
    canvas.paste(picture.resize((250, 190)), (240, 60))
    return canvas


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "none": lambda one: one,
    "cut": lambda one: one.crop((90, 60, 430, 330)),
    "smaller": lambda one: one.resize((300, 228)),
    "negative": ImageOps.invert,
    "mirrored": ImageOps.mirror,
    "upside down": ImageOps.flip,
    "turned by a quarter": lambda one: one.transpose(Image.Transpose.ROTATE_90),
    "turned by 8 degrees": lambda one: one.rotate(8, Image.Resampling.BICUBIC, fillcolor=255),
    "beside another": beside,
}


@pytest.mark.parametrize("change", CHANGES)
def test_parts_are_found_in_a_changed_copy(change: str) -> None:
    """At least a quarter of the local hashes are near one of the copy, and many more after a change of form."""
    near = sum(distance <= NEAR for distance in found_in(CHANGES[change](PICTURE)))
    assert near >= (4 if change in {"cut", "smaller", "beside another"} else 8)


@pytest.mark.parametrize(("change", "bit"), [("negative", 0), ("mirrored", 1), ("upside down", 8)])
def test_a_form_changes_one_bit(change: str, bit: int) -> None:
    """The hashes of a mirrored, inverted or upside-down picture are the same but for the bit that says so."""
    assert FORM_BITS >> bit & 1
    own, other = (
        {int(one.hash, 16) for one in asked_patches(thumbnail_of(picture), turned=False)}
        for picture in (PICTURE, CHANGES[change](PICTURE))
    )
    same = {code ^ 1 << bit for code in own} & other
    assert len(same) >= 0.8 * len(own)


def switches() -> Image.Image:
    """A list of settings: symbols, names and switches."""
    page, numbers = Image.new("L", (400, 500), 255), Random(1)
    draw = ImageDraw.Draw(page)
    for top in range(10, 480, 60):
        draw.rounded_rectangle((20, top, 60, top + 40), 12, fill=numbers.choice([90, 180]))
        draw.text((80, top + 10), "".join(numbers.choices("aeghknorstuw", k=9)), 0, font_size=22)
        draw.rounded_rectangle((310, top + 12, 360, top + 36), 12, fill=numbers.choice([90, 180]))
        draw.circle((324 if numbers.random() < 0.5 else 346, top + 24), 10, fill=255)
    return page


@pytest.mark.parametrize("plain", [Image.new("L", (300, 200), 90), Image.new("L", (9, 9)), switches()])
def test_plain_pictures_and_interfaces_have_none(plain: Image.Image) -> None:
    """A flat or tiny picture has no local hashes, nor has an interface, whose parts are everybody's."""
    assert sent_patches(thumbnail_of(plain)) == []
    assert patches_signals([thumbnail_of(plain)]) == []


def test_a_picture_within_an_interface_keeps_its_own() -> None:
    """The picture is found by what is sent of a screenshot that shows it."""
    page = switches()
    page.paste(PICTURE.crop((0, 0, 400, 300)), (0, 120))
    asked = [one.hash for one in asked_patches(thumbnail_of(PICTURE))]
    far = [min(hamming_distance(one, other) for other in asked) for one in sent_patches(thumbnail_of(page))]
    assert sum(distance <= NEAR for distance in far) >= 6


def test_frames_are_joined() -> None:
    """The hashes of a video's frames are joined in their order; frames without any are left out."""
    first, second = (thumbnail_of(clouds(seed, (300, 260))) for seed in (1, 2))
    plain = thumbnail_of(Image.new("L", (64, 64)))
    (signal,) = patches_signals([first, plain, second])
    assert patches_of(signal.value) == (tuple(sorted(sent_patches(first))), tuple(sorted(sent_patches(second))))
