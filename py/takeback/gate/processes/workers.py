"""Hashes files in processes of their own: each file has a budget of processor time and memory, and reaches nothing.

A process that passes its budget, or whose caller goes away, is killed and replaced. It knows neither the list nor the
key, and what it answers is read as a stranger's message. Its program: `takeback.hashing.process`.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import spawn
from threading import Condition, Lock, Thread, Timer
from typing import Annotated, BinaryIO, Final, cast

import msgspec
from msgspec import Meta, Struct

from takeback.errors import (
    DamagedPicture,
    GateError,
    OverBudget,
    PictureError,
    PictureTooLarge,
    SoundOnly,
    UnknownFormat,
)
from takeback.gate.rules.media import START, MediaKind, kind_of
from takeback.gate.rules.policy import Budget
from takeback.hashing.exact import exact_signals_of
from takeback.hashing.kernel import DIHEDRALS, PLANE_SIDE, Thumbnail
from takeback.hashing.picture import MAX_BYTES
from takeback.signals import Signal, SignalType, Variant

LARGE: Final = 50_000_000
"""Pixels above which few honest pictures are: such files never take all processes."""
PATIENCE: Final = 6.0
"""Times its processor time that a file may take by the clock, on a machine that is busy with others."""
SPENT_SECONDS: Final = 600.0
"""Of processor time, after which a process is replaced: so it may have a hard limit that no honest file reaches."""
START_SECONDS: Final = 60.0
"""For a process to load all decoders, which takes about one."""
MAX_FRAME: Final = 1 << 20
"""Bytes of any message from a process: a reduced picture has 256 KB."""
MAX_PIECE: Final = 4 << 20
"""Bytes of a video that a process may ask for at once."""
ROOM: Final = 16
"""Bytes that the hungriest decoder takes for a pixel, WebP's; not every decoder tells that it got no memory."""
_PROGRAM: Final = (
    "import json, os, sys; hasattr(os, 'nice') and os.nice(5); sys.path[:] = json.loads(sys.argv[1]); "
    "from takeback.hashing.process import main; main(*map(int, sys.argv[2:]))"
)
"""It stands back behind the one that answers uploads and health checks from the first: loading takes a second."""
_KEPT: Final = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "SYSTEMROOT")
"""Of the environment: where libraries are. Everything else stays here, the platform key among it."""
_CALM: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
"""Threads and memory that libraries would take before anything is decoded."""

type Length = Annotated[int, Meta(ge=0)]


class _Plane(Struct, frozen=True, forbid_unknown_fields=True):
    width: Annotated[int, Meta(ge=1, le=PLANE_SIDE)]
    height: Annotated[int, Meta(ge=1, le=PLANE_SIDE)]
    across: Annotated[float, Meta(gt=0, le=PLANE_SIDE)]
    down: Annotated[float, Meta(gt=0, le=PLANE_SIDE)]


class _Found(Struct, frozen=True, forbid_unknown_fields=True):
    signals: Annotated[list[tuple[SignalType, str, int | None, Variant]], Meta(max_length=64)]
    dihedral: dict[str, str] = {}
    plane: _Plane | None = None
    notes: Annotated[list[Annotated[str, Meta(max_length=300)]], Meta(max_length=8)] = []


class _Refused(Struct, frozen=True, forbid_unknown_fields=True):
    code: Annotated[str, Meta(max_length=40)]
    text: Annotated[str, Meta(max_length=300)]


class _Said(Struct, frozen=True, forbid_unknown_fields=True):
    """What a process says: that it is ready, what it asks for, or its answer; one of them."""

    sealed: Annotated[list[Annotated[str, Meta(max_length=40)]], Meta(max_length=16)] | None = None
    read: tuple[Length, Length] | None = None
    pixels: Length | None = None
    found: _Found | None = None
    refused: _Refused | None = None
    used: Annotated[float, Meta(ge=0)] = 0.0
    """Seconds of processor time in all, told with an answer."""


@dataclass(frozen=True, slots=True)
class Read:
    """What a file turned out to be, and what was found in it: at least its exact hashes. `why` it was not read, if so.

    `plane` is a picture reduced, from which its views are hashed; `dihedral` holds the PDQ of its turned forms.
    """

    kind: MediaKind
    signals: tuple[Signal, ...]
    dihedral: Mapping[str, str] = field(default_factory=dict)
    plane: Thumbnail | None = None
    why: PictureError | None = None
    notes: tuple[str, ...] = ()


