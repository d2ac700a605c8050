"""Which frames of a video are hashed, and the text of its signal: PROTOCOL.md, "The frames of a video".

`web/worker/vpdq.js` does the same in the browser; `tests/vectors/vpdq.json` holds both to the same results.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final

from takeback.signals import MAX_FRAMES, Frame, Signal, SignalType

LOOK_UPS_A_SECOND: Final = 15
"""Frames a second that a gate looks up: a copy may start between two samples, or run faster or slower.

In a clip from a hand-held camera, frames a quarter of a second apart no longer match.
"""
MAX_LOOK_UPS: Final = 384
"""Frames of a video that a gate looks up besides those that are sampled; more of them are spread evenly."""
SLACK_SECONDS: Final = 0.0005
"""Seconds that a frame may start after its second: millisecond clocks round, and 29.97 frames a second give 1.001."""


def sampled_frames(starts: Sequence[float], rate: int = 1, most: int = MAX_FRAMES) -> list[int]:
    """Returns the indices of the frames to hash, given rising start times, the first of them 0 (rules 1 and 2).

    A gate takes more of them than a person sends: `rate` frames a second, up to `most` in all.
    """
    moments = math.floor((starts[-1] + SLACK_SECONDS) * rate) + 1
    chosen = [i * moments // most for i in range(most)] if moments > most else range(moments)
    return list(dict.fromkeys(bisect_right(starts, moment / rate + SLACK_SECONDS) - 1 for moment in chosen))


def looked_up_frames(starts: Sequence[float]) -> list[int]:
    """Returns the indices of the frames that a gate looks up: the sampled ones and others between them."""
    return sorted({*sampled_frames(starts), *sampled_frames(starts, LOOK_UPS_A_SECOND, MAX_LOOK_UPS)})


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
