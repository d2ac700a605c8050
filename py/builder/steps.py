"""Steps: what a command does in sequence, shown while it runs, and skipped if nothing has changed."""

import fcntl
import hashlib
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from builder import ROOT, WORK

QUIET_SECONDS: Final = 1.0
"""A step that ends sooner is not shown."""


@contextmanager
def step(what: str) -> Iterator[None]:
    """Reports on standard error that `what` is running, once it has taken a second, and how long it took.

    On a terminal, one line counts the seconds; otherwise there is a line at the start and one at the end.
    """
    over = threading.Event()
    start = time.monotonic()
    teller = threading.Thread(target=_tell, args=(what, start, over), daemon=True)
    teller.start()
    ended = "stopped after"
    try:
        yield
        ended = "done in"
    finally:
        over.set()
        teller.join()
        took = time.monotonic() - start
        if took >= QUIET_SECONDS:
            print(f"{_line_start()}{what}: {ended} {took:.1f} s", file=sys.stderr, flush=True)


def _tell(what: str, start: float, over: threading.Event) -> None:
    """Reports progress until the step is over."""
    if over.wait(QUIET_SECONDS):
        return
    if not sys.stderr.isatty():
        print(f"{what} ...", file=sys.stderr, flush=True)
        return
    while not over.wait(0.2):
        print(f"{_line_start()}{what} ... {time.monotonic() - start:.0f} s", end="", file=sys.stderr, flush=True)


def _line_start() -> str:
    """The escape sequence that returns to the start of a terminal's line and clears it; empty elsewhere."""
    return "\r\x1b[2K" if sys.stderr.isatty() else ""


def fingerprint(paths: Iterable[Path], *facts: str) -> str:
    """Returns a SHA-256, in hex, of files, folders and `facts`: it changes whenever their content does.

    Paths count relative to the repository; `__pycache__` and missing files are ignored.
    """
    digest = hashlib.sha256("\0".join(facts).encode())
    for file in sorted(file for path in paths for file in _files(path)):
        name = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"\n{name.as_posix()} {content}".encode())
    return digest.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    """The file itself, or all files below the folder."""
    if path.is_file():
        yield path
    elif path.is_dir():
        yield from (file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)


def once(what: str, stamp: Path, key: str, made: Iterable[Path], make: Callable[[], object]) -> bool:
    """Runs `make` as a step, unless `stamp` records success with the same `key` and all of `made` exists.

    Returns whether it ran. The stamp is removed first and written last, so that an interrupted step runs again.
    """
    if stamp.is_file() and stamp.read_text() == key and all(path.exists() for path in made):
        return False
    stamp.unlink(missing_ok=True)
    with step(what):
        make()
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(key)
    return True


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Holds this clone's lock, so that no other `build.py` writes here at the same time."""
    WORK.mkdir(exist_ok=True)
    with (WORK / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with step("waiting for another build.py in this clone"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield
