"""Hashes uploads in a pool of processes, with a budget of CPU time and memory for each file.

A process that exceeds the budget, or whose caller goes away, is killed and replaced.
"""

import atexit
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from threading import Condition, Lock, Thread
from typing import BinaryIO, Final

from takeback.errors import GateError, PictureError, PictureTooLarge, SoundOnly, UnknownFormat
from takeback.gate.processes.hashing_process import MAX_START_SECONDS, HashedFile, Process, ProcessGone
from takeback.gate.rules.media import SNIFF_BYTES, MediaKind, kind_of
from takeback.gate.rules.policy import Budget
from takeback.hashing.exact import exact_signals_of
from takeback.hashing.picture import MAX_BYTES

LARGE_PIXELS: Final = 50_000_000
"""Few honest pictures have more pixels; larger ones may not take up all processes."""


class Job:
    """A file that is queued or being hashed; `result` waits for the outcome."""

    def __init__(self, file: BinaryIO, given: str) -> None:
        self.file = file
        self.given = given
        self.future = Future[HashedFile]()
        self.large = False
        self._process: Process | None = None
        self._is_cancelled = False
        self._lock = Lock()

    def result(self) -> HashedFile:
        """Waits for the outcome. Raises `PictureError` if the file cannot be read from disk, and `GateError`."""
        return self.future.result()

    def settle(self, outcome: HashedFile | BaseException) -> None:
        """Sets the outcome, unless the caller has cancelled the future."""
        with suppress(InvalidStateError):
            if isinstance(outcome, BaseException):
                self.future.set_exception(outcome)
            else:
                self.future.set_result(outcome)

    def cancel(self) -> None:
        """Gives the job up: it is dropped from the queue, or its process is killed."""
        with self._lock:
            self._is_cancelled = True
            if self._process:
                self._process.kill("is no longer wanted")

    @contextmanager
    def running_in(self, process: Process) -> Iterator[bool]:
        """Marks the job as running in `process`, and yields whether it is still wanted."""
        with self._lock:
            self._process = process
            wanted = not self._is_cancelled
        try:
            yield wanted
        finally:
            # Under the lock, so that `cancel` never kills a process that has gone on to another file.
            with self._lock:
                self._process = None