class _Gone(Exception):
    """A process ended, or said what it may not."""


class Process:
    """One hashing process. Raises `_Gone` whenever it is no longer of use."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._killed_for = ""
        self.is_spent = False
        """Whether another one has to take its place."""
        paths = [os.path.abspath(path) for path in sys.path]  # noqa: PTH100 - an empty one is the current folder
        life = int(SPENT_SECONDS + 2 * max(budget.picture_seconds, budget.video_seconds, START_SECONDS))
        environ = {name: os.environ[name] for name in _KEPT if name in os.environ}
        program = [os.fsdecode(spawn.get_executable() or sys.executable), "-I", "-c", _PROGRAM]
        self._process = subprocess.Popen(  # noqa: S603 - this very Python
            [*program, json.dumps(paths), str(budget.megabytes << 20), str(os.getpid()), str(life)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environ | _CALM,
            start_new_session=os.name == "posix",  # Ctrl-C is for the gate, which lets go of this one itself
        )
        try:
            with self._within(START_SECONDS, "did not start"):
                self.seals = tuple(self._listen().sealed or ())
        except _Gone:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Its number, for those who look after processes."""
        return self._process.pid

    def kill(self, why: str = "") -> None:
        """Ends it now, whatever it does."""
        self._killed_for = self._killed_for or why
        self._process.kill()

    def close(self) -> None:
        """Ends it, and lets go of its pipes."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                cast("BinaryIO", pipe).close()

    def hash(self, file: BinaryIO, size: int, kind: MediaKind, may_go_on: Callable[[int], bool]) -> Read | None:
        """What is found in the file; None if the picture is too large for now. Raises `_Gone`, `PictureError`."""
        seconds = self._budget.video_seconds if kind is MediaKind.VIDEO else self._budget.picture_seconds
        with self._within(seconds * PATIENCE, f"takes more than {seconds * PATIENCE:g} seconds"):
            self._say(json.dumps({"kind": kind, "size": size, "seconds": seconds}).encode())
            pixels = 0
            while True:
                said = self._listen()
                if said.read:
                    at, length = said.read
                    file.seek(at)
                    self._say(file.read(min(length, MAX_BYTES if kind is MediaKind.PICTURE else MAX_PIECE)))
                elif said.pixels is not None:
                    pixels = said.pixels
                    if not may_go_on(pixels):
                        self._say(b"stop")
                        return None
                    self._say(b"go")
                elif said.found:
                    return self._read(kind, said.found, self._take())
                elif said.refused:
                    raise self._error(said.refused, pixels)
                else:
                    raise _Gone

    def fate(self, kind: MediaKind) -> OverBudget:
        """Why it ended, once it has: which limit the file passed."""
        self._process.kill()  # one that broke the rules may be alive
        ended = self._process.wait()
        self.is_spent = True
        seconds = self._budget.video_seconds if kind is MediaKind.VIDEO else self._budget.picture_seconds
        if self._killed_for:
            return OverBudget(f"the file {self._killed_for}")
        if os.name == "posix" and ended == -signal.SIGPROF:
            return OverBudget(f"the file takes more than {seconds:g} seconds of processor time")
        return OverBudget(f"its process ended ({ended}): the file is broken or needs {self._most_memory()} of memory")

    def _most_memory(self) -> str:
        return f"more than {self._budget.megabytes} megabytes"

    def _error(self, refused: _Refused, pixels: int) -> PictureError:
        if refused.code == "memory":
            return OverBudget(f"the file needs {self._most_memory()} of memory")
        if refused.code == DamagedPicture.code and pixels * ROOM > self._budget.megabytes << 20:
            return OverBudget(f"the file is broken inside, or needs {self._most_memory()} of memory")
        kinds = {kind.code: kind for kind in _kinds_of(PictureError)}
        return kinds.get(refused.code, PictureError)(refused.text)

    def _read(self, kind: MediaKind, found: _Found, pixels: bytes) -> Read:
        try:
            signals = tuple(Signal(*values) for values in found.signals)
            for value in found.dihedral.values():
                Signal(SignalType.PDQ, value, 0)
        except ValueError as error:
            raise _Gone from error
        plane = None
        if found.plane:
            shape = found.plane
            if len(pixels) != shape.width * shape.height or not found.dihedral.keys() <= set(DIHEDRALS):
                raise _Gone
            plane = Thumbnail(shape.width, shape.height, pixels, shape.across, shape.down)
        return Read(kind, signals, found.dihedral, plane, notes=tuple(found.notes))

    @contextmanager
    def _within(self, seconds: float, why: str) -> Iterator[None]:
        """What is done inside ends after so many seconds, because the process does."""
        timer = Timer(seconds, self.kill, (why,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _say(self, data: bytes) -> None:
        try:
            pipe = cast("BinaryIO", self._process.stdin)
            pipe.write(len(data).to_bytes(4, "big"))
            pipe.write(data)
            pipe.flush()
        except OSError as error:
            raise _Gone from error

    def _listen(self) -> _Said:
        try:
            said = msgspec.json.decode(self._take(), type=_Said)
        except msgspec.MsgspecError as error:
            raise _Gone from error
        self.is_spent = said.used > SPENT_SECONDS
        return said

    def _take(self) -> bytes:
        length = int.from_bytes(self._exactly(4), "big")
        if length > MAX_FRAME:
            raise _Gone
        return self._exactly(length)

    def _exactly(self, length: int) -> bytes:
        try:
            data = cast("BinaryIO", self._process.stdout).read(length)
        except (OSError, ValueError) as error:
            raise _Gone from error
        if len(data) < length:
            raise _Gone
        return data


def _kinds_of(kind: type[PictureError]) -> Iterator[type[PictureError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds_of(below)


class Job:
    """A file that waits to be read, or is being read; `result` waits for it."""

    def __init__(self, file: BinaryIO, given: str) -> None:
        self.file = file
        self.given = given
        self.future = Future[Read]()
        self.large = False
        self._process: Process | None = None
        self._left = False
        self._lock = Lock()

    def result(self) -> Read:
        """What was read. Raises `PictureError` for a file that cannot even be opened, and `GateError`."""
        return self.future.result()

    def settle(self, outcome: Read | BaseException) -> None:
        """Hands the outcome to whoever waits, if anybody still does."""
        with suppress(InvalidStateError):
            if isinstance(outcome, BaseException):
                self.future.set_exception(outcome)
            else:
                self.future.set_result(outcome)

    def cancel(self) -> None:
        """Nobody waits for it any more: it is taken from the queue, or its process is killed."""
        with self._lock:
            self._left = True
            if self._process:
                self._process.kill("is no longer wanted")

    @contextmanager
    def at(self, process: Process) -> Iterator[bool]:
        """Its turn in a process; gives whether anybody still waits."""
        with self._lock:
            self._process = process
            wanted = not self._left
        try:
            yield wanted
        finally:
            with self._lock:
                self._process = None


class Pool:
    """At most `budget.processes` processes, started when they are needed, and the files that wait for them.

    Files over `LARGE` pixels and videos have half of the processes at most, so that others never wait for them alone.
    Threads may share it.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._most = budget.processes or max(2, os.cpu_count() or 1)
        self._most_large = max(1, self._most // 2)
        self._changed = Condition()
        self._waiting: dict[bool, deque[Job]] = {False: deque(), True: deque()}
        self._large_at_work = 0
        self._idle = 0
        self._threads: list[Thread] = []
        self._closed = False
        self.processes: dict[int, Process] = {}
        """Those that run, by their number."""

    def submit(self, file: BinaryIO, given: str = "") -> Job:
        """Reads a file as soon as it is its turn; `given` is the media type that it came with, if any.

        The file can seek, and is the pool's until the job is done.
        """
        job = Job(file, given)
        self._queue(job)
        return job

    def warm_up(self) -> None:
        """Starts all processes, so that no file has to wait for that."""
        with self._changed:
            while len(self._threads) < self._most:
                self._start()

    def close(self) -> None:
        """Ends all processes; what waits is given up."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            left = [*self._waiting[False], *self._waiting[True]]
            running = list(self.processes.values())
        for job in left:
            job.settle(GateError("the gate is closed"))
        for process in running:
            process.kill()
        for thread in self._threads:
            thread.join(START_SECONDS)

    def _queue(self, job: Job) -> None:
        with self._changed:
            if self._closed:
                raise GateError("the gate is closed")
            self._waiting[job.large].append(job)
            if not self._idle and len(self._threads) < self._most:
                self._start()
            self._changed.notify()

    def _start(self) -> None:
        thread = Thread(target=self._work, name="hashing", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _next(self) -> Job | None:
        """The next job, once there is one; None when there is to be no more."""
        with self._changed:
            self._idle += 1
            try:
                while not self._closed:
                    if self._waiting[True] and self._large_at_work < self._most_large:
                        self._large_at_work += 1
                        return self._waiting[True].popleft()
                    if self._waiting[False]:
                        return self._waiting[False].popleft()
                    self._changed.wait()
            finally:
                self._idle -= 1
        return None

    def _may_go_on(self, job: Job, pixels: int) -> bool:
        """Whether a picture of this size may be decoded now; one that is large then waits with the others."""
        with self._changed:
            if job.large or pixels <= LARGE:
                return True
            job.large = self._large_at_work < self._most_large
            self._large_at_work += job.large
            return job.large

    def _work(self) -> None:
        """What each thread does: it has one process, and gives it one file after the other."""
        process = self._started()
        while job := self._next():
            process = process or self._started()
            try:
                read = self._read(job, process)
            except BaseException as error:  # noqa: BLE001 - whoever waits is told
                self._give_back(job)
                job.settle(_ours(error))
            else:
                self._answer(job, read)
            if process and process.is_spent:
                self._forget(process)
                process = self._started()
        if process:
            self._forget(process)

    def _started(self) -> Process | None:
        """A new process; None where it cannot be started, which is told to whoever needs one."""
        with suppress(_Gone, OSError):
            process = Process(self._budget)
            self.processes[process.pid] = process
            return process
        return None

    def _forget(self, process: Process) -> None:
        process.close()
        self.processes.pop(process.pid, None)

    def _answer(self, job: Job, read: Read | None) -> None:
        """Hands over what was read; without it the job waits for a process that takes large files."""
        if read is None:
            job.large = True
            self._queue(job)
        else:
            self._give_back(job)
            job.settle(read)

    def _give_back(self, job: Job) -> None:
        """Lets the next large file have its turn, if this was one."""
        if job.large:
            with self._changed:
                self._large_at_work -= 1
                self._changed.notify_all()

    def _read(self, job: Job, process: Process | None) -> Read | None:
        """What a file is, by a process if it is one for it; None if it is large and has to wait."""
        kind, size = _look(job)
        why: PictureError = UnknownFormat("a picture or video of a kind that is not read")
        if kind is MediaKind.PICTURE and size > MAX_BYTES:
            why = PictureTooLarge(f"the file is over {MAX_BYTES >> 20} MB")
        elif kind in {MediaKind.PICTURE, MediaKind.VIDEO}:
            if process is None:
                raise GateError("no process to hash files in can be started")
            with job.at(process) as wanted:
                if not wanted:
                    raise GateError("nobody waits for the file")
                if kind is MediaKind.VIDEO and not self._may_go_on(job, LARGE + 1):
                    return None
                try:
                    return process.hash(job.file, size, kind, lambda pixels: self._may_go_on(job, pixels))
                except _Gone:
                    why = process.fate(kind)
                except PictureError as error:
                    why = error
        job.file.seek(0)
        exact = exact_signals_of(job.file)
        if kind is MediaKind.NOT_MEDIA or isinstance(why, SoundOnly):
            return Read(MediaKind.NOT_MEDIA, exact)
        return Read(MediaKind.UNREADABLE, exact, why=why)


def _look(job: Job) -> tuple[MediaKind, int]:
    """What a file is to be read as, and its bytes."""
    job.file.seek(0)
    kind = kind_of(job.file.read(START), job.given)
    return kind, job.file.seek(0, os.SEEK_END)


def _ours(error: BaseException) -> BaseException:
    """What the caller is told of a file that could not even be read."""
    return PictureError(f"cannot be read: {error.strerror}") if isinstance(error, OSError) else error


_pools: Final[dict[Budget, Pool]] = {}
_making: Final = Lock()


def shared(budget: Budget) -> Pool:
    """The pool of this program with this budget: however many gates it opens, its processes are there once."""
    with _making:
        if budget not in _pools:
            _pools[budget] = Pool(budget)
        return _pools[budget]


def _close_all() -> None:
    for pool in _pools.values():
        pool.close()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pools.clear)  # a fork has the pipes of its parent's processes: not its own
