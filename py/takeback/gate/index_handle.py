"""A process's handle on the index: opened from its file or built from the state, kept current, and written back.

The state is authoritative. The file makes opening fast, and all processes of the folder share it in memory. The syncing
process rewrites the file; other processes notice the new inode and reload it.
"""

import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from takeback.errors import GateError, StateDamaged
from takeback.gate.feed.state import State
from takeback.gate.index.file import IndexMarks, load, save
from takeback.gate.index.multi_index import MERGE_ROWS, MultiIndex, Reach

INDEX_FILE: Final = "index.bin"
_MAX_UNWRITTEN_DIVISOR: Final = 16
"""The file is rewritten when over 1/16 of the entries are not in it, because each process adds those one by one."""
_SMALL_FILE_BYTES: Final = 1 << 25
"""A file below this size is rewritten after every withdrawal."""
_REWRITE_BYTES_PER_SECOND: Final = 3e6
"""A larger file is rewritten after a withdrawal once its age is its size divided by this: 2 % of one core's time."""


class IndexHandle:
    """The index of one gate's folder in this process. Not thread-safe."""

    def __init__(self, home: Path, state: State, reach: Reach) -> None:
        self._path = home / INDEX_FILE
        self._state = state
        self._reach = reach
        self._identity = state.identity
        self._seen: tuple[int, ...] = ()
        self._written_checkpoint = 0
        self.index = MultiIndex(reach)
        self.checkpoint = 0
        """The feed number up to which the index is complete."""
        self.unwritten = 0
        """Entries that were added or removed since the index was opened from its file."""

    def catch_up(self, checkpoint: int) -> MultiIndex:
        """Brings the index to the state's `checkpoint` and returns it."""
        if self._identity != (identity := self._state.identity):  # entries joined behind the checkpoint: start anew
            self._identity, self._seen, self._written_checkpoint = identity, (), 0
            self.index, self.checkpoint, self.unwritten = MultiIndex(self._reach), 0, 0
        if self._is_new_file():
            self._open(checkpoint)
        if checkpoint > self.checkpoint:
            if self.checkpoint == 0:
                self.checkpoint, self.index = self._state.read_all(lambda entries: MultiIndex.of(self._reach, entries))
                with suppress(GateError):  # the file is a cache: without it, each process builds its own index
                    self.write_if_due()
            else:
                news = self._state.changes_since(self.checkpoint)
                for entry, signal in news.added:
                    self.index.add(entry, signal)
                for entry in news.removed:
                    self.index.remove(entry)
                self.unwritten += len(news.added) + len(news.removed)
                self.checkpoint = news.checkpoint
        return self.index

    def write_if_due(self) -> None:
        """Rewrites the file if it is due and no other process is writing it. Raises `GateError` if that fails."""
        if self.checkpoint == 0 or not self._is_worth_it():
            return
        with self._state.index_lock() as is_ours:
            if not is_ours:
                return
            marks = IndexMarks(self._identity, self.checkpoint, self._reach.as_dict())
            save(self._path, marks, self.index.contents())
            # From here on this process uses the file's memory, which all share, instead of its own copy.
            if self._is_new_file():
                self._open(self.checkpoint)

    def _open(self, checkpoint: int) -> None:
        """Switches to the file, unless it is damaged, newer than the state, or of another state or policy."""
        try:
            marks, tables = load(self._path)
        except StateDamaged:
            return
        fits = marks.state == self._identity and marks.reach == self._reach.as_dict()
        if fits and self.checkpoint <= marks.checkpoint <= checkpoint:
            self.index = MultiIndex(self._reach, tables)
            self.checkpoint = self._written_checkpoint = marks.checkpoint
            self.unwritten = 0

    def _is_new_file(self) -> bool:
        """Returns whether the file was replaced since the last call."""
        try:
            found = self._path.stat()
        except OSError:
            return False
        # Size and time too, because a new file may get the inode of one that was deleted.
        before, self._seen = self._seen, (found.st_ino, found.st_size, found.st_mtime_ns)
        return self._seen != before

    def _is_worth_it(self) -> bool:
        try:
            file = self._path.stat()
        except OSError:
            return True
        if not self._written_checkpoint or self.unwritten > max(
            MERGE_ROWS, self.index.size() // _MAX_UNWRITTEN_DIVISOR
        ):
            return True
        age = time.time() - file.st_mtime
        # A withdrawn hash must leave the file as well, that of a very long list within minutes (SECURITY.md).
        is_old = file.st_size < _SMALL_FILE_BYTES or age > file.st_size / _REWRITE_BYTES_PER_SECOND
        return is_old and self._state.has_removed_since(self._written_checkpoint)
