"""Hashes animated pictures as videos: Pillow decodes the frames on both sides, `vpdq.py` has the rules of sampling."""

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

from takeback.errors import PictureError, PictureTooLarge
from takeback.hashing.frames import FrameHashes, HashedFrame
from takeback.hashing.pdq import Pixels, hash_pixels
from takeback.hashing.vpdq import (
    LOOK_UPS_A_SECOND,
    SLACK_SECONDS,
    looked_up_frames,
    round_milliseconds,
    sampled_frames,
    vpdq_signal,
)
from takeback.signals import Signal

MAX_PIXELS: Final = 100_000_000
"""Pixels of all frames together: as much work as one large photograph."""
TOO_MANY_PIXELS_TEXT: Final = (
    f"its frames have over {MAX_PIXELS // 1_000_000} megapixels together: only the first one was hashed"
)
SHORTEST_DURATION_MS: Final = 10
"""Frames with this duration or less are shown for `DEFAULT_DURATION_MS` by every browser and by FFmpeg."""
DEFAULT_DURATION_MS: Final = 100


class TooManyPixels(PictureTooLarge):
    """An animation over `MAX_PIXELS`, of which only the first frame is hashed."""


def check_total_pixels(number: int, size: tuple[int, int]) -> None:
    """Raises `TooManyPixels` if an animation with frame `number` is too large, before that frame is decoded.

    All frames have the same `size`, width and height.
    """
    if (max(number, 1) + 1) * size[0] * size[1] > MAX_PIXELS:  # an animation has at least two frames
        raise TooManyPixels(TOO_MANY_PIXELS_TEXT)


class Still(NamedTuple):
    """One frame: its pixels, and its duration in milliseconds as the file gives it."""

    pixels: Pixels
    duration: float


class Animation(NamedTuple):
    """The vpdq of an animation, and the frames that a gate looks up (`HashedVideo`)."""

    signal: Signal
    frames: tuple[HashedFrame, ...]


def hash_animation(stills: Iterable[Still], *, look_ups: bool = False) -> Animation:
    """Hashes the frames in order, up to the first that cannot be decoded. With `look_ups`, also frames between samples.

    Pixels of frames that are not hashed are not read. Raises `TooManyPixels` if `stills` does, and `PictureError` if
    no frame can be decoded.
    """
    now = 0.0
    starts, hashes, hashed = list[float](), FrameHashes(keep_thumbnails=look_ups), 0
    rate = LOOK_UPS_A_SECOND if look_ups else 1
    try:
        for number, still in enumerate(stills):
            duration = still.duration if still.duration > SHORTEST_DURATION_MS else DEFAULT_DURATION_MS
            start, now = now / 1000, now + duration
            sampled = _holds_moment(start, now / 1000, 1)
            if sampled or _holds_moment(start, now / 1000, rate):
                hashes.add(number, hash_pixels(still.pixels), sampled=sampled)
                hashed += 1
            starts.append(start)
    # A PictureError as well, but not a damaged frame: such an animation has no vpdq at all (PROTOCOL.md).
    except TooManyPixels:
        raise
    except PictureError:
        # The frames before a fault count (PROTOCOL.md, "The frames of a video", rule 6).
        if not hashed:
            raise
    seconds = [round_milliseconds(start) for start in starts]
    frames = (hashes.frame(number, number, seconds[number]) for number in sampled_frames(starts))
    shown = looked_up_frames(starts) if look_ups else sampled_frames(starts)
    return Animation(
        vpdq_signal(frame for frame in frames if frame), hashes.frames((number, seconds[number]) for number in shown)
    )


def _holds_moment(start: float, end: float, rate: int) -> bool:
    """Whether a moment at which frames are hashed, `rate` a second, falls into a frame, give or take the slack."""
    return math.ceil((start - 2 * SLACK_SECONDS) * rate) < end * rate
