"""A sandboxed process that hashes files, and the messages to and from it.

The process knows neither the list nor the key, and its answers are validated like messages from a stranger, because a
file may have taken it over. Its program is `takeback.hashing.process`.
"""

import json
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import spawn
from threading import Timer
from typing import Annotated, BinaryIO, Final, cast

import msgspec
from msgspec import Meta, Struct

from takeback.errors import DamagedPicture, OverBudget, PictureError
from takeback.gate.rules.media import MediaKind
from takeback.gate.rules.policy import Budget
from takeback.hashing.frames import MAX_CHOSEN_FRAMES, HashedFrame
from takeback.hashing.kernel import DIHEDRALS, UPLOAD_SIDE_PIXELS, Thumbnail
from takeback.hashing.patches import MAX_ASKED, TURNS, AskedPatch
from takeback.hashing.picture import MAX_BYTES
from takeback.hashing.vpdq import MAX_LOOK_UPS
from takeback.signals import MAX_FRAMES, Signal, SignalType, Variant

WALL_CLOCK_FACTOR: Final = 6.0
"""Wall-clock time that a file may take, as a multiple of its CPU time, because the machine may be busy."""
MAX_PROCESS_CPU_SECONDS: Final = 600.0
"""CPU time after which a process is replaced, so that its hard limit is out of reach of an honest file."""
MAX_START_SECONDS: Final = 60.0
"""Time for a process to load all decoders, which usually takes about one second."""
MAX_MESSAGE_BYTES: Final = 1 << 20
"""Size of a message from a process; the largest, a thumbnail, has 256 KB."""
MAX_READ_BYTES: Final = 4 << 20
"""Size of the part of a video that a process may request at once."""
MAX_VIDEO_SECONDS: Final = 10_000_000
"""Seconds at which a frame is shown at most: a `vpdq` value has no greater number (`signals.py`)."""
MAX_BYTES_PER_PIXEL: Final = 16
"""Memory for a pixel in the most demanding decoder, WebP's. Not every decoder reports that it ran out of memory."""
_PROGRAM: Final = (
    "import json, os, sys; hasattr(os, 'nice') and os.nice(5); sys.path[:] = json.loads(sys.argv[1]); "
    "from takeback.hashing.process import main; main(*map(int, sys.argv[2:]))"
)
"""The program; its nice value is raised first, because loading takes a second and must not delay health checks."""
_KEPT_VARIABLES: Final = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "SYSTEMROOT")
"""Environment variables that the process inherits: where libraries are. The platform key must not be among them."""
_LIBRARY_LIMITS: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
"""Environment variables that keep libraries from starting threads and reserving memory before decoding starts."""

type Length = Annotated[int, Meta(ge=0)]


class _ThumbnailShape(Struct, frozen=True, forbid_unknown_fields=True):
    width: Annotated[int, Meta(ge=1, le=UPLOAD_SIDE_PIXELS)]
    height: Annotated[int, Meta(ge=1, le=UPLOAD_SIDE_PIXELS)]
    across: Annotated[float, Meta(gt=0, le=UPLOAD_SIDE_PIXELS)]
    down: Annotated[float, Meta(gt=0, le=UPLOAD_SIDE_PIXELS)]


type _Pdq = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
type _PatchMessage = tuple[
    Annotated[str, Meta(pattern=r"^[0-9a-f]{16}\Z")],
    Annotated[int, Meta(ge=0, le=255)],
    Annotated[int, Meta(ge=0, lt=TURNS)],
    Annotated[int, Meta(ge=0, le=UPLOAD_SIDE_PIXELS)],
    Annotated[int, Meta(ge=0, le=UPLOAD_SIDE_PIXELS)],
    Annotated[int, Meta(ge=1, le=2 * UPLOAD_SIDE_PIXELS)],
]
"""The fields of an `AskedPatch`."""
type _PatchMessages = Annotated[list[_PatchMessage], Meta(max_length=MAX_ASKED)]
type _FrameMessage = tuple[
    Annotated[float, Meta(ge=0, lt=MAX_VIDEO_SECONDS)],
    Annotated[int, Meta(ge=0, le=100)],
    Annotated[list[_Pdq], Meta(min_length=len(DIHEDRALS), max_length=len(DIHEDRALS))],
    bool,
    bool,
    _PatchMessages,
]
"""A frame's seconds, quality and hashes, whether it is chosen and has a thumbnail, whether it is a moving part, and the
patches of a chosen one."""


