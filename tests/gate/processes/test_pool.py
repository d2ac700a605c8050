"""Files are read in processes that have a budget and can reach nothing."""

import io
import json
import os
import signal as signals
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from takeback.errors import GateError, OverBudget
from takeback.gate.processes import hashing_process
from takeback.gate.processes.hashing_process import HashedFile, Process
from takeback.gate.processes.pool import Pool
from takeback.gate.rules.media import MediaKind
from takeback.gate.rules.policy import Budget
from takeback.hashing import hash_picture
from takeback.hashing.exact import exact_signals
from takeback.hashing.frames import HashedFrame
from takeback.hashing.moving_box import moving_frames
from takeback.hashing.patches import asked_patches
from takeback.hashing.video import hash_video
from tests.gate.pictures import drawing, jpeg

VECTORS: Final = Path(__file__).parents[2] / "vectors"
FILE: Final = jpeg(drawing(1))
linux: Final = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these seals")


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """Two processes with the default budget."""
    pool = Pool(Budget(processes=2))
    yield pool
    pool.close()


def read(pool: Pool, data: bytes, given: str = "") -> HashedFile:
    """The result for a file."""
    return pool.submit(io.BytesIO(data), given).result()


def as_sent(frames: Sequence[HashedFrame]) -> tuple[HashedFrame, ...]:
    """The frames and their moving parts as a process returns them: thumbnails and patches of the chosen ones alone."""
    kept = [
        frame._replace(patches=tuple(asked_patches(frame.thumbnail, turned=False)))
        if frame.is_chosen and frame.thumbnail
        else frame._replace(thumbnail=None)
        for frame in frames
    ]
    return (*kept, *moving_frames(frames))


def large(side: int, channels: int = 1) -> bytes:
    """A PNG of `side` x `side` grey or coloured pixels, of a few kilobytes for each million."""
    rows = zlib.compressobj(1)
    packed = b"".join(rows.compress(bytes(channels * side + 1)) for _ in range(side)) + rows.flush()

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2 if channels == 3 else 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


@pytest.mark.parametrize("file", sorted((VECTORS / "pictures").iterdir()), ids=lambda file: file.name)
def test_a_process_finds_what_this_one_finds(pool: Pool, file: Path) -> None:
    """A sandboxed process returns for every kind of picture what hashing here returns."""
    found = read(pool, file.read_bytes())
    if file.name in {"cut.jpg", "cut.png", "text.jpg"}:
        assert found.kind is not MediaKind.PICTURE
        assert found.signals == exact_signals(file.read_bytes())
        return
    here = hash_picture(file.read_bytes(), look_ups=True)
    assert (found.kind, found.signals, found.dihedral, found.thumbnail) == (
        MediaKind.PICTURE,
        here.signals,
        here.dihedral,
        here.thumbnail,
    )
    assert (list(found.patches), found.frames) == (asked_patches(here.thumbnail), as_sent(here.frames))


@pytest.mark.parametrize("file", sorted((VECTORS / "videos").iterdir()), ids=lambda file: file.name)
def test_a_process_finds_what_this_one_finds_in_videos(pool: Pool, file: Path) -> None:
    """A sandboxed process returns for every kind of video what hashing here returns."""
    with file.open("rb") as opened:
        here = hash_video(opened, look_ups=True)
        found = pool.submit(opened).result()
        assert (found.signals, found.frames) == (here.signals, as_sent(here.frames))


def attempts(code: str) -> "subprocess.CompletedProcess[str]":
    """Runs Python in a process that has sandboxed itself."""
    program = f"""
import ctypes, os, resource, signal, socket, sys
from takeback.hashing.confine import confine
held = confine(1 << 28, os.getppid(), 2)
def fails(attempt):
    try: attempt()
    except (OSError, MemoryError, ValueError): return True
    return False
{code}
"""
    environ = {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=False)


@linux
@pytest.mark.parametrize(
    "attempt",
    [
        "os.open('/etc/hostname', os.O_RDONLY)",
        "os.open('/tmp/takeback-written', os.O_CREAT | os.O_WRONLY)",
        "socket.socket()",
        "socket.socket(socket.AF_UNIX)",
        "os.pipe()",
        "os.memfd_create('x')",
        "os.dup(0)",
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "os.kill(os.getppid(), 0)",
        "bytearray(1 << 29)",
        "resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9))",
        "resource.setrlimit(resource.RLIMIT_CPU, (99, 99))",
    ],
)
def test_what_a_sealed_process_cannot_do(attempt: str) -> None:
    """A sandboxed process can open no file or socket, start no process and extend no budget."""
    done = attempts(f"print(fails(lambda: {attempt}))")
    assert done.stdout == "True\n", done.stderr


