"""Finds the entries whose signals match: PDQ, phash and the frames of videos within a distance, the others exactly."""

import secrets
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import batched
from threading import Lock, Thread
from typing import Final, NamedTuple, Protocol

from takeback.gate.index.file import TablePlan
from takeback.gate.index.native import GrowingRows, Table, TableRows, build_table
from takeback.signals import (
    HEX_DIGITS,
    PDQ_MATCH_DISTANCE,
    PDQ_QUALITY_FLOOR,
    Signal,
    SignalType,
    frames_of,
)

PHASH_MATCH_DISTANCE: Final = 6
MERGE_ROWS: Final = 8192
"""Rows that are compared one by one; when there are more, they get buckets."""
_MERGE_RATIO: Final = 8
"""Rows are put into buckets together with older ones, as long as these are not so many times as many."""
_LOCKLESS_TRIES: Final = 3
"""Of a look-up, before it keeps changes waiting."""

_BATCH_ROWS: Final = 50_000
"""Entries that are taken in at a time."""

type IndexPart = Table | GrowingRows
type IndexRow = tuple[str, str, str, int | None]
"""An entry as it is kept: its id, and its signal's type, value and quality."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What an index finds: the greatest distance of each type, and the least quality of what is held at all."""

    pdq: int = PDQ_MATCH_DISTANCE
    phash: int = PHASH_MATCH_DISTANCE
    vpdq: int = PDQ_MATCH_DISTANCE
    quality: int = PDQ_QUALITY_FLOOR
    frames: int = PDQ_QUALITY_FLOOR

    def as_dict(self) -> dict[str, int]:
        """The same for a file."""
        return asdict(self)


class Hit(NamedTuple):
    """A match: which of the signals asked for (`asked`, its place), which entry, how many bits apart.

    `quality` is the entry's, of PDQ alone. Of a video `shares` are how much of the frames asked for, and of the
    entry's, have a near one on the other side; `distance` is then the greatest among those asked for.
    """

    asked: int
    entry: str
    distance: int
    quality: int | None = None
    shares: tuple[float, float] | None = None


class Index(Protocol):
    """What the gate asks of an index. All of it may be called from many threads at once.

    An entry that is there for the whole time of a look-up is found; one that is not there at any time of it is not.
    """

    def add(self, entry: str, signal: Signal) -> None:
        """Takes in an entry, or replaces it. What is below the least quality is not used for matching."""

    def remove(self, entry: str) -> None:
        """Drops an entry; one that is not there is no matter."""

    def query(self, signals: Sequence[Signal]) -> list[Hit]:
        """Every entry that matches any of `signals`, once for each of them that it matches."""


class _CodeBatch:
    """The codes of one type as they lie in an index, each with its entry and its note."""

    def __init__(self) -> None:
        self.codes = bytearray()
        self.names = bytearray()
        self.notes = array("H")

    def take(self, rows: Sequence[IndexRow], reach: Reach) -> None:
        """Takes in what is good enough of rows of one type; a lot at a time, because each step costs."""
        if rows[0][1] == SignalType.VPDQ:
            for entry, _, value, _ in rows:
                hashes = _frames(value, reach)
                self._add("".join(hashes), entry * len(hashes), [len(hashes)] * len(hashes))
            return
        good = [row for row in rows if row[3] is None or row[3] >= reach.quality]
        self._add("".join(row[2] for row in good), "".join(row[0] for row in good), [row[3] or 0 for row in good])

    def _add(self, codes: str, names: str, notes: Sequence[int]) -> None:
        self.codes += bytes.fromhex(codes)
        self.names += bytes.fromhex(names)
        self.notes.extend(notes)


def _frames(value: str, reach: Reach) -> list[str]:
    """The hashes of a video that are good enough, each once."""
    return sorted({frame.hash for frame in frames_of(value) if frame.quality >= reach.frames})


