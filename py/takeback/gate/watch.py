"""Following the feed for as long as the process lives, gently to a registry that is in trouble."""

from collections.abc import Callable
from typing import Final

from takeback.errors import RegistryUnreachable
from takeback.gate.service import Synced

DEFAULT_INTERVAL: Final = 30.0
"""Seconds between polls: how long a withdrawn picture may go on being blocked."""
MAX_WAIT: Final = 300.0
"""Seconds that trouble never makes longer: after an outage everyone is up to date within five minutes."""
_JITTER: Final = 0.2
"""The share of a wait that is left to chance, so that a fleet of gates does not knock at the same moment."""


def wait_before_next(interval: float, failures: int, chance: float) -> float:
    """Seconds to wait after so many `failures` in a row: twice as long each time; `chance` is from 0 to 1."""
    longest = max(interval, MAX_WAIT)
    doubled: float = min(interval * 2.0 ** min(failures, 32), longest)
    return doubled * (1 - _JITTER + 2 * _JITTER * chance)


def watch(
    sync: Callable[[], Synced],
    wait: Callable[[float], object],
    tell: Callable[[str], object],
    chance: Callable[[], float],
    interval: float = DEFAULT_INTERVAL,
) -> None:
    """Syncs again and again and tells what it does, until an error that waiting does not mend, or `wait` raises."""
    failures = 0
    while True:
        try:
            done = sync()
        except RegistryUnreachable as error:
            failures += 1
            pause = wait_before_next(interval, failures, chance())
            tell(f"{error}; trying again in {pause:.0f} s, deciding by what is known")
        else:
            failures = 0
            pause = wait_before_next(interval, 0, chance())
            if done.added or done.removed or done.delivered:
                tell(describe(done))
        wait(pause)


def describe(done: Synced) -> str:
    """What a sync did, in one line."""
    sent = f", {done.delivered} feedback sent" if done.delivered else ""
    return f"{done.added} added, {done.removed} removed, at number {done.checkpoint} of {done.head}{sent}"