@linux
def test_a_sealed_process_cannot_read_its_parent() -> None:
    """The memory of the process with the list and the key is out of reach."""
    done = attempts(
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "print(libc.ptrace(16, os.getppid(), 0, 0), libc.process_vm_readv(os.getppid(), None, 0, None, 0, 0))"
    )
    assert done.stdout == "-1 -1\n", done.stderr


@linux
def test_the_seals_are_reported(pool: Pool) -> None:
    """A process reports which seals hold; limits, parent's end and no new privileges always do on Linux."""
    read(pool, FILE)
    for process in list(pool.processes.values()):
        assert {"limits", "ends with its parent", "no new privileges"} <= set(process.seals)


@linux
def test_nothing_is_inherited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A process has neither the gate's environment nor its open files."""
    monkeypatch.setenv("TAKEBACK_PLATFORM_KEY", "secret")
    with (tmp_path / "list").open("w"):
        process = Process(Budget())
        try:
            environ = Path(f"/proc/{process.pid}/environ").read_bytes()
            opened = {str(link.readlink()) for link in Path(f"/proc/{process.pid}/fd").iterdir()}
        finally:
            process.close()
    assert b"secret" not in environ
    assert {link.partition(":")[0] for link in opened} <= {"pipe", "/dev/null"}


def test_time_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that takes too much CPU time is unreadable, the limit is named, and the next file is read."""
    monkeypatch.setattr(hashing_process, "WALL_CLOCK_FACTOR", 1000.0)  # on a busy machine that limit would come first
    pool = Pool(Budget(picture_seconds=0.2, processes=1))
    try:
        slow = read(pool, large(9000))
        assert (slow.kind, slow.signals) == (MediaKind.UNREADABLE, exact_signals(large(9000)))
        assert isinstance(slow.why, OverBudget)
        assert str(slow.why) == "the file takes more than 0.2 seconds of processor time"
        assert read(pool, FILE).kind is MediaKind.PICTURE
    finally:
        pool.close()


@linux
def test_a_sealed_process_cannot_live_for_ever() -> None:
    """A process that switches off its timer is killed by the kernel at its hard limit."""
    done = attempts("import itertools\nsignal.setitimer(signal.ITIMER_PROF, 0)\nall(itertools.repeat(True))")
    assert -done.returncode in {signals.SIGKILL, signals.SIGXCPU}


def test_a_spent_process_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has used its CPU time in all is replaced, and no file is affected."""
    monkeypatch.setattr(hashing_process, "MAX_PROCESS_CPU_SECONDS", 0.0)
    pool = Pool(Budget(processes=1))
    try:
        seen = set[int]()
        for _ in range(3):
            assert read(pool, FILE).kind is MediaKind.PICTURE
            seen |= pool.processes.keys()
        assert len(seen) > 1
    finally:
        pool.close()


@linux
def test_memory_is_limited() -> None:
    """A file that takes too much memory is unreadable, and the limit is named."""
    pool = Pool(Budget(megabytes=64, processes=1))
    try:
        found = read(pool, large(10_900, 3))
        assert (found.kind, str(found.why)) == (
            MediaKind.UNREADABLE,
            "the file needs more than 64 megabytes of memory",
        )
        assert read(pool, FILE).kind is MediaKind.PICTURE
    finally:
        pool.close()


def test_large_files_leave_room_for_others(pool: Pool) -> None:
    """While large pictures are queued, a small one is read."""
    jobs = [pool.submit(io.BytesIO(large(9000))) for _ in range(12)]
    assert read(pool, FILE).kind is MediaKind.PICTURE
    assert not all(job.future.done() for job in jobs)
    assert [job.result().kind for job in jobs] == [MediaKind.PICTURE] * 12


def test_cancelled_jobs_end(pool: Pool) -> None:
    """A cancelled job is killed or never started; others go on."""
    running, waiting = [pool.submit(io.BytesIO(large(9900))) for _ in range(2)]
    while not pool.processes:
        time.sleep(0.01)
    waiting.cancel()
    time.sleep(0.2)
    running.cancel()
    assert read(pool, FILE).kind is MediaKind.PICTURE
    with pytest.raises(GateError):
        waiting.result()


