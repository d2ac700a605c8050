"""The SQL of judging entries: what platforms said of them, and what the rules of `judging.py` make of it."""

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, func, select, update

from takeback.protocol import Standing, Verdict
from takeback.registry import many, queries
from takeback.registry import tables as t
from takeback.registry.judging import HOUR, Judge, Judged, Limits, Vote, is_flood, judge

_KNOWN: Final = select(t.entries.c.number, t.entries.c.standing, t.entries.c.judge).where(t.entries.c.active)
_VOTES: Final = (
    select(
        t.feedback_entries.c.entry,
        t.feedback.c.platform,
        t.feedback.c.verdict,
        func.max(t.feedback.c.id).label("newest"),
    )
    .join(t.feedback, t.feedback.c.id == t.feedback_entries.c.feedback)
    .where(t.feedback.c.verdict.in_([Verdict.BLOCKED, Verdict.NOT_BLOCKED]))
    .group_by(t.feedback_entries.c.entry, t.feedback.c.platform, t.feedback.c.verdict)
)
_LAST_BUT: Final = (
    select(t.feedback.c.received_at)
    .join(t.feedback_entries, t.feedback_entries.c.feedback == t.feedback.c.id)
    .where(t.feedback_entries.c.entry == bindparam("one"))
    .order_by(t.feedback_entries.c.feedback.desc())
    .limit(1)
    .offset(bindparam("but"))
)
_MATCHES: Final = (
    select(func.count())
    .select_from(t.feedback_entries)
    .join(t.feedback, t.feedback.c.id == t.feedback_entries.c.feedback)
    .where(
        t.feedback_entries.c.entry == bindparam("one"),
        t.feedback.c.verdict != Verdict.NOT_BLOCKED,
        t.feedback.c.received_at > bindparam("since"),
    )
    .group_by(t.feedback.c.platform)
)
_JUDGED: Final = update(t.entries).where(t.entries.c.active).values(judge=bindparam("by"))


def look_at(
    connection: Connection, disputed: Collection[int], touched: Collection[int], limits: Limits, now: int
) -> None:
    """Judges entries anew of which platforms said something: `disputed` are those that one of them did not block."""
    rows = many.among(connection, _KNOWN, t.entries.c.number, touched)
    known = {row.number: Judged(Standing(row.standing), Judge(row.judge) if row.judge else None) for row in rows}
    voted = [number for number, one in known.items() if number in disputed or one.judge is Judge.VOTES]
    votes = _votes(connection, voted)
    for number, one in known.items():
        flooded = one.judge in {None, Judge.VOTES} and _flooded(connection, number, limits, now)
        found = judge(one, votes.get(number, []), flooded=flooded, limits=limits)
        if found != one:
            give(connection, [number], found)


def give(connection: Connection, numbers: Sequence[int], found: Judged) -> int:
    """Gives active entries a standing by somebody, and says so in the feed; how many have another standing now."""
    changed = queries.change(connection, numbers, found.standing)
    many.among(connection, _JUDGED, t.entries.c.number, numbers, by=found.judge)
    return changed


def _votes(connection: Connection, numbers: Sequence[int]) -> dict[int, list[Vote]]:
    votes: dict[int, list[Vote]] = {}
    for row in many.among(connection, _VOTES, t.feedback_entries.c.entry, numbers):
        votes.setdefault(row.entry, []).append(Vote(row.platform, Verdict(row.verdict), row.newest))
    return votes


def _flooded(connection: Connection, number: int, limits: Limits, now: int) -> bool:
    """Whether a flood of matches came within the last hour; counted only where so much of anything came."""
    if not limits.flood:
        return False
    since = now - HOUR
    oldest = connection.execute(_LAST_BUT, {"one": number, "but": limits.flood - 1}).scalar()
    if oldest is None or oldest <= since:
        return False
    return is_flood(connection.execute(_MATCHES, {"one": number, "since": since}).scalars(), limits.flood)
