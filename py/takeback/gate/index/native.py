"""The only caller of the compiled index (index.c): tables of codes, which are built once, and rows, which can grow.

`_index.so` lies beside this file. A code has 64, 128 or 256 bits; with it go its entry's id (128 bits) and a note (16
bits). C code runs without the global interpreter lock, so other threads go on during a look-up.
"""

import ctypes
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from takeback.gate.index.chunking import LONG_LIST_CODES, MIN_CHUNK_BITS, Chunk, bucket_bits, masks, plan
from takeback.signals import MAX_FRAMES

ENTRY_BYTES: Final = 16
# Below 2**31, because the top bit of a position is a flag (SPILLED in index.c).
MAX_ROWS: Final = 1 << 30
_MAX_CHUNKS: Final = 64
_BLOCK_BUCKETS: Final = 32
_CACHE_LINE_BYTES: Final = 64
"""Size of a cache line; every array starts at a multiple of it."""
_HIT_CAPACITY: Final = 4096
"""Hits that a thread's buffer holds; a search with more hits runs a second time, with a larger buffer."""
_INITIAL_ROWS: Final = 256
_MAX_ENTRY_ROWS: Final = 4 * MAX_FRAMES
"""Rows of one entry at most: a video's frames, and those of versions that it replaced."""
_MIN_SPILLED_ROWS: Final = 256
"""A block with fewer rows is never spilled (index.c)."""
_SPILL_BYTES: Final = 4 * (_BLOCK_BUCKETS + 1)

type Bytes = NDArray[np.uint8]
type Hits = NDArray[np.uint32]
"""Shape (n, 3): position of the query code, row, distance in bits."""


class _Chunk(ctypes.Structure):
    """`struct chunk` of index.c."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("start", "bits", "flips", "hashed", "masks")),
        *((name, ctypes.c_void_p) for name in ("mask", "base", "end", "row")),
    )


class _Table(ctypes.Structure):
    """`struct table` of index.c."""

    _fields_ = (
        ("count", ctypes.c_uint64),
        ("seed", ctypes.c_uint64),
        *((name, ctypes.c_uint32) for name in ("words", "distance", "chunks", "spills")),
        *((name, ctypes.c_void_p) for name in ("codes", "entries", "notes", "spill")),
        ("names", _Chunk),
        ("chunk", _Chunk * _MAX_CHUNKS),
    )


class _Rows(ctypes.Structure):
    """`struct rows` of index.c."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("codes", "entries", "notes", "dead")),
        ("count", ctypes.c_uint64),
    )


def load_library(prefix: str, arguments: Mapping[str, tuple[Any, ...]]) -> ctypes.CDLL:
    """Loads the compiled index and declares functions by their names after `prefix_`, which all return a number.

    Raises `ImportError` if it is missing or cannot run here.
    """
    path = Path(__file__).with_name("_index.so")
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise ImportError(f"the compiled index {path} is missing or built for another machine: build it") from error
    if not library.index_runs_here():
        raise ImportError("this processor is too old for the index: it has no POPCNT instruction")
    for name, types in arguments.items():
        function = getattr(library, f"{prefix}_{name}")
        function.argtypes = types
        function.restype = ctypes.c_uint64
    return library


_number, _pointer = ctypes.c_uint64, ctypes.c_void_p
_library: Final = load_library(
    "index",
    {
        "query": (_pointer, _pointer, _pointer, ctypes.c_uint32, ctypes.c_uint32, _pointer, _number),
        "scan": (_pointer, ctypes.c_uint32, _pointer, ctypes.c_uint32, ctypes.c_uint32, _pointer, _number),
        "find": (_pointer, ctypes.c_char_p, _pointer, _number),
        "build": (_pointer, _pointer, ctypes.c_uint32, _pointer),
        "checksum": (_pointer, _number),
    },
)


class _HitBuffer(threading.local):
    """The buffer into which C writes hits, one for each thread."""

    def __init__(self) -> None:
        self.hits: Hits = np.zeros((_HIT_CAPACITY, 3), np.uint32)
        self.address = self.hits.ctypes.data


