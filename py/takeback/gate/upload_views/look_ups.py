"""What the gate looks up of an upload besides the whole of it, so that changed copies match. Pure.

A person has sent views of the picture (`takeback.hashing.views`); here are the views of the upload that meet them: cut
a little off each side, turned back, taken out of bars, screenshots and captions. The two lists are made for each other:
no person's view is cut on one side alone as a copy may be, but a cut here and a view there together are.
"""

import math
from collections.abc import Iterator
from typing import Final

from takeback.gate.rules.decision import UPRIGHT, Probe
from takeback.gate.upload_views.letterbox import framed
from takeback.hashing.kernel import DIHEDRALS, Parallelogram, Thumbnail, hash_region
from takeback.hashing.views import MIN_SIDE_PIXELS, THIRDS, Box, has_detail, region_of
from takeback.signals import Signal, SignalType

MIRRORED: Final = "flipy"
CUTS: Final[tuple[Box, ...]] = (
    (0.015, 0.015, 0.985, 0.985),
    *((0.03, 0, 1, 1), (0, 0, 0.97, 1), (0, 0.03, 1, 1), (0, 0, 1, 0.97)),
    *((0.06, 0, 1, 1), (0, 0, 0.94, 1), (0, 0.06, 1, 1), (0, 0, 1, 0.94)),
    *((0.04, 0.04, 1, 1), (0, 0.04, 0.96, 1), (0.04, 0, 1, 0.96), (0, 0, 0.96, 0.96)),
)
"""Off all sides, off each one, off each corner."""
TURNS: Final = (1.0, 2.0, 3.2)
"""Degrees, either way."""
TURNED_SHARE: Final = 0.95
"""Of each side of an upload that is turned back: less of the corners that a turn left empty."""


def look_ups(plane: Thumbnail) -> list[Probe]:
    """The views of an upload, each value once, without those that are too plain to be matched."""
    if min(plane.width, plane.height) < MIN_SIDE_PIXELS:
        return []
    found: dict[str, Probe] = {}
    for name, place, forms in _views(plane):
        result = hash_region(plane, place)
        if not has_detail(result, name):
            continue
        for form, value in zip(DIHEDRALS, result.dihedral, strict=True):
            if form in forms:
                found.setdefault(value, Probe(Signal(SignalType.PDQ, value, result.quality), form, name))
    return list(found.values())


def _views(plane: Thumbnail) -> Iterator[tuple[str, Parallelogram, tuple[str, ...]]]:
    """Each view's name, its place, and the turned and mirrored forms in which it is looked up."""
    both = (UPRIGHT, MIRRORED)
    yield "reduced", region_of(plane, (0, 0, 1, 1)), DIHEDRALS
    for variant, box in THIRDS.items():
        yield variant, region_of(plane, box), both
    for box in CUTS:
        yield "cut", region_of(plane, box), both
    for degrees in TURNS:
        for turn in (degrees, -degrees):
            yield f"turned by {turn:+g} degrees", _turned(plane, turn), both
    for place, box in enumerate(framed(plane)):
        yield "without its frame", region_of(plane, box), DIHEDRALS if place == 0 else both


def _turned(plane: Thumbnail, degrees: float) -> Parallelogram:
    """The middle of the upload, turned."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    wide, high = plane.across * TURNED_SHARE, plane.down * TURNED_SHARE
    along, down = (wide * cosine, wide * sine), (-high * sine, high * cosine)
    left, top = ((side - a - d) / 2 for side, a, d in zip((plane.across, plane.down), along, down, strict=True))
    return left, top, *along, *down
