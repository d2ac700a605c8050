"""How much each platform asks for, a day at a time: who fetches the whole list every hour is seen.

It is counted in memory and written down every minute, so that an idle poll writes nothing; what a process counted since
is lost if it is killed.
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
"""Seconds between writings."""
_MORE: Final = (
    update(t.metering)
    .where(t.metering.c.platform == bindparam("whose"), t.metering.c.day == bindparam("when"))
    .values(requests=t.metering.c.requests + bindparam("asked"), lines=t.metering.c.lines + bindparam("told"))
)


@dataclass(slots=True)
class Usage:
    """Requests of a platform, and the lines of the feed that they were answered with."""

    requests: int = 0
    lines: int = 0


type UsageByDay = Mapping[tuple[int, int], Usage]
"""By platform (its inner number) and day since 1970."""


class UsageMeter:
    """Counts for one process, and writes down by `writer`. `clock` gives seconds since 1970."""

    def __init__(self, writer: GroupCommit, clock: Callable[[], float]) -> None:
        self._writer = writer
        self._clock = clock
        self._lock = Lock()
        self._counts: dict[tuple[int, int], Usage] = {}
        self._ticker = PeriodicTask(self.write_down, WRITE_INTERVAL_SECONDS)

    def close(self) -> None:
        """Writes down what is left, if it can."""
        self._ticker.close()
        try:
            self.write_down()
        except StoreUnavailable as error:
            LOG.error("what platforms asked for since the last minute is not written down", exc_info=error)

    def count(self, platform: int, lines: int = 0) -> None:
        """A request of a platform was answered, with so many lines."""
        self._add((platform, int(self._clock()) // DAY_SECONDS), Usage(1, lines))

    def write_down(self) -> bool:
        """Writes down what was counted since the last time; whether there is more, which there never is.

        Raises `StoreUnavailable`; then it is counted still.
        """
        with self._lock:
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


def used(connection: Connection, since: int) -> dict[int, Usage]:
    """What each platform asked for from that day on."""
    summed = select(t.metering.c.platform, func.sum(t.metering.c.requests), func.sum(t.metering.c.lines))
    rows = connection.execute(summed.where(t.metering.c.day >= since).group_by(t.metering.c.platform))
    return {platform: Usage(int(requests), int(lines)) for platform, requests, lines in rows}


def _write(connection: Connection, group: Sequence[UsageByDay]) -> list[None]:
    for counts in group:
        for (platform, day), use in counts.items():
            row = {"whose": platform, "when": day, "asked": use.requests, "told": use.lines}
            if not connection.execute(_MORE, row).rowcount:
                new = {"platform": platform, "day": day, "requests": use.requests, "lines": use.lines}
                connection.execute(insert(t.metering), new)
    return [None] * len(group)
