"""The only caller of patch_index.c: tables of the patches of pictures, which are built once, and rows, which can grow.

A picture is an entry of type `patches`; its codes are the 64-bit hashes of its patches, each with the number of its
frame. Rows are numbers of pictures, while `count` and `removed` are numbers of codes, because those cost memory and
time. C code runs without the global interpreter lock, so other threads go on during a look-up.
"""

import ctypes
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from takeback.gate.index.chunking import (
    LONG_LIST_DISTANCE,
    LONG_LIST_PATCHES,
    MAX_CHUNK_BITS,
    MAX_FLIPS,
    MIN_PATCH_CHUNK_BITS,
    Chunk,
    plan_patches,
)
from takeback.gate.index.native import (
    ENTRY_BYTES,
    MAX_ROWS,
    Bytes,
    address,
    aligned,
    live_bits,
    load_library,
    mark_bits,
    mask_array,
    not_marked,
    zeroed_memory,
)

MAX_NEAR_PICTURES: Final = 1024
"""Pictures that one code may be near: with more, it has no hits (MOST_PICTURES in patch_index.c)."""
MAX_PICTURES: Final = 1 << 28
FRAME_BITS: Final = 4
_MAX_CHUNKS: Final = 4
_REST_BYTES: Final = 6
_SPARE_BYTES: Final = 2
"""Bytes after the last code of a chunk that C may read."""
_HIT_CAPACITY: Final = 1 << 15
"""Hits that a thread's buffer holds: more than an upload has by chance among ten million pictures."""
_INITIAL_CODES: Final = 1024
_MAX_FOUND: Final = 64
"""Pictures of one entry at most: one, and versions that it replaced."""

type Codes = NDArray[np.uint64]
type Numbers = NDArray[np.uint32]
_HIT: Final = np.dtype(
    [(name, np.uint64 if name == "code" else np.uint32) for name in ("code", "asked", "ref", "distance", "_")]
)


class _Chunk(ctypes.Structure):
    """`struct chunk` of patch_index.c."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("start", "bits", "flips", "masks")),
        *((name, ctypes.c_void_p) for name in ("mask", "first", "rest", "ref")),
    )


class _Table(ctypes.Structure):
    """`struct table` of patch_index.c."""

    _fields_ = (
        *((name, ctypes.c_uint64) for name in ("count", "seed", "pictures")),
        *((name, ctypes.c_void_p) for name in ("entries", "order")),
        *((name, ctypes.c_uint32) for name in ("chunks", "unused")),
        ("chunk", _Chunk * _MAX_CHUNKS),
    )


class _Query(ctypes.Structure):
    """`struct query` of patch_index.c."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("codes", "dead", "pictures")),
        *((name, ctypes.c_uint32) for name in ("asking", "distance")),
    )


_number, _pointer = ctypes.c_uint64, ctypes.c_void_p
_library: Final = load_library(
    "patch",
    {
        "query": (_pointer, _pointer, _pointer, _number),
        "scan": (_pointer, _pointer, _number, _pointer, _pointer, _number),
        "build": (_pointer, _pointer, _pointer),
        "rows": (_pointer, _pointer, _pointer, _pointer, _pointer),
        "find": (_pointer, ctypes.c_char_p, _pointer, _number),
    },
)


class PatchHits(NamedTuple):
    """What one part of the index found.

    `rows` has the fields `code` (the listed one), `asked` (position of the asked code), `ref` (picture and frame) and
    `distance`; `pictures` says for each asked code how many pictures are near it. With more than `MAX_NEAR_PICTURES`
    it has no rows.
    """

    rows: NDArray[np.void]
    pictures: Numbers


class _HitBuffer(threading.local):
    """The buffer into which C writes hits, one for each thread."""

    def __init__(self) -> None:
        self.hits: NDArray[np.void] = np.zeros(_HIT_CAPACITY, _HIT)
        self.address = self.hits.ctypes.data


_hit_buffer: Final = _HitBuffer()


@dataclass(frozen=True, slots=True)
class PatchShape:
    """The shape of a table of patches, from which its memory layout follows: `count` codes of `pictures` pictures."""

    count: int
    pictures: int
    distance: int
    seed: int
    chunks: tuple[Chunk, ...]

    def is_sound(self) -> bool:
        """Returns whether the shape is valid; a shape that was read from a file may not be."""
        return (
            0 < self.pictures <= min(self.count, MAX_PICTURES)
            and self.count <= MAX_ROWS
            and 0 < len(self.chunks) <= _MAX_CHUNKS
            and all(
                MIN_PATCH_CHUNK_BITS <= c.bits <= MAX_CHUNK_BITS
                and 0 <= c.start <= 64 - c.bits
                and 0 <= c.flips <= MAX_FLIPS
                for c in self.chunks
            )
            and sum(c.flips + 1 for c in self.chunks) > self.distance
        )

    @property
    def size(self) -> int:
        """Returns the size in bytes of a table."""
        return _layout(self).size

    def table(self, memory: Bytes) -> "PatchTable":
        """Returns the table in `memory`."""
        return PatchTable(memory, self)


