"""Finds the entries whose signals match: PDQ, phash and video frames within a distance, other signals exactly."""

import secrets
from array import array
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import batched
from threading import Lock, Thread
from typing import Any, Final, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from takeback.gate.index.native import ENTRY_BYTES, Hits, Table, TablePlan, TableRows
from takeback.gate.index.patch_table import (
    FRAME_BITS,
    MAX_NEAR_PICTURES,
    PatchHits,
    PatchPlan,
    PatchRows,
    PatchTable,
)
from takeback.signals import (
    HEX_DIGITS,
    MAX_FRAMES,
    MAX_PATCHES,
    PDQ_MATCH_DISTANCE,
    PDQ_QUALITY_FLOOR,
    Signal,
    SignalType,
    frames_of,
    patches_of,
    second_of,
)

PHASH_MATCH_DISTANCE: Final = 6
"""Bits, of 64, within which two phashes match."""
PATCHES_MATCH_DISTANCE: Final = 8
"""Bits, of 64, within which two patches match."""
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

type AnyTable = Table | PatchTable
type IndexRow = tuple[str, str, str, int | None]
"""An entry's id, and its signal's type, value and quality."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What an index finds: the greatest distance in bits for each type, and the least quality that it keeps.

    `quality` applies to PDQ hashes, `frames` to the frames of videos. `long_list_pdq` is the distance of PDQ in a table
    of more than `LONG_LIST_CODES`.
    """

    pdq: int = PDQ_MATCH_DISTANCE
    phash: int = PHASH_MATCH_DISTANCE
    vpdq: int = PDQ_MATCH_DISTANCE
    patches: int = PATCHES_MATCH_DISTANCE
    quality: int = PDQ_QUALITY_FLOOR
    frames: int = PDQ_QUALITY_FLOOR
    long_list_pdq: int = PDQ_MATCH_DISTANCE

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


