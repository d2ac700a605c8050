"""Which frames stand for a video, and which a gate looks up."""

import json
import subprocess
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.site.bundle import bundle_worker
from takeback.hashing.frames import MAX_CHOSEN_FRAMES, FrameChoice, FrameHashes
from takeback.hashing.patches import sent_patches
from takeback.hashing.pdq import Pdq, Pixels, hash_pixels
from takeback.hashing.vpdq import MAX_LOOK_UPS, looked_up_frames, sampled_frames
from takeback.signals import MAX_FRAMES, PDQ_MATCH_DISTANCE, hamming_distance
from tests.gate.pictures import drawing

ROOT: Final = Path(__file__).parents[2]
VECTORS: Final[list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "choice.json").read_text("utf-8")
)
HALF: Final = (1 << 128) - 1


def chosen(frames: Sequence[tuple[int, str]]) -> list[int]:
    """The places of the chosen frames."""
    choice = FrameChoice[int]()
    for place, (quality, value) in enumerate(frames):
        choice.offer(quality, value, place)
        assert len(choice.chosen) <= MAX_CHOSEN_FRAMES
    return choice.chosen


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(len(vector["frames"])))
def test_the_vectors_of_the_choice(vector: dict[str, Any]) -> None:
    """The chosen frames are those that the vectors name."""
    assert chosen(vector["frames"]) == vector["chosen"]


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 255), st.integers(0, 3)), max_size=80))
def test_chosen_frames_show_different_scenes(drawn: list[tuple[int, int, int]]) -> None:
    """Chosen frames come in order, have quality and detail, and each scene of one quality is chosen only once."""
    frames = [(90 if quality > 30 else 49, f"{(HALF << turn) ^ bits:064x}") for quality, turn, bits in drawn]
    places = chosen(frames)
    assert places == sorted(set(places))
    assert all(frames[place][0] >= 50 for place in places)
    hashes = [frames[place][1] for place in places]
    assert all(hamming_distance(a, b) > PDQ_MATCH_DISTANCE for at, a in enumerate(hashes) for b in hashes[:at])
    assert bool(places) == any(quality >= 50 and 100 <= int(value, 16).bit_count() <= 156 for quality, value in frames)


def test_chosen_frames_are_spread_over_the_video() -> None:
    """Of ninety scenes the first and the last are chosen, and no gap is much longer than another."""
    chance = Random(4)
    places = chosen([(100, f"{sum(1 << bit for bit in chance.sample(range(256), 128)):064x}") for _ in range(90)])
    gaps = [after - before for before, after in pairwise(places)]
    assert (places[0], places[-1], len(places)) == (0, 89, MAX_CHOSEN_FRAMES)
    assert max(gaps) <= 3 * 90 / MAX_CHOSEN_FRAMES


@given(st.lists(st.integers(1, 20_000), max_size=900))
def test_a_gate_looks_up_what_is_sent_and_more(steps: list[int]) -> None:
    """Frames that a gate looks up are in order, hold all that are sampled, and their number is bounded."""
    starts = [0.0]
    for step in steps:
        starts.append(starts[-1] + step / 1000)
    found = looked_up_frames(starts)
    assert found == sorted(set(found))
    assert set(sampled_frames(starts)) <= set(found)
    assert len(found) <= MAX_FRAMES + MAX_LOOK_UPS


def test_every_frame_of_a_short_clip_is_looked_up() -> None:
    """Of a clip of ten frames a second, a gate looks up each but the last, and a person sends one a second."""
    starts = [number / 10 for number in range(40)]
    assert looked_up_frames(starts) == list(range(39))
    assert sampled_frames(starts) == [0, 10, 20, 30]


def hashed(seed: int) -> Pdq:
    """The PDQ of a drawing."""
    picture = drawing(seed, (160, 120)).convert("L")
    return hash_pixels(Pixels(160, 120, "L", [picture.tobytes()]))


def test_frames_are_looked_up_once() -> None:
    """A frame like the one before in its second is left out, and a flat one; chosen ones have a thumbnail."""
    hashes = FrameHashes()
    first, other = hashed(1), hashed(2)
    flat = hash_pixels(Pixels(160, 120, "L", [bytes(160 * 120)]))
    for key, pdq in enumerate((first, first, other, flat, first)):
        hashes.add(key, pdq, sampled=key % 2 == 0)
    found = hashes.frames((key, key / 4) for key in range(5))
    assert [(frame.seconds, frame.dihedral[0]) for frame in found] == [
        (0.0, first.hash), (0.5, other.hash), (1.0, first.hash),
    ]  # fmt: skip
    assert [frame.thumbnail for frame in found] == [first.thumbnail, other.thumbnail, None]
    assert (hashes.frame(9, 0, 0.0), hashes.frame(3, 7, 0.5)) == (None, hashes.frame(3, 7, 0.5))


@pytest.mark.parametrize("size", [(160, 120), (1500, 37), (511, 1023)])
def test_the_page_gets_the_same_thumbnail(tmp_path: Path, size: tuple[int, int]) -> None:
    """The kernel as the video worker calls it returns the hashes and the thumbnail that it returns natively."""
    width, height = size
    pixels = drawing(3, size).convert("L").tobytes()
    (tmp_path / "pixels").write_bytes(pixels)
    script = tmp_path / "entry.mjs"
    script.write_text(f"""
import {{ readFileSync }} from "node:fs";
import {{ Kernel }} from {json.dumps(str(ROOT / "web/worker/kernel.js"))};
const kernel = await Kernel.create();
const pixels = readFileSync({json.dumps(str(tmp_path / "pixels"))});
kernel.room(pixels.length).set(pixels);
const found = kernel.hash({{ width: {width}, height: {height}, channels: 1, offset: 0, stride: {width} }});
const thumbnail = found.thumbnail();
const {{ pixels: grey, ...shape }} = thumbnail;
const patches = kernel.patches(thumbnail);
console.log(JSON.stringify([found.hash, found.quality, shape, Buffer.from(grey).toString("hex"), patches]));
""")
    bundle_worker(script, tmp_path / "out.mjs")
    here = hash_pixels(Pixels(width, height, "L", [pixels]))
    shape = {name: getattr(here.thumbnail, name) for name in ("width", "height", "across", "down")}
    said = subprocess.run(["node", str(tmp_path / "out.mjs")], capture_output=True, text=True, check=True).stdout
    assert json.loads(said) == [
        here.hash, here.quality, shape, here.thumbnail.pixels.hex(), sent_patches(here.thumbnail)
    ]  # fmt: skip
