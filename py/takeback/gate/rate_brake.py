"""The flood brake: notices that a picture suddenly matches more uploads than a copied picture would.

It counts pictures, not entries: what one upload matched shares one level, so that an entry which somebody adds near
another one inherits that one's, and adding entries buys nothing. Where a platform says who uploads, each person counts
once: one bot cannot make a picture look like a flood.
"""

import itertools
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from hashlib import blake2b
from threading import Lock
from typing import Final, NamedTuple

MAX_TRACKED_ENTRIES: Final = 10_000
"""Entries that are watched at once; the one that matched longest ago is forgotten first."""
MAX_TRACKED_UPLOADERS: Final = 100_000
"""Pairs of a picture and an uploader that are remembered: some 15 MB. The oldest is forgotten first."""


class _Level(NamedTuple):
    """How full an entry's bucket was, when, and the number of the picture whose uploaders filled it."""

    level: float
    then: float
    picture: int


class RateBrake:
    """More than `matches` uploads of a picture within `seconds` are a flood, until they become fewer.

    A bucket that each upload fills and time empties. What matched one upload takes over the fullest bucket of all, and
    goes its own way from there. With `matches` 0 nothing is a flood. Of an uploader nothing is kept but a number of
    64 bits for each picture, made with a key that only this process has.
    """

    def __init__(self, matches: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._matches = matches
        self._seconds = seconds
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._pictures = itertools.count()
        self._levels: OrderedDict[str, _Level] = OrderedDict()
        self._uploaders: OrderedDict[bytes, float] = OrderedDict()
        self._lock = Lock()

    def count(self, entries: Collection[str], uploader: str | None = None) -> bool:
        """Counts one upload that matched these entries; gives whether the picture they stand for floods.

        Who uploaded it before within the time is not counted again; without an uploader each upload counts.
        """
        if not self._matches or not entries:
            return False
        with self._lock:
            now = self._clock()
            level, picture = max((self._level(entry, now) for entry in entries), key=lambda held: held[0])
            is_flood = level + 1 > self._matches
            if uploader is None or self._is_new(picture, uploader, now):
                level = min(level + 1, self._matches)
            for entry in entries:
                self._levels[entry] = _Level(level, now, picture)
                self._levels.move_to_end(entry)
            _trim(self._levels, MAX_TRACKED_ENTRIES)
            return is_flood

    def _level(self, entry: str, now: float) -> tuple[float, int]:
        """The level of an entry's picture now, and its number, which is a new one where there was none."""
        held = self._levels.get(entry)
        if held is None:
            return 0.0, next(self._pictures)
        return max(0.0, held.level - (now - held.then) * self._matches / self._seconds), held.picture

    def _is_new(self, picture: int, uploader: str, now: float) -> bool:
        """Whether nobody of this name was counted for the picture within the time; remembers that somebody is now."""
        name = f"{picture} {uploader}".encode("utf-8", "surrogatepass")
        pair = blake2b(name, key=self._key, digest_size=8).digest()
        if now - self._uploaders.get(pair, -math.inf) < self._seconds:
            return False
        self._uploaders[pair] = now
        self._uploaders.move_to_end(pair)
        _trim(self._uploaders, MAX_TRACKED_UPLOADERS)
        return True


def _trim[K, V](held: OrderedDict[K, V], most: int) -> None:
    """Forgets the oldest."""
    while len(held) > most:
        held.popitem(last=False)