class Pool:
    """At most `budget.processes` processes, started when needed, and the queue of files for them. Thread-safe.

    Videos and pictures over `LARGE_PIXELS` use at most half of the processes, so that they never block all other files.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._max_processes = budget.processes or max(2, os.cpu_count() or 1)
        self._max_large = max(1, self._max_processes // 2)
        self._changed = Condition()
        self._waiting: dict[bool, deque[Job]] = {False: deque(), True: deque()}
        self._large_running = 0
        self._idle = 0
        self._threads: list[Thread] = []
        self._closed = False
        self.processes: dict[int, Process] = {}
        """Running processes by their process id."""

    def submit(self, file: BinaryIO, given: str = "") -> Job:
        """Queues a file; `given` is its declared media type, if any. Raises `GateError` if the pool is closed.

        The file must be seekable, and belongs to the pool until the job is done.
        """
        job = Job(file, given)
        self._queue(job)
        return job

    def warm_up(self) -> None:
        """Starts all processes, so that no file has to wait for a start."""
        with self._changed:
            while len(self._threads) < self._max_processes:
                self._start_thread()

    def close(self) -> None:
        """Ends all processes; queued jobs fail with `GateError`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            queued = [*self._waiting[False], *self._waiting[True]]
            running = list(self.processes.values())
        for job in queued:
            job.settle(GateError("the gate is closed"))
        for process in running:
            process.kill()
        for thread in self._threads:
            # A thread may be starting a process that `processes` does not hold yet.
            thread.join(MAX_START_SECONDS)

    def _queue(self, job: Job) -> None:
        with self._changed:
            if self._closed:
                raise GateError("the gate is closed")
            self._waiting[job.large].append(job)
            if not self._idle and len(self._threads) < self._max_processes:
                self._start_thread()
            self._changed.notify()

    def _start_thread(self) -> None:
        thread = Thread(target=self._work, name="hashing", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _next(self) -> Job | None:
        """Waits for the next job; None once the pool is closed."""
        with self._changed:
            self._idle += 1
            try:
                while not self._closed:
                    if self._waiting[True] and self._large_running < self._max_large:
                        self._large_running += 1
                        return self._waiting[True].popleft()
                    if self._waiting[False]:
                        return self._waiting[False].popleft()
                    self._changed.wait()
            finally:
                self._idle -= 1
        return None

    def _may_decode(self, job: Job, pixels: int) -> bool:
        """Returns whether a picture of this size may be decoded now; a large one may have to queue again."""
        with self._changed:
            if job.large or pixels <= LARGE_PIXELS:
                return True
            job.large = self._large_running < self._max_large
            self._large_running += job.large
            return job.large

    def _work(self) -> None:
        """The loop of each thread, which owns one process and gives it one file after the other."""
        process = self._start_process()
        while job := self._next():
            process = process or self._start_process()
            try:
                read = self._read(job, process)
            except BaseException as error:  # noqa: BLE001 - the caller must get every error, or it waits for ever
                self._release(job)
                job.settle(_translated(error))
            else:
                self._answer(job, read)
            if process and process.is_spent:
                self._discard(process)
                process = self._start_process()
        if process:
            self._discard(process)

    def _start_process(self) -> Process | None:
        """Starts a process; None if that fails, which then fails the jobs that need one."""
        with suppress(ProcessGone, OSError):
            process = Process(self._budget)
            self.processes[process.pid] = process
            return process
        return None

    def _discard(self, process: Process) -> None:
        process.close()
        self.processes.pop(process.pid, None)

    def _answer(self, job: Job, read: HashedFile | None) -> None:
        """Delivers the outcome; without one, the job is queued as a large file."""
        if read is None:
            job.large = True
            self._queue(job)
        else:
            self._release(job)
            job.settle(read)

    def _release(self, job: Job) -> None:
        """Releases the job's share of the limit on large files, if it has one."""
        if job.large:
            with self._changed:
                self._large_running -= 1
                self._changed.notify_all()

    def _read(self, job: Job, process: Process | None) -> HashedFile | None:
        """Hashes a file, in the process if it is a picture or a video; None if it is large and has to wait."""
        kind, size = _kind_and_size(job)
        why: PictureError = UnknownFormat("a picture or video in a format that is not supported")
        if kind is MediaKind.PICTURE and size > MAX_BYTES:
            why = PictureTooLarge(f"the file is larger than {MAX_BYTES >> 20} MB")
        elif kind in {MediaKind.PICTURE, MediaKind.VIDEO}:
            if process is None:
                raise GateError("the process that hashes files cannot be started")
            with job.running_in(process) as wanted:
                if not wanted:
                    raise GateError("the job was cancelled")
                if kind is MediaKind.VIDEO and not self._may_decode(job, LARGE_PIXELS + 1):
                    return None
                try:
                    return process.hash(job.file, size, kind, lambda pixels: self._may_decode(job, pixels))
                except ProcessGone:
                    why = process.fate(kind)
                except PictureError as error:
                    why = error
        job.file.seek(0)
        exact = exact_signals_of(job.file)
        if kind is MediaKind.NOT_MEDIA or isinstance(why, SoundOnly):
            return HashedFile(MediaKind.NOT_MEDIA, exact)
        return HashedFile(MediaKind.UNREADABLE, exact, why=why)


def _kind_and_size(job: Job) -> tuple[MediaKind, int]:
    """Returns how to read a file, and its size in bytes."""
    job.file.seek(0)
    kind = kind_of(job.file.read(SNIFF_BYTES), job.given)
    return kind, job.file.seek(0, os.SEEK_END)


def _translated(error: BaseException) -> BaseException:
    """Returns our error for a file that could not be read from disk."""
    return PictureError(f"cannot be read: {error.strerror}") if isinstance(error, OSError) else error


_pools: Final[dict[Budget, Pool]] = {}
_making: Final = Lock()


def shared_pool(budget: Budget) -> Pool:
    """Returns the program's pool for this budget, which all its gates share."""
    with _making:
        if budget not in _pools:
            _pools[budget] = Pool(budget)
        return _pools[budget]


def _close_all() -> None:
    for pool in _pools.values():
        pool.close()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pools.clear)  # a forked child must not use its parent's processes and pipes
