"""Finds the entries whose signals match: PDQ within a distance, sha256 and md5 exactly."""

from collections.abc import Sequence
from threading import Lock
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from takeback.signals import PDQ_BITS, PDQ_MATCH_DISTANCE, PDQ_QUALITY_FLOOR, Signal, SignalType

_WORDS: Final = PDQ_BITS // 64
_BLOCK: Final = 1 << 15
"""Codes compared at once: the block and its intermediate results stay in the processor's second cache."""
_FIRST_CAPACITY: Final = 1024

type Codes = NDArray[np.uint64]
"""Shape (4, n): each code's 256 bits as a column of four words, so that a scan reads memory in order."""


class Hit(NamedTuple):
    """A match: which of the signals asked for (`asked`, its place), which entry, how many bits apart."""

    asked: int
    entry: str
    distance: int


class Index(Protocol):
    """What the gate asks of an index. All of it may be called from many threads at once.

    An entry that is there for the whole time of a look-up is found; one that is not there at any time of it is not.
    """

    def add(self, entry: str, signal: Signal) -> None:
        """Takes in an entry, or replaces it. A PDQ signal below the quality floor is not used for matching."""

    def remove(self, entry: str) -> None:
        """Drops an entry; one that is not there is no matter."""

    def query(self, signals: Sequence[Signal]) -> list[Hit]:
        """Every entry that matches any of `signals`, once for each of them that it matches."""


class ScanningIndex:
    """An index that compares with every code: exact, and quick enough to about a million entries."""

    def __init__(self, distance: int = PDQ_MATCH_DISTANCE) -> None:
        self._near = _Scan(distance)
        self._exact: dict[tuple[SignalType, str], str] = {}
        self._keys: dict[str, tuple[SignalType, str]] = {}
        self._changing = Lock()

    def add(self, entry: str, signal: Signal) -> None:
        """See `Index`."""
        with self._changing:
            self._drop(entry)
            if signal.type is not SignalType.PDQ:
                self._keys[entry] = (signal.type, signal.value)
                self._exact[signal.type, signal.value] = entry
            elif usable(signal):
                self._near.add(entry, signal.value)

    def remove(self, entry: str) -> None:
        """See `Index`."""
        with self._changing:
            self._drop(entry)

    def query(self, signals: Sequence[Signal]) -> list[Hit]:
        """See `Index`."""
        hits: list[Hit] = []
        for asked, signal in enumerate(signals):
            if signal.type is not SignalType.PDQ:
                entry = self._exact.get((signal.type, signal.value))
                hits += [] if entry is None else [Hit(asked, entry, 0)]
            elif usable(signal):
                hits += [Hit(asked, *found) for found in self._near.query(signal.value)]
        return hits

    def _drop(self, entry: str) -> None:
        """Forgets an entry; its signal stays where it has come back under another entry in the meantime."""
        self._near.remove(entry)
        key = self._keys.pop(entry, None)
        if key is not None and self._exact.get(key) == entry:
            del self._exact[key]


def usable(signal: Signal) -> bool:
    """Whether a signal says enough of its picture to match by."""
    return signal.quality is None or signal.quality >= PDQ_QUALITY_FLOOR


class _Scan:
    """Codes in one array, scanned without a lock; what the scan finds is looked at again under the lock.

    A row belongs to one entry until that is removed, and may then be given to another: the second look sees it.
    """

    def __init__(self, distance: int) -> None:
        self._distance = distance
        self._codes: Codes = np.zeros((_WORDS, _FIRST_CAPACITY), np.uint64)
        self._entries: list[str | None] = []
        self._rows: dict[str, int] = {}
        self._free: list[int] = []
        self._lock = Lock()

    def add(self, entry: str, value: str) -> None:
        with self._lock:
            row = self._free.pop() if self._free else self._new_row()
            self._codes[:, row] = _code(value)
            self._entries[row] = entry
            self._rows[entry] = row

    def remove(self, entry: str) -> None:
        with self._lock:
            row = self._rows.pop(entry, None)
            if row is not None:
                self._entries[row] = None
                self._free.append(row)

    def query(self, value: str) -> list[tuple[str, int]]:
        """The entries within the distance of `value`, each with its own distance."""
        code = _code(value)
        with self._lock:
            codes, count = self._codes, len(self._entries)
        near = [
            start + np.flatnonzero(_distances(codes[:, start : min(start + _BLOCK, count)], code) <= self._distance)
            for start in range(0, count, _BLOCK)
        ]
        rows = [int(row) for block in near for row in block]
        return self._look_again(rows, code) if rows else []

    def _look_again(self, rows: list[int], code: Codes) -> list[tuple[str, int]]:
        with self._lock:
            distances = _distances(self._codes[:, rows], code)
            found = [(self._entries[row], int(far)) for row, far in zip(rows, distances, strict=True)]
        return [(entry, far) for entry, far in found if entry is not None and far <= self._distance]

    def _new_row(self) -> int:
        """The next row; a full array is copied to one twice as wide, and a scan under way goes on in the old one."""
        row = len(self._entries)
        if row == self._codes.shape[1]:
            self._codes = np.concatenate([self._codes, np.zeros_like(self._codes)], axis=1)
        self._entries.append(None)
        return row


def _code(value: str) -> Codes:
    """A hash in hex as a column of four words, shape (4,)."""
    return np.frombuffer(bytes.fromhex(value), ">u8").astype(np.uint64)


def _distances(codes: Codes, code: Codes) -> NDArray[np.uint16]:
    """How many bits each column of `codes` differs from `code`; 16 bits wide, because 256 does not fit in 8."""
    distances: NDArray[np.uint16] = np.bitwise_count(codes ^ code[:, np.newaxis]).sum(axis=0, dtype=np.uint16)
    return distances
