"""The index as one file that many processes map: checked before it is used, replaced whole, never changed.

    16 bytes  MAGIC
     8 bytes  checksum of the rest of the head
  8168 bytes  the rest of the head: JSON, padded by blanks
              the tables, as they lie in memory, each from the beginning of a page on

It can always be made again from the gate's state, so whatever is wrong with it is no more than a reason to do that.
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
from takeback.gate.index.native import Bytes, Shape, Table, TableRows, build, checksum, private, room_for, size_of
from takeback.private import sync_folder

MAGIC: Final = b"takeback index 1"
HEAD: Final = 8192
PAGE: Final = 4096
LARGE_PAGE: Final = 1 << 21
LARGE_TABLE: Final = 1 << 26
"""A table of this size or more begins with a large page, so that the system can map it in such."""
_SUM: Final = slice(16, 24)
_PIECE: Final = 1 << 26
"""Bytes that are written at once."""


@dataclass(frozen=True, slots=True)
class IndexMarks:
    """Whose index it is: of which state, up to which number of the feed, and `reach`, what it was made to find."""

    state: int
    checkpoint: int
    reach: dict[str, int]


@dataclass(frozen=True, slots=True)
class TablePlan:
    """What a table is made of: codes of so many 64-bit words, found within a distance, with a secret for buckets."""

    words: int
    distance: int
    seed: int
    sources: Sequence[TableRows]


class _Part(msgspec.Struct, forbid_unknown_fields=True):
    """Where a table lies."""

    at: int
    sum: int
    shape: Shape


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    """What the file says of itself."""

    order: str
    marks: IndexMarks
    tables: dict[str, _Part]


def save(path: Path, marks: IndexMarks, tables: Mapping[str, TablePlan]) -> None:
    """Builds the tables and writes them, so that a crash leaves the old file or the new one. One process at a time.

    Raises `GateError` when there is no room for it.
    """
    draft = path.with_suffix(".new")
    try:
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            _write(file, marks, tables)
            file.flush()
            os.fsync(file.fileno())
            if hasattr(os, "posix_fadvise"):  # who maps the file reads it into large pages; writing left small ones
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        draft.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise GateError(f"the index {path} cannot be written: {error.strerror}") from error


def load(path: Path) -> tuple[IndexMarks, dict[str, Table]]:
    """The tables of a file. Raises `StateDamaged` if it is not there, foreign, cut short or damaged.

    1. The head is ours and whole. 2. It was written on a machine like this one. 3. Each table is one that can be, lies
    inside the file, and is whole; nothing lies behind the last.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size < HEAD:
                raise StateDamaged(f"the index {path} is cut short")
            memory = np.frombuffer(_mapped(file), np.uint8)
    except FileNotFoundError as error:
        raise StateDamaged(f"the index {path} is not there") from error
    except OSError as error:
        raise StateDamaged(f"the index {path} cannot be read: {error.strerror}") from error
    head = _read_head(path, memory)
    if head.order != sys.byteorder:
        raise StateDamaged(f"the index {path} was made on another kind of machine")
    end = HEAD
    tables = {}
    for name, part in head.tables.items():
        size = size_of(part.shape) if part.shape.is_sound() else len(memory)
        if part.at != _aligned(end, size) or part.at + size > len(memory):
            raise StateDamaged(f"the index {path} is cut short, or its table {name} cannot be")
        end = part.at + size
        if checksum(memory[part.at : end]) != part.sum:
            raise StateDamaged(f"the index {path} is damaged: the checksum of its table {name} is another")
        tables[name] = Table(memory[part.at : end], part.shape)
    if end != len(memory):
        raise StateDamaged(f"the index {path} has something behind its end")
    return head.marks, tables


def _read_head(path: Path, memory: Bytes) -> _Head:
    start = memory[:HEAD].tobytes()
    if not start.startswith(MAGIC):
        raise StateDamaged(f"the index {path} is not one, or of another version")
    if checksum(memory[_SUM.stop : HEAD]) != int.from_bytes(start[_SUM], "little"):
        raise StateDamaged(f"the index {path} is damaged: the checksum of its head is another")
    try:
        return msgspec.json.decode(start[_SUM.stop :], type=_Head)
    except msgspec.MsgspecError as error:
        raise StateDamaged(f"the index {path} has a head that cannot be read") from error


def _write(file: BinaryIO, marks: IndexMarks, tables: Mapping[str, TablePlan]) -> None:
    parts: dict[str, _Part] = {}
    end = HEAD
    for name, plans in tables.items():
        count = sum(source.living for source in plans.sources)
        if not count:
            continue
        shape = Shape.of(plans.words, plans.distance, count, plans.seed)
        memory = private(room_for(shape))
        shape = build(memory, shape, plans.sources)
        memory = memory[: size_of(shape)]
        parts[name] = _Part(_aligned(end, len(memory)), checksum(memory), shape)
        end = parts[name].at + len(memory)
        file.seek(parts[name].at)
        file.writelines(memory[at : at + _PIECE].data for at in range(0, len(memory), _PIECE))
    head = msgspec.json.encode(_Head(sys.byteorder, marks, parts)).ljust(HEAD - _SUM.stop)
    assert len(head) == HEAD - _SUM.stop, "a head has room for every table"
    file.seek(0)
    file.write(MAGIC + checksum(np.frombuffer(head, np.uint8)).to_bytes(8, "little") + head)
    file.truncate(end)


def _mapped(file: BinaryIO) -> mmap.mmap:
    memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a file system that has none
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def _aligned(end: int, size: int) -> int:
    """Where a table of a size begins, behind the end of the one before."""
    page = LARGE_PAGE if size >= LARGE_TABLE else PAGE
    return -(-end // page) * page
