"""Counts in how many parts an upload matches each picture of the list, by the patches of both. Pure.

One patch proves little: a logo, a letter or chance can bring it. So each matching patch is a vote, and the votes for
one picture are weighed by how unlikely they are for two pictures that have nothing to do with each other.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from takeback.gate.index.multi_index import PatchHit
from takeback.gate.rules.policy import Action, Policy, weaker
from takeback.hashing.frames import HashedFrame
from takeback.hashing.kernel import Thumbnail
from takeback.hashing.patches import FORM_BITS, AskedPatch
from takeback.signals import Signal, SignalType, patches_of, second_of

COMMON_PICTURES: Final = 12
"""Pictures that may hold a patch before it counts as common, on a list so short that chance adds none."""
PICTURES_PER_CHANCE: Final = 100_000
"""Pictures on the list for each one that a patch may be near by chance: twice the 3.5e-7 measured for each pair."""
EVIDENCE_BITS: Final = (18.0, 18.0, 18.0, 17.6, 16.0, 14.5, 13.3, 12.2, 11.1)
"""Bits that a vote is worth, by its distance without the bits of the form.

They are -log2 of the chance that one of 16 patches of a picture is that near to one of an unrelated one that has 200,
with something to spare: of 200 million pairs of patches of photographs, 4.9e-8 were within 4 bits, and 6.4e-8, 1.5e-7,
3.7e-7 and 1.0e-6 within 5 to 8; an eighth of these are of one form.
"""
TRIED_BITS: Final = 5.0
"""log2 of the forms and turns in which an upload may match, for which more evidence is needed."""
MIN_LISTED: Final = 1000
"""Pictures that a list counts as at least."""
MIN_REVIEW_VOTES: Final = 2
MIN_BLOCK_VOTES: Final = 3
"""Votes that are needed besides the evidence: one or two patches may be a logo."""
SHORT_LIST: Final = 10_000
"""Pictures up to which all patches in reach are looked up at once, which takes longer the longer the list is."""
NEAR_PATCHES_DISTANCE: Final = 5
"""Bits within which the patches of an upload are looked up first on a longer list, in a tenth of the time.

Of 2,642 copies that are found within 8 bits, 13 do not have two votes within 5, and 28 not within 4; on a long list
votes further away than 5 bits are worth little without nearer ones.
"""
MIN_SPREAD: Final = 0.45
"""How far apart the votes' places are for a block, as a share of the largest patch among them.

Those of one sticker or emoji on two photographs reach 0.41; of true copies 2 % stay below, and lead to a review.
"""
SMALL_SHARE: Final = 1 / 7
"""Patches whose sides are all below this share of the upload's longer side are small, as those of letters are."""
MIN_SMALL_EVIDENCE: Final = 17.0 * MIN_BLOCK_VOTES
"""Bits that the fewest votes need for a block if they are small.

By seeds 1 to 3 of the `copies` benchmark 9 instead of 53 pictures are blocked for emoji or words that a listed one
shows too. Of true copies 0 to 8 % go to review instead, and in one set 10 % of those with three changes at once.
"""
ALIKE_DISTANCE: Final = 6
"""Bits within which two patches of one picture count as one."""
_INVERTED: Final = 1
_MIRRORED: Final = 2
_UPSIDE_DOWN: Final = 4
_TURN_DEGREES: Final = (0, 7, 7, 14, 14)
_TRANSPOSED: Final = 5
"""`AskedPatch.turn` of the form that is mirrored along the diagonal."""


type PatchArea = tuple[float, float, float]
"""A patch's middle and side as shares of the longer side of the picture or frame."""


class PatchProbe(NamedTuple):
    """A patch of an upload to look up.

    `turn` and `spot` are those of `AskedPatch`: how the upload was turned, and the place in it, which votes once.
    `frame` numbers the frame of an uploaded video, and `second` is when it is shown, if known. `area` is where the
    patch lies, if known.
    """

    hash: str
    turn: int = 0
    spot: int = 0
    frame: int = 0
    second: int | None = None
    area: PatchArea | None = None


