"""The views of an upload that the gate looks up besides the whole, so that changed copies match. Pure.

The feed holds hashes of several views of each picture (`takeback.hashing.views`). The views here complement them: the
upload cropped a little, rotated back, and taken out of bars, screenshots and captions. No view in the feed is cropped
on one side only, as a copy may be; a crop here and a view there together match such a copy.
"""

import math
from collections.abc import Iterator
from typing import Final

from takeback.gate.rules.corroboration import CONTENT_VIEW
from takeback.gate.rules.decision import MIRRORED, UPRIGHT, Probe
from takeback.gate.upload_views.letterbox import content_boxes
from takeback.hashing.kernel import DIHEDRALS, Parallelogram, Thumbnail, hash_region
from takeback.hashing.views import MIN_SIDE_PIXELS, THIRDS, Box, has_detail, region_of
from takeback.signals import Signal, SignalType

CROPS: Final[tuple[Box, ...]] = (
    (0.015, 0.015, 0.985, 0.985),
    *((0.03, 0, 1, 1), (0, 0, 0.97, 1), (0, 0.03, 1, 1), (0, 0, 1, 0.97)),
    *((0.06, 0, 1, 1), (0, 0, 0.94, 1), (0, 0.06, 1, 1), (0, 0, 1, 0.94)),
    *((0.04, 0.04, 1, 1), (0, 0.04, 0.96, 1), (0.04, 0, 1, 0.96), (0, 0, 0.96, 0.96)),
)
"""Crops of all sides, of each side and of each corner: (left, top, right, bottom) as shares of the sides."""
TURN_DEGREES: Final = (1.0, 2.0, 3.2)
"""Rotations that are undone, in both directions."""
TURNED_SHARE: Final = 0.95
"""Share of each side that is kept when an upload is rotated back, to leave out its empty corners."""


def look_ups(thumbnail: Thumbnail) -> list[Probe]:
    """Returns a probe for each distinct hash of the upload's views, without those that are too plain to match.

    A thumbnail with a side under `MIN_SIDE_PIXELS` pixels has no views.
    """
    if min(thumbnail.width, thumbnail.height) < MIN_SIDE_PIXELS:
        return []
    found: dict[str, Probe] = {}
    for name, place, forms in _views(thumbnail):
        result = hash_region(thumbnail, place)
        if not has_detail(result, name):
            continue
        for form, value in zip(DIHEDRALS, result.dihedral, strict=True):
            if form in forms:
                found.setdefault(value, Probe(Signal(SignalType.PDQ, value, result.quality), form, name))
    return list(found.values())


def _views(thumbnail: Thumbnail) -> Iterator[tuple[str, Parallelogram, tuple[str, ...]]]:
    """Yields each view's name, its region, and the dihedral forms in which it is looked up."""
    both = (UPRIGHT, MIRRORED)
    yield "reduced", region_of(thumbnail, (0, 0, 1, 1)), DIHEDRALS
    for variant, box in THIRDS.items():
        yield variant, region_of(thumbnail, box), both
    for box in CROPS:
        yield "cut", region_of(thumbnail, box), both
    for degrees in TURN_DEGREES:
        for turn in (degrees, -degrees):
            yield f"turned by {turn:+g} degrees", _turned(thumbnail, turn), both
    for place, box in enumerate(content_boxes(thumbnail)):
        yield CONTENT_VIEW, region_of(thumbnail, box), DIHEDRALS if place == 0 else both


def _turned(thumbnail: Thumbnail, degrees: float) -> Parallelogram:
    """Returns the middle of the upload, rotated."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    wide, high = thumbnail.across * TURNED_SHARE, thumbnail.down * TURNED_SHARE
    along, down = (wide * cosine, wide * sine), (-high * sine, high * cosine)
    left, top = ((side - a - d) / 2 for side, a, d in zip((thumbnail.across, thumbnail.down), along, down, strict=True))
    return left, top, *along, *down