_hit_buffer: Final = _HitBuffer()


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of a table, from which its memory layout follows. `spills` is known once the table is built."""

    words: int
    distance: int
    count: int
    seed: int
    chunks: tuple[Chunk, ...]
    spills: int = 0

    @classmethod
    def of(cls, words: int, distance: int, count: int, seed: int) -> "Shape":
        """Returns the best shape for `count` codes of `words` 64-bit words that are searched within `distance` bits."""
        return cls(words, distance, count, seed, plan(count, 64 * words, distance))

    def is_sound(self) -> bool:
        """Returns whether the shape is valid; a shape that was read from a file may not be."""
        bits = 64 * self.words
        return (
            self.words in {1, 2, 4}
            and 0 < self.count <= MAX_ROWS
            and 0 <= self.spills <= self.max_spills
            and 0 < len(self.chunks) <= _MAX_CHUNKS
            and all(
                MIN_CHUNK_BITS <= c.bits <= bucket_bits(self.count) + 2
                and 0 <= c.start <= bits - c.bits
                and 0 <= c.flips <= 2
                for c in self.chunks
            )
            and sum(c.flips + 1 for c in self.chunks) > self.distance
        )

    @property
    def max_spills(self) -> int:
        """Returns the greatest possible number of spilled blocks."""
        return self.count // _MIN_SPILLED_ROWS * (len(self.chunks) + 1)

    @property
    def size(self) -> int:
        """Returns the size in bytes of a built table."""
        return _layout(self).size

    def table(self, memory: Bytes) -> "Table":
        """Returns the table in `memory`."""
        return Table(memory, self)

    def with_spills(self, spills: int) -> "Shape":
        """Returns the shape with this number of spilled blocks."""
        return replace(self, spills=spills)


class _Layout(NamedTuple):
    """The offsets of a table's arrays, in bytes from its start, and its size in bytes."""

    codes: int
    entries: int
    notes: int
    tables: tuple[tuple[int, int, int], ...]
    """(bases, ends, rows) of the entry ids, then of each chunk."""
    spill: int
    size: int