class _Found(Struct, frozen=True, forbid_unknown_fields=True):
    """The signals. The thumbnails follow: of a picture its own, then those of the frames that are marked so."""

    signals: Annotated[list[tuple[SignalType, str, int | None, Variant]], Meta(max_length=64)]
    thumbnails: Annotated[list[_ThumbnailShape], Meta(max_length=1 + MAX_CHOSEN_FRAMES)]
    dihedral: dict[str, str] = {}
    patches: _PatchMessages = []
    frames: Annotated[list[_FrameMessage], Meta(max_length=2 * (MAX_FRAMES + MAX_LOOK_UPS))] = []
    notes: Annotated[list[Annotated[str, Meta(max_length=300)]], Meta(max_length=8)] = []


class _Refused(Struct, frozen=True, forbid_unknown_fields=True):
    code: Annotated[str, Meta(max_length=40)]
    text: Annotated[str, Meta(max_length=300)]


class _ProcessMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """A message from a process. Exactly one of the fields before `used` is set.

    `sealed` says that it is ready, and which limits are in force; `read` requests (offset, length) of the file;
    `pixels` asks whether it may decode so many; `found` and `refused` are its answers.
    """

    sealed: Annotated[list[Annotated[str, Meta(max_length=40)]], Meta(max_length=16)] | None = None
    read: tuple[Length, Length] | None = None
    pixels: Length | None = None
    found: _Found | None = None
    refused: _Refused | None = None
    used: Annotated[float, Meta(ge=0)] = 0.0
    """CPU seconds that the process has used in all, sent with an answer."""


@dataclass(frozen=True, slots=True)
class HashedFile:
    """What a file turned out to be, and its signals: at least its exact hashes. `why` says why it is unreadable, if so.

    `patches` are those of a picture, and `frames` those of a video or animation, to be looked up. `thumbnail` is that
    of a picture, from which its views are hashed. `dihedral` has the PDQ hashes of its turned and mirrored forms by
    name.
    """

    kind: MediaKind
    signals: tuple[Signal, ...]
    dihedral: Mapping[str, str] = field(default_factory=dict)
    thumbnail: Thumbnail | None = None
    why: PictureError | None = None
    notes: tuple[str, ...] = ()
    frames: tuple[HashedFrame, ...] = ()
    patches: tuple[AskedPatch, ...] = ()


class ProcessGone(Exception):
    """A process ended, or sent an invalid message."""


