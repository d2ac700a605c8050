"""The regions of a picture that a client sends, and that they match crops of the file itself."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from takeback.hashing import HashedPicture, hash_picture, with_variants
from takeback.hashing.kernel import PdqStream, Thumbnail, hash_region
from takeback.hashing.pdq import Pdq, Pixels, hash_pixels
from takeback.hashing.views import SHAPES, Box, region_of, trimmed
from takeback.protocol import MAX_SIGNALS
from takeback.signals import PDQ_QUALITY_FLOOR, SignalType, Variant, hamming_distance
from tests.gate.pictures import drawing, jpeg

NEAR = 16
"""Bits between a region of the thumbnail and the same region cropped from the picture, at these sizes."""


def variants(hashed: HashedPicture) -> dict[Variant, str]:
    """The PDQ values of a picture by variant."""
    return {s.variant: s.value for s in with_variants(hashed).signals if s.type is SignalType.PDQ}


def pdq(picture: Image.Image) -> Pdq:
    return hash_pixels(Pixels(*picture.size, "RGB", [picture.convert("RGB").tobytes()]))


def cut(picture: Image.Image, box: Box) -> Image.Image:
    wide, high = picture.size
    return picture.crop(tuple(round(edge * side) for edge, side in zip(box, (wide, high) * 2, strict=True)))  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(3))
def test_a_view_is_pdq_of_what_is_cut_out(seed: int) -> None:
    """Every region is within a few bits of PDQ of that part of the picture, saved on its own."""
    picture = drawing(seed, (1200, 900))
    found = variants(hash_picture(jpeg(picture)))
    for variant, box in {Variant.SHAPE_1_1: (0.125, 0, 0.875, 1), Variant.SHAPE_3_4: (7 / 32, 0, 25 / 32, 1)}.items():
        assert hamming_distance(found[variant], pdq(cut(picture, box)).hash) <= NEAR, variant


def test_a_shape_that_the_picture_has_is_left_out() -> None:
    """A picture of 3:4 sends every shape but its own, and no value twice; all fit into a message's limit."""
    hashed = with_variants(hash_picture(jpeg(drawing(1, (600, 800)))))
    named = [s.variant for s in hashed.signals if s.type is SignalType.PDQ]
    assert set(SHAPES) - set(named) == {Variant.SHAPE_3_4}
    values = [s.value for s in hashed.signals if s.type is SignalType.PDQ]
    assert len(set(values)) == len(values) <= 8
    assert len(hashed.signals) <= MAX_SIGNALS


@pytest.mark.parametrize("picture", [drawing(1, (40, 900)), drawing(1, (30, 30))])
def test_what_says_too_little_has_no_views(picture: Image.Image) -> None:
    """A picture that is too narrow or too small sends no regions."""
    assert set(variants(hash_picture(jpeg(picture)))) == {Variant.WHOLE}


def test_a_plain_picture_has_exact_hashes_alone() -> None:
    """A picture without detail sends no PDQ, which would equal that of every such picture."""
    assert not variants(hash_picture(jpeg(Image.new("RGB", (300, 200), "teal"))))


def test_a_view_of_low_quality_is_left_out() -> None:
    """A plain middle is not sent, and wider regions are."""
    picture = drawing(5, (1600, 600))
    picture.paste("white", (400, 0, 1200, 600))
    found = {s.variant for s in with_variants(hash_picture(jpeg(picture))).signals if s.type is SignalType.PDQ}
    assert Variant.SHAPE_9_16 not in found
    assert {Variant.WHOLE, Variant.SHAPE_16_9} <= found
    assert all(
        s.quality is None or s.quality >= PDQ_QUALITY_FLOOR for s in with_variants(hash_picture(jpeg(picture))).signals
    )


@pytest.mark.parametrize("ground", ["white", "black", "#e8e8ee"])
def test_the_ground_is_trimmed(ground: str) -> None:
    """An object on a plain background is found to the pixel, and sent as a region close to the object alone."""
    thing = drawing(8, (500, 300))
    whole = Image.new("RGB", (1000, 900), ground)
    whole.paste(thing, (120, 340))
    hashed = hash_picture(jpeg(whole))
    assert trimmed(hashed.thumbnail) == pytest.approx((0.12, 340 / 900, 0.62, 640 / 900), abs=0.01)
    assert hamming_distance(variants(hashed)[Variant.TRIMMED], pdq(thing).hash) <= NEAR


