"""The rate brake: notices that a picture suddenly matches more uploads than a shared intimate picture would.

It counts pictures, not entries: all entries that one upload matches share one level. An entry that an attacker adds
near another one therefore inherits its level, and registering more entries gains nothing. If the platform names
uploaders, each uploader counts once, so that one bot cannot trigger the brake for a victim's picture.
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
"""Entries whose levels are kept; the one that matched longest ago is dropped first."""
MAX_TRACKED_UPLOADERS: Final = 100_000
"""Pairs of a picture and an uploader that are kept, which takes about 15 MB; the oldest is dropped first."""


class _Level(NamedTuple):
    """The level of an entry's bucket at the time `then`, and the picture whose uploads filled it."""

    level: float
    then: float
    picture: int


class RateBrake:
    """Brakes a picture that matches more than `matches` uploads within `seconds`, until the rate falls.

    A leaky bucket: each upload fills it, and time empties it. The entries that one upload matches all take the highest
    of their levels, and are counted separately from then on. If `matches` is 0, nothing is braked. All that is kept of
    an uploader is a 64-bit keyed hash for each picture, whose key only this process has.
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
        """Counts one upload that matched `entries`, and returns whether their picture is braked.

        An uploader counts once within the period; without `uploader`, every upload counts.
        """
        if not self._matches or not entries:
            return False
        with self._lock:
            now = self._clock()
            level, picture = max((self._level(entry, now) for entry in entries), key=lambda held: held[0])
            is_flood = level + 1 > self._matches
            if uploader is None or self._is_new(picture, uploader, now):
                level = min(level + 1, self._matches)  # capped, so that the brake is released within one period
            for entry in entries:
                self._levels[entry] = _Level(level, now, picture)
                self._levels.move_to_end(entry)
            _trim(self._levels, MAX_TRACKED_ENTRIES)
            return is_flood

    def _level(self, entry: str, now: float) -> tuple[float, int]:
        """Returns the present level of an entry's picture and the picture's number, a new one if the entry has none."""
        held = self._levels.get(entry)
        if held is None:
            return 0.0, next(self._pictures)
        return max(0.0, held.level - (now - held.then) * self._matches / self._seconds), held.picture

    def _is_new(self, picture: int, uploader: str, now: float) -> bool:
        """Returns whether the uploader was not yet counted for the picture within the period, and counts them."""
        # A caller's text may hold a lone surrogate, which strict UTF-8 refuses.
        name = f"{picture} {uploader}".encode("utf-8", "surrogatepass")
        pair = blake2b(name, key=self._key, digest_size=8).digest()
        if now - self._uploaders.get(pair, -math.inf) < self._seconds:
            return False
        self._uploaders[pair] = now
        self._uploaders.move_to_end(pair)
        _trim(self._uploaders, MAX_TRACKED_UPLOADERS)
        return True


def _trim[K, V](held: OrderedDict[K, V], most: int) -> None:
    """Drops the oldest items until `most` are left."""
    while len(held) > most:
        held.popitem(last=False)
