"""What feedback makes of an entry: votes demote it, a flood pauses it, the operator has the last word. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from takeback.protocol import Standing, Verdict

HOUR: Final = 60 * 60


class Judge(StrEnum):
    """Who gave an entry its standing, where it is not the common one."""

    VOTES = "votes"
    FLOOD = "flood"
    OPERATOR = "operator"
    WELL_KNOWN = "well-known"


@dataclass(frozen=True, slots=True)
class Limits:
    """How many platforms have to say `not_blocked`, and how many matches of an entry in an hour are a flood.

    0 is never.
    """

    demote: int = 3
    flood: int = 5000


DEFAULT: Final = Limits()


@dataclass(frozen=True, slots=True)
class Judged:
    """An entry's standing, and whose it is: nobody's, as long as nothing happened."""

    standing: Standing = Standing.BLOCK
    judge: Judge | None = None


@dataclass(frozen=True, slots=True)
class Vote:
    """What a platform said of an entry, `number` in the order in which it came."""

    platform: int
    verdict: Verdict
    number: int


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


def judge(now: Judged, votes: Iterable[Vote], *, flooded: bool, limits: Limits) -> Judged:
    """What holds of an entry from here on.

    1. What the operator decided holds; what a flood paused, or is well-known, waits for the operator.
    2. A flood pauses.
    3. Enough platforms that do not block it, and more than those that do, demote it to a review.
    4. A demoted one blocks again once as many platforms block it as do not.
    """
    if now.judge in {Judge.OPERATOR, Judge.FLOOD, Judge.WELL_KNOWN}:
        return now
    if flooded:
        return Judged(Standing.PAUSED, Judge.FLOOD)
    blocked, not_blocked = count(votes)
    if limits.demote and not_blocked >= limits.demote and not_blocked > blocked:
        return Judged(Standing.REVIEW, Judge.VOTES)
    if now.judge is Judge.VOTES and blocked >= not_blocked:
        return Judged()
    return now
