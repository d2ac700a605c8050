from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.errors import FeedBroken, RegistryUnreachable, TakebackError
from takeback.gate.service import Synced
from takeback.gate.watch import MAX_WAIT, wait_before_next, watch

QUIET = Synced(0, 0, 0, 7, 7)
type Outcome = Synced | TakebackError


def run(*outcomes: Outcome) -> tuple[list[float], list[str]]:
    """Watches until the outcomes of syncing are used up: the waits and what was told."""
    left = list(outcomes)
    waits: list[float] = []
    told: list[str] = []

    def sync() -> Synced:
        outcome = left.pop(0)
        if isinstance(outcome, TakebackError):
            raise outcome
        return outcome

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if not left:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watch(sync, wait, told.append, _middle, interval=10)
    return waits, told


def _middle() -> float:
    return 0.5


def test_quiet() -> None:
    """While nothing changes it polls at its interval and says nothing."""
    assert run(QUIET, QUIET) == ([10, 10], [])


def test_news() -> None:
    """What a sync brought is told in one line."""
    assert run(Synced(2, 1, 0, 10, 10), Synced(0, 0, 3, 10, 10))[1] == [
        "2 added, 1 removed, at number 10 of 10",
        "0 added, 0 removed, at number 10 of 10, 3 feedback sent",
    ]


def test_unreachable() -> None:
    """While the registry cannot be reached the waits double, and the first answer ends that."""
    away = RegistryUnreachable("the registry did not answer in time")
    waits, told = run(away, away, away, QUIET)
    assert waits == [20, 40, 80, 10]
    assert told[0] == "the registry did not answer in time; trying again in 20 s, deciding by what is known"


def test_other_errors() -> None:
    """An error that waiting does not mend ends the watch."""
    stop: Callable[[], Synced] = _broken
    with pytest.raises(FeedBroken):
        watch(stop, lambda _: None, lambda _: None, _middle)


def _broken() -> Synced:
    raise FeedBroken("rule 1")


@given(st.floats(1, 86400), st.integers(0, 10_000), st.floats(0, 1))
def test_waits(interval: float, failures: int, chance: float) -> None:
    """A wait is never shorter than four fifths of the interval nor longer than six fifths of the longest."""
    wait = wait_before_next(interval, failures, chance)
    assert 0.79 * interval <= wait <= 1.21 * max(interval, MAX_WAIT)
    assert wait_before_next(interval, failures, 0) <= wait <= wait_before_next(interval, failures, 1)
