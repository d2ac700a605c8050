"""Finds the part of a video that moves: what a screen recording, bars, a caption or a blurred ground are around.

Only the gate's hashing process uses it.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from takeback.hashing.frames import HashedFrame
from takeback.hashing.kernel import DIHEDRALS, Thumbnail, hash_region
from takeback.hashing.views import WHOLE_SHARE, Box, has_detail, region_of

MAX_COMPARED_FRAMES: Final = 24
"""Frames, evenly spread, that are compared to find the moving part."""
MIN_COMPARED_FRAMES: Final = 4
MOVED_LEVELS: Final = 10
"""Grey levels by which a pixel changes from frame to frame at least; compression changes still pixels by less."""
MIN_MOVED_SHARE: Final = 0.25
"""Share of the frames at which a pixel must change: a menu that opens once does not count."""
MIN_LINE_SHARE: Final = 0.15
"""Share of the pixels of a row or column that must move."""
MIN_SIDE_SHARE: Final = 0.2
"""Share of the sides that the moving part takes up at least."""


def moving_frames(frames: Sequence[HashedFrame]) -> list[HashedFrame]:
    """Returns the moving part of each frame as a frame of its own; none if the whole video moves, or nothing."""
    thumbnails = [frame.thumbnail for frame in frames if frame.thumbnail]
    box = _moving_box(thumbnails)
    found: list[HashedFrame] = []
    for frame in frames if box else ():
        assert box
        assert frame.thumbnail
        result = hash_region(frame.thumbnail, region_of(frame.thumbnail, box))
        if has_detail(result):
            found.append(HashedFrame(frame.seconds, result.quality, result.dihedral, is_part=True))
    assert all(len(frame.dihedral) == len(DIHEDRALS) for frame in found)
    return found


def _moving_box(thumbnails: Sequence[Thumbnail]) -> Box | None:
    """Returns the part that moves, as shares of the sides."""
    if len(thumbnails) < MIN_COMPARED_FRAMES or len({(one.width, one.height) for one in thumbnails}) > 1:
        return None
    first = thumbnails[0]
    places = np.unique(np.linspace(0, len(thumbnails) - 1, MAX_COMPARED_FRAMES).astype(int))
    stack = np.stack([np.frombuffer(thumbnails[place].pixels, np.uint8) for place in places])
    steps = np.abs(np.diff(stack.astype(np.int16), axis=0)) > MOVED_LEVELS
    moving = (steps.mean(0) >= MIN_MOVED_SHARE).reshape(first.height, first.width)
    top, bottom = _longest(moving.mean(1) >= MIN_LINE_SHARE)
    left, right = _longest(moving[top:bottom].mean(0) >= MIN_LINE_SHARE) if bottom > top else (0, 0)
    wide, high = (right - left) / first.width, (bottom - top) / first.height
    if min(wide, high) < MIN_SIDE_SHARE or min(wide, high) > WHOLE_SHARE:
        return None
    across, down = first.across, first.down
    return left / across, top / down, min(1, right / across), min(1, bottom / down)


def _longest(lines: NDArray[np.bool_]) -> tuple[int, int]:
    """Returns the start and the end of the longest run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], lines, [False]]).astype(np.int8)))
    runs = edges.reshape(-1, 2)
    if not len(runs):
        return 0, 0
    start, end = runs[(runs[:, 1] - runs[:, 0]).argmax()]
    return int(start), int(end)
