"""What whoever runs a registry looks at: how many cases, which entries need an eye, how each platform is doing.

Counts alone, and entries by their inner number: never a picture, a hash, a case number or a person.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Column, Connection, case, func, literal_column, or_, select

from takeback.protocol import Standing, Verdict
from takeback.registry import many
from takeback.registry import tables as t
from takeback.registry.cases import DAY, moment
from takeback.registry.metering import Use, used

DAYS: Final = 30
PLATFORM: Final = ("Platform", "Behind", "Last seen", "Requests", "Lines told", "Said of uploads")
ENTRY: Final = (
    "Entry", "Type", "Variant", "Standing", "By", "In the feed since", "Blocked by", "Not blocked by",
)  # fmt: skip
"""What stands above the cells of a table."""
BARS: Final = " ▁▂▃▄▅▆▇█"
_NOT_COMMON: Final = t.entries.c.standing != literal_column(f"'{Standing.BLOCK}'")
"""In the words of the index of entries that need an eye."""


class PlatformState(msgspec.Struct, frozen=True):
    """A platform: lines of the feed that it has not applied, when it was last here, and what it said of uploads.

    `requests` of the last 30 days, and the `lines` of the feed that they were answered with.
    """

    name: str
    behind: int
    seen_at: int | None
    requests: int
    lines: int
    said: dict[str, int]

    def cells(self) -> tuple[str, ...]:
        """The same in words, under `PLATFORM`."""
        asked = (f"{self.requests:,}", f"{self.lines:,}")
        return (self.name, f"{self.behind:,}", _moment(self.seen_at), *asked, summed(self.said))


class Overview(msgspec.Struct, frozen=True):
    """The state of a registry. `new_cases` and `blocks` are counts a day, today last."""

    head: int
    cases: dict[str, int]
    entries: dict[str, int]
    platforms: list[PlatformState]
    new_cases: list[int]
    blocks: list[int]


class Noticed(msgspec.Struct, frozen=True):
    """An entry, by its inner number: its standing and who gave it that, and how many platforms said what of it."""

    entry: int
    type: str
    variant: str
    standing: str
    judge: str | None
    added_at: int | None
    blocked: int
    not_blocked: int

    def cells(self) -> tuple[str, ...]:
        """The same in words, under `ENTRY`."""
        kind = (self.type, self.variant, self.standing, self.judge or "-", _moment(self.added_at))
        return (str(self.entry), *kind, str(self.blocked), str(self.not_blocked))


def overview(connection: Connection, now: int) -> Overview:
    """Everything at a glance."""
    head: int = connection.execute(select(t.registry.c.head)).scalar_one()
    return Overview(
        head,
        _counts(connection, t.cases.c.state),
        _standings(connection),
        _platforms(connection, head, now),
        _daily(connection, t.cases.c.received_at, now),
        _daily(connection, t.feedback.c.received_at, now, t.feedback.c.verdict == Verdict.BLOCKED),
    )


def noticed(connection: Connection, standings: Sequence[Standing], limit: int) -> list[Noticed]:
    """The active entries of these standings, the newest first."""

    def platforms(verdict: Verdict) -> Any:
        return func.count(case((t.feedback.c.verdict == verdict, t.feedback.c.platform)).distinct())

    shown = select(
        t.entries.c.number, t.entries.c.type, t.entries.c.variant, t.entries.c.standing, t.entries.c.judge,
        t.entries.c.added_at,
    ).where(t.entries.c.active, or_(*(t.entries.c.standing == one for one in set(standings))))  # fmt: skip
    if Standing.BLOCK not in standings:
        shown = shown.where(_NOT_COMMON)
    rows = connection.execute(shown.order_by(t.entries.c.number.desc()).limit(limit)).all()
    said = (
        select(t.feedback_entries.c.entry, platforms(Verdict.BLOCKED), platforms(Verdict.NOT_BLOCKED))
        .join(t.feedback, t.feedback.c.id == t.feedback_entries.c.feedback)
        .group_by(t.feedback_entries.c.entry)
    )
    found = many.among(connection, said, t.feedback_entries.c.entry, (row.number for row in rows))
    counts = {entry: (blocked, not_blocked) for entry, blocked, not_blocked in found}
    return [Noticed(*row, *counts.get(row.number, (0, 0))) for row in rows]


def summed(counts: Mapping[str, int]) -> str:
    """Counts by name, in words."""
    return ", ".join(f"{number:,} {name}" for name, number in counts.items()) or "none"


def bars(values: Sequence[int]) -> str:
    """A plot of counts in one line, a letter each."""
    most = max(values, default=0)
    return "".join(BARS[-(-value * (len(BARS) - 1) // most)] if most else BARS[0] for value in values)


def _moment(seconds: int | None) -> str:
    return "-" if seconds is None else moment(seconds)


def _counts(connection: Connection, column: Column[Any], *where: Any) -> dict[str, int]:
    counted = select(column, func.count()).where(*where).group_by(column).order_by(column)
    return {row[0]: row[1] for row in connection.execute(counted)}


def _standings(connection: Connection) -> dict[str, int]:
    """How many active entries there are of each standing."""
    every: int = connection.execute(select(func.count()).select_from(t.entries).where(t.entries.c.active)).scalar_one()
    uncommon = _counts(connection, t.entries.c.standing, t.entries.c.active, _NOT_COMMON)
    common = every - sum(uncommon.values())
    return ({str(Standing.BLOCK): common} if common else {}) | uncommon


def _platforms(connection: Connection, head: int, now: int) -> list[PlatformState]:
    uses = used(connection, now // DAY - DAYS + 1)
    said: dict[int, dict[str, int]] = {}
    verdicts = select(t.feedback.c.platform, t.feedback.c.verdict, func.count())
    for platform, verdict, number in connection.execute(
        verdicts.group_by(t.feedback.c.platform, t.feedback.c.verdict).order_by(t.feedback.c.verdict)
    ):
        said.setdefault(platform, {})[verdict] = number
    known = select(t.platforms).where(t.platforms.c.revoked_at.is_(None)).order_by(t.platforms.c.name)
    states = []
    for row in connection.execute(known):
        use = uses.get(row.id, Use())
        behind = max(0, head - row.cursor)
        states.append(PlatformState(row.name, behind, row.seen_at, use.requests, use.lines, said.get(row.id, {})))
    return states


def _daily(connection: Connection, column: Column[Any], now: int, *where: Any) -> list[int]:
    """How many rows there are a day (UTC), today last."""
    first = now // DAY - DAYS + 1
    day = (column // DAY).label("day")
    rows = connection.execute(select(day, func.count()).where(column >= first * DAY, *where).group_by(day))
    found: dict[int, int] = {int(one): number for one, number in rows}
    return [found.get(first + n, 0) for n in range(DAYS)]
