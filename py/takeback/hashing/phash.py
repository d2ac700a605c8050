"""The 64-bit perceptual hash of imagehash, for platforms that have nothing else. The only file that imports imagehash.

imagehash begins by shrinking a picture to 32 x 32 grey values (`picture.shrink`). It hashes what is that small already
to the same value, so the rest of the work can wait until the picture itself is gone.
"""

from typing import TYPE_CHECKING

from takeback.signals import Signal, SignalType, Variant

if TYPE_CHECKING:
    from takeback.hashing.picture import Small


def phash_signals(small: "dict[Variant, Small]") -> list[Signal]:
    """The signals of the views of one picture; a view whose hash came before is left out."""
    import imagehash

    values = {variant: str(imagehash.phash(grey)) for variant, grey in small.items()}
    whole = values.get(Variant.WHOLE)
    return [
        Signal(SignalType.PHASH, value, variant=variant)
        for variant, value in values.items()
        if variant is Variant.WHOLE or value != whole
    ]
