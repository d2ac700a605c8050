"""The registry's storage: three stores over one writer, and the tasks that run beside them."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final

from sqlalchemy import Connection, Engine

from takeback.registry.rules.benign_list import BenignList
from takeback.registry.rules.cases import CasePolicy
from takeback.registry.storage import feed_queries, status_queries
from takeback.registry.storage.case_store import CaseStore
from takeback.registry.storage.engine.group_commit import GroupCommit
from takeback.registry.storage.engine.periodic import PeriodicTask
from takeback.registry.storage.feed_store import FeedStore
from takeback.registry.storage.feedback_store import FeedbackStore
from takeback.registry.storage.usage import UsageMeter

LOOKS_PER_DELAY: Final = 10
"""How often within the publication delay due entries are published; they wait until the next time."""
IDLE_LOOK_SECONDS: Final = 5.0
"""Seconds between checks without a delay: only entries that an earlier setting delayed can be due."""
RETENTION_SECONDS: Final = 60.0
"""Seconds between checks for expired cases and rows to erase, whose times are counted in days."""


class Store:
    """The stores `cases`, `feed`, `feedback` and `usage` over one engine. `clock` returns seconds since 1970."""

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], float],
        policy: CasePolicy | None = None,
        benign: BenignList | None = None,
    ) -> None:
        rules = policy or CasePolicy()
        self._engine = engine
        self._writer = GroupCommit(engine, feed_queries.lock)
        self.feed = FeedStore(engine, clock, rules, self._writer)
        self.cases = CaseStore(engine, clock, rules, benign or BenignList(), self._writer, self.feed)
        self.feedback = FeedbackStore(clock, rules, self._writer)
        self.usage = UsageMeter(self._writer, clock)
        seconds = max(1.0, rules.delay_seconds / LOOKS_PER_DELAY) if rules.delay_seconds else IDLE_LOOK_SECONDS
        self._tasks = (
            PeriodicTask(self.feed.tick, seconds),
            PeriodicTask(self.cases.retain, RETENTION_SECONDS),
        )

    def close(self) -> None:
        """Writes what is queued and closes the database."""
        # Tasks and usage write through the writer, so they end before it.
        for task in self._tasks:
            task.close()
        self.usage.close()
        self._writer.close()
        self._engine.dispose()

    def probe(self) -> Future[None]:
        """Makes a durable write that changes nothing; its future raises `StoreUnavailable` if that fails."""
        return self._writer.submit(_probe, None)

    def totals(self) -> dict[str, int]:
        """The totals for `http/metrics.py`, by its names."""
        with self._engine.begin() as connection:
            return feed_queries.totals(connection) | {"entries_flooding": status_queries.floods(connection)}


def _probe(connection: Connection, group: Sequence[None]) -> list[None]:
    feed_queries.touch(connection)
    return [None] * len(group)
