"""The SQL of retention: finds expired cases, and erases what ended long ago.

Each function handles at most `limit` rows in the caller's transaction; the `erase_` functions return how many.
"""

from collections.abc import Sequence
from contextlib import closing
from typing import Any, Final

from sqlalchemy import Connection, Engine, Select, and_, bindparam, delete, select

from takeback import chain
from takeback.protocol import FeedAction
from takeback.registry.storage import row_mapping
from takeback.registry.storage.engine import bulk_write
from takeback.registry.storage.engine import tables as t

_EXPIRED: Final = (
    select(t.cases.c.number)
    .where(t.cases.c.withdrawn_at.is_(None), t.cases.c.renewed_at <= bindparam("before"))
    .order_by(t.cases.c.renewed_at)
    .limit(bindparam("limit"))
)
_ENDED_CASES: Final = (
    select(t.cases.c.number)
    .where(t.cases.c.withdrawn_at <= bindparam("before"), t.cases.c.settles_at.is_(None))
    .order_by(t.cases.c.withdrawn_at)
    .limit(bindparam("limit"))
)
_HELD: Final = and_(t.holdings.c.case_number == t.pictures.c.case_number, t.holdings.c.picture == t.pictures.c.position)
_ENDED_PICTURES: Final = (
    select(t.pictures.c.case_number, t.pictures.c.position)
    .where(t.pictures.c.ended_at <= bindparam("before"), select(t.holdings.c.entry).where(_HELD).exists())
    .limit(bindparam("limit"))
)
_REMOVED: Final = (
    select(t.entries.c.number)
    .where(t.entries.c.removed_at <= bindparam("before"))
    .order_by(t.entries.c.removed_at)
    .limit(bindparam("limit"))
)
_HOLDINGS_OF_PICTURE: Final = delete(t.holdings).where(
    t.holdings.c.case_number == bindparam("case"), t.holdings.c.picture == bindparam("place")
)
_OLD_LEVELS: Final = select(t.levels).where(t.levels.c.slot <= bindparam("slot")).limit(bindparam("limit"))
_LEVEL: Final = delete(t.levels).where(
    t.levels.c.entry == bindparam("one"),
    t.levels.c.platform == bindparam("whose"),
    t.levels.c.slot == bindparam("when"),
)


_ADDED: Final = select(t.entries, t.feed.c.standing.label("told")).join(t.feed, t.feed.c.number == t.entries.c.added)


def expired(connection: Connection, before: int, limit: int) -> list[str]:
    """The numbers of open cases whose last new picture came at or before the time `before`."""
    rows = connection.execute(_EXPIRED, {"before": before, "limit": limit}).scalars()
    return [f"{number:010d}" for number in rows]


def erase_cases(connection: Connection, before: int, limit: int) -> int:
    """Erases cases that ended by the time `before` and whose end is published, with all that belongs to them."""
    numbers = _numbers(connection, _ENDED_CASES, before, limit)
    for table in (t.holdings, t.pictures, t.submissions):
        bulk_write.among(connection, delete(table), table.c.case_number, numbers)
    bulk_write.among(connection, delete(t.cases), t.cases.c.number, numbers)
    return len(numbers)


def erase_pictures(connection: Connection, before: int, limit: int) -> int:
    """Erases the links from withdrawn pictures to entries; the pictures' positions in their cases remain."""
    rows = connection.execute(_ENDED_PICTURES, {"before": before, "limit": limit}).all()
    if rows:
        connection.execute(_HOLDINGS_OF_PICTURE, [{"case": row.case_number, "place": row.position} for row in rows])
    return len(rows)


def erase_entries(connection: Connection, before: int, limit: int) -> int:
    """Erases entries that were removed from the feed by the time `before`, with their signals and their feedback."""
    numbers = _numbers(connection, _REMOVED, before, limit)
    # First: a leaf is made of the signal and the salt, which are gone afterwards.
    _keep_leaves(connection, numbers)
    # Before the rows below go, by which this feedback is found.
    told = bulk_write.among(connection, select(t.feedback_entries.c.feedback), t.feedback_entries.c.entry, numbers)
    # Before the entries, to which these rows refer: foreign keys are enforced.
    for table in (t.feedback_entries, t.holdings, t.canaries, t.levels):
        bulk_write.among(connection, delete(table), table.c.entry, numbers)
    bulk_write.among(connection, delete(t.entries), t.entries.c.number, numbers)
    left = select(t.feedback_entries.c.entry).where(t.feedback_entries.c.feedback == t.feedback.c.id).exists()
    bulk_write.among(connection, delete(t.feedback).where(~left), t.feedback.c.id, (row.feedback for row in told))
    return len(numbers)


def erase_levels(connection: Connection, slot: int, limit: int) -> int:
    """Erases counts of matches up to the slot `slot`."""
    rows = connection.execute(_OLD_LEVELS, {"slot": slot, "limit": limit}).all()
    if rows:
        connection.execute(_LEVEL, [{"one": row.entry, "whose": row.platform, "when": row.slot} for row in rows])
    return len(rows)


def _keep_leaves(connection: Connection, numbers: Sequence[int]) -> None:
    """Stores the leaves of entries in the feed before they are erased; without the salt a leaf reveals nothing."""
    rows = bulk_write.among(connection, _ADDED, t.entries.c.number, numbers)
    leaves = [
        {
            "number": row.added,
            "leaf": chain.leaf(row_mapping.new_line(row.added, FeedAction.ADD, row.told, row), row.added),
        }
        for row in rows
    ]
    bulk_write.update(connection, t.feed, "number", leaves)


def truncate_log(engine: Engine) -> None:
    """Truncates SQLite's write-ahead log, so that erased values do not stay in it, once its readers are done."""
    with closing(engine.raw_connection()) as connection:
        connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()


def _numbers(connection: Connection, statement: Select[Any], before: int, limit: int) -> Sequence[int]:
    return connection.execute(statement, {"before": before, "limit": limit}).scalars().all()
