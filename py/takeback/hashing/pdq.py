"""PDQ of pixels: streams the rows of a picture through the kernel, one strip at a time."""

from collections.abc import Iterable
from typing import NamedTuple

from takeback.hashing.kernel import DIHEDRALS, THUMBNAIL_SIDE_PIXELS, PdqStream, Thumbnail


class Pixels(NamedTuple):
    """Pixels of `width` x `height`, 8 bits a channel, upright or as stored.

    `layout` is `L`, `RGB` or `RGBX` (a byte to skip); `strips` are whole rows from the top down, without padding.
    """

    width: int
    height: int
    layout: str
    strips: Iterable[bytes]


class Pdq(NamedTuple):
    """A PDQ hash in hex, its `quality` from 0 to 100, and its eight `dihedral` forms by name, the hash itself first.

    `thumbnail` is the reduced picture from which regions are hashed. `detail` is that of `KernelResult`.
    """

    hash: str
    quality: int
    dihedral: dict[str, str]
    thumbnail: Thumbnail
    detail: int


def hash_pixels(pixels: Pixels, thumbnail_side: int = THUMBNAIL_SIDE_PIXELS) -> Pdq:
    """Computes PDQ by the full-size rule, and a thumbnail of at most `thumbnail_side` pixels a side.

    A side under 5 pixels gives a hash of zeros with quality 0.
    """
    stream = PdqStream(pixels.width, pixels.height, pixels.layout, thumbnail_side=thumbnail_side)
    for strip in pixels.strips:
        stream.push(strip)
    result = stream.finish()
    forms = dict(zip(DIHEDRALS, result.dihedral, strict=True))
    return Pdq(result.hash, result.quality, forms, stream.thumbnail(), result.detail)
