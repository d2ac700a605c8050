"""Says which PDQ matches need a second one beside them. Pure.

Anybody may register any hash, so an entry may be of a part that many pictures share, such as a frame, a sticker or a
panel of an interface. The uploads that such an entry stops are not copies: one region of each matches, and neither the
whole upload, nor the whole picture, nor any other entry of the list does.

The feed does not tell which entries are of one picture, and anybody may name a region as they like. So this does not
keep anyone from registering other people's pictures whole: an upload that is one of those matches as a whole.
"""

from typing import Final

from takeback.signals import Variant

WHOLE_VIEWS: Final = frozenset({Variant.WHOLE.value, Variant.STORED.value, "reduced"})
"""Names of the views of an upload that are the whole of it."""
WHOLE_VARIANTS: Final = frozenset({Variant.WHOLE, Variant.STORED})


def is_region_of_region(view: str, variant: Variant | None) -> bool:
    """Returns whether a region of the upload matched a region of a listed picture; None if its variant is unknown."""
    return view not in WHOLE_VIEWS and variant is not None and variant not in WHOLE_VARIANTS
