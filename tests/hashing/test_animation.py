"""Animated pictures are hashed by their first frame and as videos, by the rules for videos."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from takeback.errors import DamagedPicture
from takeback.hashing import animation, hash_picture
from takeback.hashing.animation import Still, hash_animation
from takeback.hashing.pdq import Pixels, hash_pixels
from takeback.hashing.vpdq import round_milliseconds, sampled_frames, vpdq_signal
from takeback.signals import Frame, SignalType, frames_of
from tests.e2e.pictures import draw

PICTURES: Final = Path(__file__).parents[1] / "vectors" / "pictures"
FRAMES: Final = [draw(seed, (160, 120)).convert("L") for seed in range(40, 46)]
"""Grey, so that a palette of 256 colours represents them exactly."""


def animated(kind: str, durations: Sequence[int]) -> bytes:
    """An animation of `FRAMES` with these durations in milliseconds."""
    out = io.BytesIO()
    pictures = [frame if kind == "GIF" else frame.convert("RGB") for frame in FRAMES[: len(durations)]]
    ways: dict[str, dict[str, Any]] = {
        "GIF": {},
        "PNG": {},
        "WEBP": {"lossless": True},
        "AVIF": {"quality": 100, "speed": 10},
    }
    pictures[0].save(
        out, kind, save_all=True, append_images=pictures[1:], duration=list(durations), **ways.get(kind, {})
    )
    return out.getvalue()


def still(number: int) -> str:
    """The PDQ of a single frame."""
    out = io.BytesIO()
    FRAMES[number].save(out, "PNG")
    return hash_picture(out.getvalue()).signals[0].value


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
def test_an_animation_is_hashed_as_a_video_and_by_its_first_frame(kind: str) -> None:
    """Frames at 0, 0.4, 0.9, 1.4, 2.0 and 2.5 s give the samples of three seconds beside the PDQ of the first."""
    found = {
        signal.type: signal.value for signal in hash_picture(animated(kind, [400, 500, 500, 600, 500, 900])).signals
    }
    frames = frames_of(found[SignalType.VPDQ])
    assert [(frame.number, frame.seconds) for frame in frames] == [(0, 0.0), (2, 0.9), (4, 2.0)]
    assert frames[0].hash == found[SignalType.PDQ]
    if kind != "AVIF":
        assert [frame.hash for frame in frames] == [still(frame.number) for frame in frames]


def test_a_picture_that_does_not_move_is_no_video() -> None:
    """A single frame, and the further pictures of an MPO, make no video."""
    for data in (animated("GIF", [100]), animated("WEBP", [100]), (PICTURES / "two.mpo").read_bytes()):
        assert SignalType.VPDQ not in {signal.type for signal in hash_picture(data).signals}


def test_of_an_animation_that_is_cut_short_what_is_there_counts() -> None:
    """A truncated GIF has the frames before the end."""
    whole = animated("GIF", [1000] * 6)
    (value,) = [s.value for s in hash_picture(whole[: len(whole) * 2 // 3]).signals if s.type is SignalType.VPDQ]
    assert 1 <= len(frames_of(value)) < 6


def test_an_animated_avif_whose_frames_are_cut_off_has_its_still() -> None:
    """If the rest of an animated AVIF is missing, its first picture is hashed as in the whole file."""
    whole = animated("AVIF", [1000] * 6)
    cut = whole[: len(whole) // 2]
    assert hash_picture(cut).signals[0] == hash_picture(whole).signals[0]


def stills(durations: Sequence[float]) -> Iterator[Still]:
    """Frames of a few pixels, each in a different shade."""
    for number, duration in enumerate(durations):
        shade = bytes((7 * x * y + number * x * x) % 256 for y in range(16) for x in range(16))
        yield Still(Pixels(16, 16, "L", [shade]), duration)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 4000), min_size=1, max_size=40))
def test_the_frames_are_those_that_the_rule_for_videos_takes(durations: list[int]) -> None:
    """Whatever the durations, the signal is that of the frames that `sampled_frames` selects."""
    starts = [0]
    for duration in durations[:-1]:
        starts.append(starts[-1] + (duration if duration > 10 else 100))
    hashed = [hash_pixels(still.pixels) for still in stills(durations)]
    chosen = sampled_frames([start / 1000 for start in starts])
    frames = [Frame(n, hashed[n].quality, hashed[n].hash, round_milliseconds(starts[n] / 1000)) for n in chosen]
    assert hash_animation(stills(durations)).signal == vpdq_signal(frames)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
def test_an_animation_with_too_many_pixels_is_hashed_by_its_first_frame(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the limit on the pixels of all frames there is a vpdq; beyond it, the first frame's PDQ and a note."""
    data = animated(kind, [1000] * 5)
    monkeypatch.setattr(animation, "MAX_PIXELS", 5 * 160 * 120)
    whole = hash_picture(data)
    assert SignalType.VPDQ in {signal.type for signal in whole.signals}
    assert whole.notes == ()
    monkeypatch.setattr(animation, "MAX_PIXELS", 5 * 160 * 120 - 1)
    first = hash_picture(data)
    assert first.signals == tuple(signal for signal in whole.signals if signal.type is not SignalType.VPDQ)
    assert first.notes == (animation.TOO_MANY_PIXELS_TEXT,)


def test_what_is_too_much_is_known_before_it_is_decoded() -> None:
    """If the second frame of a GIF exceeds the limit, no frame is decoded for its vpdq."""
    with pytest.raises(animation.TooManyPixels):
        animation.check_total_pixels(0, (8000, 8000))
    animation.check_total_pixels(0, (5000, 10_000))
    animation.check_total_pixels(99, (1000, 1000))
    with pytest.raises(animation.TooManyPixels):
        animation.check_total_pixels(100, (1000, 1000))


def test_an_animation_without_a_frame_is_broken() -> None:
    """If not even the first frame can be decoded, the error is raised."""

    def unreadable() -> Iterator[bytes]:
        yield b""
        raise DamagedPicture("broken")

    with pytest.raises(DamagedPicture):
        hash_animation([Still(Pixels(16, 16, "L", unreadable()), 100)])
