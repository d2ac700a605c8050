"""The kernel, compared to published vectors and to the oracle."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from takeback.hashing.kernel import CHANNELS, DIHEDRALS, KernelResult, PdqStream
from takeback.signals import hamming_distance
from tests import oracle

FLAT = "00002c4b2c4b0000000000008200017e0000cc530000554b13a0554b585e1706"
"""PDQ of a flat grey: it changes as soon as any addition is reordered."""


def run(pixels: np.ndarray, pieces: tuple[int, ...] = ()) -> KernelResult:
    """The kernel's result for height x width (x 3 or 4) pixels, pushed in batches of this many rows."""
    height, width = pixels.shape[:2]
    layout = {2: "L", 3: {3: "RGB", 4: "RGBX"}.get(pixels.shape[-1], "L")}[pixels.ndim]
    stream = PdqStream(width, height, layout)
    top = 0
    for rows in [*pieces, height]:
        stream.push(pixels[top : top + rows].tobytes())
        top = min(height, top + rows)
    return stream.finish()


def named(result: KernelResult) -> dict[str, str]:
    """The eight hashes by name."""
    return dict(zip(DIHEDRALS, result.dihedral, strict=True))


def drawn(seed: int, height: int, width: int, channels: int, kind: str) -> np.ndarray:
    """Pixels of a kind that has broken other implementations: noise, flat, black-and-white steps."""
    dice = np.random.default_rng(seed)
    shape = (height, width) if channels == 1 else (height, width, channels)
    if kind == "noise":
        return dice.integers(0, 256, shape).astype(np.uint8)
    if kind == "flat":
        return np.full(shape, dice.integers(0, 256), np.uint8)
    steps = (np.add.outer(np.arange(height), np.arange(width)) // max(1, int(dice.integers(1, 40)))) % 2 * 255
    steps = steps.astype(np.uint8)
    return steps if channels == 1 else np.repeat(steps[..., None], channels, axis=2)


def test_a_flat_picture_gives_the_canary() -> None:
    """A flat grey picture has the hash that only the reference's order of additions gives."""
    result = run(np.full((70, 90, 3), 77, np.uint8))
    assert (result.hash, result.quality) == (FLAT, 0)


@pytest.mark.parametrize("shape", [(4, 900), (900, 4), (1, 1)])
def test_a_picture_under_five_pixels_has_no_hash(shape: tuple[int, int]) -> None:
    """A side under five pixels gives zeros and quality 0."""
    result = run(np.full(shape, 200, np.uint8))
    assert (result.hash, result.quality, set(result.dihedral)) == ("0" * 64, 0, {"0" * 64})


def test_published_vectors(shared: Path) -> None:
    """The kernel equals every published synthetic vector to the bit, in all eight forms."""
    cases = json.loads((shared / "vectors" / "synthetic.json").read_text("utf-8"))["cases"]
    assert len(cases) == 38
    for case in cases:
        with Image.open(shared / "vectors" / case["file"]) as image:
            result = run(np.asarray(image))
        expected = case["full"]
        assert (result.hash, result.quality) == (expected["hash"], expected["quality"]), case["file"]
        assert named(result) == expected["dihedral"], case["file"]


def test_published_photographs(shared: Path) -> None:
    """The kernel equals every published photograph's vector to the bit from its RGB pixels, in all eight forms."""
    pictures = json.loads((shared / "vectors" / "pictures.json").read_text("utf-8"))["pictures"]
    assert len(pictures) == 10
    for case in pictures:
        with Image.open(shared / "vectors" / case["file"]) as image:
            result = run(np.asarray(image.convert("RGB")))
        assert (result.hash, result.quality) == (case["full"]["hash"], case["full"]["quality"]), case["file"]
        assert named(result) == case["full"]["dihedral"], case["file"]


def test_photographs_from_rgb(shared: Path) -> None:
    """Photographs of every source hash from their RGB pixels as in the reference."""
    manifest = json.loads((shared / "photos" / "manifest.json").read_text("utf-8"))
    photos = [entry for entry in manifest if entry["format"] in {"JPEG", "PNG", "WEBP"} and entry["mode"] == "RGB"]
    assert len(photos) > 50
    for entry in photos:
        with Image.open(shared / "photos" / entry["file"]) as image:
            result = run(np.asarray(image.convert("RGB")))
        assert (result.hash, result.quality) == (entry["pdq_full"], entry["quality_full"]), entry["file"]


sizes = st.one_of(st.integers(1, 70), st.sampled_from([63, 64, 65, 127, 128, 129, 130, 255, 256, 257, 384, 385, 640]))


@given(
    seed=st.integers(0, 2**32),
    height=sizes,
    width=sizes,
    channels=st.sampled_from(sorted(CHANNELS.values())),
    kind=st.sampled_from(["noise", "flat", "steps"]),
)
@settings(max_examples=60)
def test_the_kernel_is_the_oracle(seed: int, height: int, width: int, channels: int, kind: str) -> None:
    """Kernel and oracle agree to the bit for any size, layout and kind of picture."""
    pixels = drawn(seed, height, width, channels, kind)
    hashes, quality = oracle.pdq(pixels[..., :3] if channels == 4 else pixels)
    result = run(pixels)
    assert result.quality == quality
    assert named(result) == hashes
    assert result.hash == hashes["orig"] or (height, width) == (64, 64)


@given(
    seed=st.integers(0, 2**32),
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    pieces=st.lists(st.integers(0, 40), max_size=12).map(tuple),
)
@settings(max_examples=60)
def test_pieces_change_nothing(seed: int, height: int, width: int, pieces: tuple[int, ...]) -> None:
    """A picture pushed in any batches has the bits of the picture pushed at once."""
    pixels = drawn(seed, height, width, 3, "noise")
    assert run(pixels, pieces) == run(pixels)


def test_padding_between_rows_is_not_read() -> None:
    """Rows may be further apart than they are wide."""
    pixels = drawn(5, 90, 101, 1, "noise")
    padded = np.full((90, 128), 255, np.uint8)
    padded[:, :101] = pixels
    stream = PdqStream(101, 90, "L")
    stream.push(padded.tobytes(), 128)
    assert stream.finish() == run(pixels)


@pytest.mark.parametrize(("width", "height", "layout"), [(0, 5, "L"), (5, 0, "L"), (70_000, 5, "L"), (5, 5, "CMYK")])
def test_the_door_refuses_what_the_kernel_cannot_take(width: int, height: int, layout: str) -> None:
    """Sizes and layouts outside the kernel's limits are refused before it runs."""
    with pytest.raises(ValueError, match=r"pixels|layout"):
        PdqStream(width, height, layout)


def test_the_door_counts_rows() -> None:
    """Surplus rows, partial rows and missing rows are refused."""
    stream = PdqStream(10, 2, "L")
    with pytest.raises(ValueError, match="rows are missing"):
        stream.finish()
    for wrong in (bytes(15), bytes(30)):
        with pytest.raises(ValueError, match="whole rows"):
            stream.push(wrong)


def test_the_oracle_and_the_kernel_differ_from_a_changed_picture() -> None:
    """A hash depends on the picture: another picture's hash is far away."""
    one, other = (run(drawn(seed, 200, 200, 3, "noise")).hash for seed in (1, 2))
    assert hamming_distance(one, other) > 60
