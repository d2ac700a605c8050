"""Where in an upload the picture may be: between bars, in a screenshot, under a caption. Pure.

The edges of a picture that was put on something else are straight lines from side to side, with the plain or blurred
ground on one side of them. They are looked for in the reduced picture; a wrong guess costs a look-up and harms nothing.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from takeback.hashing.kernel import Thumbnail
from takeback.hashing.views import Box, centre_crop, trimmed

type Grey = NDArray[np.int16]
type Scores = NDArray[np.float64]

STEP: Final = 4
"""Grey levels of a step that counts, and it is twice what changes beside it on the side of the ground."""
SHARE_ROWS: Final = 0.45
SHARE_COLUMNS: Final = 0.55
"""Share of a line on which there is a step at a picture's edge, above and below, and at its sides."""
SHARE_PAIR: Final = 0.2
"""The same where two edges lie at the same distance from the middle, as bars leave them."""
LEAST_ROWS: Final = 0.15
LEAST_COLUMNS: Final = 0.3
LEAST_PAIR: Final = 0.25
"""Shares of a side that the picture takes up at least."""
FINE_TOLERANCES: Final = (3, 1)
FINE_GAP: Final = 1 / 200
"""For a picture whose own edge is nearly as dark or bright as the ground, or that has buttons close by."""
CUT: Final = 0.98
"""A frame that leaves more than this of both sides is none."""
SHAPES: Final = (4 / 3, 3 / 2, 16 / 9, 1, 3 / 4, 2 / 3, 9 / 16)
"""Width by height of what cameras make: tried in the middle, where the picture's edge cannot be seen."""


def framed(plane: Thumbnail) -> list[Box]:
    """The boxes in which the picture may be, all of them smaller than the upload."""
    grey = np.frombuffer(plane.pixels, np.uint8).reshape(plane.height, plane.width).astype(np.int16)
    size = np.array([plane.across, plane.down, plane.across, plane.down])
    drawn = [tuple(np.minimum(np.array(box) / size, 1).tolist()) for box in _by_lines(grey)]
    shape = plane.across / plane.down
    fine = (trimmed(plane, tolerance, FINE_GAP) for tolerance in FINE_TOLERANCES)
    boxes = [trimmed(plane), *fine, *drawn, *(centre_crop(one, shape) for one in SHAPES)]
    return [box for box in dict.fromkeys(boxes) if box[2] - box[0] < CUT or box[3] - box[1] < CUT]


def _by_lines(grey: Grey) -> Iterator[tuple[int, int, int, int]]:
    """Left, top, right and bottom by the lines that are seen, in pixels."""
    high, wide = grey.shape
    for top, bottom in _pairs(grey, LEAST_ROWS, SHARE_ROWS, 3)[:3]:
        yield 0, top, wide, bottom
        for left, right in _pairs(grey[top:bottom].T, LEAST_COLUMNS, SHARE_COLUMNS, 2)[:2]:
            yield left, top, right, bottom
    for top, bottom in _mirrored(grey):
        yield 0, top, wide, bottom
    for left, right in _mirrored(grey.T):
        yield left, 0, right, high


def _steps(grey: Grey) -> tuple[Scores, Scores]:
    """For every place between rows the share of columns with a step there: ground above it, and ground below it."""
    high = grey.shape[0]
    above, below = np.zeros(high + 1), np.zeros(high + 1)
    if high < 12:
        return above, below
    step = np.abs(grey[5:-2] - grey[2:-5])
    over, under = np.abs(grey[2:-5] - grey[:-7]), np.abs(grey[7:] - grey[5:-2])
    above[4 : high - 3] = ((step > STEP) & (step > 2 * over)).mean(1)
    below[4 : high - 3] = ((step > STEP) & (step > 2 * under)).mean(1)
    return above, below


def _pairs(grey: Grey, least: float, share: float, most: int) -> list[tuple[int, int]]:
    """The best pairs of an upper and a lower edge, or of one of them and the side itself; the clearest first."""
    high = grey.shape[0]
    above, below = _steps(grey)
    tops = [*_peaks(above, share, most, max(3, high // 50)), (share, 0)]
    bottoms = [*_peaks(below, share, most, max(3, high // 50)), (share, high)]
    found = [(a + b, top, bottom) for a, top in tops for b, bottom in bottoms if bottom - top >= least * high]
    return [(top, bottom) for _, top, bottom in sorted(found, reverse=True)]


def _peaks(scores: Scores, share: float, most: int, apart: int) -> Iterator[tuple[float, int]]:
    """The best places and their scores, best first; a step is seen from three places, and the middle one is its own."""
    around = np.convolve(scores, np.ones(3), "same")
    scores = scores.copy()
    for _ in range(most):
        place = int(scores.argmax())
        if scores[place] > share:
            yield float(scores[place]), _middle(around, place)
        scores[max(0, place - apart) : place + apart + 1] = 0


def _middle(around: Scores, place: int) -> int:
    """The best place by the sum of three scores, within two of `place`."""
    first = max(0, place - 2)
    return first + int(around[first : place + 3].argmax())


def _mirrored(grey: Grey) -> Iterator[tuple[int, int]]:
    """The two clearest pairs of edges at the same distance from the middle, give or take two pixels."""
    high = grey.shape[0]
    above, below = _steps(grey)
    most = int(high * (1 - LEAST_PAIR) / 2)
    scores = np.zeros(high + 1)
    for top in range(4, most):
        scores[top] = min(above[top], below[high - top - 2 : high - top + 3].max())
    for _, top in _peaks(scores, SHARE_PAIR, 2, max(3, high // 50)):
        yield top, _middle(np.convolve(below, np.ones(3), "same"), high - top)
