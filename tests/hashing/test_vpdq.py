import json
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.hashing.vpdq import SLACK_SECONDS, round_milliseconds, sampled_frames, vpdq_signal
from takeback.signals import MAX_FRAMES, Frame, frames_of

VECTORS: Final[list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "vpdq.json").read_text("utf-8")
)["samples"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['count']} at {vector['rate']:.2f}")
def test_the_vectors_of_sampling(vector: dict[str, Any]) -> None:
    """At every frame rate the sampled frames are those that the vectors name."""
    assert sampled_frames([number / vector["rate"] for number in range(vector["count"])]) == vector["samples"]


@given(st.lists(st.integers(1, 20_000), max_size=600))
def test_a_sample_is_what_is_shown_at_its_second(steps: list[int]) -> None:
    """With frames at any times, samples increase, begin with the first, are at most 256, and skip no second."""
    starts = [0.0]
    for step in steps:
        starts.append(starts[-1] + step / 1000)
    chosen = sampled_frames(starts)
    assert chosen == sorted(set(chosen))
    assert chosen[0] == 0
    assert len(chosen) <= MAX_FRAMES
    seconds = range(int(starts[-1] + SLACK_SECONDS) + 1)
    shown = {max(at for at, start in enumerate(starts) if start <= second + SLACK_SECONDS) for second in seconds[:20]}
    assert len(seconds) > MAX_FRAMES or shown <= set(chosen)


def test_a_long_video_is_sampled_evenly() -> None:
    """An hour at one frame a second keeps 256 of them, none more than 15 seconds after the previous one."""
    chosen = sampled_frames([float(second) for second in range(3600)])
    assert len(chosen) == MAX_FRAMES
    assert {after - before for before, after in pairwise(chosen)} == {14, 15}


def test_frames_are_folded() -> None:
    """A frame with the hash of an earlier one is omitted, wherever it occurs."""
    a, b = "a" * 64, "b" * 64
    frames = [Frame(n, 9, value, float(n)) for n, value in enumerate((a, a, b, a))]
    assert [frame.number for frame in frames_of(vpdq_signal(frames).value)] == [0, 2]


def test_times_are_rounded_as_people_do() -> None:
    """Half a millisecond rounds up, as in the browser."""
    assert [round_milliseconds(seconds) for seconds in (0.0625, 1.0005, 2.0004)] == [0.063, 1.001, 2.0]
