"""The index as one file that many processes map: checked before use, replaced as a whole, never changed in place.

    16 bytes  MAGIC
     8 bytes  checksum of the rest of the header
  8168 bytes  the rest of the header: JSON, padded with spaces
              the tables in their memory layout, each starting on a page boundary

The file is a cache of the gate's state: if it is missing or damaged, the gate builds it again.
"""

import mmap
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
import numpy as np

from takeback.errors import GateError, StateDamaged
from takeback.gate.index.native import (
    Bytes,
    Shape,
    Table,
    TableRows,
    build,
    checksum,
    max_table_bytes,
    table_bytes,
    zeroed_memory,
)
from takeback.private import sync_folder

MAGIC: Final = b"takeback index 2"
HEAD_BYTES: Final = 8192
PAGE_BYTES: Final = 4096
LARGE_PAGE_BYTES: Final = 1 << 21
LARGE_TABLE_BYTES: Final = 1 << 26
"""A table of this size or more starts on a large-page boundary, so that the kernel can map it with large pages."""
_CHECKSUM_SLICE: Final = slice(16, 24)
_WRITE_BYTES: Final = 1 << 26
"""Size of one write."""


@dataclass(frozen=True, slots=True)
class IndexMarks:
    """Which index a file holds: the state's identity, its checkpoint, and the `reach` that it was built for."""

    state: int
    checkpoint: int
    reach: dict[str, int]


@dataclass(frozen=True, slots=True)
class TablePlan:
    """How to build a table: codes of `words` 64-bit words, a search `distance` in bits, a secret `seed`, and the rows.

    The seed keeps an attacker from choosing exact hashes that all fall into one bucket.
    """

    words: int
    distance: int
    seed: int
    sources: Sequence[TableRows]


class _Part(msgspec.Struct, forbid_unknown_fields=True):
    """Where a table lies in the file: its offset and checksum, and its shape, which gives its size."""

    at: int
    sum: int
    shape: Shape


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    """The JSON of the file's header. `order` is the byte order of the machine that wrote it."""

    order: str
    marks: IndexMarks
    tables: dict[str, _Part]


def save(path: Path, marks: IndexMarks, tables: Mapping[str, TablePlan]) -> None:
    """Builds the tables and replaces the file atomically. Only one process at a time may call it.

    Raises `GateError` if the file cannot be written, for example because the disk is full.
    """
    draft = path.with_suffix(".new")
    try:
        # A file that exists would keep its own mode, so O_EXCL makes a new one.
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            _write(file, marks, tables)
            file.flush()
            # Before the rename, or a power cut could leave the name with a file that is not whole.
            os.fsync(file.fileno())
            # Writing filled the page cache with small pages; dropped, they come back as large pages when mapped.
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        draft.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise GateError(f"the index {path} cannot be written: {error.strerror}") from error


def load(path: Path) -> tuple[IndexMarks, dict[str, Table]]:
    """Maps a file and returns its marks and tables. Raises `StateDamaged` if it is missing, foreign or damaged.

    1. The header has our magic number and a correct checksum. 2. The file has this machine's byte order. 3. Each table
    has a valid shape, lies inside the file and has a correct checksum; nothing follows the last table.
    """
    try:
        with path.open("rb") as file:
            # Also because `mmap` refuses an empty file with `ValueError`.
            if os.fstat(file.fileno()).st_size < HEAD_BYTES:
                raise StateDamaged(f"the index {path} is truncated")
            memory = np.frombuffer(_map_file(file), np.uint8)
    except FileNotFoundError as error:
        raise StateDamaged(f"the index {path} does not exist") from error
    except OSError as error:
        raise StateDamaged(f"the index {path} cannot be read: {error.strerror}") from error
    head = _read_head(path, memory)
    if head.order != sys.byteorder:
        raise StateDamaged(f"the index {path} was written on a machine with another byte order")
    end = HEAD_BYTES
    tables = {}
    for name, part in head.tables.items():
        # A shape that is not valid gets a size that never fits, so the next check refuses it.
        size = table_bytes(part.shape) if part.shape.is_sound() else len(memory)
        if part.at != _table_start(end, size) or part.at + size > len(memory):
            raise StateDamaged(f"the index {path} is truncated, or its table {name} is malformed")
        end = part.at + size
        if checksum(memory[part.at : end]) != part.sum:
            raise StateDamaged(f"the index {path} is damaged: the checksum of table {name} does not match")
        tables[name] = Table(memory[part.at : end], part.shape)
    if end != len(memory):
        raise StateDamaged(f"the index {path} has data after its last table")
    return head.marks, tables


def _read_head(path: Path, memory: Bytes) -> _Head:
    start = memory[:HEAD_BYTES].tobytes()
    if not start.startswith(MAGIC):
        raise StateDamaged(f"{path} is not an index of this version")
    if checksum(memory[_CHECKSUM_SLICE.stop : HEAD_BYTES]) != int.from_bytes(start[_CHECKSUM_SLICE], "little"):
        raise StateDamaged(f"the index {path} is damaged: the checksum of its header does not match")
    try:
        return msgspec.json.decode(start[_CHECKSUM_SLICE.stop :], type=_Head)
    except msgspec.MsgspecError as error:
        raise StateDamaged(f"the index {path} has a malformed header") from error


def _write(file: BinaryIO, marks: IndexMarks, tables: Mapping[str, TablePlan]) -> None:
    parts: dict[str, _Part] = {}
    end = HEAD_BYTES
    for name, plans in tables.items():
        count = sum(source.live_rows for source in plans.sources)
        if not count:
            continue
        shape = Shape.of(plans.words, plans.distance, count, plans.seed)
        memory = zeroed_memory(max_table_bytes(shape))
        shape = build(memory, shape, plans.sources)
        memory = memory[: table_bytes(shape)]
        parts[name] = _Part(_table_start(end, len(memory)), checksum(memory), shape)
        end = parts[name].at + len(memory)
        file.seek(parts[name].at)
        file.writelines(memory[at : at + _WRITE_BYTES].data for at in range(0, len(memory), _WRITE_BYTES))
    head = msgspec.json.encode(_Head(sys.byteorder, marks, parts)).ljust(HEAD_BYTES - _CHECKSUM_SLICE.stop)
    assert len(head) == HEAD_BYTES - _CHECKSUM_SLICE.stop, "the header must have room for every table"
    # Last, because it holds the tables' checksums; a file without it is refused.
    file.seek(0)
    file.write(MAGIC + checksum(np.frombuffer(head, np.uint8)).to_bytes(8, "little") + head)
    file.truncate(end)


def _map_file(file: BinaryIO) -> mmap.mmap:
    memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # not every file system supports large pages
            # Among ten million codes, large pages allow twice as many look-ups a second (README.md).
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def _table_start(end: int, size: int) -> int:
    """Returns the offset of a table of `size` bytes when the table before it ends at `end`."""
    page = LARGE_PAGE_BYTES if size >= LARGE_TABLE_BYTES else PAGE_BYTES
    return -(-end // page) * page
