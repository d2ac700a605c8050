"""The SQL of what an operator sees: counts of cases, entries that need attention, and the state of each platform.

It shows only counts, and entries by their internal number, but no hash and nothing about a person. Case numbers are
shown only by `case list`, which is for ending cases.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec
from sqlalchemy import Column, Connection, and_, case, func, literal_column, or_, select

from takeback.protocol import EntryStatus, Verdict
from takeback.registry.rules.entry_status import StatusSource
from takeback.registry.storage.engine import bulk_write
from takeback.registry.storage.engine import tables as t
from takeback.registry.storage.usage import Usage, usage_since
from takeback.times import DAY_SECONDS, moment

REPORT_DAYS: Final = 30
"""Days that counts and plots cover, today included."""
PLATFORM_COLUMNS: Final = ("Platform", "Behind", "Last seen", "Requests", "Lines sent", "Feedback")
ENTRY_COLUMNS: Final = (
    "Entry", "Type", "Variant", "Status", "Set by", "In the feed since", "Uploads", "Blocked by", "Not blocked by",
)  # fmt: skip
CASE_COLUMNS: Final = ("State", "Received", "Pictures", "Entries")
"""The headings of the tables."""
BARS: Final = " ▁▂▃▄▅▆▇█"
_NOT_BLOCKING: Final = t.entries.c.standing != literal_column(f"'{EntryStatus.BLOCK}'")
"""In exactly the words of the index `entries_noticed`, which SQLite uses only then."""


class PlatformState(msgspec.Struct, frozen=True):
    """A platform: the lines of the feed that it has not applied, when it was last seen, and its counts of verdicts.

    `requests` and `lines`, the lines of the feed that were sent to it, are of the last `REPORT_DAYS` days.
    """

    name: str
    behind: int
    seen_at: int | None
    requests: int
    lines: int
    said: dict[str, int]

    def cells(self) -> tuple[str, ...]:
        """The cells of its row, under `PLATFORM_COLUMNS`."""
        asked = (f"{self.requests:,}", f"{self.lines:,}")
        return (self.name, f"{self.behind:,}", _moment(self.seen_at), *asked, in_words(self.said))


class Overview(msgspec.Struct, frozen=True):
    """The state of a registry. `new_cases` and `blocks` are counts by day, today last.

    `floods` is the number of entries that the rate brake demoted.
    """

    head: int
    cases: dict[str, int]
    entries: dict[str, int]
    platforms: list[PlatformState]
    floods: int
    new_cases: list[int]
    blocks: list[int]


class EntryOverview(msgspec.Struct, frozen=True):
    """An entry, by its internal number: its status, who set it, and how many platforms blocked it or did not.

    `uploads` is the number of uploads that platforms reported as matching it.
    """

    entry: int
    type: str
    variant: str
    standing: str
    judge: str | None
    added_at: int | None
    uploads: int
    blocked: int
    not_blocked: int

    def cells(self) -> tuple[str, ...]:
        """The cells of its row, under `ENTRY_COLUMNS`."""
        kind = (self.type, self.variant, self.standing, self.judge or "-", _moment(self.added_at))
        return (str(self.entry), *kind, f"{self.uploads:,}", str(self.blocked), str(self.not_blocked))


class Order(StrEnum):
    """The order of a list of entries."""

    NEWEST = "newest"
    OLDEST = "oldest"
    MATCHES = "matches"


class CaseSize(msgspec.Struct, frozen=True):
    """An open case, by its number, and its counts of pictures and entries."""

    case: int
    state: str
    received_at: int
    pictures: int
    entries: int

    def cells(self) -> tuple[str, ...]:
        """The cells of its row, under `CASE_COLUMNS`, without the number."""
        return (self.state, _moment(self.received_at), f"{self.pictures:,}", f"{self.entries:,}")


def overview(connection: Connection, now: int) -> Overview:
    """The overview at the time `now`, in seconds since 1970."""
    head: int = connection.execute(select(t.registry.c.head)).scalar_one()
    return Overview(
        head,
        _counts(connection, t.cases.c.state),
        _statuses(connection),
        _platforms(connection, head, now),
        floods(connection),
        _daily(connection, t.cases.c.received_at, now),
        _daily(connection, t.feedback.c.received_at, now, t.feedback.c.verdict == Verdict.BLOCKED),
    )


def floods(connection: Connection) -> int:
    """The number of entries that the rate brake demoted."""
    flooded = select(func.count()).where(t.entries.c.active, _NOT_BLOCKING, t.entries.c.judge == StatusSource.FLOOD)
    number: int = connection.execute(flooded).scalar_one()
    return number


_UPLOADS: Final = (
    select(t.feedback_entries.c.entry, func.count().label("uploads"))
    .group_by(t.feedback_entries.c.entry)
    .subquery("reported")
)
_ORDERS: Final[Mapping[Order, Any]] = {
    Order.NEWEST: t.entries.c.number.desc(),
    Order.OLDEST: t.entries.c.number,
    Order.MATCHES: func.coalesce(_UPLOADS.c.uploads, 0).desc(),
}


def list_entries(
    connection: Connection,
    statuses: Sequence[EntryStatus],
    limit: int,
    order: Order = Order.NEWEST,
    case_number: int | None = None,
) -> list[EntryOverview]:
    """At most `limit` active entries with these statuses; only those of one case, if `case_number` is given."""

    def platforms(verdict: Verdict) -> Any:
        return func.count(case((t.feedback.c.verdict == verdict, t.feedback.c.platform)).distinct())

    shown = select(
        t.entries.c.number, t.entries.c.type, t.entries.c.variant, t.entries.c.standing, t.entries.c.judge,
        t.entries.c.added_at,
    ).where(t.entries.c.active, or_(*(t.entries.c.standing == one for one in set(statuses))))  # fmt: skip
    if EntryStatus.BLOCK not in statuses:
        shown = shown.where(_NOT_BLOCKING)
    if order is Order.MATCHES:
        shown = shown.outerjoin(_UPLOADS, _UPLOADS.c.entry == t.entries.c.number)
    if case_number is not None:
        held = select(t.holdings.c.entry).where(t.holdings.c.entry == t.entries.c.number)
        shown = shown.where(held.where(t.holdings.c.case_number == case_number).exists())
    rows = connection.execute(shown.order_by(_ORDERS[order], t.entries.c.number.desc()).limit(limit)).all()
    said = (
        select(
            t.feedback_entries.c.entry,
            func.count(),
            platforms(Verdict.BLOCKED),
            platforms(Verdict.NOT_BLOCKED),
        )
        .join(t.feedback, t.feedback.c.id == t.feedback_entries.c.feedback)
        .group_by(t.feedback_entries.c.entry)
    )
    numbers = [row.number for row in rows]
    counts = {entry: told for entry, *told in bulk_write.among(connection, said, t.feedback_entries.c.entry, numbers)}
    return [EntryOverview(*row, *counts.get(row.number, (0, 0, 0))) for row in rows]


def largest_cases(connection: Connection, limit: int, entry: int | None = None) -> list[CaseSize]:
    """At most `limit` open cases, those with the most entries first; only those that hold `entry`, if it is given."""
    entries = func.count(t.holdings.c.entry.distinct())
    sizes = (
        select(
            t.cases.c.number, t.cases.c.state, t.cases.c.received_at,
            func.count(t.holdings.c.picture.distinct()), entries,
        )
        .join(t.holdings, t.holdings.c.case_number == t.cases.c.number)
        .join(
            t.pictures,
            and_(t.pictures.c.case_number == t.cases.c.number, t.pictures.c.position == t.holdings.c.picture),
        )
        .where(t.cases.c.withdrawn_at.is_(None), t.pictures.c.ended_at.is_(None))
        .group_by(t.cases.c.number, t.cases.c.state, t.cases.c.received_at)
        .order_by(entries.desc(), t.cases.c.received_at.desc())
        .limit(limit)
    )  # fmt: skip
    if entry is not None:
        holding = t.holdings.alias()
        held = select(holding.c.entry).where(holding.c.case_number == t.cases.c.number, holding.c.entry == entry)
        sizes = sizes.where(held.exists())
    return [CaseSize(*row) for row in connection.execute(sizes)]


def in_words(counts: Mapping[str, int]) -> str:
    """Counts by name, as text: `3 blocked, 1 not_blocked`."""
    return ", ".join(f"{number:,} {name}" for name, number in counts.items()) or "none"


def bars(values: Sequence[int]) -> str:
    """A plot of counts in one line, with one block character for each."""
    most = max(values, default=0)
    return "".join(BARS[-(-value * (len(BARS) - 1) // most)] if most else BARS[0] for value in values)


def _moment(seconds: int | None) -> str:
    return "-" if seconds is None else moment(seconds)


def _counts(connection: Connection, column: Column[Any], *where: Any) -> dict[str, int]:
    counted = select(column, func.count()).where(*where).group_by(column).order_by(column)
    return {row[0]: row[1] for row in connection.execute(counted)}


def _statuses(connection: Connection) -> dict[str, int]:
    """The number of active entries of each status."""
    every: int = connection.execute(select(func.count()).select_from(t.entries).where(t.entries.c.active)).scalar_one()
    uncommon = _counts(connection, t.entries.c.standing, t.entries.c.active, _NOT_BLOCKING)
    common = every - sum(uncommon.values())
    return ({str(EntryStatus.BLOCK): common} if common else {}) | uncommon


def _platforms(connection: Connection, head: int, now: int) -> list[PlatformState]:
    uses = usage_since(connection, now // DAY_SECONDS - REPORT_DAYS + 1)
    said: dict[int, dict[str, int]] = {}
    verdicts = select(t.feedback.c.platform, t.feedback.c.verdict, func.count())
    for platform, verdict, number in connection.execute(
        verdicts.group_by(t.feedback.c.platform, t.feedback.c.verdict).order_by(t.feedback.c.verdict)
    ):
        said.setdefault(platform, {})[verdict] = number
    known = select(t.platforms).where(t.platforms.c.revoked_at.is_(None)).order_by(t.platforms.c.name)
    states = []
    for row in connection.execute(known):
        use = uses.get(row.id, Usage())
        behind = max(0, head - row.cursor)
        states.append(PlatformState(row.name, behind, row.seen_at, use.requests, use.lines, said.get(row.id, {})))
    return states


def _daily(connection: Connection, column: Column[Any], now: int, *where: Any) -> list[int]:
    """The number of rows for each day (UTC), today last."""
    first = now // DAY_SECONDS - REPORT_DAYS + 1
    day = (column // DAY_SECONDS).label("day")
    rows = connection.execute(select(day, func.count()).where(column >= first * DAY_SECONDS, *where).group_by(day))
    found: dict[int, int] = {int(one): number for one, number in rows}
    return [found.get(first + n, 0) for n in range(REPORT_DAYS)]
