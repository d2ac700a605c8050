"""Usage: requests of each platform and the lines sent to it, by day, so that unusual downloads are noticed.

Counts are kept in memory and written every minute, so that an idle poll writes nothing. A process that is killed loses
the counts of the last minute.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final

from sqlalchemy import Connection, bindparam, func, insert, select, update

from takeback.errors import StoreUnavailable
from takeback.registry.logs import LOG
from takeback.registry.storage.engine import tables as t
from takeback.registry.storage.engine.group_commit import GroupCommit
from takeback.registry.storage.engine.periodic import PeriodicTask
from takeback.times import DAY_SECONDS

WRITE_INTERVAL_SECONDS: Final = 60.0
"""Seconds between writes of the counts."""
_MORE: Final = (
    update(t.metering)
    .where(t.metering.c.platform == bindparam("whose"), t.metering.c.day == bindparam("when"))
    .values(requests=t.metering.c.requests + bindparam("asked"), lines=t.metering.c.lines + bindparam("told"))
)


@dataclass(slots=True)
class Usage:
    """The number of requests of a platform, and of the lines of the feed in the answers."""

    requests: int = 0
    lines: int = 0


type UsageByDay = Mapping[tuple[int, int], Usage]
"""Usage by platform (its internal number) and day since 1970."""


class UsageMeter:
    """Counts the usage in one process, and writes it through `writer`. `clock` gives seconds since 1970."""

    def __init__(self, writer: GroupCommit, clock: Callable[[], float]) -> None:
        self._writer = writer
        self._clock = clock
        self._lock = Lock()
        self._counts: dict[tuple[int, int], Usage] = {}
        self._ticker = PeriodicTask(self.flush, WRITE_INTERVAL_SECONDS)

    def close(self) -> None:
        """Writes the remaining counts; logs an error if it cannot."""
        self._ticker.close()
        try:
            self.flush()
        except StoreUnavailable as error:
            LOG.error("the platforms' usage of the last minute could not be written", exc_info=error)

    def count(self, platform: int, lines: int = 0) -> None:
        """Counts a request of a platform that was answered with this number of `lines`."""
        self._add((platform, int(self._clock()) // DAY_SECONDS), Usage(1, lines))

    def flush(self) -> bool:
        """Writes the counts since the last call; returns `False`, as there is never more to do.

        Raises `StoreUnavailable` if it cannot; the counts are then kept for the next call.
        """
        with self._lock:
            # Only the exchange is locked: `count` must not wait for the database.
            counts, self._counts = self._counts, {}
        try:
            if counts:
                self._writer.submit(_write, counts).result()
        except StoreUnavailable:
            for key, use in counts.items():
                self._add(key, use)
            raise
        return False

    def _add(self, key: tuple[int, int], more: Usage) -> None:
        with self._lock:
            use = self._counts.setdefault(key, Usage())
            use.requests += more.requests
            use.lines += more.lines


def usage_since(connection: Connection, since: int) -> dict[int, Usage]:
    """The usage of each platform since the day `since`, in days since 1970."""
    summed = select(t.metering.c.platform, func.sum(t.metering.c.requests), func.sum(t.metering.c.lines))
    rows = connection.execute(summed.where(t.metering.c.day >= since).group_by(t.metering.c.platform))
    return {platform: Usage(int(requests), int(lines)) for platform, requests, lines in rows}


def _write(connection: Connection, group: Sequence[UsageByDay]) -> list[None]:
    for counts in group:
        for (platform, day), use in counts.items():
            row = {"whose": platform, "when": day, "asked": use.requests, "told": use.lines}
            # No other process can insert the same row in between: a transaction of the writer holds the feed's lock.
            if not connection.execute(_MORE, row).rowcount:
                new = {"platform": platform, "day": day, "requests": use.requests, "lines": use.lines}
                connection.execute(insert(t.metering), new)
    return [None] * len(group)
