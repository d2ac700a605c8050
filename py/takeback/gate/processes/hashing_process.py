"""One sealed process that hashes files, and the messages to and from it.

It knows neither the list nor the key, and what it answers is checked like a message from a stranger. Its program is
`takeback.hashing.process`.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import spawn
from threading import Timer
from typing import Annotated, BinaryIO, Final, cast

import msgspec
from msgspec import Meta, Struct

from takeback.errors import (
    DamagedPicture,
    OverBudget,
    PictureError,
)
from takeback.gate.rules.media import MediaKind
from takeback.gate.rules.policy import Budget
from takeback.hashing.kernel import DIHEDRALS, THUMBNAIL_SIDE_PIXELS, Thumbnail
from takeback.hashing.picture import MAX_BYTES
from takeback.signals import Signal, SignalType, Variant

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
    width: Annotated[int, Meta(ge=1, le=THUMBNAIL_SIDE_PIXELS)]
    height: Annotated[int, Meta(ge=1, le=THUMBNAIL_SIDE_PIXELS)]
    across: Annotated[float, Meta(gt=0, le=THUMBNAIL_SIDE_PIXELS)]
    down: Annotated[float, Meta(gt=0, le=THUMBNAIL_SIDE_PIXELS)]


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


class ProcessGone(Exception):
    """A process ended, or sent a message that it may not send."""


class Process:
    """One hashing process. Raises `ProcessGone` whenever it is no longer of use."""

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
        except ProcessGone:
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
        """What is found in the file; None if the picture is too large for now. Raises `ProcessGone`, `PictureError`."""
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
                    raise ProcessGone

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
            raise ProcessGone from error
        plane = None
        if found.plane:
            shape = found.plane
            if len(pixels) != shape.width * shape.height or not found.dihedral.keys() <= set(DIHEDRALS):
                raise ProcessGone
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
            raise ProcessGone from error

    def _listen(self) -> _Said:
        try:
            said = msgspec.json.decode(self._take(), type=_Said)
        except msgspec.MsgspecError as error:
            raise ProcessGone from error
        self.is_spent = said.used > SPENT_SECONDS
        return said

    def _take(self) -> bytes:
        length = int.from_bytes(self._exactly(4), "big")
        if length > MAX_FRAME:
            raise ProcessGone
        return self._exactly(length)

    def _exactly(self, length: int) -> bytes:
        try:
            data = cast("BinaryIO", self._process.stdout).read(length)
        except (OSError, ValueError) as error:
            raise ProcessGone from error
        if len(data) < length:
            raise ProcessGone
        return data


def _kinds_of(kind: type[PictureError]) -> Iterator[type[PictureError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds_of(below)