class Votes(NamedTuple):
    """The votes for one entry: the parts of the upload that match parts of one of its frames, in one pose.

    `evidence` is what they are worth in bits; `rare` and `rare_evidence` are of those that few other pictures hold.
    `distance` is the greatest in bits. `pose` is how the upload is turned and changed (`pose_text`). `second` is when
    an uploaded video shows them. `spread` is how far the rare ones are apart (`MIN_SPREAD`) and `largest` the largest
    one's side as a share of the upload's longer side, both infinite if unknown.
    """

    entry: str
    votes: int
    evidence: float
    rare: int
    rare_evidence: float
    pose: int
    distance: int
    second: int | None = None
    spread: float = math.inf
    largest: float = math.inf


def needed_evidence(listed_pictures: int, odds: int) -> float:
    """Returns the bits of evidence with which chance alone brings a match to one of `odds` uploads."""
    return math.log2(max(listed_pictures, MIN_LISTED)) + math.log2(odds) + TRIED_BITS


def look_up_distances(listed_pictures: int, reach: int) -> tuple[int, ...]:
    """Returns the bits within which patches are looked up, one after the other as long as there are votes.

    On a long list near ones come first, and those within the whole `reach` after them.
    """
    return (reach,) if listed_pictures <= SHORT_LIST else (min(NEAR_PATCHES_DISTANCE, reach), reach)


def look_up_votes(
    asked: Sequence[PatchProbe], listed_pictures: int, reach: int, look_up: Callable[[int], Iterable[PatchHit]]
) -> list[Votes]:
    """Returns the votes for each entry by `look_up`, which finds the patches of `asked` within so many bits.

    There are none if nothing within the last distance that was tried has enough votes for a review.
    """
    votes: list[Votes] = []
    for within in look_up_distances(listed_pictures, reach):
        votes = count_votes(asked, look_up(within), listed_pictures)
        if all(one.votes < MIN_REVIEW_VOTES for one in votes):
            return []
    return votes


def common_pictures(listed_pictures: int) -> int:
    """Returns how many pictures of the list may be near a patch before it counts as common."""
    return COMMON_PICTURES + listed_pictures // PICTURES_PER_CHANCE


def patch_probes(signals: Iterable[Signal]) -> list[PatchProbe]:
    """Returns the patches of an upload that the platform hashed, upright."""
    return [
        PatchProbe(patch, spot=spot, frame=frame)
        for signal in signals
        if signal.type is SignalType.PATCHES
        for frame, hashes in enumerate(patches_of(signal.value))
        for spot, patch in enumerate(hashes)
    ]


def file_probes(
    picture: Iterable[AskedPatch], thumbnail: Thumbnail | None, frames: Iterable[HashedFrame]
) -> list[PatchProbe]:
    """Returns the patches of an uploaded file: of the picture, which has this `thumbnail`, and of a video's frames."""
    found = [PatchProbe(one.hash, one.turn, one.spot, area=_area(one, thumbnail)) for one in picture]
    for number, frame in enumerate(frames, 1):
        second = second_of(frame.seconds)
        found += [
            PatchProbe(one.hash, one.turn, one.spot, number, second, _area(one, frame.thumbnail))
            for one in frame.patches
        ]
    return found


def count_votes(asked: Sequence[PatchProbe], hits: Iterable[PatchHit], listed_pictures: int) -> list[Votes]:
    """Returns the votes for each entry that was hit, in the pose and for the frame in which they are worth most."""
    most = common_pictures(listed_pictures)
    groups: dict[tuple[str, int, int, int, int | None], list[PatchHit]] = defaultdict(list)
    for hit in hits:
        probe = asked[hit.asked]
        groups[hit.entry, hit.frame, _pose(probe, hit), probe.frame, probe.second].append(hit)
    best: dict[str, Votes] = {}
    for (entry, _, pose, _, second), held in groups.items():
        counted = _distinct(asked, sorted(held, key=lambda hit: (hit.near > most, hit.distance, hit.asked, hit.code)))
        worth = [_worth(asked[hit.asked], hit) for hit in counted]
        rare = [bits for bits, hit in zip(worth, counted, strict=True) if hit.near <= most]
        extent = _extent([asked[hit.asked].area for hit in counted if hit.near <= most])
        distance = max(hit.distance for hit in counted)
        votes = Votes(entry, len(counted), sum(worth), len(rare), sum(rare), pose, distance, second, *extent)
        if entry not in best or _strength(votes) > _strength(best[entry]):
            best[entry] = votes
    return list(best.values())