def _layout(shape: Shape) -> _Layout:
    at = 0

    def take(size: int) -> int:
        nonlocal at
        start, at = at, aligned(at + size)
        return start

    codes, entries, notes = (take(size * shape.count) for size in (8 * shape.words, ENTRY_BYTES, 2))
    tables = []
    for place, bits in enumerate([bucket_bits(shape.count), *(chunk.bits for chunk in shape.chunks)]):
        base, end = take(4 * ((1 << bits) // _BLOCK_BUCKETS)), take(1 << bits)
        # Place 1 is the first chunk, by which the rows themselves are sorted: it needs no list of rows.
        tables.append((base, end, end if place == 1 else take(4 * shape.count)))
    spill = take(_SPILL_BYTES * shape.spills)
    return _Layout(codes, entries, notes, tuple(tables), spill, at)


class TableRows:
    """The rows that a table is built from, without those that `dead` marks as removed. A snapshot."""

    def __init__(self, codes: Bytes, entries: Bytes, notes: NDArray[np.uint16], dead: Bytes | None, count: int) -> None:
        self.dead = dead
        self.arrays = codes, entries, notes
        self.rows = count
        self.live_rows = count - (0 if dead is None else int(np.bitwise_count(dead).sum()))

    @classmethod
    def of(cls, words: int, codes: bytes, entries: bytes, notes: Sequence[int]) -> "TableRows":
        """Makes rows of concatenated codes (8 * `words` bytes each) and entry ids (16 bytes each), and their notes."""
        held = np.frombuffer(codes, np.uint8).reshape(-1, words * 8)
        named = np.frombuffer(entries, np.uint8).reshape(-1, ENTRY_BYTES)
        return cls(held, named, np.array(notes, np.uint16), None, len(notes))

    def struct(self) -> _Rows:
        """Returns the rows as the C structure."""
        codes, entries, notes = self.arrays
        return _Rows(address(codes), address(entries), address(notes), address(self.dead), self.rows)


class GrowingRows:
    """Codes that are searched linearly. Rows are appended or marked as removed, and never reused.

    One thread may change them while others search.
    """

    def __init__(self, words: int, capacity: int = _INITIAL_ROWS) -> None:
        self.words = words
        self.count = 0
        self.removed = 0
        self._places: dict[bytes, range] = {}
        self._arrays = (
            np.zeros((capacity, words * 8), np.uint8),
            np.zeros((capacity, ENTRY_BYTES), np.uint8),
            np.zeros(capacity, np.uint16),
            np.zeros(capacity // 8, np.uint8),
        )

    def append(self, entry: bytes, codes: Sequence[bytes], notes: Sequence[int]) -> None:
        """Adds an entry's codes, each with its note."""
        while self.count + len(codes) > len(self._arrays[0]):
            # New arrays, never resized ones: a search that is under way goes on in the old ones.
            held, named, noted, dead = (np.concatenate([array, np.zeros_like(array)]) for array in self._arrays)
            self._arrays = held, named, noted, dead
        held, named, noted, _ = self._arrays
        rows = range(self.count, self.count + len(codes))
        for row, code, note in zip(rows, codes, notes, strict=True):
            held[row] = np.frombuffer(code, np.uint8)
            named[row] = np.frombuffer(entry, np.uint8)
            noted[row] = note
        # Last, because a search takes all rows below `count` as written.
        self.count = rows.stop
        self._places[entry] = rows

    def find(self, entry: bytes) -> list[int]:
        """Returns the rows of an entry that are not removed."""
        return not_marked(self._arrays[3], self._places.get(entry, ()))

    def mark_removed(self, rows: Sequence[int]) -> None:
        """Marks rows as removed, which were not before."""
        mark_bits(self._arrays[3], rows)
        self.removed += len(rows)

    def query(self, codes: bytes, asking: int, distance: int) -> Hits:
        """Returns the rows within `distance` bits of each of the `asking` codes."""
        count, arrays = self.count, self._arrays  # in this order: arrays read later hold at least `count` rows
        if not count:
            return _NO_HITS
        held = _Rows(*[array.ctypes.data for array in arrays], count)
        at = ctypes.addressof(held)
        return _hits(lambda hits, room: _library.index_scan(at, self.words, codes, asking, distance, hits, room))

    def entry(self, row: int) -> str:
        """Returns the entry id of a row, in hex."""
        return bytes(self._arrays[1][row]).hex()

    def note(self, row: int) -> int:
        """Returns the note of a row."""
        return int(self._arrays[2][row])

    def source(self) -> TableRows:
        """Returns a snapshot of the rows."""
        codes, entries, notes, dead = self._arrays
        return TableRows(codes, entries, notes, dead.copy(), self.count)

    def removed_since(self, source: TableRows) -> list[bytes]:
        """Returns the entries of rows removed since the snapshot `source`."""
        return _removed_since(self._arrays[3], self._arrays[1], source)


class Table:
    """Codes in buckets, in memory that no longer changes. Removed rows are marked in an array beside it."""

    def __init__(self, memory: Bytes, shape: Shape) -> None:
        """Wraps `memory`, which `build` filled."""
        self.shape = shape
        self.count = shape.count
        self.removed = 0
        layout = _layout(shape)
        # Memory and structure are kept because addresses in C lead into them.
        self._memory = memory
        self._struct = _struct(memory, shape, layout)
        self._at = ctypes.addressof(self._struct)
        self._codes, self._entries, self._notes = _arrays(memory, shape, layout)
        self._dead = np.zeros(shape.count // 8 + 1, np.uint8)
        self._dead_at = address(self._dead)

    def query(self, codes: bytes, asking: int, distance: int) -> Hits:
        """Returns the rows within `distance` bits, at most the shape's, of each of the `asking` codes."""
        dead, within = self._dead_at if self.removed else None, min(distance, self.shape.distance)
        return _hits(lambda hits, room: _library.index_query(self._at, dead, codes, asking, within, hits, room))

    def find(self, entry: bytes) -> list[int]:
        """Returns the rows of an entry that are not removed."""
        rows = (ctypes.c_uint32 * _MAX_ENTRY_ROWS)()
        found = _library.index_find(self._at, entry, rows, _MAX_ENTRY_ROWS)
        return not_marked(self._dead, rows[:found])

    def mark_removed(self, rows: Sequence[int]) -> None:
        """Marks rows as removed, which were not before."""
        mark_bits(self._dead, rows)
        self.removed += len(rows)

    def entry(self, row: int) -> str:
        """Returns the entry id of a row, in hex."""
        return bytes(self._entries[row]).hex()

    def note(self, row: int) -> int:
        """Returns the note of a row."""
        return int(self._notes[row])

    def source(self) -> TableRows:
        """Returns a snapshot of the rows."""
        return TableRows(self._codes, self._entries, self._notes, self._dead.copy(), self.count)

    def removed_since(self, source: TableRows) -> list[bytes]:
        """Returns the entries of rows removed since the snapshot `source`."""
        return _removed_since(self._dead, self._entries, source)


def max_table_bytes(shape: Shape) -> int:
    """Returns the greatest size in bytes of a table of this shape, with every block spilled that could be."""
    return _layout(shape.with_spills(shape.max_spills)).size


def build(memory: Bytes, shape: Shape, sources: Sequence[TableRows]) -> Shape:
    """Builds a table of the rows in `sources` that are not removed, and returns its shape.

    `memory` is zeroed and has `max_table_bytes(shape)` bytes; the table takes up the `size` of the returned shape.
    """
    struct = _struct(memory, shape, _layout(shape.with_spills(shape.max_spills)))
    held = (_Rows * len(sources))(*(source.struct() for source in sources))
    widest = max([bucket_bits(shape.count), *(chunk.bits for chunk in shape.chunks)])
    places = zeroed_memory(4 << widest)
    return shape.with_spills(_library.index_build(ctypes.byref(struct), held, len(sources), address(places)))


@dataclass(frozen=True, slots=True)
class TablePlan:
    """How to build a table: codes of `words` 64-bit words, a search `distance` in bits, a secret `seed`, and the rows.

    The seed keeps an attacker from choosing exact hashes that all fall into one bucket. A table of more than
    `LONG_LIST_CODES` is searched within `long_list_distance` bits at most, if that is given.
    """

    words: int
    distance: int
    seed: int
    sources: Sequence[TableRows]
    long_list_distance: int | None = None

    def with_sources(self, sources: Sequence[TableRows]) -> "TablePlan":
        """Returns the plan with other rows."""
        return replace(self, sources=sources)

    def growing(self) -> GrowingRows:
        """Returns an empty part that can grow."""
        return GrowingRows(self.words)

    def table(self) -> Table | None:
        """Builds the table in private memory; None if the sources have no row."""
        made = self.made()
        return Table(*made) if made else None

    def made(self) -> tuple[Bytes, Shape] | None:
        """Builds the table; returns its memory and its shape, or None if the sources have no row."""
        count = sum(source.live_rows for source in self.sources)
        if not count:
            return None
        distance = self.distance
        if self.long_list_distance is not None and count > LONG_LIST_CODES:
            distance = min(distance, self.long_list_distance)
        shape = Shape.of(self.words, distance, count, self.seed)
        memory = zeroed_memory(max_table_bytes(shape))
        shape = build(memory, shape, self.sources)
        return memory[: shape.size], shape


def zeroed_memory(size: int) -> Bytes:
    """Returns zeroed memory aligned to a cache line; numpy asks the kernel for large pages."""
    memory: Bytes = np.zeros(size + _CACHE_LINE_BYTES, np.uint8)
    start = -memory.ctypes.data % _CACHE_LINE_BYTES
    return memory[start : start + size]


def checksum(memory: Bytes) -> int:
    """Checksum of `memory`, whose length must be a multiple of 8 bytes. It detects damage, not forgery."""
    return int(_library.index_checksum(address(memory), len(memory) // 8))


_NO_HITS: Final[Hits] = np.zeros((0, 3), np.uint32)


def _hits(call: Callable[[int, int], int]) -> Hits:
    """Calls C with a buffer's address and capacity, and returns the hits in a new array."""
    found = call(_hit_buffer.address, _HIT_CAPACITY)
    if found <= _HIT_CAPACITY:
        return _hit_buffer.hits[:found].copy() if found else _NO_HITS
    while True:  # rows added meanwhile can bring more hits than the first call counted
        hits: Hits = np.zeros((found + found // 8, 3), np.uint32)
        found = call(hits.ctypes.data, len(hits))
        if found <= len(hits):
            return hits[:found]


def not_marked(dead: Bytes, rows: Sequence[int]) -> list[int]:
    """Returns the rows whose bit in `dead` is not set."""
    return [row for row in rows if not dead[row >> 3] >> (row & 7) & 1]


def mark_bits(dead: Bytes, rows: Sequence[int]) -> None:
    """Sets the bits of the rows."""
    for row in rows:
        dead[row >> 3] |= 1 << (row & 7)


def _removed_since(dead: Bytes, entries: Bytes, source: TableRows) -> list[bytes]:
    assert source.dead is not None
    news = dead[: len(source.dead)] & ~source.dead
    rows = np.flatnonzero(np.unpackbits(news, bitorder="little"))
    return [entries[row].tobytes() for row in rows]


def live_bits(dead: Bytes, count: int) -> NDArray[np.bool_]:
    """Returns for each of `count` rows whether its bit in `dead` is not set."""
    live: NDArray[np.bool_] = np.unpackbits(dead, count=count, bitorder="little") == 0
    return live


def aligned(size: int) -> int:
    """Returns `size` bytes, rounded up to whole cache lines."""
    return -(-size // _CACHE_LINE_BYTES) * _CACHE_LINE_BYTES


def address(array: NDArray[Any] | None) -> int | None:
    """Returns where an array's memory starts, None for none."""
    return None if array is None else array.ctypes.data


def _arrays(memory: Bytes, shape: Shape, layout: _Layout) -> tuple[Bytes, Bytes, NDArray[np.uint16]]:
    """Returns views of a table's codes, entry ids and notes."""

    def part(start: int, size: int) -> Bytes:
        return memory[start : start + shape.count * size].reshape(-1, size)

    notes = part(layout.notes, 2).view(np.uint16).reshape(-1)
    return part(layout.codes, shape.words * 8), part(layout.entries, ENTRY_BYTES), notes


def _struct(memory: Bytes, shape: Shape, layout: _Layout) -> _Table:
    """Returns the table as the C structure, which points into `memory`."""
    start = memory.ctypes.data
    own = (Chunk(0, bucket_bits(shape.count), 0), True)
    # Only for exact search: codes that are near each other have hashes that are not.
    hashed = shape.distance == 0
    parts = []
    for place, (chunk, mixed) in enumerate([own, *((chunk, hashed) for chunk in shape.chunks)]):
        base, end, row = layout.tables[place]
        mask = mask_array(chunk.bits, chunk.flips)
        places = start + base, start + end, None if place == 1 else start + row
        parts.append(_Chunk(*chunk, mixed, len(mask), ctypes.addressof(mask), *places))
    sizes = shape.words, shape.distance, len(shape.chunks), shape.spills
    arrays = (start + at for at in (layout.codes, layout.entries, layout.notes, layout.spill))
    chunks = (_Chunk * _MAX_CHUNKS)(*parts[1:])
    return _Table(shape.count, shape.seed, *sizes, *arrays, parts[0], chunks)


@cache
def mask_array(bits: int, flips: int) -> ctypes.Array[ctypes.c_uint32]:
    """Returns the XOR masks of a chunk as a C array; cached for ever, because tables point to it."""
    found = masks(bits, flips)
    return (ctypes.c_uint32 * len(found))(*found)