def test_a_killed_process_is_replaced(pool: Pool) -> None:
    """If a process is killed from outside, its file is unreadable, and the next one is read."""
    job = pool.submit(io.BytesIO(large(9900)))
    time.sleep(0.3)
    for number in list(pool.processes):
        os.kill(number, signals.SIGKILL)
    assert job.result().kind in {MediaKind.UNREADABLE, MediaKind.PICTURE}
    assert [read(pool, FILE).kind for _ in range(4)][-1] is MediaKind.PICTURE


def test_threads_share_a_pool(pool: Pool) -> None:
    """Many threads at once each get the result for their own file."""
    files = [jpeg(drawing(seed)) for seed in range(8)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda data: read(pool, data), files * 3))
    assert [one.signals for one in found] == [hash_picture(data, look_ups=True).signals for data in files] * 3


@linux
def test_processes_end_with_their_parent() -> None:
    """When the program that started them is killed, the processes end."""
    program = (
        "import io, sys, time; from takeback.gate.processes.pool import Pool\n"
        "from takeback.gate.rules.policy import Budget\n"
        "pool = Pool(Budget(processes=1)); pool.submit(io.BytesIO(sys.stdin.buffer.read())).result()\n"
        "print(*pool.processes, flush=True); time.sleep(60)"
    )
    environ = {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdin
        assert parent.stdout
        parent.stdin.write(FILE)
        parent.stdin.close()
        child = int(parent.stdout.readline())
        parent.kill()
    wait_for(lambda: not is_running(child))


def is_running(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(holds: Callable[[], bool]) -> None:
    for _ in range(1000):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("never")


THUMBNAIL: Final = {"width": 9, "height": 9, "across": 9, "down": 9}
POINT: Final = {"width": 1, "height": 1, "across": 1, "down": 1}


def found(signals: list[list[object]], *thumbnails: dict[str, int], frames: Sequence[list[object]] = ()) -> bytes:
    """A process's answer."""
    return json.dumps({"found": {"signals": signals, "thumbnails": thumbnails, "frames": frames}}).encode()


@pytest.mark.parametrize(
    "said",
    [
        b"not json",
        b"{}",
        found([["pdq", "zz", 1, "whole"]]),
        found([["md5", 5, None, "whole"]]),
        found([], THUMBNAIL),
        found([], frames=[[1.0, 100, ["0" * 64] * 8, False, False]]),
        found([], POINT, frames=[[1.0, 100, ["0" * 64] * 8, True, False]]),
        found([], POINT, frames=[[1.0, 100, ["0" * 64] * 7, False, False]]),
        found([], POINT, frames=[[-1.0, 100, ["0" * 64] * 8, False, False]]),
        found([], POINT, frames=[[1.0, 100, ["G" * 64] * 8, False, False]]),
        found([], *[POINT] * 14),
        b'{"found": {"signals": [], "thumbnails": []}, "more": 1}',
        b'{"read": [-1, 5]}',
        None,
    ],
)
def test_messages_of_a_process_are_not_trusted(said: bytes | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that sends an invalid message is killed, and its file is unreadable."""
    lines = "import sys, os; out = os.fdopen(1, 'wb'); say = lambda d: out.write(len(d).to_bytes(4, 'big') + d)"
    ready, endless = json.dumps({"sealed": []}).encode(), "b'x' * 2_000_000"
    frames = f"({ready!r}, {endless if said is None else repr(said)}, b'x')"
    program = f"{lines}; [say(d) for d in {frames}]; out.flush(); sys.stdin.buffer.read()"
    monkeypatch.setattr(hashing_process, "_PROGRAM", program)
    pool = Pool(Budget(processes=1))
    try:
        assert read(pool, FILE).kind is MediaKind.UNREADABLE
    finally:
        pool.close()


def test_a_process_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """If no process starts, callers get an error, and other files still get exact hashes."""
    monkeypatch.setattr(hashing_process, "_PROGRAM", "raise SystemExit")
    pool = Pool(Budget(processes=1))
    try:
        with pytest.raises(GateError, match="process that hashes files cannot be started"):
            read(pool, FILE)
        assert read(pool, b"hello").kind is MediaKind.NOT_MEDIA
    finally:
        pool.close()
