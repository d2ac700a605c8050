"""Finds the entries whose signals match: PDQ, phash and video frames within a distance, other signals exactly."""

import secrets
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import batched
from threading import Lock, Thread
from typing import Final, NamedTuple, Protocol

from takeback.gate.index.file import TablePlan
from takeback.gate.index.native import GrowingRows, Table, TableRows, build_table
from takeback.signals import (
    HEX_DIGITS,
    MAX_FRAMES,
    PDQ_MATCH_DISTANCE,
    PDQ_QUALITY_FLOOR,
    Signal,
    SignalType,
    frames_of,
    second_of,
)

PHASH_MATCH_DISTANCE: Final = 6
"""Bits, of 64, within which two phashes match."""
MERGE_ROWS: Final = 8192
"""Rows that are searched linearly; at this number a thread merges them into a table with buckets."""
_MERGE_RATIO: Final = 8
"""A merge includes an older table unless that has more than this many times the rows merged so far."""
_LOCKLESS_TRIES: Final = 3
"""Attempts of a look-up without the lock; after that it takes the lock, and changes wait."""
_PLACE_BITS: Final = 8
"""Bits of a frame's note for the number of seconds less one; the bits above hold the place (`MAX_FRAMES` is 256)."""
_BATCH_ROWS: Final = 50_000
"""Entries that are converted together when an index is built."""

type IndexPart = Table | GrowingRows
type IndexRow = tuple[str, str, str, int | None]
"""An entry's id, and its signal's type, value and quality."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What an index finds: the greatest distance in bits for each type, and the least quality that it keeps.

    `quality` applies to PDQ hashes, `frames` to the frames of videos.
    """

    pdq: int = PDQ_MATCH_DISTANCE
    phash: int = PHASH_MATCH_DISTANCE
    vpdq: int = PDQ_MATCH_DISTANCE
    quality: int = PDQ_QUALITY_FLOOR
    frames: int = PDQ_QUALITY_FLOOR

    def as_dict(self) -> dict[str, int]:
        """Returns the values by name, for the header of the index file."""
        return asdict(self)


class HeldFrame(NamedTuple):
    """A frame of a registered video: the place of its second among the seconds that have frames, and their number."""

    place: int
    seconds: int


class Hit(NamedTuple):
    """A match: the position of the query signal (`asked`), the entry that it matched, and their distance in bits.

    `quality` is the entry's, and set for PDQ only. `frame` is the entry's frame if the entry is a video. Hits of the
    frames of one video are counted together (`rules/video_hits.py`), which sets `shares`: the share of the upload's
    seconds that are near a frame of the entry, and the share of the entry's that are near one of the upload.
    """

    asked: int
    entry: str
    distance: int
    quality: int | None = None
    frame: HeldFrame | None = None
    shares: tuple[float, float] | None = None
    is_common: bool = False
    """Whether what matched is in so many registered videos that it does not block by itself."""


class Index(Protocol):
    """The interface of an index. Its methods are thread-safe.

    A look-up finds every entry that is present throughout it, and no entry that is absent throughout it.
    """

    def add(self, entry: str, signal: Signal) -> None:
        """Adds or replaces an entry. A signal below the least quality never matches."""

    def remove(self, entry: str) -> None:
        """Removes an entry; does nothing if it is absent."""

    def query(self, signals: Sequence[Signal]) -> list[Hit]:
        """Returns a hit for every pair of a signal in `signals` and a signal or frame of an entry that match.

        A PDQ is looked up among pictures and among the frames of videos, and so is each frame of a video.
        """


class _CodeBatch:
    """The codes of one signal type in the layout of a table, each with its entry and its note."""

    def __init__(self) -> None:
        self.codes = bytearray()
        self.names = bytearray()
        self.notes = array("H")

    def take(self, rows: Sequence[IndexRow], reach: Reach) -> None:
        """Adds the rows, all of one type, whose quality suffices."""
        if rows[0][1] == SignalType.VPDQ:
            for entry, _, value, _ in rows:
                hashes = _frames(value, reach)
                self._add("".join(hashes), entry * len(hashes), list(hashes.values()))
            return
        if rows[0][1] == SignalType.PATCHES:
            return
        good = [row for row in rows if row[3] is None or row[3] >= reach.quality]
        self._add("".join(row[2] for row in good), "".join(row[0] for row in good), [row[3] or 0 for row in good])

    def _add(self, codes: str, names: str, notes: Sequence[int]) -> None:
        self.codes += bytes.fromhex(codes)
        self.names += bytes.fromhex(names)
        self.notes.extend(notes)


