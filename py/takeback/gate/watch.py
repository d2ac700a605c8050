"""Following the feed for as long as the process lives, gently to a registry that is in trouble."""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from takeback.errors import RegistryUnreachable, SyncElsewhere, TakebackError
from takeback.gate.service import Gate, Synced

DEFAULT_INTERVAL_SECONDS: Final = 30.0
"""Seconds between polls: how long a withdrawn picture may go on being blocked."""
MAX_WAIT_SECONDS: Final = 300.0
"""Seconds that trouble never makes longer: after an outage everyone is up to date within five minutes."""
_JITTER_SHARE: Final = 0.2
"""The share of a wait that is left to chance, so that a fleet of gates does not knock at the same moment."""


def wait_before_next(interval: float, failures: int, chance: float) -> float:
    """Seconds to wait after so many `failures` in a row: twice as long each time; `chance` is from 0 to 1."""
    longest = max(interval, MAX_WAIT_SECONDS)
    doubled: float = min(interval * 2.0 ** min(failures, 32), longest)
    return doubled * (1 - _JITTER_SHARE + 2 * _JITTER_SHARE * chance)


def watch(
    sync: Callable[[], Synced],
    wait: Callable[[float], object],
    tell: Callable[[str], object],
    chance: Callable[[], float],
    interval: float = DEFAULT_INTERVAL_SECONDS,
) -> None:
    """Syncs again and again and tells what it does, until `wait` raises: no error of one round ends it."""
    failures = 0
    while True:
        try:
            done = sync()
        except SyncElsewhere:
            failures = 0
        except Exception as error:  # noqa: BLE001 - whatever it is, withdrawals must go on arriving
            failures += 1
            pause = wait_before_next(interval, failures, chance())
            tell(f"{explain(error)}; trying again in {pause:.0f} s, deciding by what is known")
            wait(pause)
            continue
        else:
            failures = 0
            if done.added or done.removed or done.delivered or done.paused:
                tell(describe(done))
        wait(wait_before_next(interval, 0, chance()))


def explain(error: Exception) -> str:
    """What went wrong in a round, loudly if the registry is not just away; of a foreign error no text is told."""
    if isinstance(error, RegistryUnreachable):
        return str(error)
    return f"ALARM: the feed is not followed: {error if isinstance(error, TakebackError) else error_location(error)}"


def error_location(error: BaseException) -> str:
    """The kind of an error and its places in the code, without its text, which may hold what a caller sent."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at " + ", ".join(f"{Path(f.filename).name}:{f.lineno}" for f in frames)


@contextmanager
def sync_rounds(open_gate: Callable[[], Gate], sync: Callable[[Gate], Synced]) -> Iterator[Callable[[], Synced]]:
    """One round of following at each call; the gate is opened at the first, and anew after an error of its own.

    So a state file that was moved away, a disk that was full and a key that was replaced are found as they are then.
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
    """What a sync did, in one line."""
    sent = f", {done.delivered} feedback sent" if done.delivered else ""
    paused = f", {done.paused} paused by the registry: they ask for a review" if done.paused else ""
    return f"{done.added} added, {done.removed} removed, at number {done.checkpoint} of {done.head}{sent}{paused}"
