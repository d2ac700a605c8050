"""The shared core: the bytes of a picture in, its signals out. Runs alike in CPython and in the browser."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from takeback.errors import PictureError
from takeback.hashing.exact import exact_signals
from takeback.hashing.pdq import Pdq, hash_pixels
from takeback.hashing.phash import phash_signals
from takeback.hashing.picture import Picture, open_picture
from takeback.signals import Signal, SignalType, Variant

__all__ = ["HashedPicture", "PictureError", "hash_opened", "hash_picture"]


@dataclass(frozen=True, slots=True)
class HashedPicture:
    """What was found in a picture.

    `signals` are PDQ of the upright picture, PDQ of the pixels as stored where an orientation mark makes that another
    hash, SHA-256 and MD5 of the file, and imagehash's phash of the same views. `quality` is PDQ's, 0-100; `width` and
    `height` are upright, in pixels.
    `dihedral` has the eight turned and mirrored PDQ hashes of the upright picture by name, `orig` first.
    """

    signals: tuple[Signal, ...]
    quality: int
    width: int
    height: int
    format: str
    dihedral: dict[str, str]


def hash_picture(data: bytes, on_step: Callable[[str], object] | None = None) -> HashedPicture:
    """Hashes a picture file. `on_step` hears `decoded` and `hashed` as these steps end.

    Raises `PictureError`: not a picture, damaged, or over a limit.
    """
    tell = on_step or (lambda _step: None)
    picture = open_picture(data)
    tell("decoded")
    hashed = hash_opened(picture, data)
    tell("hashed")
    return replace(hashed, signals=(*hashed.signals, *phash_signals(picture.shrink())))


def hash_opened(picture: Picture, data: bytes) -> HashedPicture:
    """All but phash, which the browser adds later. Raises `PictureError`."""
    upright = hash_pixels(picture.upright)
    signals = [_signal(upright, Variant.WHOLE)]
    if picture.stored is not None:
        stored = hash_pixels(picture.stored)
        if stored.hash != upright.hash:
            signals.append(_signal(stored, Variant.STORED))
    signals += exact_signals(data)
    return HashedPicture(
        tuple(signals), upright.quality, picture.width, picture.height, picture.format, upright.dihedral
    )


def _signal(pdq: Pdq, variant: Variant) -> Signal:
    return Signal(SignalType.PDQ, pdq.hash, pdq.quality, variant)
