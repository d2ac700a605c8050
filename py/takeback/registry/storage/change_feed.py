"""The feed in the form of other protocols: records that are present or gone, found by time as well as by number.

A record is the present state of an entry that a range of the feed names. Only entries with the status `block` are
present. Those protocols know no weaker status, so an entry that may only lead to a review, or is paused, is gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, and_, bindparam, func, select
from sqlalchemy import case as case_of

from takeback.protocol import EntryStatus, FeedAction, PictureKind, SignalMessage
from takeback.registry.security.entry_ids import EntryIds
from takeback.registry.storage import feed_queries
from takeback.registry.storage.engine import tables as t
from takeback.registry.storage.row_mapping import AnyRow, is_told
from takeback.signals import PDQ_QUALITY_FLOOR, SignalType
from takeback.times import DAY_SECONDS

UNDATED_AT: Final = DAY_SECONDS
"""The time given for an entry from before times were stored: after 1970 began in every time zone."""

_AT: Final = case_of(
    (t.entries.c.number.is_(None), None),
    (t.feed.c.action == FeedAction.ADD, func.coalesce(t.entries.c.added_at, UNDATED_AT)),
    (t.feed.c.action == FeedAction.REMOVE, func.coalesce(t.entries.c.removed_at, UNDATED_AT)),
)
"""When a line was written, if known: it is not for a `change` and not for an erased entry."""
_WITH_ENTRY: Final = t.feed.outerjoin(t.entries, t.entries.c.number == t.feed.c.entry)
_DATED: Final = (
    select(t.feed.c.number, _AT.label("at"))
    .select_from(_WITH_ENTRY)
    .where(t.feed.c.number > bindparam("after"), t.feed.c.number <= bindparam("upto"), bindparam("moment") < _AT)
    .order_by(t.feed.c.number)
    .limit(1)
)
_LINES: Final = (
    select(
        t.feed.c.number.label("line"),
        t.feed.c.action,
        t.feed.c.entry,
        _AT.label("at"),
        t.entries.c.type,
        t.entries.c.value,
        t.entries.c.quality,
        t.entries.c.kind,
        t.entries.c.added_at,
        t.entries.c.removed_at,
        and_(t.entries.c.removed.is_(None), t.entries.c.standing == EntryStatus.BLOCK).label("there"),
        t.canaries.c.platform.label("told_to"),
    )
    .select_from(_WITH_ENTRY.outerjoin(t.canaries, t.canaries.c.entry == t.feed.c.entry))
    .where(t.feed.c.number > bindparam("after"), t.feed.c.number <= bindparam("upto"))
    .order_by(t.feed.c.number)
)


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """An entry under a platform's `id`: whether it is `there`, and when it was added or removed.

    If its signal is erased, `type` is `None` and `value` is empty.
    """

    id: str
    there: bool
    at: int
    kind: PictureKind
    type: SignalType | None
    value: str = ""


@dataclass(frozen=True, slots=True)
class ChangePage:
    """The records of some lines, in the feed's order; `at` is the time of the newest line whose time is known.

    `lost` is true if an entry was removed whose signal is erased.
    """

    records: tuple[ChangeRecord, ...]
    at: int | None
    lost: bool


class ChangeFeed:
    """Reads the feed in the database of `engine`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def head(self) -> int:
        """The feed's newest number."""
        with self._engine.begin() as connection:
            return feed_queries.head(connection)

    def number_at(self, moment: int) -> int:
        """The last number whose line is known to be from `moment` or earlier, or 0."""
        with self._engine.begin() as connection:
            return _number_at(connection, moment)

    def end_at(self, moment: int) -> int:
        """The number before the first line that is known to be later than `moment`."""
        with self._engine.begin() as connection:
            later = _dated(connection, _number_at(connection, moment), feed_queries.head(connection), moment)
            return feed_queries.head(connection) if later is None else later.number - 1

    def changes(self, after: int, upto: int, ids: EntryIds) -> ChangePage:
        """The records of the entries in the lines with `after < number <= upto`."""
        with self._engine.begin() as connection:
            rows = connection.execute(_LINES, {"after": after, "upto": upto}).all()
            # One record for each entry, at its last line: every line would show the same present state.
            latest = {row.entry: row for row in rows}
            said = [row for row in rows if latest[row.entry] is row and _is_told(row, ids.platform)]
            names = feed_queries.entry_ids(connection, [row.entry for row in said], ids)
        records = tuple(_record(row, name) for row, name in zip(said, names, strict=True))
        at = max((row.at for row in rows if row.at is not None), default=None)
        return ChangePage(records, at, any(row.type is None and row.action == FeedAction.REMOVE for row in rows))

    def named(self, signals: Sequence[SignalMessage], ids: EntryIds) -> dict[str, list[str]]:
        """The platform's ids of the active entries with these signals, by value."""
        with self._engine.begin() as connection:
            found = feed_queries.active_signals(connection, signals, ids.platform)
            names = feed_queries.entry_ids(connection, list(found.values()), ids)
        told: dict[str, list[str]] = {}
        for (_, value), name in zip(found, names, strict=True):
            told.setdefault(value, []).append(name)
        return told


def _number_at(connection: Connection, moment: int) -> int:
    """A binary search: lines are in the order of their times, since there is one writer at a time."""
    low, high = 0, feed_queries.head(connection)
    while low < high:
        middle = (low + high) // 2
        line = _dated(connection, middle, high, 0)
        if line is None or line.at > moment:
            high = middle
        else:
            low = line.number
    return low


def _dated(connection: Connection, after: int, upto: int, moment: int) -> Row[*tuple[Any, ...]] | None:
    """The first of these lines that is known to be later than `moment`."""
    return connection.execute(_DATED, {"after": after, "upto": upto, "moment": moment}).first()


def _is_told(row: AnyRow, platform: int) -> bool:
    """Whether to show an entry; a PDQ hash of low quality is left out, as these clients would match it regardless."""
    return is_told(row, platform) and bool(row.type != SignalType.PDQ or row.quality >= PDQ_QUALITY_FLOOR)


def _record(row: Row[*tuple[Any, ...]], name: str) -> ChangeRecord:
    if row.type is None:
        return ChangeRecord(name, False, UNDATED_AT, PictureKind.IMAGE, None)
    moment = (None if row.there else row.removed_at) or row.added_at or UNDATED_AT
    return ChangeRecord(name, bool(row.there), moment, PictureKind(row.kind), SignalType(row.type), row.value.hex())
