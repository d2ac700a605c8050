"""The store of the feed: publishes what is due, and reads pages and snapshots."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import SystemRandom
from typing import Final

from sqlalchemy import Connection, Engine

from takeback.errors import NotAPlatform
from takeback.protocol import FeedPage
from takeback.registry.rules import cases as rules
from takeback.registry.rules.cases import CasePolicy
from takeback.registry.security.credentials import PlatformKey
from takeback.registry.security.entry_ids import EntryIds
from takeback.registry.storage import case_queries, feed_queries
from takeback.registry.storage.engine.group_commit import GroupCommit
from takeback.registry.storage.platforms import Platform, holders
from takeback.registry.storage.row_mapping import EVERY_TYPE, AnyRow, Types

MAX_DUE_ENTRIES: Final = 2000
"""Entries published in one transaction, at most; it blocks other writers for a few tens of milliseconds."""
SNAPSHOT_BATCH_ROWS: Final = 5000
"""Entries of a snapshot that are read in one transaction."""

_RANDOM: Final = SystemRandom()


@dataclass(frozen=True, slots=True)
class Reading:
    """A page of the feed, its last number (the feed's newest if it is empty), and the hash chain's link there."""

    page: FeedPage
    number: int
    link: bytes


@dataclass(frozen=True, slots=True)
class Look:
    """The platform that asks, the feed's newest number, and its link."""

    platform: Platform
    head: int
    link: bytes


class FeedStore:
    """The store of the feed. `clock` returns seconds since 1970. Every method may be called from any thread."""

    def __init__(self, engine: Engine, clock: Callable[[], float], policy: CasePolicy, writer: GroupCommit) -> None:
        self._engine = engine
        self._clock = clock
        self._policy = policy
        self._writer = writer

    # Publishing

    def tick(self) -> bool:
        """Publishes what is due, durably; returns whether more is due. Raises `StoreUnavailable` if it cannot."""
        moment = self.next_due_time()
        return moment is not None and moment <= self._clock() and self._writer.submit(self._publish, None).result()

    def next_due_time(self) -> int | None:
        """When the next entry or case is due, in seconds since 1970, or `None`."""
        with self._engine.begin() as connection:
            return feed_queries.next_due_time(connection)

    def publish_all(self, connection: Connection) -> None:
        """Publishes everything that is due within the caller's transaction."""
        while self._publish_some(connection):
            pass

    def _publish(self, connection: Connection, group: Sequence[None]) -> list[bool]:
        return [self._publish_some(connection)] * len(group)

    def _publish_some(self, connection: Connection) -> bool:
        """Publishes what is due, up to a limit; returns whether more is due. Cases settle once nothing is."""
        now = int(self._clock())
        due, statuses = feed_queries.due(connection, now, MAX_DUE_ENTRIES)
        if due:
            settled = rules.settle(due, _RANDOM.shuffle)
            feed_queries.publish_due(connection, settled, [one.number for one in due], statuses, now)
        if len(due) == MAX_DUE_ENTRIES:
            return True
        polls_from = now + 1 if self._policy.delay_seconds else now  # a poll in this second may have come earlier
        case_queries.settle_cases(connection, now, polls_from)
        return False

    # Reading

    def page(self, after: int, limit: int, ids: EntryIds) -> FeedPage:
        """At most `limit` lines of the feed after the number `after`, under a platform's `ids`."""
        return self.read(after, limit, ids).page

    def read(self, after: int, limit: int, ids: EntryIds, types: Types = EVERY_TYPE) -> Reading:
        """Like `page`, with the hash chain's link at the page's end; entries of other than these `types` are erased."""
        with self._engine.begin() as connection:
            return _read(connection, after, limit, ids, types)

    def look(self, keys: Sequence[PlatformKey]) -> list[Look | Exception]:
        """The platforms that hold these keys and the feed's newest number, in one transaction.

        For a key that no platform holds the result has a `NotAPlatform` in its place.
        """
        with self._engine.begin() as connection:
            found = holders(connection, keys)
            number, link = feed_queries.link(connection)
        return [one if isinstance(one, NotAPlatform) else Look(one, number, link) for one in found]

    def active_at(self, number: int, ids: EntryIds) -> Iterator[list[tuple[AnyRow, str]]]:
        """The entries that were in the feed at `number`, each with a platform's id for it, in batches.

        Each batch is read in its own transaction, so that a slow reader blocks nobody. Statuses may be newer than
        `number`.
        """
        after = 0
        while True:
            with self._engine.begin() as connection:
                rows = feed_queries.active_at(connection, number, after, SNAPSHOT_BATCH_ROWS)
                names = feed_queries.entry_ids(connection, [row.entry for row in rows], ids)
            if not rows:
                return
            yield list(zip(rows, names, strict=True))
            after = rows[-1].number

    def head(self) -> tuple[int, bytes]:
        """The feed's newest number and its link."""
        with self._engine.begin() as connection:
            return feed_queries.link(connection)


def _read(connection: Connection, after: int, limit: int, ids: EntryIds, types: Types) -> Reading:
    head, newest = feed_queries.link(connection)
    if after >= head:  # most polls find nothing new, and need no query of the feed
        return Reading(FeedPage([], head), head, newest)
    entries, link = feed_queries.page(connection, after, min(after + limit, head), ids, types)
    return Reading(FeedPage(entries, head), after + len(entries), link or newest)
