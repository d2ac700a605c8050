"""The shared core: the bytes of a picture in, its signals out. Runs alike in CPython and in the browser.

The names in `__all__` are public: `hash_picture`, and the types of what it returns.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from takeback.errors import PictureError
from takeback.hashing.animation import TooManyPixels, animation_signal
from takeback.hashing.exact import exact_signals
from takeback.hashing.kernel import Thumbnail
from takeback.hashing.pdq import Pdq, hash_pixels
from takeback.hashing.phash import phash_signals
from takeback.hashing.picture import DecodedPicture, open_picture
from takeback.hashing.views import variant_signals
from takeback.hashing.vpdq import vpdq_signal
from takeback.signals import Signal, SignalType, Variant, emptiness, frames_of, is_telling

__all__ = [
    "HashedPicture",
    "PictureError",
    "Signal",
    "SignalType",
    "Thumbnail",
    "Variant",
    "hash_picture",
    "with_variants",
]


@dataclass(frozen=True, slots=True)
class HashedPicture:
    """What was found in a picture.

    `signals` are PDQ of the upright picture, PDQ of the pixels as stored where an orientation mark makes that another
    hash, vpdq of an animation, SHA-256 and MD5 of the file, and imagehash's phash of the same views as PDQ.
    `quality` is PDQ's, 0-100; `width` and `height` are upright, in pixels.
    `dihedral` has the eight turned and mirrored PDQ hashes of the upright picture by name, `orig` first; `plane` is it
    reduced, from which its views are hashed. `incomplete` says that the file is cut short or broken inside, and that
    what it still shows was hashed; `notes` are what else a person may want to know of it.
    """

    signals: tuple[Signal, ...]
    quality: int
    width: int
    height: int
    format: str
    dihedral: dict[str, str]
    plane: Thumbnail
    incomplete: bool = False
    notes: tuple[str, ...] = ()


def hash_picture(data: bytes, on_step: Callable[[str], object] | None = None) -> HashedPicture:
    """Hashes a picture file. `on_step` hears `decoded` and `hashed` as these steps end.

    A person sends more of it (`with_variants`), and a gate looks more of it up. Raises `PictureError`: not a picture,
    damaged, or over a limit.
    """
    tell = on_step or (lambda _step: None)
    picture = open_picture(data)
    tell("decoded")
    hashed = hash_opened(picture, data)
    tell("hashed")
    return replace(hashed, signals=(*hashed.signals, *phash_signals(picture.shrink())))


def hash_opened(picture: DecodedPicture, data: bytes) -> HashedPicture:
    """All but phash, which the browser adds later. Raises `PictureError`."""
    upright = hash_pixels(picture.upright)
    signals = [_signal(upright, Variant.WHOLE)]
    if picture.stored is not None:
        stored = hash_pixels(picture.stored)
        if stored.hash != upright.hash:
            signals.append(_signal(stored, Variant.STORED))
    notes: tuple[str, ...] = ()
    if picture.frames is not None:
        try:
            signals.append(animation_signal(picture.frames()))
        except TooManyPixels as error:
            notes = (str(error),)
    signals += exact_signals(data)
    return HashedPicture(
        tuple(signals),
        upright.quality,
        picture.width,
        picture.height,
        picture.format,
        upright.dihedral,
        upright.plane,
        picture.incomplete,
        notes,
    )


def with_variants(hashed: HashedPicture) -> HashedPicture:
    """What a person sends: with PDQ of the views that a copy may consist of, without what tells nothing."""
    known = [signal.value for signal in hashed.signals if signal.type is SignalType.PDQ]
    return replace(hashed, signals=sent((*hashed.signals, *variant_signals(hashed.plane, known))))


def sent(signals: Iterable[Signal]) -> tuple[Signal, ...]:
    """Those signals that a registry takes: of a flat picture the exact ones alone, no vpdq of a film of one frame."""
    return tuple(signal for signal in _with_telling_frames(signals) if not emptiness(signal))


def _with_telling_frames(signals: Iterable[Signal]) -> Iterator[Signal]:
    for signal in signals:
        frames = frames_of(signal.value) if signal.type is SignalType.VPDQ else ()
        telling = [frame for frame in frames if is_telling(frame.hash)]
        if signal.type is not SignalType.VPDQ:
            yield signal
        elif telling:
            yield vpdq_signal(telling)


def _signal(pdq: Pdq, variant: Variant) -> Signal:
    return Signal(SignalType.PDQ, pdq.hash, pdq.quality, variant)
