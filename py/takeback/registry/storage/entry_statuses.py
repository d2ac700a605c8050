"""The SQL of entry statuses: reads platforms' feedback, and applies the rules of `rules/entry_status.py`."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, select, update

from takeback.protocol import EntryStatus, FeedbackEvent, Verdict
from takeback.registry.logs import LOG
from takeback.registry.rules.entry_status import (
    REVIEW_LAG_SECONDS,
    SLOT_SECONDS,
    SLOTS_PER_HOUR,
    EntryState,
    Level,
    StatusLimits,
    StatusSource,
    Vote,
    is_flood,
    judge,
    share,
)
from takeback.registry.storage import feed_queries
from takeback.registry.storage.engine import bulk_write
from takeback.registry.storage.engine import tables as t

_KNOWN: Final = select(
    t.entries.c.number, t.entries.c.standing, t.entries.c.judge, func.coalesce(t.entries.c.judged_at, 0).label("since")
).where(t.entries.c.active)
_VOTES: Final = (
    select(
        t.feedback_entries.c.entry,
        t.feedback.c.platform,
        t.feedback.c.verdict,
        func.max(t.feedback.c.id).label("newest"),
        func.max(t.feedback.c.received_at).label("at"),
    )
    .join(t.feedback, t.feedback.c.id == t.feedback_entries.c.feedback)
    .where(t.feedback.c.verdict.in_([Verdict.BLOCKED, Verdict.NOT_BLOCKED]))
    .group_by(t.feedback_entries.c.entry, t.feedback.c.platform, t.feedback.c.verdict)
)
_LEVELS: Final = select(t.levels).where(t.levels.c.slot > bindparam("before"))
_JUDGED: Final = update(t.entries).where(t.entries.c.active).values(judge=bindparam("by"), judged_at=bindparam("at"))


type Touched = Sequence[tuple[FeedbackEvent, Sequence[int]]]
"""Events of a platform, each with the numbers of the entries that the upload matched."""


def apply_feedback(connection: Connection, platform: int, said: Touched, limits: StatusLimits, now: int) -> None:
    """Updates the statuses of entries that a platform's feedback names, and logs those that the rate brake demotes."""
    floods = _count_matches(connection, platform, said, limits, now) if limits.flood else set()
    rows = bulk_write.among(connection, _KNOWN, t.entries.c.number, {entry for _, touched in said for entry in touched})
    known = {
        row.number: EntryState(EntryStatus(row.standing), StatusSource(row.judge) if row.judge else None)
        for row in rows
    }
    since = {row.number: row.since for row in rows}
    # Votes are read only where they can change a status: after a `not_blocked`, or if votes set it.
    disputed = {entry for event, touched in said if event.verdict is Verdict.NOT_BLOCKED for entry in touched}
    voted = [number for number, one in known.items() if number in disputed or one.judge is StatusSource.VOTES]
    looked = [
        number
        for number, one in known.items()
        if one.judge is StatusSource.FLOOD and now >= since[number] + REVIEW_LAG_SECONDS
    ]
    votes = _votes(connection, [*voted, *looked])
    for number, one in known.items():
        found = judge(one, votes.get(number, []), flooded=number in floods, limits=limits, since=since[number])
        if found != one:
            set_status(connection, [number], found, now)
            if found.judge is StatusSource.FLOOD:
                LOG.warning("a flood of matches: entry %d asks for a review; see `takeback registry entries`", number)


def set_status(connection: Connection, numbers: Sequence[int], found: EntryState, now: int) -> int:
    """Sets the status of active entries and who set it, and publishes changes; returns how many statuses changed."""
    changed = feed_queries.change(connection, numbers, found.status)
    bulk_write.among(connection, _JUDGED, t.entries.c.number, numbers, by=found.judge, at=now)
    return changed


def _votes(connection: Connection, numbers: Sequence[int]) -> dict[int, list[Vote]]:
    votes: dict[int, list[Vote]] = {}
    for row in bulk_write.among(connection, _VOTES, t.feedback_entries.c.entry, numbers):
        votes.setdefault(row.entry, []).append(Vote(row.platform, Verdict(row.verdict), row.newest, row.at))
    return votes


def _count_matches(connection: Connection, platform: int, said: Touched, limits: StatusLimits, now: int) -> set[int]:
    """Counts a platform's matches; returns the entries whose matches of the last hour on all platforms are a flood."""
    matched = [touched for event, touched in said if event.verdict is not Verdict.NOT_BLOCKED]
    slot = now // SLOT_SECONDS
    levels: dict[int, dict[int, Level]] = {}
    touched = {entry for entries in matched for entry in entries}
    for row in bulk_write.among(connection, _LEVELS, t.levels.c.entry, touched, before=slot - SLOTS_PER_HOUR):
        levels.setdefault(row.platform, {}).setdefault(row.entry, {})[row.slot] = row.matches  # type: ignore[index]
    own = levels.setdefault(platform, {})
    for entries in matched:
        share(own, entries, slot)
    _keep(connection, platform, own)
    return {entry for entry in touched if _is_flooded(levels, entry, limits)}


def _is_flooded(levels: Mapping[int, Mapping[int, Level]], entry: int, limits: StatusLimits) -> bool:
    return is_flood((sum(of_platform.get(entry, {}).values()) for of_platform in levels.values()), limits.flood)


def _keep(connection: Connection, platform: int, levels: Mapping[int, Level]) -> None:
    whose = delete(t.levels).where(t.levels.c.platform == bindparam("whose"))
    bulk_write.among(connection, whose, t.levels.c.entry, levels, whose=platform)
    new = [
        {"entry": entry, "platform": platform, "slot": slot, "matches": matches}
        for entry, level in levels.items()
        for slot, matches in level.items()
    ]
    bulk_write.insert(connection, t.levels, new)
