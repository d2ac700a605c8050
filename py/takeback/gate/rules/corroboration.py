"""Says which PDQ matches need a second one beside them. Pure.

Anybody may register any hash, so an entry may be of a part that many pictures share, such as a frame, a sticker or a
panel of an interface. The uploads that such an entry stops are not copies: one region of each matches, and neither the
whole upload, nor the whole picture, nor any other entry of the list does.

The feed does not tell which entries are of one picture, and anybody may name a region as they like. So this does not
keep anyone from registering other people's pictures whole: an upload that is one of those matches as a whole.
"""

from typing import Final

from takeback.hashing.views import SHAPES
from takeback.signals import Variant

CONTENT_VIEW: Final = "without its frame"
"""Name of the view of an upload that leaves out bars, an interface or a caption around the picture."""
REGIONS: Final = frozenset({Variant.LEFT_THIRD, Variant.RIGHT_THIRD, *SHAPES, Variant.TRIMMED})
"""Variants that may be a small part of the picture. An inner one is nearly all of it, as are a cut or turned upload.

With those too, 2.7 % of 1,067 blocked copies would have asked for a review instead; without them, 1.8 %, nearly all of
them copies with an emoji of which one third matched. Where no thirds are registered it was 0.9 % of 950.
"""


def is_region_of_region(view: str, variant: Variant | None) -> bool:
    """Returns whether a region of the upload matched a region of a listed picture; None if its variant is unknown."""
    return (view == CONTENT_VIEW or view in REGIONS) and variant in REGIONS
