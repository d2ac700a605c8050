"""Animated pictures as videos: their frames by the rules of `vpdq.py`, decoded by Pillow on both sides."""

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

from takeback.errors import PictureError, PictureTooLarge
from takeback.hashing.pdq import Pixels, hash_pixels
from takeback.hashing.vpdq import SLACK, rounded, samples, vpdq_signal
from takeback.signals import Frame, Signal

MAX_PIXELS: Final = 100_000_000
"""Of all frames together: as much work as one large photograph."""
TOO_MANY: Final = f"its frames have over {MAX_PIXELS // 1_000_000} megapixels together: only the first one was hashed"
SHORTEST: Final = 10
"""Milliseconds. What says that it is shown for no longer is shown for `INSTEAD` by every browser, and by FFmpeg."""
INSTEAD: Final = 100


class TooManyPixels(PictureTooLarge):
    """An animation over `MAX_PIXELS`, which is hashed by its first frame alone."""


def check_room(number: int, size: tuple[int, int]) -> None:
    """Refuses an animation that has frame `number`, of this size like all others, before that is decoded.

    Raises `TooManyPixels`.
    """
    if (max(number, 1) + 1) * size[0] * size[1] > MAX_PIXELS:  # it has two frames at least
        raise TooManyPixels(TOO_MANY)


class Still(NamedTuple):
    """One frame: its pixels, and how many milliseconds the file says that it is shown."""

    pixels: Pixels
    duration: float


def animation_signal(stills: Iterable[Still]) -> Signal:
    """The vpdq of frames in their order, as many as can be decoded; pixels of those left out are not touched.

    Raises `TooManyPixels` as `stills` does.
    """
    now = 0.0
    starts, hashed = list[float](), dict[int, Frame]()
    try:
        for number, still in enumerate(stills):
            start, now = now / 1000, now + (still.duration if still.duration > SHORTEST else INSTEAD)
            if math.ceil(start - 2 * SLACK) < now / 1000:  # a second begins meanwhile, or nearly
                pdq = hash_pixels(still.pixels)
                hashed[number] = Frame(number, pdq.quality, pdq.hash, rounded(start))
            starts.append(start)
    except TooManyPixels:
        raise
    except PictureError:
        if not hashed:
            raise
    return vpdq_signal(hashed[number] for number in samples(starts) if number in hashed)
