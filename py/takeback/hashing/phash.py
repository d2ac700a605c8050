"""imagehash's 64-bit perceptual hash, for platforms that have nothing else. Only this file imports imagehash.

imagehash first shrinks a picture to 32 x 32 grey values (`picture.shrink`) and hashes a picture of that size to the
same value. So the rest of the work can wait until the picture itself has been released.
"""

from typing import TYPE_CHECKING

from takeback.signals import Signal, SignalType, Variant

if TYPE_CHECKING:
    from takeback.hashing.picture import Small


def phash_signals(small: "dict[Variant, Small]") -> list[Signal]:
    """Returns the signals of one picture's variants, without those whose hash equals that of the whole."""
    # Not at the top: the page fetches imagehash and numpy after the first picture's other hashes.
    import imagehash

    values = {variant: str(imagehash.phash(grey)) for variant, grey in small.items()}
    whole = values.get(Variant.WHOLE)
    return [
        Signal(SignalType.PHASH, value, variant=variant)
        for variant, value in values.items()
        if variant is Variant.WHOLE or value != whole
    ]
