"""What feedback makes of an entry: votes or a flood demote it, moderators confirm it, the operator decides. Pure.

A flood is counted by picture, not by entry: entries that match the same upload share one level, so that a new entry
near an old one inherits it. No flood switches a block off: it only has a person look.
"""

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from takeback.protocol import EntryStatus, Verdict
from takeback.times import HOUR_SECONDS

SLOT_SECONDS: Final = 10 * 60
"""Seconds of a slot. Matches are counted in the present slot and those before it that make up the last hour."""
SLOTS: Final = HOUR_SECONDS // SLOT_SECONDS
LAG_SECONDS: Final = HOUR_SECONDS
"""Seconds after an entry came to ask for a review from which `blocked` means that a person looked.

Until then it may be of a gate that blocked by itself, and had not heard.
"""

type Level = Mapping[int, int]
"""How many uploads a platform matched with an entry, by slot."""


class StatusSource(StrEnum):
    """Who gave an entry its standing, where it is not the common one."""

    VOTES = "votes"
    FLOOD = "flood"
    MODERATORS = "moderators"
    OPERATOR = "operator"
    WELL_KNOWN = "well-known"


@dataclass(frozen=True, slots=True)
class StatusLimits:
    """How many platforms demote an entry, or confirm it after a flood, and how many matches in an hour are a flood.

    0 is never.
    """

    demote: int = 3
    flood: int = 5000


DEFAULT: Final = StatusLimits()


@dataclass(frozen=True, slots=True)
class EntryState:
    """An entry's standing, and whose it is: nobody's, as long as nothing happened."""

    standing: EntryStatus = EntryStatus.BLOCK
    judge: StatusSource | None = None


@dataclass(frozen=True, slots=True)
class Vote:
    """What a platform said of an entry: `number` in the order in which it came, `at` in seconds since 1970."""

    platform: int
    verdict: Verdict
    number: int
    at: int = 0


def count(votes: Iterable[Vote]) -> tuple[int, int]:
    """How many platforms say `blocked` and how many `not_blocked`: each by what it said last."""
    last: dict[int, Vote] = {}
    for vote in votes:
        if vote.platform not in last or vote.number > last[vote.platform].number:
            last[vote.platform] = vote
    said = [vote.verdict for vote in last.values()]
    return said.count(Verdict.BLOCKED), said.count(Verdict.NOT_BLOCKED)


def is_flood(matches: Iterable[int], flood: int) -> bool:
    """Whether `matches`, a count for each platform, are a flood: none makes more than half of it, rounded up."""
    half = (flood + 1) // 2
    return flood > 0 and sum(min(count, half) for count in matches) >= flood


def share(levels: MutableMapping[int, Level], entries: Sequence[int], slot: int) -> None:
    """Counts an upload of a platform that matched these entries: from here on they have one level, the highest."""
    shared: dict[int, int] = {}
    for level in (levels.get(entry, {}) for entry in entries):
        for at, matches in level.items():
            shared[at] = max(matches, shared.get(at, 0))
    shared[slot] = shared.get(slot, 0) + 1
    for entry in entries:
        levels[entry] = shared


def is_confirmed(votes: Iterable[Vote], since: int, limits: StatusLimits) -> bool:
    """Whether enough platforms looked at what asks for a review `since` a moment, and blocked it."""
    blocked, not_blocked = count(vote for vote in votes if vote.at >= since + LAG_SECONDS)
    return bool(limits.demote) and blocked >= limits.demote and blocked > not_blocked


def judge(now: EntryState, votes: Sequence[Vote], *, flooded: bool, limits: StatusLimits, since: int = 0) -> EntryState:
    """What holds of an entry from here on; `since` is when it got the standing that it has.

    1. What the operator decided holds; what is well-known waits for the operator.
    2. What a flood demoted blocks again once enough moderators blocked it, and more than did not: no flood changes it
       any more. Until then it asks for a review.
    3. A flood demotes to a review.
    4. Enough platforms that do not block it, and more than those that do, demote it to a review.
    5. A demoted one blocks again once as many platforms block it as do not.
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
