"""Finds where in an upload the picture may be: between bars, in a screenshot, under a caption. Pure.

The edges of a picture that was pasted onto a background are straight lines across it, with a plain or blurred
background on one side. They are searched in the thumbnail. A wrong guess costs one look-up and does no other harm.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from takeback.hashing.kernel import Thumbnail
from takeback.hashing.views import Box, centre_crop, trimmed

type Grey = NDArray[np.uint8]
type Scores = NDArray[np.float64]

MIN_STEP_LEVELS: Final = 4
"""Grey levels of an edge step at least; it must also be twice the change beside it on the background's side."""
MIN_ROW_SHARE: Final = 0.45
"""Share of a row that must have a step at a picture's upper or lower edge."""
MIN_COLUMN_SHARE: Final = 0.55
"""Share of a column that must have a step at a picture's left or right edge."""
MIN_PAIR_SHARE: Final = 0.2
"""The same share if two edges lie at the same distance from the centre, as letterbox bars do."""
MIN_HEIGHT_SHARE: Final = 0.15
"""Share of the upload's height that the picture takes up at least."""
MIN_WIDTH_SHARE: Final = 0.3
"""Share of the upload's width that the picture takes up at least."""
MIN_PAIR_SIDE_SHARE: Final = 0.25
"""Share of a side that the picture takes up at least between edges at the same distance from the centre."""
FINE_TOLERANCES: Final = (3, 1)
"""Grey levels of `trimmed` for a picture whose edge is nearly as dark or bright as the background."""
FINE_GAP: Final = 1 / 200
"""Gap of `trimmed`, as a share of a side, for a picture with buttons close to it."""
MAX_CROP_SHARE: Final = 0.98
"""A box that covers more than this share of both sides is not looked up: it is nearly the whole upload."""
CAMERA_ASPECT_RATIOS: Final = (4 / 3, 3 / 2, 16 / 9, 1, 3 / 4, 2 / 3, 9 / 16)
"""Width divided by height of camera pictures, tried in the centre for pictures whose edge cannot be seen."""


def content_boxes(thumbnail: Thumbnail) -> list[Box]:
    """Returns the boxes where the picture may be, as shares of the upload's sides; all are smaller than the upload."""
    grey = np.frombuffer(thumbnail.pixels, np.uint8).reshape(thumbnail.height, thumbnail.width)
    size = np.array([thumbnail.across, thumbnail.down, thumbnail.across, thumbnail.down])
    drawn = [tuple(np.minimum(np.array(box) / size, 1).tolist()) for box in _by_lines(grey)]
    shape = thumbnail.across / thumbnail.down
    plain = trimmed(thumbnail, count=_count)
    fine = (trimmed(thumbnail, tolerance, FINE_GAP, count=_count) for tolerance in FINE_TOLERANCES)
    boxes = [plain, *fine, *drawn, *(centre_crop(one, shape) for one in CAMERA_ASPECT_RATIOS)]
    return [box for box in dict.fromkeys(boxes) if box[2] - box[0] < MAX_CROP_SHARE or box[3] - box[1] < MAX_CROP_SHARE]


def _count(off: bytes, wide: int, area: tuple[int, int, int, int], axis: int) -> list[int]:
    """`count_lines` of views.py by numpy, which takes a tenth of the time."""
    left, top, right, bottom = area
    found: list[int] = np.frombuffer(off, np.uint8).reshape(-1, wide)[top:bottom, left:right].sum(axis).tolist()
    return found


def _by_lines(grey: Grey) -> Iterator[tuple[int, int, int, int]]:
    """Yields boxes (left, top, right, bottom) in pixels, bounded by the edges found."""
    high, wide = grey.shape
    steps = _steps(grey)
    for top, bottom in _pairs(steps, MIN_HEIGHT_SHARE, MIN_ROW_SHARE, 3)[:3]:
        yield 0, top, wide, bottom
        for left, right in _pairs(_steps(_transposed(grey[top:bottom])), MIN_WIDTH_SHARE, MIN_COLUMN_SHARE, 2)[:2]:
            yield left, top, right, bottom
    for top, bottom in _mirrored(steps):
        yield 0, top, wide, bottom
    for left, right in _mirrored(_steps(_transposed(grey))):
        yield left, 0, right, high


