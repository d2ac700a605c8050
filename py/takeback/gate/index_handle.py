"""The index as a gate holds it: opened from its file or made from the state, kept up to date, and written anew.

The state is the truth; the file makes opening quick and is shared by all processes of the folder. Whoever syncs writes
it; the others see that it is another, and go over to it.
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
"""The file is written anew when so large a part of the entries is not in it: whoever opens it reads them one by one."""
_SMALL_FILE_BYTES: Final = 1 << 25
"""Bytes of a file that is written anew with every withdrawal."""
_REWRITE_BYTES_PER_SECOND: Final = 3e6
"""A larger file is written anew for withdrawals when it is older than this takes: a fiftieth of one core's time."""


class IndexHandle:
    """The index of one gate's folder in this process. One thread at a time may call it."""

    def __init__(self, home: Path, state: State, reach: Reach) -> None:
        self._path = home / INDEX_FILE
        self._state = state
        self._reach = reach
        self._seen: tuple[int, ...] = ()
        self._filed = 0
        self.index = MultiIndex(reach)
        self.checkpoint = 0
        """The number of the feed up to which the index knows it."""
        self.unfiled = 0
        """Entries that came or went since the file that the index was opened from."""

    def follow(self, checkpoint: int) -> MultiIndex:
        """The index, brought to the state's checkpoint."""
        if self._is_new_file():
            self._open(checkpoint)
        if checkpoint > self.checkpoint:
            if self.checkpoint == 0:
                self.checkpoint, self.index = self._state.read_all(lambda entries: MultiIndex.of(self._reach, entries))
                with suppress(GateError):  # in a folder that cannot be written the next process makes it again
                    self.keep()
            else:
                news = self._state.news(self.checkpoint)
                for entry, signal in news.added:
                    self.index.add(entry, signal)
                for entry in news.removed:
                    self.index.remove(entry)
                self.unfiled += len(news.added) + len(news.removed)
                self.checkpoint = news.checkpoint
        return self.index

    def keep(self) -> None:
        """Writes the file anew, if that is worth it and nobody else is at it. Raises `GateError`."""
        if self.checkpoint == 0 or not self._is_worth_it():
            return
        with self._state.turn_to_index() as is_ours:
            if not is_ours:
                return
            marks = IndexMarks(self._state.identity, self.checkpoint, self._reach.as_dict())
            save(self._path, marks, self.index.contents())
            if self._is_new_file():
                self._open(self.checkpoint)

    def _open(self, checkpoint: int) -> None:
        """Goes over to the file, unless it is of another state or policy, from later, or not in order."""
        try:
            marks, tables = load(self._path)
        except StateDamaged:
            return
        fits = marks.state == self._state.identity and marks.reach == self._reach.as_dict()
        if fits and self.checkpoint <= marks.checkpoint <= checkpoint:
            self.index = MultiIndex(self._reach, tables)
            self.checkpoint = self._filed = marks.checkpoint
            self.unfiled = 0

    def _is_new_file(self) -> bool:
        """Whether the file is another than when this was asked last."""
        try:
            found = self._path.stat()
        except OSError:
            return False
        before, self._seen = self._seen, (found.st_ino, found.st_size, found.st_mtime_ns)
        return self._seen != before

    def _is_worth_it(self) -> bool:
        try:
            file = self._path.stat()
        except OSError:
            return True
        if not self._filed or self.unfiled > max(MERGE_ROWS, self.index.size() // _MAX_UNWRITTEN_DIVISOR):
            return True
        old_enough = (
            file.st_size < _SMALL_FILE_BYTES or time.time() - file.st_mtime > file.st_size / _REWRITE_BYTES_PER_SECOND
        )
        return old_enough and self._state.has_removed_since(self._filed)
