"""The frames of a video that are hashed, and their text: PROTOCOL.md, "The frames of a video".

`web/worker/vpdq.js` is the same for the browser; both are held to `tests/vectors/vpdq.json`.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final

from takeback.signals import MAX_FRAMES, Frame, Signal, SignalType

SLACK_SECONDS: Final = 0.0005
"""Seconds that a frame may start after its second: clocks of a thousandth round, and 29.97 a second gives 1.001."""


def sampled_frames(starts: Sequence[float]) -> list[int]:
    """Which frames are hashed of those that start at the rising times `starts`, the first at 0 (rules 1 and 2)."""
    seconds = math.floor(starts[-1] + SLACK_SECONDS) + 1
    chosen = [i * seconds // MAX_FRAMES for i in range(MAX_FRAMES)] if seconds > MAX_FRAMES else range(seconds)
    return list(dict.fromkeys(bisect_right(starts, second + SLACK_SECONDS) - 1 for second in chosen))


def round_milliseconds(seconds: float) -> float:
    """To whole thousandths, halves up."""
    return math.floor(seconds * 1000 + 0.5) / 1000


def vpdq_signal(frames: Iterable[Frame]) -> Signal:
    """The signal of a video's hashed frames, folded (rule 4)."""
    first: dict[str, Frame] = {}
    for frame in frames:
        first.setdefault(frame.hash, frame)
    return Signal(SignalType.VPDQ, ";".join(map(str, first.values())))
