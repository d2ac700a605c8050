"""Hashes mutated files of every format natively, looking for crashes, hangs and leaked tracebacks.

`python3 build.py bench hostile --files 100000` hashes this many, `--first 100001` continues after them. Each file is
hashed in a worker process with limits on processor time and memory, as in a gate. A file that ends its worker, exceeds
a limit, or raises anything but a `PictureError` is a finding: it is kept in `build/hostile/` under its number, which
reproduces the file, and the exit status is 1.
"""

import io
import multiprocessing
import os
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Final

from takeback.errors import PictureError
from takeback.hashing import hash_picture, with_variants
from takeback.hashing.video import SNIFF_BYTES, hash_video, video_format
from tests.bench._mutations import Seed, mutated, seeds

FILES: Final = 10_000
PICTURE_SECONDS: Final = 5
"""Of processor time: what a gate gives a picture."""
VIDEO_SECONDS: Final = 60
"""Of processor time: what a gate gives a video."""
MEMORY: Final = 1 << 30
"""Bytes that a worker may have for its data: what a gate gives it."""
PATIENCE: Final = 300
"""Seconds after which a file that uses no processor counts as hung."""
WORKERS: Final = min(os.cpu_count() or 1, 8)
KEPT: Final = Path(__file__).resolve().parents[2] / "build" / "hostile"
CONTEXT: Final = multiprocessing.get_context("spawn")

type Hash = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file: `hashed`, the code of an error of ours, or a finding, which has a `fault`."""

    said: str
    seconds: float = 0
    fault: str = ""


@dataclass
class Worker:
    """A process that hashes one file after the other."""

    seeds: list[Seed]
    hash: Hash
    number: int = -1
    since: float = 0
    ours: Connection = field(init=False)
    process: multiprocessing.process.BaseProcess = field(init=False)

    def __post_init__(self) -> None:
        self.ours, theirs = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=_work, args=(theirs, self.seeds, self.hash), daemon=True)
        self.process.start()
        theirs.close()

    def take(self, number: int) -> None:
        """Hash the file of this number; the outcome comes by `ours`."""
        self.number, self.since = number, time.monotonic()
        self.ours.send(number)

    def outcome(self) -> Outcome:
        """What came, or how the worker ended."""
        with suppress(EOFError, ConnectionError):
            outcome = self.ours.recv()
            assert isinstance(outcome, Outcome)
            return outcome
        self.process.join()
        code = self.process.exitcode or 0
        return Outcome("ended", fault=f"ended its worker: {_signal(code)}")

    def end(self) -> None:
        """Stop it, whatever it does."""
        self.process.kill()
        self.process.join()
        self.ours.close()


def main(files: int = FILES, first: int = 1) -> int:
    """Hash the files `first` and on; 1 if there was a finding."""
    of = seeds()
    formats = sorted({seed.format for seed in of})
    print(f"{files:,} files from {len(of)} seeds of {len(formats)} formats, {WORKERS} workers")
    said, findings, slowest = Counter[tuple[str, str]](), 0, (0.0, 0)
    begun = time.monotonic()
    for number, outcome in run(range(first, first + files), of):
        if outcome.fault:
            findings += 1
            print(f"FOUND {number}: {outcome.fault}\n  kept as {keep(number, of)}", flush=True)
        said[formats[number % len(formats)], "found" if outcome.fault else outcome.said] += 1
        slowest = max(slowest, (outcome.seconds, number))
    took = time.monotonic() - begun
    _print_table(formats, said)
    print(f"{files:,} files in {took:.0f} s, {files / took:.0f} a second; {findings} findings")
    print(f"slowest: {slowest[0]:.2f} s of processor, file {slowest[1]}")
    return 1 if findings else 0


def run(numbers: range, of: list[Seed], hashing: Hash | None = None) -> Iterator[tuple[int, Outcome]]:
    """Each number with what became of its file, in the order in which they are done."""
    coming = iter(numbers)
    workers = [Worker(of, hashing or hash_file) for _ in range(min(WORKERS, len(numbers)))]
    busy = {worker.ours: worker for worker in workers}
    for worker in workers:
        worker.take(next(coming))
    try:
        while busy:
            ready = wait(list(busy), timeout=1)
            late = [ours for ours, worker in busy.items() if time.monotonic() - worker.since > PATIENCE]
            for ours in {*ready, *late}:
                worker = busy.pop(ours)  # type: ignore[call-overload]
                outcome = worker.outcome() if ours in ready else Outcome("hung", fault=f"hung for {PATIENCE} s")
                yield worker.number, outcome
                number = next(coming, None)
                if outcome.said in {"ended", "hung"} or number is None:
                    worker.end()
                    worker = Worker(of, worker.hash) if number is not None else worker
                if number is not None:
                    worker.take(number)
                    busy[worker.ours] = worker
    finally:
        for worker in busy.values():
            worker.end()


def hash_file(data: bytes) -> None:
    """Everything that is hashed of a file, natively."""
    if video_format(data[:SNIFF_BYTES]):
        hash_video(io.BytesIO(data))
    else:
        with_variants(hash_picture(data))


def keep(number: int, of: list[Seed]) -> Path:
    """Where the file of this number is kept for whoever mends what it found."""
    seed, data = mutated(number, of)
    KEPT.mkdir(parents=True, exist_ok=True)
    path = KEPT / f"{number}-{seed.name}"
    path.write_bytes(data)
    return path


def _work(theirs: Connection, of: list[Seed], hashing: Hash) -> None:
    """The life of a worker."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    unraised = list[str]()
    sys.unraisablehook = lambda event: unraised.append(f"{event.err_msg}: {event.exc_value!r}")
    with suppress(EOFError, KeyboardInterrupt):
        while True:
            _, data = mutated(theirs.recv(), of)
            outcome = _outcome(data, hashing)
            if unraised:
                outcome = Outcome("unraised", fault=f"an error that nobody could catch: {'; '.join(unraised)}")
                unraised.clear()
            theirs.send(outcome)


def _outcome(data: bytes, hashing: Hash) -> Outcome:
    """Hash one file within its budget. A worker that passes it ends by SIGXCPU."""
    used = time.process_time()
    budget = VIDEO_SECONDS if video_format(data[:SNIFF_BYTES]) else PICTURE_SECONDS
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + budget + 1, most))
    said, fault = "hashed", ""
    try:
        hashing(data)
    except PictureError as error:
        said = error.code
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        said, fault = type(error).__name__, traceback.format_exc()
    return Outcome(said, time.process_time() - used, fault)


def _signal(code: int) -> str:
    """How a process ended, in words."""
    if code == -signal.SIGXCPU:
        return f"over its budget of processor time ({PICTURE_SECONDS} s a picture, {VIDEO_SECONDS} s a video)"
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def _print_table(formats: list[str], said: Counter[tuple[str, str]]) -> None:
    """One line a format: how many were hashed, how many were refused and as what."""
    columns = sorted({outcome for _, outcome in said}, key=lambda name: (name != "hashed", name))
    print("\n" + " " * 18 + "".join(f"{name:>20}" for name in columns))
    for kind in formats:
        print(f"{kind:18}" + "".join(f"{said[kind, name]:20,}" for name in columns))
    print()