class _Layout(NamedTuple):
    """The offsets of a table's arrays, in bytes from its start, and its size in bytes."""

    entries: int
    order: int
    sizes: int
    chunks: tuple[tuple[int, int, int], ...]
    """(first, rest, ref) of each chunk."""
    size: int


def _layout(shape: PatchShape) -> _Layout:
    at = 0

    def take(size: int) -> int:
        nonlocal at
        start, at = at, aligned(at + size)
        return start

    entries, order, sizes = (take(size * shape.pictures) for size in (ENTRY_BYTES, 4, 1))
    chunks = [
        (take(4 * ((1 << c.bits) + 1)), take(_REST_BYTES * shape.count + _SPARE_BYTES), take(4 * shape.count))
        for c in shape.chunks
    ]
    return _Layout(entries, order, sizes, tuple(chunks), at)


@dataclass(frozen=True, slots=True)
class PatchRows:
    """The pictures that a table is built from, without those that `dead` marks as removed. A snapshot.

    `write` takes new numbers for the pictures and two arrays, writes codes and references, and returns how many.
    """

    entries: Bytes
    sizes: Bytes
    """For each picture the number of its codes."""
    dead: Bytes
    write: Callable[[Numbers, Codes, Numbers], int]

    @classmethod
    def of(cls, codes: Codes, refs: Numbers, entries: Bytes) -> "PatchRows":
        """Makes rows of codes, their references, and an entry id for each picture."""
        sizes = np.bincount(refs >> FRAME_BITS, minlength=len(entries)).astype(np.uint8)
        dead = np.zeros(len(entries) // 8 + 1, np.uint8)
        return cls(entries, sizes, dead, lambda numbers, into, named: _copy(codes, refs, dead, (numbers, into, named)))

    @property
    def live_rows(self) -> int:
        """Returns the number of codes of pictures that are not removed."""
        return int(self.sizes[live_bits(self.dead, len(self.sizes))].sum())


def _copy(codes: Codes, refs: Numbers, dead: Bytes, into: tuple[Numbers, Codes, Numbers]) -> int:
    """Copies the codes of pictures that are not removed."""
    numbers, to_codes, to_refs = into
    pictures = refs >> FRAME_BITS
    kept = live_bits(dead, len(numbers))[pictures]
    count = int(kept.sum())
    to_codes[:count] = codes[kept]
    to_refs[:count] = numbers[pictures[kept]] << FRAME_BITS | refs[kept] & ((1 << FRAME_BITS) - 1)
    return count


class GrowingPatches:
    """Patches that are searched linearly. Pictures are appended or marked as removed, and never reused.

    One thread may change them while others search.
    """

    def __init__(self) -> None:
        self.count = 0
        self.removed = 0
        self._pictures: dict[bytes, int] = {}
        self._codes = np.zeros(_INITIAL_CODES, np.uint64), np.zeros(_INITIAL_CODES, np.uint32)
        self._named = np.zeros((_INITIAL_CODES, ENTRY_BYTES), np.uint8), np.zeros(_INITIAL_CODES, np.uint8)
        self._used = 0
        self._dead = np.zeros(_INITIAL_CODES // 8, np.uint8)

    def append(self, entry: bytes, codes: Sequence[bytes], notes: Sequence[int]) -> None:
        """Adds an entry's codes, each with the number of its frame in `notes`."""
        # New arrays, never resized ones: a search that is under way goes on in the old ones.
        while self.count + len(codes) > len(self._codes[0]):
            held, refs = (np.concatenate([array, np.zeros_like(array)]) for array in self._codes)
            self._codes = held, refs
        if self._used == len(self._named[0]):
            named, sizes = (np.concatenate([array, np.zeros_like(array)]) for array in self._named)
            self._dead = np.concatenate([self._dead, np.zeros_like(self._dead)])
            self._named = named, sizes
        held, refs = self._codes
        picture, end = self._used, self.count + len(codes)
        held[self.count : end] = np.frombuffer(b"".join(codes), np.uint64)
        refs[self.count : end] = [picture << FRAME_BITS | note for note in notes]
        self._named[0][picture] = np.frombuffer(entry, np.uint8)
        self._named[1][picture] = len(codes)
        self._pictures[entry] = picture
        self._used += 1
        # Last, because a search takes all codes below `count` as written.
        self.count = end

    def find(self, entry: bytes) -> list[int]:
        """Returns the pictures of an entry that are not removed."""
        picture = self._pictures.get(entry)
        return [] if picture is None else not_marked(self._dead, [picture])

    def mark_removed(self, rows: Sequence[int]) -> None:
        """Marks pictures as removed, which were not before."""
        mark_bits(self._dead, rows)
        self.removed += int(self._named[1][list(rows)].sum(dtype=int))

    def query(self, codes: bytes, asking: int, distance: int) -> PatchHits:
        """Returns the codes within `distance` bits of each of the `asking` codes."""
        count, (held, refs), dead = self.count, self._codes, self._dead
        if not count:
            return PatchHits(_NO_HITS, np.zeros(asking, np.uint32))
        arrays = address(held), address(refs), count
        return _found(lambda *rest: _library.patch_scan(*arrays, *rest), codes, (asking, distance), address(dead))

    def entry(self, row: int) -> str:
        """Returns the entry id of a picture, in hex."""
        return bytes(self._named[0][row]).hex()

    def note(self, row: int) -> int:
        """Returns the number of a picture's codes."""
        return int(self._named[1][row])

    def source(self) -> PatchRows:
        """Returns a snapshot of the pictures."""
        (codes, refs), (entries, sizes), used, count = self._codes, self._named, self._used, self.count
        dead = self._dead.copy()
        return PatchRows(
            entries[:used],
            sizes[:used],
            dead,
            lambda numbers, into, named: _copy(codes[:count], refs[:count], dead, (numbers, into, named)),
        )

    def removed_since(self, source: PatchRows) -> list[bytes]:
        """Returns the entries of pictures removed since the snapshot `source`."""
        return _removed_since(self._dead, self._named[0], source)


class PatchTable:
    """Patches in buckets, in memory that no longer changes. Removed pictures are marked in an array beside it."""

    def __init__(self, memory: Bytes, shape: PatchShape) -> None:
        """Wraps `memory`, which `PatchPlan.made` filled."""
        self.shape = shape
        self.count = shape.count
        self.removed = 0
        # Memory and structure are kept because addresses in C lead into them.
        self._memory = memory
        self._struct = _struct(memory, shape)
        self._at = ctypes.addressof(self._struct)
        self._entries, self._sizes = _entries(memory, shape), _sizes(memory, shape)
        self._dead = np.zeros(shape.pictures // 8 + 1, np.uint8)

    def query(self, codes: bytes, asking: int, distance: int) -> PatchHits:
        """Returns the codes within `distance` bits, or within the shape's if that is less, of the `asking` codes."""
        dead = address(self._dead) if self.removed else None
        within = asking, min(distance, self.shape.distance)
        return _found(lambda *rest: _library.patch_query(self._at, *rest), codes, within, dead)

    def find(self, entry: bytes) -> list[int]:
        """Returns the pictures of an entry that are not removed."""
        rows = (ctypes.c_uint32 * _MAX_FOUND)()
        found = _library.patch_find(self._at, entry, rows, _MAX_FOUND)
        return not_marked(self._dead, rows[:found])

    def mark_removed(self, rows: Sequence[int]) -> None:
        """Marks pictures as removed, which were not before."""
        mark_bits(self._dead, rows)
        self.removed += int(self._sizes[list(rows)].sum(dtype=int))

    def entry(self, row: int) -> str:
        """Returns the entry id of a picture, in hex."""
        return bytes(self._entries[row]).hex()

    def note(self, row: int) -> int:
        """Returns the number of a picture's codes."""
        return int(self._sizes[row])

    def source(self) -> PatchRows:
        """Returns a snapshot of the pictures."""
        dead = self._dead.copy()

        def write(numbers: Numbers, codes: Codes, refs: Numbers) -> int:
            arrays = address(dead), address(numbers), address(codes), address(refs)
            return int(_library.patch_rows(self._at, *arrays))

        return PatchRows(self._entries, self._sizes, dead, write)

    def removed_since(self, source: PatchRows) -> list[bytes]:
        """Returns the entries of pictures removed since the snapshot `source`."""
        return _removed_since(self._dead, self._entries, source)


@dataclass(frozen=True, slots=True)
class PatchPlan:
    """How to build a table of patches that are searched within `distance` bits.

    The seed decides which bits of a code belong together; it is secret, so that nobody can choose codes that share a
    bucket and nothing else.
    """

    distance: int
    seed: int
    sources: Sequence[PatchRows] = ()

    def with_sources(self, sources: Sequence[PatchRows]) -> "PatchPlan":
        """Returns the plan with other rows."""
        return PatchPlan(self.distance, self.seed, sources)

    def growing(self) -> GrowingPatches:
        """Returns an empty part that can grow."""
        return GrowingPatches()

    def table(self) -> PatchTable | None:
        """Builds the table in private memory; None if the sources have no row."""
        made = self.made()
        return PatchTable(*made) if made else None

    def made(self) -> tuple[Bytes, PatchShape] | None:
        """Builds the table; returns its memory and its shape, or None if the sources have no row."""
        count = sum(source.live_rows for source in self.sources)
        if not count:
            return None
        live = [live_bits(source.dead, len(source.sizes)) for source in self.sources]
        pictures = sum(int(kept.sum()) for kept in live)
        distance = min(self.distance, LONG_LIST_DISTANCE) if count > LONG_LIST_PATCHES else self.distance
        shape = PatchShape(count, pictures, distance, self.seed, plan_patches(count, distance))
        memory = zeroed_memory(shape.size)
        entries, sizes, order = _entries(memory, shape), _sizes(memory, shape), _order(memory, shape)
        codes, refs = np.empty(count, np.uint64), np.empty(count, np.uint32)
        done = first = 0
        for source, kept in zip(self.sources, live, strict=True):
            numbers = (np.cumsum(kept) - 1 + first).astype(np.uint32)
            done += source.write(numbers, codes[done:], refs[done:])
            here = slice(first, first + int(kept.sum()))
            entries[here], sizes[here], first = source.entries[kept], source.sizes[kept], here.stop
        order[:] = np.argsort(entries[:, :8].copy().view(np.uint64).reshape(-1), kind="stable")
        struct = _struct(memory, shape)
        _library.patch_build(ctypes.byref(struct), address(codes), address(refs))
        return memory, shape


_NO_HITS: Final[NDArray[np.void]] = np.zeros(0, _HIT)


def _found(call: Callable[[int, int, int], int], codes: bytes, asked: tuple[int, int], dead: int | None) -> PatchHits:
    """Calls C with a query, and a buffer's address and capacity; returns what it found."""
    held = np.frombuffer(codes, np.uint64)
    pictures = np.zeros(asked[0], np.uint32)
    query = _Query(address(held), dead, address(pictures), *asked)
    at = ctypes.addressof(query)
    found = call(at, _hit_buffer.address, _HIT_CAPACITY)
    if found <= _HIT_CAPACITY:
        return PatchHits(_hit_buffer.hits[:found].copy() if found else _NO_HITS, pictures)
    while True:  # rows added meanwhile can bring more hits than the first call counted
        hits: NDArray[np.void] = np.zeros(found + found // 8, _HIT)
        found = call(at, hits.ctypes.data, len(hits))
        if found <= len(hits):
            return PatchHits(hits[:found], pictures)


def _removed_since(dead: Bytes, entries: Bytes, source: PatchRows) -> list[bytes]:
    news = dead[: len(source.dead)] & ~source.dead
    return [entries[row].tobytes() for row in np.flatnonzero(np.unpackbits(news, bitorder="little"))]


def _view(memory: Bytes, start: int, size: int) -> Bytes:
    return memory[start : start + size]


def _entries(memory: Bytes, shape: PatchShape) -> Bytes:
    return _view(memory, _layout(shape).entries, ENTRY_BYTES * shape.pictures).reshape(-1, ENTRY_BYTES)


def _sizes(memory: Bytes, shape: PatchShape) -> Bytes:
    return _view(memory, _layout(shape).sizes, shape.pictures)


def _order(memory: Bytes, shape: PatchShape) -> Numbers:
    return _view(memory, _layout(shape).order, 4 * shape.pictures).view(np.uint32)


def _struct(memory: Bytes, shape: PatchShape) -> _Table:
    """Returns the table as the C structure, which points into `memory`."""
    start, layout = memory.ctypes.data, _layout(shape)
    parts = []
    for chunk, places in zip(shape.chunks, layout.chunks, strict=True):
        mask = mask_array(chunk.bits, chunk.flips)
        parts.append(_Chunk(*chunk, len(mask), ctypes.addressof(mask), *(start + place for place in places)))
    arrays = start + layout.entries, start + layout.order
    return _Table(shape.count, shape.seed, shape.pictures, *arrays, len(parts), 0, (_Chunk * _MAX_CHUNKS)(*parts))
