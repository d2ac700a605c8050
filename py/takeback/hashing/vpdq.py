"""Which frames of a video are hashed, and the text of its signal: PROTOCOL.md, "The frames of a video".

`web/worker/vpdq.js` does the same in the browser; `tests/vectors/vpdq.json` holds both to the same results.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final

from takeback.signals import MAX_FRAMES, Frame, Signal, SignalType

SLACK_SECONDS: Final = 0.0005
"""Seconds that a frame may start after its second: millisecond clocks round, and 29.97 frames a second give 1.001."""


def sampled_frames(starts: Sequence[float]) -> list[int]:
    """Returns the indices of the frames to hash, given rising start times, the first of them 0 (rules 1 and 2)."""
    seconds = math.floor(starts[-1] + SLACK_SECONDS) + 1
    chosen = [i * seconds // MAX_FRAMES for i in range(MAX_FRAMES)] if seconds > MAX_FRAMES else range(seconds)
    return list(dict.fromkeys(bisect_right(starts, second + SLACK_SECONDS) - 1 for second in chosen))


def round_milliseconds(seconds: float) -> float:
    """Rounds to whole milliseconds, halves up."""
    # `round` would round halves to even, unlike JavaScript's `Math.round`.
    return math.floor(seconds * 1000 + 0.5) / 1000


def vpdq_signal(frames: Iterable[Frame]) -> Signal:
    """Returns the signal of a video's hashed frames without repeated hashes (rule 4)."""
    first: dict[str, Frame] = {}
    for frame in frames:
        first.setdefault(frame.hash, frame)
    return Signal(SignalType.VPDQ, ";".join(map(str, first.values())))
