"""The frames of a video beyond its vpdq: the few that stand for all of them, and those that a gate looks up.

`web/worker/choice.js` chooses the same frames in the browser; `tests/vectors/choice.json` holds both to the same
results.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from takeback.hashing.kernel import Thumbnail
from takeback.hashing.patches import AskedPatch
from takeback.hashing.pdq import Pdq
from takeback.hashing.views import MIN_DETAIL_PERCENT
from takeback.signals import (
    PDQ_MATCH_DISTANCE,
    PDQ_QUALITY_FLOOR,
    Frame,
    hamming_distance,
    is_informative,
    second_of,
)

MAX_CHOSEN_FRAMES: Final = 12
"""Frames that stand for a video."""
SAME_FRAME_BITS: Final = 4
"""Within this distance of the frame before it, a frame of the same second is not looked up again."""


class HashedFrame(NamedTuple):
    """A frame that a gate looks up: when it is shown, its quality, and its PDQ in the eight forms of `DIHEDRALS`.

    `is_chosen` says that it stands for the video (`FrameChoice`); such a frame has its `thumbnail`, others need not.
    `is_part` says that only the part that moves was hashed (`moving_box.py`). `patches` are those to look up, which a
    gate's hashing process adds.
    """

    seconds: float
    quality: int
    dihedral: tuple[str, ...]
    thumbnail: Thumbnail | None = None
    is_chosen: bool = False
    is_part: bool = False
    patches: tuple[AskedPatch, ...] = ()


def chosen_thumbnails(frames: Iterable[HashedFrame]) -> list[Thumbnail]:
    """Returns the thumbnails of the frames that stand for a video, in order."""
    return [frame.thumbnail for frame in frames if frame.is_chosen and frame.thumbnail]


class _Candidate(NamedTuple):
    order: int
    quality: int
    hash: str


class FrameChoice[T]:
    """Chooses the frames that stand for a video, while they are decoded; it keeps at most `MAX_CHOSEN_FRAMES` items.

    Offer the sampled frames in the order of the track. 1. A frame of a quality below 50, or with too few or too many
    bits set, is passed over. 2. A frame within 31 bits of a kept one shows the same scene: it replaces the nearest of
    those (of equally near ones the first) if its quality is higher, and is passed over otherwise. 3. Any other frame is
    kept. 4. If that makes one too many, the kept frame between the first and the last whose neighbours are closest to
    each other, in frames offered, is dropped; of several the first.
    """

    def __init__(self) -> None:
        self._offered = 0
        self._kept: list[tuple[_Candidate, T]] = []

    def offer(self, quality: int, pdq: str, item: T) -> None:
        """Offers the next frame; `item` is what to keep of it."""
        frame = _Candidate(self._offered, quality, pdq)
        self._offered += 1
        if quality < PDQ_QUALITY_FLOOR or not is_informative(pdq):
            return
        far = [hamming_distance(pdq, kept.hash) for kept, _ in self._kept]
        if far and min(far) <= PDQ_MATCH_DISTANCE:
            place = far.index(min(far))
            if self._kept[place][0].quality >= quality:
                return
            del self._kept[place]
        self._kept.append((frame, item))
        if len(self._kept) > MAX_CHOSEN_FRAMES:
            orders = [kept.order for kept, _ in self._kept]
            spans = [after - before for before, after in zip(orders, orders[2:], strict=False)]
            del self._kept[1 + spans.index(min(spans))]

    @property
    def chosen(self) -> list[T]:
        """What was kept of the chosen frames, in the order of the track."""
        return [item for _, item in self._kept]


class _Hashed(NamedTuple):
    quality: int
    dihedral: tuple[str, ...]
    detail: int
    thumbnail: Thumbnail | None


class FrameHashes:
    """The hashes of a video's frames by a key of the caller's, and the thumbnails of the frames that stand for it.

    With `keep_thumbnails` it keeps those of all frames, 262 KB each at most.
    """

    def __init__(self, *, keep_thumbnails: bool = False) -> None:
        self._keeps = keep_thumbnails
        self._hashed: dict[int, _Hashed] = {}
        self._choice = FrameChoice[tuple[int, Thumbnail]]()

    def add(self, key: int, pdq: Pdq, *, sampled: bool) -> None:
        """Adds the next frame of the track; only those that are `sampled` may stand for the video."""
        self._hashed[key] = _Hashed(
            pdq.quality, tuple(pdq.dihedral.values()), pdq.detail, pdq.thumbnail if self._keeps else None
        )
        if sampled:
            self._choice.offer(pdq.quality, pdq.hash, (key, pdq.thumbnail))

    def frame(self, key: int, number: int, seconds: float) -> Frame | None:
        """Returns a frame as it is sent; None if it could not be decoded."""
        found = self._hashed.get(key)
        return Frame(number, found.quality, found.dihedral[0], seconds) if found else None

    def frames(self, shown: Iterable[tuple[int, float]]) -> tuple[HashedFrame, ...]:
        """Returns the frames that are looked up, of those `shown`: keys, and when they are shown, in order.

        Left out are frames that say too little, such as text on a plain ground.
        """
        chosen = dict(self._choice.chosen)
        return tuple(
            _distinct(
                # An edit list may show a frame twice: it stands for the video once.
                HashedFrame(
                    seconds,
                    found.quality,
                    found.dihedral,
                    chosen.get(key, found.thumbnail),
                    bool(chosen.pop(key, None)),
                )
                for key, seconds in shown
                if (found := self._hashed.get(key)) and _has_detail(found)
            )
        )


def _has_detail(found: _Hashed) -> bool:
    return found.detail >= MIN_DETAIL_PERCENT and is_informative(found.dihedral[0])


def _distinct(frames: Iterable[HashedFrame]) -> list[HashedFrame]:
    """Returns the frames without those that look like the one before in the same second."""
    kept: list[HashedFrame] = []
    for frame in frames:
        last = kept[-1] if kept else None
        if (
            last is None
            or frame.is_chosen
            or second_of(frame.seconds) != second_of(last.seconds)
            or hamming_distance(frame.dihedral[0], last.dihedral[0]) > SAME_FRAME_BITS
        ):
            kept.append(frame)
    return kept