def _frames(value: str, reach: Reach) -> dict[str, int]:
    """Returns the distinct hashes of a video's frames whose quality suffices, and the note of each: its `HeldFrame`.

    Seconds count and not frames, because another client may hash any number of frames a second.
    """
    seconds: dict[str, int] = {}
    for frame in frames_of(value):
        if frame.quality >= reach.frames:
            seconds.setdefault(frame.hash, second_of(frame.seconds))
    places = {second: place for place, second in enumerate(sorted(set(seconds.values())))}
    return {value: places[second] << _PLACE_BITS | len(places) - 1 for value, second in seconds.items()}


def _read_note(kind: SignalType, note: int) -> tuple[int | None, HeldFrame | None]:
    """Returns what the note of a code says: the entry's quality, or its frame."""
    if kind is SignalType.VPDQ:
        return None, HeldFrame(note >> _PLACE_BITS, note % MAX_FRAMES + 1)
    return (note if kind is SignalType.PDQ else None), None


class MultiIndex:
    """An index by multi-index hashing (index.c) that can be searched while it changes.

    New entries are searched linearly until there are `MERGE_ROWS`; then a thread merges them into a table.
    """

    def __init__(self, reach: Reach | None = None, tables: Mapping[str, Table] | None = None) -> None:
        """Makes an index with the given `reach`, empty or with the `tables` of a file."""
        self.reach = reach or Reach()
        distances = self.reach.as_dict()
        tables = tables or {}
        self._types = {
            kind: _TypeIndex(_hex_digits(kind) // 16, distances.get(kind.value, 0), tables.get(kind.value))
            for kind in SignalType
        }

    @classmethod
    def of(cls, reach: Reach, rows: Iterable[IndexRow]) -> "MultiIndex":
        """Builds an index of `rows`, in which each entry occurs once; much faster than `add` for each."""
        index = cls(reach)
        gathered: dict[str, _CodeBatch] = defaultdict(_CodeBatch)
        # Converted in batches, because that is more than twice as fast as one by one.
        for batch in batched(rows, _BATCH_ROWS):
            by_kind: dict[str, list[IndexRow]] = defaultdict(list)
            for row in batch:
                by_kind[row[1]].append(row)
            for kind, same in by_kind.items():
                gathered[kind].take(same, reach)
        for kind, held in gathered.items():
            type_index = index._types[SignalType(kind)]
            type_index.fill(TableRows.of(type_index.words, bytes(held.codes), bytes(held.names), held.notes))
        return index

    def add(self, entry: str, signal: Signal) -> None:
        """See `Index`."""
        name = bytes.fromhex(entry)
        # The new signal goes in before the old one is taken out, so that a query near both always finds the entry.
        self._types[signal.type].put(name, *self._codes(signal))
        for kind, type_index in self._types.items():
            if kind is not signal.type:
                type_index.put(name, (), ())

    def remove(self, entry: str) -> None:
        """See `Index`."""
        name = bytes.fromhex(entry)
        for type_index in self._types.values():
            type_index.put(name, (), ())

    def query(self, signals: Sequence[Signal]) -> list[Hit]:
        """See `Index`."""
        hits: list[Hit] = []
        asked: dict[SignalType, list[tuple[int, bytes]]] = defaultdict(list)
        for place, signal in enumerate(signals):
            asked[signal.type] += [(place, code) for code in self._codes(signal)[0]]
            if signal.type is SignalType.PDQ and (signal.quality or 0) >= self.reach.frames:
                asked[SignalType.VPDQ].append((place, bytes.fromhex(signal.value)))
        for kind, several in asked.items():
            hits += [
                Hit(several[number][0], part.entry(row), distance, *_read_note(kind, part.note(row)))
                for number, part, row, distance in self._types[kind].query([code for _, code in several])
            ]
        return hits

    def contents(self) -> dict[str, TablePlan]:
        """Returns what is needed to write the present contents to a file."""
        return {kind.value: type_index.contents() for kind, type_index in self._types.items()}

    def wait(self) -> None:
        """Waits until no merge is running."""
        for type_index in self._types.values():
            type_index.wait()

    def size(self) -> int:
        """Returns the number of codes."""
        return sum(type_index.size() for type_index in self._types.values())

    def _codes(self, signal: Signal) -> tuple[Sequence[bytes], Sequence[int]]:
        """Returns a signal's codes of sufficient quality, and the note of each: its quality, or a `HeldFrame`."""
        if signal.type is SignalType.VPDQ:
            hashes = _frames(signal.value, self.reach)
            return [bytes.fromhex(value) for value in hashes], list(hashes.values())
        if signal.type is SignalType.PATCHES:
            return (), ()
        if signal.quality is not None and signal.quality < self.reach.quality:
            return (), ()
        return (bytes.fromhex(signal.value),), (signal.quality or 0,)


class _TypeIndex:
    """The codes of one signal type: built tables, and the growing rows that come last."""

    def __init__(self, words: int, distance: int, table: Table | None = None) -> None:
        self.words = words
        self._distance = distance
        self._seed = secrets.randbits(63) if table is None else table.shape.seed
        self._parts: tuple[IndexPart, ...] = (GrowingRows(words),) if table is None else (table, GrowingRows(words))
        self._replaced = 0
        self._changing = Lock()
        self._worker: Thread | None = None

    def fill(self, source: TableRows) -> None:
        """Sets the first rows of an index that is not in use yet."""
        table = build_table(self.words, self._distance, self._seed, [source])
        self._parts = (GrowingRows(self.words),) if table is None else (table, GrowingRows(self.words))

    def put(self, entry: bytes, codes: Sequence[bytes], notes: Sequence[int]) -> None:
        """Replaces an entry's codes; without `codes` the entry is removed."""
        with self._changing:
            old = [(part, rows) for part in self._parts if (rows := part.find(entry))]
            growing = self._parts[-1]
            assert isinstance(growing, GrowingRows)
            if codes:
                # New rows before old ones go, so that a search always finds the entry in one of them.
                growing.append(entry, codes, notes)
                # Before the old rows go: a search that could miss the entry sees the change and looks again.
                self._replaced += bool(old)
            for part, rows in old:
                part.mark_removed(rows)
            if self._worker is None and (growing.count >= MERGE_ROWS or any(_is_sparse(part) for part in self._parts)):
                self._worker = Thread(target=self._merge, name="index", daemon=True)
                self._worker.start()

    def query(self, codes: Sequence[bytes]) -> list[tuple[int, IndexPart, int, int]]:
        """Returns (position in `codes`, part, row, distance in bits) for every match."""
        if not codes:
            return []
        asked = b"".join(codes)
        for _ in range(_LOCKLESS_TRIES):
            parts, replaced = self._parts, self._replaced
            found = self._look(asked, len(codes))
            if parts is self._parts and replaced == self._replaced:
                return found
            # Otherwise an entry may have moved from a part not yet searched to one already searched: search again.
        with self._changing:
            return self._look(asked, len(codes))

    def _look(self, asked: bytes, asking: int) -> list[tuple[int, IndexPart, int, int]]:
        return [
            (number, part, row, distance)
            for part in self._parts
            for number, row, distance in part.query(asked, asking, self._distance).tolist()
        ]

    def contents(self) -> TablePlan:
        """Returns the plan of a table with the present rows."""
        with self._changing:
            sources = [part.source() for part in self._parts]
        return TablePlan(self.words, self._distance, self._seed, sources)

    def size(self) -> int:
        """Returns the number of rows that are not removed."""
        return sum(part.count - part.removed for part in self._parts)

    def wait(self) -> None:
        """Waits until no merge is running."""
        while (worker := self._worker) is not None:
            worker.join()

    def _merge(self) -> None:
        """Merges the growing rows, and older parts that are not much larger, into one table."""
        try:
            with self._changing:
                first = _first_to_merge(self._parts)
                chosen = self._parts[first:]
                sources = [part.source() for part in chosen]
                self._parts = (*self._parts, GrowingRows(self.words))
            # Without the lock, so that changes go on meanwhile, in the new growing rows.
            table = build_table(self.words, self._distance, self._seed, sources)
            with self._changing:
                # Entries that were removed while the table was built are still in it: mark them before it is used.
                made = () if table is None else (table,)
                for part, source in zip(chosen, sources, strict=True):
                    for entry in part.removed_since(source):
                        for new in made:
                            new.mark_removed(new.find(entry))
                self._parts = (*self._parts[:first], *made, self._parts[-1])
        finally:
            self._worker = None


def usable(signal: Signal, floor: int = PDQ_QUALITY_FLOOR) -> bool:
    """Returns whether a signal's quality suffices for matching."""
    return signal.quality is None or signal.quality >= floor


def _hex_digits(kind: SignalType) -> int:
    """Returns the number of hex digits of a code; a video frame's code is a PDQ hash."""
    return HEX_DIGITS.get(kind, HEX_DIGITS[SignalType.PDQ])


def _is_sparse(part: IndexPart) -> bool:
    """Returns whether so many rows of a part are removed that it should be rebuilt."""
    return part.removed > max(MERGE_ROWS, part.count // 4)


def _first_to_merge(parts: Sequence[IndexPart]) -> int:
    """Returns the position of the first part to merge with all the parts after it."""
    live_rows, first = 0, len(parts)
    for place in reversed(range(len(parts))):
        part = parts[place]
        if (
            live_rows
            and part.count - part.removed > _MERGE_RATIO * live_rows
            and not any(map(_is_sparse, parts[: place + 1]))
        ):
            break
        live_rows += part.count - part.removed
        first = place
    return first