def _transposed(grey: Grey) -> Grey:
    """Returns the array with columns as rows, in memory too: rows are compared many times faster."""
    return np.ascontiguousarray(grey.T)


def _steps(grey: Grey) -> tuple[Scores, Scores]:
    """Returns for each boundary between rows the share of columns with a step: background above it, and below it."""
    high = grey.shape[0]
    above, below = np.zeros(high + 1), np.zeros(high + 1)
    if high < 12:
        return above, below
    # An edge is blurred over about three rows: the step is measured across them, and the background's change beyond.
    step = _difference(grey[5:-2], grey[2:-5])
    is_step, half = step > MIN_STEP_LEVELS, (step - 1) // 2
    above[4 : high - 3] = _shares(is_step & (_difference(grey[2:-5], grey[:-7]) <= half))
    below[4 : high - 3] = _shares(is_step & (_difference(grey[7:], grey[5:-2]) <= half))
    return above, below


def _difference(one: Grey, other: Grey) -> Grey:
    """Returns how far apart two arrays are; in bytes, a quarter of what signed numbers would take."""
    return np.maximum(one, other) - np.minimum(one, other)


def _shares(marks: NDArray[np.bool_]) -> Scores:
    """Returns the share of each row that is marked."""
    counts: NDArray[np.uint32] = np.add.reduce(marks.view(np.uint8), 1, np.uint32)
    shares: Scores = counts / marks.shape[1]
    return shares


def _pairs(steps: tuple[Scores, Scores], least: float, share: float, most: int) -> list[tuple[int, int]]:
    """Returns pairs of an upper and a lower edge, the clearest first; one of them may be the upload's own edge."""
    above, below = steps
    high = len(above) - 1
    tops = [*_peaks(above, share, most, max(3, high // 50)), (share, 0)]
    bottoms = [*_peaks(below, share, most, max(3, high // 50)), (share, high)]
    found = [(a + b, top, bottom) for a, top in tops for b, bottom in bottoms if bottom - top >= least * high]
    return [(top, bottom) for _, top, bottom in sorted(found, reverse=True)]


def _peaks(scores: Scores, share: float, most: int, apart: int) -> Iterator[tuple[float, int]]:
    """Yields (score, place), best first; a step scores at three places, of which the centre one is its own."""
    around = np.convolve(scores, np.ones(3), "same")
    scores = scores.copy()
    for _ in range(most):
        place = int(scores.argmax())
        if scores[place] > share:
            yield float(scores[place]), _middle(around, place)
        scores[max(0, place - apart) : place + apart + 1] = 0


def _middle(around: Scores, place: int) -> int:
    """Returns the place within two of `place` that has the greatest sum of three scores."""
    first = max(0, place - 2)
    return first + int(around[first : place + 3].argmax())


def _mirrored(steps: tuple[Scores, Scores]) -> Iterator[tuple[int, int]]:
    """Yields the two clearest pairs of edges at the same distance from the centre, within two pixels."""
    above, below = steps
    high = len(above) - 1
    most = int(high * (1 - MIN_PAIR_SIDE_SHARE) / 2)
    scores = np.zeros(high + 1)
    if most > 4:
        opposite = np.lib.stride_tricks.sliding_window_view(below, 5).max(1)[::-1]
        scores[4:most] = np.minimum(above[4:most], opposite[2 : most - 2])
    for _, top in _peaks(scores, MIN_PAIR_SHARE, 2, max(3, high // 50)):
        yield top, _middle(np.convolve(below, np.ones(3), "same"), high - top)