class MultiIndex:
    """An index that looks only where matches can be (index.c), and goes on while it is changed.

    New entries are compared one by one until there are `MERGE_ROWS`; then a thread of its own puts them into buckets.
    """

    def __init__(self, reach: Reach | None = None, tables: Mapping[str, Table] | None = None) -> None:
        """An empty index, or one of the `tables` of a file."""
        self.reach = reach or Reach()
        near = self.reach.as_dict()
        tables = tables or {}
        self._near = {
            kind: _TypeIndex(_hex_digits(kind) // 16, near.get(kind.value, 0), tables.get(kind.value))
            for kind in SignalType
        }

    @classmethod
    def of(cls, reach: Reach, rows: Iterable[IndexRow]) -> "MultiIndex":
        """An index of entries, each of which comes once: much quicker than adding them one by one."""
        index = cls(reach)
        gathered: dict[str, _CodeBatch] = defaultdict(_CodeBatch)
        for lot in batched(rows, _BATCH_ROWS):
            by_kind: dict[str, list[IndexRow]] = defaultdict(list)
            for row in lot:
                by_kind[row[1]].append(row)
            for kind, same in by_kind.items():
                gathered[kind].take(same, reach)
        for kind, held in gathered.items():
            near = index._near[SignalType(kind)]
            near.begin(TableRows.of(near.words, bytes(held.codes), bytes(held.names), held.notes))
        return index

    def add(self, entry: str, signal: Signal) -> None:
        """See `Index`."""
        name = bytes.fromhex(entry)
        self._near[signal.type].put(name, *self._codes(signal))  # first, so that what is near both is always found
        for kind, near in self._near.items():
            if kind is not signal.type:
                near.put(name, (), 0)

    def remove(self, entry: str) -> None:
        """See `Index`."""
        name = bytes.fromhex(entry)
        for near in self._near.values():
            near.put(name, (), 0)

    def query(self, signals: Sequence[Signal]) -> list[Hit]:
        """See `Index`."""
        hits: list[Hit] = []
        asked: dict[SignalType, list[tuple[int, bytes]]] = defaultdict(list)
        for place, signal in enumerate(signals):
            codes, _ = self._codes(signal)
            if signal.type is SignalType.VPDQ:
                hits += self._videos(place, codes)
            else:
                asked[signal.type] += [(place, code) for code in codes]
        for kind, several in asked.items():
            rated = kind is SignalType.PDQ
            hits += [
                Hit(several[number][0], part.entry(row), distance, part.note(row) if rated else None)
                for number, part, row, distance in self._near[kind].query([code for _, code in several])
            ]
        return hits

    def contents(self) -> dict[str, TablePlan]:
        """All that is held at this moment, for a file."""
        return {kind.value: near.contents() for kind, near in self._near.items()}

    def wait(self) -> None:
        """Until no thread is at work."""
        for near in self._near.values():
            near.wait()

    def size(self) -> int:
        """Codes that are held."""
        return sum(near.size() for near in self._near.values())

    def _codes(self, signal: Signal) -> tuple[Sequence[bytes], int]:
        """The codes of a signal that are good enough, and the note that goes with them."""
        if signal.type is SignalType.VPDQ:
            hashes = _frames(signal.value, self.reach)
            return [bytes.fromhex(value) for value in hashes], len(hashes)
        if signal.quality is not None and signal.quality < self.reach.quality:
            return (), 0
        return (bytes.fromhex(signal.value),), signal.quality or 0

    def _videos(self, place: int, codes: Sequence[bytes]) -> Iterator[Hit]:
        """The entries that have a frame near one of those asked for."""
        nearest: dict[str, dict[int, int]] = defaultdict(dict)
        rows: dict[str, set[tuple[int, int]]] = defaultdict(set)
        whole: dict[str, int] = {}
        for number, part, row, distance in self._near[SignalType.VPDQ].query(codes):
            entry = part.entry(row)
            nearest[entry][number] = min(distance, nearest[entry].get(number, distance))
            rows[entry].add((id(part), row))
            whole[entry] = part.note(row)
        for entry, found in nearest.items():
            shares = len(found) / len(codes), min(1.0, len(rows[entry]) / whole[entry])
            yield Hit(place, entry, max(found.values()), None, shares)


class _TypeIndex:
    """The codes of one type: tables that are built, and the rows that grow."""

    def __init__(self, words: int, distance: int, table: Table | None = None) -> None:
        self.words = words
        self._distance = distance
        self._seed = secrets.randbits(63) if table is None else table.shape.seed
        self._parts: tuple[IndexPart, ...] = (GrowingRows(words),) if table is None else (table, GrowingRows(words))
        self._replaced = 0
        self._changing = Lock()
        self._worker: Thread | None = None

    def begin(self, source: TableRows) -> None:
        """Takes in the first rows, of an index that nobody uses yet."""
        table = build_table(self.words, self._distance, self._seed, [source])
        self._parts = (GrowingRows(self.words),) if table is None else (table, GrowingRows(self.words))

    def put(self, entry: bytes, codes: Sequence[bytes], note: int) -> None:
        """Takes in an entry's codes in place of those it had."""
        with self._changing:
            old = [(part, rows) for part in self._parts if (rows := part.find(entry))]
            growing = self._parts[-1]
            assert isinstance(growing, GrowingRows)
            if codes:
                growing.append(entry, codes, note)
                self._replaced += bool(old)
            for part, rows in old:
                part.kill(rows)
            if self._worker is None and (growing.count >= MERGE_ROWS or any(_is_sparse(part) for part in self._parts)):
                self._worker = Thread(target=self._merge, name="index", daemon=True)
                self._worker.start()

    def query(self, codes: Sequence[bytes]) -> list[tuple[int, IndexPart, int, int]]:
        """Which of `codes` is near which row of which part, and how far."""
        if not codes:
            return []
        asked = b"".join(codes)
        for _ in range(_LOCKLESS_TRIES):
            parts, replaced = self._parts, self._replaced
            found = self._look(asked, len(codes))
            if parts is self._parts and replaced == self._replaced:
                return found
            # else what was replaced meanwhile may have been seen neither where it was nor where it is
        with self._changing:
            return self._look(asked, len(codes))

    def _look(self, asked: bytes, asking: int) -> list[tuple[int, IndexPart, int, int]]:
        return [
            (number, part, row, distance)
            for part in self._parts
            for number, row, distance in part.query(asked, asking, self._distance).tolist()
        ]

    def contents(self) -> TablePlan:
        """The rows that are there now."""
        with self._changing:
            sources = [part.source() for part in self._parts]
        return TablePlan(self.words, self._distance, self._seed, sources)

    def size(self) -> int:
        """Rows that are there."""
        return sum(part.count - part.gone for part in self._parts)

    def wait(self) -> None:
        """Until no thread is at work."""
        while (worker := self._worker) is not None:
            worker.join()

    def _merge(self) -> None:
        """Puts the rows that grew, and older parts that are not much larger, into one table."""
        try:
            with self._changing:
                first = _first_to_merge(self._parts)
                chosen = self._parts[first:]
                sources = [part.source() for part in chosen]
                self._parts = (*self._parts, GrowingRows(self.words))
            table = build_table(self.words, self._distance, self._seed, sources)
            with self._changing:
                made = () if table is None else (table,)
                for part, source in zip(chosen, sources, strict=True):
                    for entry in part.gone_since(source):
                        for new in made:
                            new.kill(new.find(entry))
                self._parts = (*self._parts[:first], *made, self._parts[-1])
        finally:
            self._worker = None


def usable(signal: Signal, floor: int = PDQ_QUALITY_FLOOR) -> bool:
    """Whether a signal says enough of its picture to match by."""
    return signal.quality is None or signal.quality >= floor


def _hex_digits(kind: SignalType) -> int:
    """Hex digits of a code: of a video's frame as many as of a picture."""
    return HEX_DIGITS.get(kind, HEX_DIGITS[SignalType.PDQ])


def _is_sparse(part: IndexPart) -> bool:
    """Whether too much of a part is gone."""
    return part.gone > max(MERGE_ROWS, part.count // 4)


def _first_to_merge(parts: Sequence[IndexPart]) -> int:
    """The place of the first part that is merged with all that come after it."""
    living, first = 0, len(parts)
    for place in reversed(range(len(parts))):
        part = parts[place]
        if living and part.count - part.gone > _MERGE_RATIO * living and not any(map(_is_sparse, parts[: place + 1])):
            break
        living += part.count - part.gone
        first = place
    return first