def by_votes(votes: Votes, listed_pictures: int, policy: Policy) -> tuple[Action | None, str]:
    """Returns what votes lead to, None if they are too few, and the reason if it is weaker than usual.

    Common patches suffice for a review but not for a block. They are not ignored, because whoever registers many
    pictures that hold a victim's patches makes them common.
    """
    block = needed_evidence(listed_pictures, policy.block_odds)
    if votes.rare >= MIN_BLOCK_VOTES and votes.rare_evidence >= block:
        if votes.spread < MIN_SPREAD:
            return weaker(policy.patches, Action.REVIEW), "which may all be of one thing, such as a sticker"
        is_least = votes.rare == MIN_BLOCK_VOTES and votes.rare_evidence < MIN_SMALL_EVIDENCE
        if is_least and votes.largest < SMALL_SHARE:
            return weaker(policy.patches, Action.REVIEW), "which are few and small, as letters and stickers are"
        return policy.patches, ""
    if votes.votes >= MIN_BLOCK_VOTES and votes.evidence >= block:
        return weaker(policy.patches, Action.REVIEW), "which are in many different pictures"
    if votes.votes >= MIN_REVIEW_VOTES and votes.evidence >= needed_evidence(listed_pictures, policy.review_odds):
        return weaker(policy.patches, Action.REVIEW), "which are enough for a review alone"
    return None, ""


def pose_text(pose: int) -> str:
    """Returns how the upload was turned and changed in words; empty for the upright one."""
    turn, form = pose >> 3, pose & 7
    is_inverted, flips = form & _INVERTED, form & (_MIRRORED | _UPSIDE_DOWN)
    if turn == _TRANSPOSED:
        words = ["turned by a quarter" if flips in {_MIRRORED, _UPSIDE_DOWN} else "turned by a quarter and mirrored"]
    else:
        flipped = {0: "", _MIRRORED: "mirrored", _UPSIDE_DOWN: "mirrored, upside down"}
        degrees = _TURN_DEGREES[turn]
        words = [flipped.get(flips, "upside down"), f"turned by about {degrees} degrees" if degrees else ""]
    return ", ".join(filter(None, [*words, "inverted" if is_inverted else ""]))


def _pose(probe: PatchProbe, hit: PatchHit) -> int:
    """Returns the pose: the turn times 8, and the sum of 1 for inverted, 2 for mirrored and 4 for upside down."""
    form = _form(probe, hit)
    return probe.turn << 3 | form & 3 | form >> 6


def _worth(probe: PatchProbe, hit: PatchHit) -> float:
    return EVIDENCE_BITS[hit.distance - _form(probe, hit).bit_count()]


def _form(probe: PatchProbe, hit: PatchHit) -> int:
    return (int(probe.hash, 16) ^ hit.code) & FORM_BITS


def _area(patch: AskedPatch, thumbnail: Thumbnail | None) -> PatchArea | None:
    if thumbnail is None:
        return None
    longer = max(thumbnail.width, thumbnail.height)
    return patch.x / longer, patch.y / longer, patch.side / longer


def _extent(areas: Sequence[PatchArea | None]) -> tuple[float, float]:
    """Returns how far apart patches are as a share of the largest one's side, and that side; infinite if unknown."""
    known = [area for area in areas if area]
    if not known or len(known) < len(areas):
        return math.inf, math.inf
    across, down, sides = zip(*known, strict=True)
    largest = max(sides)
    return max(max(across) - min(across), max(down) - min(down)) / largest, largest


def _strength(votes: Votes) -> tuple[float, float, int]:
    return votes.rare_evidence, votes.evidence, -votes.pose


def _distinct(asked: Sequence[PatchProbe], hits: Iterable[PatchHit]) -> list[PatchHit]:
    """Returns the hits that count: in each place of the upload and for each patch of the entry one.

    Patches that are near each other count as one, or a row of equal keys or letters would be many votes.
    """
    counted: list[PatchHit] = []
    spots: set[int] = set()
    codes: list[int] = []
    sought: list[int] = []
    for hit in hits:
        probe = asked[hit.asked]
        code = int(probe.hash, 16)
        if probe.spot not in spots and _is_apart(hit.code, codes) and _is_apart(code, sought):
            counted.append(hit)
            spots.add(probe.spot)
            codes.append(hit.code)
            sought.append(code)
    return counted


def _is_apart(code: int, others: Iterable[int]) -> bool:
    """Returns whether a patch is unlike all the others."""
    return all((code ^ other).bit_count() > ALIKE_DISTANCE for other in others)
