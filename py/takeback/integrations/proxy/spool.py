"""Keeps an upload while it is checked: in memory, beyond a limit in a temporary file without a name."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from threading import Lock
from typing import BinaryIO, Final, cast

from takeback.errors import RequestRefused

MEMORY_BYTES: Final = 8 << 20
"""Size up to which one upload is kept in memory."""
ALL_MEMORY_BYTES: Final = 256 << 20
"""Size up to which all uploads together are."""
CHUNK_BYTES: Final = 256 << 10


# No lock, because only the event loop's thread uses it.
@dataclass(slots=True)
class SpoolBudget:
    """The limit in bytes on all uploads that are kept at once, and what of it is used.

    `make_room` is called when nothing is left, and returns whether it has given something up.
    """

    most: int
    make_room: Callable[[], bool] = lambda: False
    held: int = 0
    in_memory: int = 0

    def reserve(self, count: int) -> None:
        """Reserves bytes. Raises `RequestRefused` if they are not left."""
        while self.held + count > self.most:
            if not self.make_room():
                raise RequestRefused(503, "busy", "Too many uploads are waiting. Please try again in a moment.")
        self.held += count


class Spool:
    """The bytes of one upload, at most `limit`; to be closed. On Linux its file is readable by this process alone."""

    def __init__(self, budget: SpoolBudget, limit: int) -> None:
        self._budget = budget
        self._limit = limit
        self._file = SpooledTemporaryFile[bytes]()
        self._is_in_memory = True
        self._lock = Lock()  # a thread may still read for somebody who no longer waits
        self.size = 0

    @property
    def file(self) -> BinaryIO:
        """The bytes as a seekable file."""
        return cast("BinaryIO", self._file)

    async def write(self, data: bytes | memoryview) -> None:
        """Adds bytes. Raises `RequestRefused` beyond a limit, and if the disk is full."""
        count = len(data)
        if self.size + count > self._limit:
            raise self.over_limit()
        self._budget.reserve(count)
        self.size += count
        try:
            if self._is_in_memory and not self._fits(count):
                self._budget.in_memory -= self.size - count
                self._is_in_memory = False
                await asyncio.to_thread(self._file.rollover)
            if self._is_in_memory:
                self._budget.in_memory += count
                self._append(data)
            else:
                await asyncio.to_thread(self._append, data)
        except OSError as error:
            raise RequestRefused(503, "busy", "The upload cannot be kept at the moment. Please try again.") from error

    def _append(self, data: bytes | memoryview) -> None:
        with self._lock:
            self._file.seek(0, os.SEEK_END)  # whoever checked the upload has read it
            self._file.write(data)

    def _fits(self, count: int) -> bool:
        return self.size <= MEMORY_BYTES and self._budget.in_memory + count <= ALL_MEMORY_BYTES

    def over_limit(self) -> RequestRefused:
        """Returns the refusal of an upload that is larger than the limit."""
        return too_large(self._limit)

    async def read(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Yields the bytes from `start` to `end`. Nothing else may use the file meanwhile."""
        at, end = start, self.size if end is None else end
        while at < end:
            data = self._part(at, end) if self._is_in_memory else await asyncio.to_thread(self._part, at, end)
            at += len(data)
            yield data

    def _part(self, at: int, end: int) -> bytes:
        with self._lock:
            self._file.seek(at)
            return self._file.read(min(CHUNK_BYTES, end - at))

    def cut(self, size: int) -> None:
        """Takes away what was written beyond `size`."""
        with self._lock:
            self._file.seek(size)
            self._file.truncate()
        self._release(self.size - size)
        self.size = size

    def close(self) -> None:
        """Gives the bytes up."""
        self._release(self.size)
        self.size = 0
        self._file.close()

    def _release(self, count: int) -> None:
        self._budget.held -= count
        if self._is_in_memory:
            self._budget.in_memory -= count


@contextmanager
def spooled(budget: SpoolBudget, limit: int) -> Iterator[Spool]:
    """Yields a spool, and closes it in the end."""
    made = Spool(budget, limit)
    try:
        yield made
    finally:
        made.close()


def too_large(limit: int) -> RequestRefused:
    """Returns the refusal of what is larger than `limit` bytes."""
    return RequestRefused(413, "too-large", f"The upload is larger than {limit / 1e6:.0f} MB.")