def test_a_picture_without_ground_is_not_trimmed() -> None:
    """A picture with content up to its edges has no trimmed region."""
    noise = np.random.default_rng(1).integers(0, 256, (300, 400, 3), np.uint8)
    picture = Image.fromarray(noise).resize((40, 30)).resize((800, 600))
    assert trimmed(hash_picture(jpeg(picture)).thumbnail) == (0, 0, 1, 1)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 1500), st.integers(1, 1500), st.integers(0, 2**32), st.lists(st.integers(1, 400), max_size=4))
def test_the_reduced_picture(width: int, height: int, seed: int, pieces: list[int]) -> None:
    """The thumbnail consists of means of squares, clipped at the edge, and making it changes no hash of the whole."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)
    plain, kept = PdqStream(width, height, "L"), PdqStream(width, height, "L", thumbnail_side=512)
    plain.push(pixels.tobytes())
    top = 0
    for rows in [*pieces, height]:
        kept.push(pixels[top : top + rows].tobytes())
        top = min(height, top + rows)
    assert kept.finish() == plain.finish()
    factor = math.ceil(max(width, height) / 512)
    ends = [np.arange(0, side, factor) for side in (height, width)]
    sums = np.add.reduceat(np.add.reduceat(pixels.astype(np.float64), ends[0], 0), ends[1], 1)
    counts = np.outer(*(np.diff([*end, side]) for end, side in zip(ends, (height, width), strict=True)))
    thumbnail = kept.thumbnail()
    made = np.frombuffer(thumbnail.pixels, np.uint8).reshape(thumbnail.height, thumbnail.width)
    assert np.abs(made - sums / counts).max() <= 0.51
    assert (thumbnail.across, thumbnail.down) == (width / factor, height / factor)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 512), st.integers(1, 512), st.lists(st.floats(-2000, 2000, width=32), min_size=6, max_size=6))
def test_a_view_may_lie_anywhere(width: int, height: int, place: list[float]) -> None:
    """A region that extends beyond the picture, or is rotated or mirrored, is hashed without reading outside."""
    thumbnail = Thumbnail(width, height, bytes(range(256)) * (width * height // 256 + 1), float(width), float(height))
    thumbnail = Thumbnail(width, height, thumbnail.pixels[: width * height], float(width), float(height))
    x, y, *ways = place
    result = hash_region(thumbnail, (x, y, ways[0], ways[1], ways[2], ways[3]))
    assert 0 <= result.quality <= 100


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), contrast=st.integers(1, 256), width=st.integers(1, 80), height=st.integers(1, 80)
)
def test_detail_is_what_no_lines_along_the_sides_explain(seed: int, contrast: int, width: int, height: int) -> None:
    """For noise, detail is the share that numpy counts: more than 8 levels from the medians of row and column."""
    drawn = np.random.default_rng(seed)
    samples = np.full((64, 64), 128, np.uint8)
    spot = samples[: min(height, 64), : min(width, 64)]
    spot[:] = drawn.integers(0, contrast, spot.shape)
    samples[:, 40] = 7
    stream = PdqStream(64, 64, "L")
    stream.push(samples.tobytes())
    wide = samples.astype(np.int64)
    rows, columns = np.sort(wide, 1)[:, 32:33], np.sort(wide, 0)[32]
    off = np.abs(wide - rows - columns + np.sort(rows, None)[32])
    assert stream.finish().detail == int((off > 8).sum()) * 100 // 4096


def test_an_upright_view_is_a_turned_one_by_nothing() -> None:
    """The two sampling methods give the same hash where they meet, up to the last bits of a sum."""
    thumbnail = hash_picture(jpeg(drawing(3, (800, 600)))).thumbnail
    x, y, wide, _, _, high = region_of(thumbnail, (0.1, 0.1, 0.8, 0.9))
    turned = hash_region(thumbnail, (x, y, wide, 1e-6, 1e-6, high))
    assert hamming_distance(hash_region(thumbnail, (x, y, wide, 0, 0, high)).hash, turned.hash) <= 2
