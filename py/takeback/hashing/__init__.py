"""The shared core: turns the bytes of a picture into signals. It runs the same in CPython and in the browser.

It may import `errors` and `signals`. Its interface is this module, `video.py` for videos, and `sealed.py` for
JavaScript. The names in `__all__` are public.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from takeback.errors import PictureError
from takeback.hashing.animation import TooManyPixels, hash_animation
from takeback.hashing.exact import exact_signals
from takeback.hashing.frames import HashedFrame, chosen_thumbnails
from takeback.hashing.kernel import THUMBNAIL_SIDE_PIXELS, UPLOAD_SIDE_PIXELS, Thumbnail
from takeback.hashing.patches import patches_signals
from takeback.hashing.pdq import Pdq, hash_pixels
from takeback.hashing.phash import phash_signals
from takeback.hashing.picture import DecodedPicture, open_picture
from takeback.hashing.views import variant_signals
from takeback.hashing.vpdq import vpdq_signal
from takeback.signals import Signal, SignalType, Variant, frames_of, is_informative, why_uninformative

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


class HashedPicture(NamedTuple):
    """The signals of a picture file, and what else hashing found in it.

    `signals` holds PDQ of the upright picture, PDQ of the pixels as stored where an orientation mark makes that hash
    differ, vpdq of an animation, SHA-256 and MD5 of the file, and imagehash's phash of the same variants as PDQ.
    `quality` is PDQ's, 0-100; `width` and `height` are those of the upright picture, in pixels. `dihedral` maps names
    to the PDQ hashes of the eight rotations and reflections, `orig` first; `thumbnail` is the reduced picture from
    which regions are hashed. `incomplete` is true if the file is truncated or damaged and only what it still shows was
    hashed; `notes` are further remarks for a person. `frames` are those of an animation that a gate looks up.
    """

    signals: tuple[Signal, ...]
    quality: int
    width: int
    height: int
    format: str
    dihedral: dict[str, str]
    thumbnail: Thumbnail
    incomplete: bool = False
    notes: tuple[str, ...] = ()
    frames: tuple[HashedFrame, ...] = ()


def hash_picture(
    data: bytes, on_step: Callable[[str], object] | None = None, *, look_ups: bool = False
) -> HashedPicture:
    """Hashes a picture file. `on_step` is called with `decoded` and `hashed` as these steps end.

    With `look_ups`, as a gate does: with a finer thumbnail, also frames of an animation between those that are sampled,
    and without the phash, which finds no copy that PDQ does not find and takes a third of the time.

    A person's client sends more signals (`with_variants`), and a gate looks up more. Raises `PictureError` if `data` is
    not a picture, is damaged, or exceeds a limit.
    """
    tell = on_step or (lambda _step: None)
    picture = open_picture(data)
    tell("decoded")
    hashed = hash_opened(picture, data, look_ups=look_ups)
    tell("hashed")
    if look_ups:
        return hashed
    return hashed._replace(signals=(*hashed.signals, *phash_signals(picture.shrink())))


def hash_opened(picture: DecodedPicture, data: bytes, *, look_ups: bool = False) -> HashedPicture:
    """Computes all signals but phash, which the browser adds later; `look_ups` as for `hash_picture`."""
    upright = hash_pixels(picture.upright, UPLOAD_SIDE_PIXELS if look_ups else THUMBNAIL_SIDE_PIXELS)
    signals = [_signal(upright, Variant.WHOLE)]
    if picture.stored is not None:
        stored = hash_pixels(picture.stored)
        if stored.hash != upright.hash:
            signals.append(_signal(stored, Variant.STORED))
    notes: tuple[str, ...] = ()
    frames: tuple[HashedFrame, ...] = ()
    if picture.frames is not None:
        try:
            signal, frames = hash_animation(picture.frames(), look_ups=look_ups)
            signals.append(signal)
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
        upright.thumbnail,
        picture.incomplete,
        notes,
        frames,
    )


def with_variants(hashed: HashedPicture) -> HashedPicture:
    """Adds PDQ of the picture's regions and its local hashes, and drops signals that carry no information.

    This is what a client sends. Of an animation, the local hashes are those of the frames that stand for it.
    """
    known = [signal.value for signal in hashed.signals if signal.type is SignalType.PDQ]
    thumbnails = chosen_thumbnails(hashed.frames) or [hashed.thumbnail]
    more = *variant_signals(hashed.thumbnail, known), *patches_signals(thumbnails)
    return hashed._replace(signals=sent((*hashed.signals, *more)))


def sent(signals: Iterable[Signal]) -> tuple[Signal, ...]:
    """Returns the signals that a registry accepts.

    Of a flat picture only the exact hashes remain; a vpdq of a single frame is dropped.
    """
    return tuple(signal for signal in _with_informative_frames(signals) if not why_uninformative(signal))


def _with_informative_frames(signals: Iterable[Signal]) -> Iterator[Signal]:
    for signal in signals:
        frames = frames_of(signal.value) if signal.type is SignalType.VPDQ else ()
        informative = [frame for frame in frames if is_informative(frame.hash)]
        if signal.type is not SignalType.VPDQ:
            yield signal
        elif informative:
            yield vpdq_signal(informative)


def _signal(pdq: Pdq, variant: Variant) -> Signal:
    return Signal(SignalType.PDQ, pdq.hash, pdq.quality, variant)
