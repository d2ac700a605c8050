"""Animated pictures as videos: their frames by the rules of `vpdq.py`, decoded by Pillow on both sides."""

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

from takeback.errors import PictureError
from takeback.hashing.pdq import Pixels, hash_pixels
from takeback.hashing.vpdq import SLACK, rounded, samples, vpdq_signal
from takeback.signals import Frame, Signal

MAX_PIXELS: Final = 1_000_000_000
"""Of all frames together: 10,000 of 100,000 pixels each. What comes after is not looked at, like what is broken."""
SHORTEST: Final = 10
"""Milliseconds. What says that it is shown for no longer is shown for `INSTEAD` by every browser, and by FFmpeg."""
INSTEAD: Final = 100


class Still(NamedTuple):
    """One frame: its pixels, and how many milliseconds the file says that it is shown."""

    pixels: Pixels
    duration: float


def animation_signal(stills: Iterable[Still]) -> Signal:
    """The vpdq of frames in their order, as many as can be decoded; pixels of those left out are not touched."""
    now, left = 0.0, MAX_PIXELS
    starts, hashed = list[float](), dict[int, Frame]()
    try:
        for number, still in enumerate(stills):
            left -= still.pixels.width * still.pixels.height
            if number and left < 0:
                break
            start, now = now / 1000, now + (still.duration if still.duration > SHORTEST else INSTEAD)
            if math.ceil(start - 2 * SLACK) < now / 1000:  # a second begins meanwhile, or nearly
                pdq = hash_pixels(still.pixels)
                hashed[number] = Frame(number, pdq.quality, pdq.hash, rounded(start))
            starts.append(start)
    except PictureError:
        if not hashed:
            raise
    return vpdq_signal(hashed[number] for number in samples(starts) if number in hashed)
