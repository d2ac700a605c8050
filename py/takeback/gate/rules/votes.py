"""Counts in how many parts an upload matches each picture of the list, by the patches of both. Pure.

One patch proves little: a logo, a letter or chance can bring it. So each matching patch is a vote, and the decision
needs several votes for one picture.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from takeback.gate.index.multi_index import PATCHES_MATCH_DISTANCE, PatchHit
from takeback.gate.rules.policy import Action, Policy, weaker
from takeback.signals import Signal, SignalType, patches_of

COMMON_PICTURES: Final = 12
"""Pictures that may hold a patch before it counts as common, on a list so short that chance adds none."""
PICTURES_PER_CHANCE: Final = 100_000
"""Pictures on the list for each one that a patch may be near by chance: twice the 3.5e-7 measured for each pair."""
_REQUIRED: Final = ((1_000_000, 3, 2),)
"""For lists of at most so many pictures: votes for a block, and for a review."""
_REQUIRED_BEYOND: Final = (3, 3)
"""The same for longer lists: among ten million pictures two votes for one come by chance to one upload in a hundred."""


class PatchProbe(NamedTuple):
    """A patch of an upload to look up.

    `pose` numbers the form of the upload that it was computed from, 0 for the upright one; `spot` its place in that
    form, which votes once; `frame` numbers the frame of an uploaded video, and `second` is when it is shown, if known.
    """

    hash: str
    pose: int = 0
    spot: int = 0
    frame: int = 0
    second: int | None = None


class Votes(NamedTuple):
    """The votes for one entry: the parts of the upload that match parts of one of its frames, in one pose.

    `rare` is the number of those that few other pictures hold; `distance` is the greatest in bits. `second` is when an
    uploaded video shows them.
    """

    entry: str
    votes: int
    rare: int
    pose: int
    distance: int
    second: int | None = None


class RequiredVotes(NamedTuple):
    """The least number of votes for a block, and for a review."""

    block: int
    review: int


def required_votes(listed_pictures: int, policy: Policy) -> RequiredVotes:
    """Returns the votes that a match needs: those of the policy, or where it has 0 those for a list of this size."""
    found = ((block, review) for most, block, review in _REQUIRED if listed_pictures <= most)
    block, review = next(found, _REQUIRED_BEYOND)
    block = policy.block_votes or max(block, policy.review_votes)
    return RequiredVotes(block, policy.review_votes or min(review, block))


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


def count_votes(asked: Sequence[PatchProbe], hits: Iterable[PatchHit], listed_pictures: int) -> list[Votes]:
    """Returns the votes for each entry that was hit, in the pose and for the frame in which there are most."""
    most = common_pictures(listed_pictures)
    groups: dict[tuple[str, int, int, int, int | None], list[PatchHit]] = defaultdict(list)
    for hit in hits:
        probe = asked[hit.asked]
        groups[hit.entry, hit.frame, probe.pose, probe.frame, probe.second].append(hit)
    best: dict[str, Votes] = {}
    for (entry, _, pose, _, second), held in groups.items():
        counted = _distinct(asked, sorted(held, key=lambda hit: (hit.near > most, hit.distance, hit.asked, hit.code)))
        rare = sum(hit.near <= most for hit in counted)
        votes = Votes(entry, len(counted), rare, pose, max(hit.distance for hit in counted), second)
        if entry not in best or _strength(votes) > _strength(best[entry]):
            best[entry] = votes
    return list(best.values())


def by_votes(votes: Votes, required: RequiredVotes, policy: Policy) -> tuple[Action | None, str]:
    """Returns what votes lead to, None if they are too few, and the reason if it is weaker than usual.

    Common patches suffice for a review but not for a block. They are not ignored, because whoever registers many
    pictures that hold a victim's patches makes them common.
    """
    if votes.rare >= required.block:
        return policy.patches, ""
    if votes.votes >= required.block:
        return weaker(policy.patches, Action.REVIEW), "which are in many different pictures"
    if votes.votes >= required.review:
        return weaker(policy.patches, Action.REVIEW), "which are enough for a review alone"
    return None, ""


def _strength(votes: Votes) -> tuple[int, int, int]:
    return votes.rare, votes.votes, -votes.pose


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
    """Returns whether a patch matches none of the others."""
    return all((code ^ other).bit_count() > PATCHES_MATCH_DISTANCE for other in others)
