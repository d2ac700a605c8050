"""How feedback changes an entry's status: votes or the rate brake demote it, moderators confirm it, operators decide.

The rate brake counts matches by picture, not by entry: entries that match the same upload share one level, so a new
entry that is a near duplicate of an old one inherits its level. The rate brake never lets uploads pass; it only asks
for a review by a person.
"""

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from takeback.protocol import EntryStatus, Verdict
from takeback.times import HOUR_SECONDS

SLOT_SECONDS: Final = 10 * 60
"""Seconds in a slot. The matches of an hour are those in the present slot and in the five before it."""
SLOTS_PER_HOUR: Final = HOUR_SECONDS // SLOT_SECONDS
REVIEW_LAG_SECONDS: Final = HOUR_SECONDS
"""Seconds after an entry is demoted from which the verdict `blocked` counts as a person's.

Before that it may come from a gate that has not yet read the change and blocked by itself.
"""

type Level = Mapping[int, int]
"""The number of uploads in which one platform matched an entry, by slot."""


class StatusSource(StrEnum):
    """Who or what set an entry's status, if it is not the default."""

    VOTES = "votes"
    FLOOD = "flood"
    MODERATORS = "moderators"
    OPERATOR = "operator"
    WELL_KNOWN = "well-known"


@dataclass(frozen=True, slots=True)
class StatusLimits:
    """The limits beyond which feedback changes an entry's status; 0 turns a limit off."""

    demote: int = 3
    """Platforms whose verdicts demote an entry, or confirm it after the rate brake demoted it."""
    flood: int = 5000
    """Matches in an hour at which the rate brake demotes an entry."""


DEFAULT_LIMITS: Final = StatusLimits()


@dataclass(frozen=True, slots=True)
class EntryState:
    """An entry's status, and who set it; `judge` is `None` while the status is the default."""

    status: EntryStatus = EntryStatus.BLOCK
    judge: StatusSource | None = None


@dataclass(frozen=True, slots=True)
class Vote:
    """A platform's verdict on an entry: `number` is the order of arrival, `at` is in seconds since 1970."""

    platform: int
    verdict: Verdict
    number: int
    at: int = 0


def count(votes: Iterable[Vote]) -> tuple[int, int]:
    """The number of platforms whose latest vote is `blocked`, and of those whose latest is `not_blocked`."""
    last: dict[int, Vote] = {}
    for vote in votes:
        if vote.platform not in last or vote.number > last[vote.platform].number:
            last[vote.platform] = vote
    said = [vote.verdict for vote in last.values()]
    return said.count(Verdict.BLOCKED), said.count(Verdict.NOT_BLOCKED)


def is_flood(matches: Iterable[int], flood: int) -> bool:
    """Whether `matches`, a count for each platform, reach the limit `flood`.

    Each platform counts for at most half of `flood`, rounded up, so that no platform reaches it alone.
    """
    half = (flood + 1) // 2
    return flood > 0 and sum(min(count, half) for count in matches) >= flood


def share(levels: MutableMapping[int, Level], entries: Sequence[int], slot: int) -> None:
    """Counts one upload that matched all of `entries`, which share one level from now on: the highest by slot.

    Updates `levels`, which maps entries to levels of one platform, in place.
    """
    shared: dict[int, int] = {}
    for level in (levels.get(entry, {}) for entry in entries):
        for at, matches in level.items():
            shared[at] = max(matches, shared.get(at, 0))
    shared[slot] = shared.get(slot, 0) + 1
    for entry in entries:
        levels[entry] = shared


def is_confirmed(votes: Iterable[Vote], since: int, limits: StatusLimits) -> bool:
    """Whether enough platforms have reviewed and blocked an entry that was demoted at the time `since`."""
    blocked, not_blocked = count(vote for vote in votes if vote.at >= since + REVIEW_LAG_SECONDS)
    return bool(limits.demote) and blocked >= limits.demote and blocked > not_blocked


def judge(now: EntryState, votes: Sequence[Vote], *, flooded: bool, limits: StatusLimits, since: int = 0) -> EntryState:
    """The new state of an entry whose state has been `now` from the time `since`.

    1. The operator's decision stands; an entry on the benign list keeps its status until the operator decides.
    2. An entry that the rate brake demoted blocks again once enough platforms' moderators blocked it, and more than
       did not; the rate brake never demotes it again. Until then it stays at `review`.
    3. The rate brake demotes to `review`.
    4. Enough platforms that do not block it, and more than those that do, demote it to `review`.
    5. An entry that votes demoted blocks again once as many platforms block it as do not.
    """
    if now.judge in {StatusSource.OPERATOR, StatusSource.WELL_KNOWN}:
        return now
    if now.judge is StatusSource.FLOOD and is_confirmed(votes, since, limits):
        return EntryState(EntryStatus.BLOCK, StatusSource.MODERATORS)
    if now.judge is StatusSource.FLOOD or (flooded and now.judge is not StatusSource.MODERATORS):
        return EntryState(EntryStatus.REVIEW, StatusSource.FLOOD)
    blocked, not_blocked = count(votes)
    if limits.demote and not_blocked >= limits.demote and not_blocked > blocked:
        return EntryState(EntryStatus.REVIEW, StatusSource.VOTES)
    if now.judge is StatusSource.VOTES and blocked >= not_blocked:
        return EntryState()
    return now