class PatchHit(NamedTuple):
    """A listed patch near an asked one, whose position is `asked`, with the entry and the frame that it is in.

    `code` is its hash as a number; `near` is the number of pictures that have a patch near the asked one.
    """

    asked: int
    entry: str
    frame: int
    code: int
    distance: int
    near: int


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

        A PDQ is looked up among pictures and among the frames of videos, and so is each frame of a video; `patches`
        have no hits.
        """

    def query_patches(
        self, patches: Sequence[str], least: int = 1, common: Container[str] = (), within: int | None = None
    ) -> list[PatchHit]:
        """Returns a hit for every pair of an asked and a listed patch that are near, by entry and frame.

        `within` is in bits, and counts if it is less than the reach. Only frames with at least `least` hits are
        returned. A patch that is in `common`, or near more than `MAX_NEAR_PICTURES` pictures, has no hits.
        """

    def pictures(self) -> int:
        """Returns about how many pictures the listed patches are of."""


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
        good = [row for row in rows if row[3] is None or row[3] >= reach.quality]
        self._add("".join(row[2] for row in good), "".join(row[0] for row in good), [row[3] or 0 for row in good])

    def _add(self, codes: str, names: str, notes: Sequence[int]) -> None:
        self.codes += bytes.fromhex(codes)
        self.names += bytes.fromhex(names)
        self.notes.extend(notes)


class _PatchBatch:
    """The patches of many entries in the layout of a table."""

    def __init__(self) -> None:
        self.codes = bytearray()
        self.refs = array("I")
        self.names = bytearray()

    def take(self, rows: Sequence[IndexRow]) -> None:
        """Adds the rows, all of type `patches`."""
        for entry, _, value, _ in rows:
            picture = len(self.names) // ENTRY_BYTES
            self.names += bytes.fromhex(entry)
            for frame, hashes in enumerate(value.split(";")):
                codes = bytes.fromhex(hashes.replace(",", ""))
                self.codes += codes
                self.refs.extend([picture << FRAME_BITS | frame] * (len(codes) // 8))

    def source(self) -> PatchRows:
        """Returns the rows of a table."""
        codes, refs = np.frombuffer(self.codes, np.uint64), np.frombuffer(self.refs, np.uint32)
        return PatchRows.of(codes, refs, np.frombuffer(self.names, np.uint8).reshape(-1, ENTRY_BYTES))


def _patches(value: str) -> Iterator[tuple[int, str]]:
    """Yields the number of its frame and the hash of each patch."""
    for frame, hashes in enumerate(patches_of(value)):
        for patch in hashes:
            yield frame, patch


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

    def __init__(self, reach: Reach | None = None, tables: Mapping[str, AnyTable] | None = None) -> None:
        """Makes an index with the given `reach`, empty or with the `tables` of a file."""
        self.reach = reach or Reach()
        distances = self.reach.as_dict()
        tables = dict(tables or {})
        held = tables.pop(SignalType.PATCHES, None)
        assert held is None or isinstance(held, PatchTable)
        self._patches = _TypeIndex[PatchRows, PatchHits, PatchPlan](PatchPlan(self.reach.patches, _seed(held)), held)
        self._types: dict[SignalType, _TypeIndex[TableRows, Hits, TablePlan]] = {}
        for kind in SignalType:
            if kind is not SignalType.PATCHES:
                table = tables.get(kind.value)
                assert table is None or isinstance(table, Table)
                words, distance = _hex_digits(kind) // 16, distances.get(kind.value, 0)
                at_most = self.reach.long_list_pdq if kind is SignalType.PDQ else None
                self._types[kind] = _TypeIndex(TablePlan(words, distance, _seed(table), [], at_most), table)

    @classmethod
    def of(cls, reach: Reach, rows: Iterable[IndexRow]) -> "MultiIndex":
        """Builds an index of `rows`, in which each entry occurs once; much faster than `add` for each."""
        index = cls(reach)
        gathered: dict[str, _CodeBatch] = defaultdict(_CodeBatch)
        patches = _PatchBatch()
        # Converted in batches, because that is more than twice as fast as one by one.
        for batch in batched(rows, _BATCH_ROWS):
            by_kind: dict[str, list[IndexRow]] = defaultdict(list)
            for row in batch:
                by_kind[row[1]].append(row)
            patches.take(by_kind.pop(SignalType.PATCHES, []))
            for kind, same in by_kind.items():
                gathered[kind].take(same, reach)
        for kind, held in gathered.items():
            words = _hex_digits(SignalType(kind)) // 16
            source = TableRows.of(words, bytes(held.codes), bytes(held.names), held.notes)
            index._types[SignalType(kind)].fill(source)
        index._patches.fill(patches.source())
        return index

    def add(self, entry: str, signal: Signal) -> None:
        """See `Index`."""
        name = bytes.fromhex(entry)
        # The new signal goes in before the old one is taken out, so that a query near both always finds the entry.
        every = self._every()
        every[signal.type].put(name, *self._codes(signal))
        for kind, type_index in every.items():
            if kind is not signal.type:
                type_index.put(name, (), ())

    def remove(self, entry: str) -> None:
        """See `Index`."""
        name = bytes.fromhex(entry)
        for type_index in self._every().values():
            type_index.put(name, (), ())

    def query(self, signals: Sequence[Signal]) -> list[Hit]:
        """See `Index`."""
        hits: list[Hit] = []
        asked: dict[SignalType, list[tuple[int, bytes]]] = defaultdict(list)
        for place, signal in enumerate(signals):
            if signal.type is SignalType.PATCHES:
                continue
            asked[signal.type] += [(place, code) for code in self._codes(signal)[0]]
            if signal.type is SignalType.PDQ and (signal.quality or 0) >= self.reach.frames:
                asked[SignalType.VPDQ].append((place, bytes.fromhex(signal.value)))
        for kind, several in asked.items():
            hits += [
                Hit(several[number][0], part.entry(row), distance, *_read_note(kind, part.note(row)))
                for number, part, row, distance in self._near(kind, [code for _, code in several])
            ]
        return hits

    def query_patches(
        self, patches: Sequence[str], least: int = 1, common: Container[str] = (), within: int | None = None
    ) -> list[PatchHit]:
        """See `Index`."""
        found = self._patches.query([bytes.fromhex(patch) for patch in patches], within)
        hits: list[PatchHit] = []
        if not found:
            return hits
        near = np.sum([held.pictures for _, held in found], axis=0)
        for part, held in found:
            rows = held.rows[near[held.rows["asked"]] <= MAX_NEAR_PICTURES]
            rows = _several(rows, least)
            # Only now, because `common` takes longer for each patch than the search.
            counting = [asked for asked in np.unique(rows["asked"]).tolist() if patches[asked] not in common]
            rows = _several(rows[np.isin(rows["asked"], counting)], least)
            for code, asked, ref, distance, _ in rows.tolist():
                entry, frame = part.entry(ref >> FRAME_BITS), ref & ((1 << FRAME_BITS) - 1)
                # Codes are bytes in the order of their hex, and C reads them as little-endian numbers.
                patch = int.from_bytes(code.to_bytes(8, "little"), "big")
                hits.append(PatchHit(asked, entry, frame, patch, distance, int(near[asked])))
        return hits

    def pictures(self) -> int:
        """See `Index`."""
        return -(-self._patches.size() // MAX_PATCHES)

    def contents(self) -> dict[str, TablePlan | PatchPlan]:
        """Returns what is needed to write the present contents to a file."""
        plans: dict[str, TablePlan | PatchPlan] = {kind: held.contents() for kind, held in self._types.items()}
        return {**plans, SignalType.PATCHES: self._patches.contents()}

    def wait(self) -> None:
        """Waits until no merge is running."""
        for type_index in self._every().values():
            type_index.wait()

    def size(self) -> int:
        """Returns the number of codes, where the patches of a picture count as one."""
        return sum(type_index.size() for type_index in self._types.values()) + self.pictures()

    def _every(self) -> dict[SignalType, "_TypeIndex[Any, Any, Any]"]:
        return {**self._types, SignalType.PATCHES: self._patches}

    def _near(
        self, kind: SignalType, codes: Sequence[bytes]
    ) -> Iterator[tuple[int, "_Part[TableRows, Hits]", int, int]]:
        """Yields (position in `codes`, part, row, distance in bits) for every match."""
        for part, hits in self._types[kind].query(codes):
            for number, row, distance in hits.tolist():
                yield number, part, row, distance

    def _codes(self, signal: Signal) -> tuple[Sequence[bytes], Sequence[int]]:
        """Returns a signal's codes of sufficient quality, and the note of each: its quality, or a `HeldFrame`."""
        if signal.type is SignalType.VPDQ:
            hashes = _frames(signal.value, self.reach)
            return [bytes.fromhex(value) for value in hashes], list(hashes.values())
        if signal.type is SignalType.PATCHES:
            patches = list(_patches(signal.value))
            return [bytes.fromhex(patch) for _, patch in patches], [frame for frame, _ in patches]
        if signal.quality is not None and signal.quality < self.reach.quality:
            return (), ()
        return (bytes.fromhex(signal.value),), (signal.quality or 0,)


