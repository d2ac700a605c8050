"""The flood brake: notices that one entry suddenly matches more uploads than a copied picture would."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Final

MAX_ENTRIES: Final = 10_000
"""Entries that are watched at once; the one that matched longest ago is forgotten first."""


class Flood:
    """Counts matches of each entry: more than `matches` within `seconds` is a flood, until they become fewer.

    A bucket that each match fills and time empties: it holds one number an entry. With `matches` 0 nothing is a flood.
    """

    def __init__(self, matches: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._matches = matches
        self._rate = matches / seconds
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = Lock()

    def count(self, entries: Iterable[str]) -> frozenset[str]:
        """Counts one upload that matched these entries; gives those that it floods."""
        if not self._matches:
            return frozenset()
        with self._lock:
            return frozenset(entry for entry in entries if self._fill(entry))

    def _fill(self, entry: str) -> bool:
        now = self._clock()
        level, then = self._levels.pop(entry, (0.0, now))
        level = max(0.0, level - (now - then) * self._rate)
        is_full = level + 1 > self._matches
        self._levels[entry] = (min(level + 1, self._matches), now)
        if len(self._levels) > MAX_ENTRIES:
            self._levels.popitem(last=False)
        return is_full