class Process:
    """A hashing process. Methods raise `ProcessGone` once it can no longer be used."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._kill_reason = ""
        self.is_spent = False
        """Whether the process must be replaced."""
        paths = [os.path.abspath(path) for path in sys.path]  # noqa: PTH100 - an empty path is the current folder
        # A process that was taken over can switch off its timer for a file, but cannot lift this limit.
        life = int(MAX_PROCESS_CPU_SECONDS + 2 * max(budget.picture_seconds, budget.video_seconds, MAX_START_SECONDS))
        environ = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        # -I: neither PYTHON* variables nor the current folder decide what is imported; `paths` does.
        program = [os.fsdecode(spawn.get_executable() or sys.executable), "-I", "-c", _PROGRAM]
        self._process = subprocess.Popen(  # noqa: S603 - this very Python
            [*program, json.dumps(paths), str(budget.megabytes << 20), str(os.getpid()), str(life)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environ | _LIBRARY_LIMITS,
            start_new_session=os.name == "posix",  # Ctrl-C must reach the gate only, which ends this process itself
        )
        try:
            with self._within(MAX_START_SECONDS, "did not start"):
                self.seals = tuple(self._receive_message().sealed or ())
        except ProcessGone:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def kill(self, why: str = "") -> None:
        """Kills the process; `why` goes into the error that `fate` returns."""
        self._kill_reason = self._kill_reason or why
        self._process.kill()

    def close(self) -> None:
        """Kills the process and closes its pipes."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                cast("BinaryIO", pipe).close()

    def hash(self, file: BinaryIO, size: int, kind: MediaKind, may_decode: Callable[[int], bool]) -> HashedFile | None:
        """Hashes a file of `size` bytes; returns None if `may_decode`, given its number of pixels, declines it for now.

        Raises `PictureError` if the file cannot be hashed, and `ProcessGone` if the process ends; see `fate`.
        """
        seconds = self._budget.video_seconds if kind is MediaKind.VIDEO else self._budget.picture_seconds
        with self._within(seconds * WALL_CLOCK_FACTOR, f"takes more than {seconds * WALL_CLOCK_FACTOR:g} seconds"):
            self._send(json.dumps({"kind": kind, "size": size, "seconds": seconds}).encode())
            pixels = 0
            while True:
                message = self._receive_message()
                if message.read:
                    at, length = message.read
                    file.seek(at)
                    # A process that was taken over may ask for any length.
                    self._send(file.read(min(length, MAX_BYTES if kind is MediaKind.PICTURE else MAX_READ_BYTES)))
                elif message.pixels is not None:
                    pixels = message.pixels
                    if not may_decode(pixels):
                        self._send(b"stop")
                        return None
                    self._send(b"go")
                elif message.found:
                    return self._read(kind, message.found, [self._receive() for _ in message.found.thumbnails])
                elif message.refused:
                    raise self._error(message.refused, pixels)
                else:
                    raise ProcessGone

    def fate(self, kind: MediaKind) -> OverBudget:
        """Returns why the process ended: the limit that the file exceeded."""
        self._process.kill()  # after an invalid message it may still be running
        ended = self._process.wait()
        self.is_spent = True
        seconds = self._budget.video_seconds if kind is MediaKind.VIDEO else self._budget.picture_seconds
        if self._kill_reason:
            return OverBudget(f"the file {self._kill_reason}")
        # The process sets a timer on its own processor time, which ends it by this signal (ITIMER_PROF).
        if os.name == "posix" and ended == -signal.SIGPROF:
            return OverBudget(f"the file takes more than {seconds:g} seconds of processor time")
        return OverBudget(f"its process ended ({ended}): the file is broken or needs {self._memory_limit()} of memory")

    def _memory_limit(self) -> str:
        return f"more than {self._budget.megabytes} megabytes"

    def _error(self, refused: _Refused, pixels: int) -> PictureError:
        if refused.code == "memory":
            return OverBudget(f"the file needs {self._memory_limit()} of memory")
        if refused.code == DamagedPicture.code and pixels * MAX_BYTES_PER_PIXEL > self._budget.megabytes << 20:
            return OverBudget(f"the file is broken inside, or needs {self._memory_limit()} of memory")
        kinds = {kind.code: kind for kind in _subclasses_of(PictureError)}
        return kinds.get(refused.code, PictureError)(refused.text)

    def _read(self, kind: MediaKind, found: _Found, pixels: list[bytes]) -> HashedFile:
        try:
            signals = tuple(Signal(*values) for values in found.signals)
            for value in found.dihedral.values():
                Signal(SignalType.PDQ, value, 0)
        except ValueError as error:
            raise ProcessGone from error
        thumbnails = deque(map(_thumbnail, found.thumbnails, pixels))
        is_picture = kind is MediaKind.PICTURE
        marked = sum(is_chosen for *_, is_chosen, _, _ in found.frames)
        if len(thumbnails) != is_picture + marked or not found.dihedral.keys() <= set(DIHEDRALS):
            raise ProcessGone
        own = thumbnails.popleft() if is_picture else None
        frames = tuple(
            HashedFrame(
                seconds, quality, tuple(hashes), thumbnails.popleft() if chosen else None, chosen, part, _patches(asked)
            )
            for seconds, quality, hashes, chosen, part, asked in found.frames
        )
        patches, notes = _patches(found.patches), tuple(found.notes)
        return HashedFile(kind, signals, found.dihedral, own, notes=notes, frames=frames, patches=patches)

    @contextmanager
    def _within(self, seconds: float, why: str) -> Iterator[None]:
        """Kills the process if the block takes longer than `seconds`."""
        timer = Timer(seconds, self.kill, (why,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _send(self, data: bytes) -> None:
        try:
            pipe = cast("BinaryIO", self._process.stdin)
            # Each message follows its length: 4 bytes, big-endian.
            pipe.write(len(data).to_bytes(4, "big"))
            pipe.write(data)
            pipe.flush()
        except OSError as error:
            raise ProcessGone from error

    def _receive_message(self) -> _ProcessMessage:
        try:
            message = msgspec.json.decode(self._receive(), type=_ProcessMessage)
        except msgspec.MsgspecError as error:
            raise ProcessGone from error
        self.is_spent = message.used > MAX_PROCESS_CPU_SECONDS
        return message

    def _receive(self) -> bytes:
        length = int.from_bytes(self._read_exactly(4), "big")
        if length > MAX_MESSAGE_BYTES:
            raise ProcessGone
        return self._read_exactly(length)

    def _read_exactly(self, length: int) -> bytes:
        try:
            data = cast("BinaryIO", self._process.stdout).read(length)
        except (OSError, ValueError) as error:
            raise ProcessGone from error
        if len(data) < length:
            raise ProcessGone
        return data


def _patches(messages: list[_PatchMessage]) -> tuple[AskedPatch, ...]:
    return tuple(AskedPatch(*message) for message in messages)


def _thumbnail(shape: _ThumbnailShape, pixels: bytes) -> Thumbnail:
    if len(pixels) != shape.width * shape.height:
        raise ProcessGone
    return Thumbnail(shape.width, shape.height, pixels, shape.across, shape.down)


def _subclasses_of(kind: type[PictureError]) -> Iterator[type[PictureError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _subclasses_of(below)