class _Part[Source, Found](Protocol):
    """Some rows of an index: a table, or the growing rows. A search of it returns `Found`."""

    count: int
    removed: int

    def query(self, codes: bytes, asking: int, distance: int, /) -> Found: ...
    def find(self, entry: bytes, /) -> list[int]: ...
    def mark_removed(self, rows: Sequence[int], /) -> None: ...
    def entry(self, row: int, /) -> str: ...
    def note(self, row: int, /) -> int: ...
    def source(self) -> Source: ...
    def removed_since(self, source: Source, /) -> list[bytes]: ...


class _Growing[Source, Found](_Part[Source, Found], Protocol):
    """The part that new entries are added to."""

    def append(self, entry: bytes, codes: Sequence[bytes], notes: Sequence[int], /) -> None: ...


class _Plan[Source, Found](Protocol):
    """How the parts of an index are made."""

    @property
    def distance(self) -> int: ...
    def with_sources(self, sources: Sequence[Source], /) -> Self: ...
    def growing(self) -> _Growing[Source, Found]: ...
    def table(self) -> _Part[Source, Found] | None: ...


class _TypeIndex[Source, Found, Plan: _Plan[Any, Any]]:
    """The codes of one signal type: built tables, and the growing rows that come last."""

    def __init__(self, plan: Plan, table: _Part[Source, Found] | None = None) -> None:
        self._plan = plan
        self._growing: _Growing[Source, Found] = plan.growing()
        self._parts: tuple[_Part[Source, Found], ...] = (self._growing,) if table is None else (table, self._growing)
        self._replaced = 0
        self._changing = Lock()
        self._worker: Thread | None = None

    def fill(self, source: Source) -> None:
        """Sets the first rows of an index that is not in use yet."""
        table = self._plan.with_sources([source]).table()
        self._parts = (self._growing,) if table is None else (table, self._growing)

    def put(self, entry: bytes, codes: Sequence[bytes], notes: Sequence[int]) -> None:
        """Replaces an entry's codes; without `codes` the entry is removed."""
        with self._changing:
            old = [(part, rows) for part in self._parts if (rows := part.find(entry))]
            growing = self._growing
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

    def query(self, codes: Sequence[bytes], within: int | None = None) -> list[tuple[_Part[Source, Found], Found]]:
        """Returns what was found in each part for all `codes`, at most `within` bits away if that is given."""
        if not codes:
            return []
        asked = b"".join(codes)
        distance = self._plan.distance if within is None else min(within, self._plan.distance)
        for _ in range(_LOCKLESS_TRIES):
            parts, replaced = self._parts, self._replaced
            found = self._look(asked, len(codes), distance)
            if parts is self._parts and replaced == self._replaced:
                return found
            # Otherwise an entry may have moved from a part not yet searched to one already searched: search again.
        with self._changing:
            return self._look(asked, len(codes), distance)

    def _look(self, asked: bytes, asking: int, distance: int) -> list[tuple[_Part[Source, Found], Found]]:
        return [(part, part.query(asked, asking, distance)) for part in self._parts]

    def contents(self) -> Plan:
        """Returns the plan of a table with the present rows."""
        with self._changing:
            return self._plan.with_sources([part.source() for part in self._parts])

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
                self._growing = self._plan.growing()
                self._parts = (*self._parts, self._growing)
            # Without the lock, so that changes go on meanwhile, in the new growing rows.
            table = self._plan.with_sources(sources).table()
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


def _several(rows: NDArray[np.void], least: int) -> NDArray[np.void]:
    """Returns the rows of frames that have at least `least`.

    In numpy, because ten million pictures give thousands of chance hits, and nearly none that counts.
    """
    _, place, counts = np.unique(rows["ref"], return_inverse=True, return_counts=True)
    return rows[counts[place] >= least]


def _seed(table: AnyTable | None) -> int:
    """Returns a table's seed, or a new one."""
    return secrets.randbits(63) if table is None else table.shape.seed


def usable(signal: Signal, floor: int = PDQ_QUALITY_FLOOR) -> bool:
    """Returns whether a signal's quality suffices for matching."""
    return signal.quality is None or signal.quality >= floor


def _hex_digits(kind: SignalType) -> int:
    """Returns the number of hex digits of a code; a video frame's code is a PDQ hash."""
    return HEX_DIGITS.get(kind, HEX_DIGITS[SignalType.PDQ])


def _is_sparse(part: _Part[Any, Any]) -> bool:
    """Returns whether so many rows of a part are removed that it should be rebuilt."""
    return part.removed > max(MERGE_ROWS, part.count // 4)


def _first_to_merge(parts: Sequence[_Part[Any, Any]]) -> int:
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
