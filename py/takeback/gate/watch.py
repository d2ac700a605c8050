"""Follows the feed for as long as the process runs, with exponential backoff while the registry is in trouble."""

import random
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from takeback.errors import RegistryUnreachable, SyncElsewhere, TakebackError
from takeback.gate.service import Gate, Synced

DEFAULT_INTERVAL_SECONDS: Final = 30.0
"""Time between syncs, and so the longest time for which a withdrawn picture goes on being blocked."""
MAX_WAIT_SECONDS: Final = 300.0
"""Longest backoff: after an outage, every gate is up to date within five minutes."""
STOP_SECONDS: Final = 10.0
"""Time that a sync in progress has to end when its server stops."""
_JITTER_SHARE: Final = 0.2
"""Each wait varies at random by this share, so that many gates do not poll at the same moment."""


def wait_before_next(interval: float, failures: int, chance: float) -> float:
    """Returns the seconds to wait after `failures` consecutive failures, doubling each time.

    `interval` is in seconds. `chance` is a random number from 0 to 1 that sets the jitter.
    """
    longest = max(interval, MAX_WAIT_SECONDS)
    # The exponent has a limit, because a float overflows from 2.0 ** 1024 on.
    doubled: float = min(interval * 2.0 ** min(failures, 32), longest)
    return doubled * (1 - _JITTER_SHARE + 2 * _JITTER_SHARE * chance)


def watch(
    sync: Callable[[], Synced],
    wait: Callable[[float], object],
    tell: Callable[[str], object],
    chance: Callable[[], float],
    interval: float = DEFAULT_INTERVAL_SECONDS,
) -> None:
    """Calls `sync` repeatedly and reports to `tell`, until `wait` raises; an error of `sync` does not end it.

    `wait` takes seconds, `chance` gives a random number from 0 to 1, and `interval` is in seconds.
    """
    failures = 0
    while True:
        try:
            done = sync()
        except SyncElsewhere:
            # Another process follows the feed for this folder, so nothing is wrong and nothing is told.
            failures = 0
        except Exception as error:  # noqa: BLE001 - after any error at all, withdrawals must go on arriving
            failures += 1
            pause = wait_before_next(interval, failures, chance())
            tell(f"{explain(error)}; trying again in {pause:.0f} s, deciding by the last good state")
            wait(pause)
            continue
        else:
            failures = 0
            if done.added or done.removed or done.delivered or done.paused:
                tell(describe(done))
        wait(wait_before_next(interval, 0, chance()))


def explain(error: Exception) -> str:
    """Describes an error of `sync`, as an ALARM unless the registry is merely unreachable.

    The text of a foreign exception is left out, because it may quote what a caller sent.
    """
    if isinstance(error, RegistryUnreachable):
        return str(error)
    return f"ALARM: the feed is not followed: {error if isinstance(error, TakebackError) else error_location(error)}"


def error_location(error: BaseException) -> str:
    """Returns an error's type and traceback in one line, without its text, which may quote what a caller sent."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at " + ", ".join(f"{Path(f.filename).name}:{f.lineno}" for f in frames)


@contextmanager
def sync_rounds(open_gate: Callable[[], Gate], sync: Callable[[Gate], Synced]) -> Iterator[Callable[[], Synced]]:
    """Yields a function that syncs once. It opens the gate at the first call, and again after a local error.

    Reopening picks up a state file that was moved away, a disk that was full and a key that was replaced.
    """
    held: list[Gate] = []

    def close() -> None:
        while held:
            held.pop().close()

    def one() -> Synced:
        if not held:
            held.append(open_gate())
        try:
            return sync(held[0])
        except (RegistryUnreachable, SyncElsewhere):
            raise
        except Exception:
            close()
            raise

    try:
        yield one
    finally:
        close()


def describe(done: Synced) -> str:
    """Describes what a sync did, in one line."""
    sent = f", {done.delivered} feedback sent" if done.delivered else ""
    paused = f", {done.paused} paused by the registry: they ask for a review" if done.paused else ""
    return f"{done.added} added, {done.removed} removed, at number {done.checkpoint} of {done.head}{sent}{paused}"


# Not an `Exception`, after each of which `watch` goes on.
class _Stopped(BaseException):
    """Ends the following thread when its server stops."""


@contextmanager
def following(
    open_gate: Callable[[], Gate],
    tell: Callable[[str], object],
    interval: float = DEFAULT_INTERVAL_SECONDS,
    sync: Callable[[Gate], Synced] = Gate.sync,
) -> Iterator[None]:
    """Follows the feed in a thread until the block ends, by `sync`. Its errors are told and never stop the caller.

    `interval` is in seconds.
    """
    stop = threading.Event()

    def wait(seconds: float) -> None:
        if stop.wait(seconds):
            raise _Stopped

    def follow() -> None:
        with suppress(_Stopped), sync_rounds(open_gate, sync) as one:
            watch(one, wait, tell, random.random, interval)

    thread = threading.Thread(target=follow, name="follow", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(STOP_SECONDS)
