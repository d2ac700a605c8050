"""The views of an upload that the gate looks up besides the whole, so that changed copies match. Pure.

They are the whole from the same thumbnail as the feed's views (`takeback.hashing.views`), and what stands between bars,
in a screenshot or under a caption. Copies that were cropped or turned a little are found by their patches.
"""

from collections.abc import Iterator

from takeback.gate.rules.corroboration import CONTENT_VIEW
from takeback.gate.rules.decision import MIRRORED, UPRIGHT, Probe
from takeback.gate.upload_views.letterbox import content_boxes
from takeback.hashing.kernel import DIHEDRALS, Parallelogram, Thumbnail, hash_region
from takeback.hashing.views import MIN_SIDE_PIXELS, has_detail, region_of
from takeback.signals import Signal, SignalType


def look_ups(thumbnail: Thumbnail) -> list[Probe]:
    """Returns a probe for each distinct hash of the upload's views, without those that are too plain to match.

    A thumbnail with a side under `MIN_SIDE_PIXELS` pixels has no views.
    """
    if min(thumbnail.width, thumbnail.height) < MIN_SIDE_PIXELS:
        return []
    found: dict[str, Probe] = {}
    for name, place, forms in _views(thumbnail):
        result = hash_region(thumbnail, place)
        if not has_detail(result):
            continue
        for form, value in zip(DIHEDRALS, result.dihedral, strict=True):
            if form in forms:
                found.setdefault(value, Probe(Signal(SignalType.PDQ, value, result.quality), form, name))
    return list(found.values())


def _views(thumbnail: Thumbnail) -> Iterator[tuple[str, Parallelogram, tuple[str, ...]]]:
    """Yields each view's name, its region, and the dihedral forms in which it is looked up."""
    both = (UPRIGHT, MIRRORED)
    yield "reduced", region_of(thumbnail, (0, 0, 1, 1)), DIHEDRALS
    for place, box in enumerate(content_boxes(thumbnail)):
        yield CONTENT_VIEW, region_of(thumbnail, box), DIHEDRALS if place == 0 else both
