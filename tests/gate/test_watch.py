import sqlite3
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.errors import FeedBroken, KeyRefused, RegistryUnreachable, StateDamaged, SyncElsewhere
from takeback.gate.service import Gate, Synced
from takeback.gate.watch import MAX_WAIT_SECONDS, sync_rounds, wait_before_next, watch

QUIET = Synced(0, 0, 0, 7, 7)
type Outcome = Synced | Exception


def run(*outcomes: Outcome) -> tuple[list[float], list[str]]:
    """Watches until the outcomes of syncs are used up; returns the waits and the messages."""
    left = list(outcomes)
    waits: list[float] = []
    told: list[str] = []

    def sync() -> Synced:
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
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
    """Without news it polls at its interval and reports nothing."""
    assert run(QUIET, QUIET) == ([10, 10], [])


def test_news() -> None:
    """A sync's changes are reported in one line."""
    assert run(Synced(2, 1, 0, 10, 10), Synced(0, 0, 3, 10, 10))[1] == [
        "2 added, 1 removed, at number 10 of 10",
        "0 added, 0 removed, at number 10 of 10, 3 feedback sent",
    ]


def test_unreachable() -> None:
    """While the registry is unreachable the waits double, until the first answer."""
    away = RegistryUnreachable("the registry did not answer in time")
    waits, told = run(away, away, away, QUIET)
    assert waits == [20, 40, 80, 10]
    assert told[0] == "the registry did not answer in time; trying again in 20 s, deciding by the last good state"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (FeedBroken("rule 1: a gap"), "ALARM: the feed is not followed: rule 1: a gap; trying again in 20 s"),
        (KeyRefused("get a new one"), "ALARM: the feed is not followed: get a new one; trying again in 20 s"),
        (StateDamaged("move it away"), "ALARM: the feed is not followed: move it away; trying again in 20 s"),
        (OSError(28, "no space left on /srv/gate"), "ALARM: the feed is not followed: OSError at "),
        (ValueError("tbk_secret"), "ALARM: the feed is not followed: ValueError at "),
        (sqlite3.OperationalError("database is locked"), "ALARM: the feed is not followed: OperationalError at "),
    ],
)
def test_no_error_of_a_round_ends_the_watch(error: Exception, told: str) -> None:
    """Any error is reported, a foreign one without its text, and the next round is tried."""
    waits, said = run(error, error, QUIET)
    assert waits == [20, 40, 10]
    assert said[0].startswith(told)
    assert "secret" not in "".join(said)
    assert "/srv" not in "".join(said)


def test_another_sync_is_waited_for() -> None:
    """While another process follows the feed in the same folder, no error is reported."""
    assert run(SyncElsewhere("another"), QUIET) == ([10, 10], [])


class Opened:
    """A stand-in for an open gate, which records that it is closed."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        log.append("open")

    def close(self) -> None:
        self.log.append("close")


def test_the_gate_is_opened_anew_after_an_error_of_its_own() -> None:
    """A gate is kept while the registry is unreachable, else reopened."""
    log: list[str] = []
    outcomes: list[Outcome] = [QUIET, RegistryUnreachable("away"), StateDamaged("x"), QUIET]

    def sync(_: object) -> Synced:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with sync_rounds(lambda: cast("Gate", Opened(log)), sync) as one:
        one()
        with pytest.raises(RegistryUnreachable):
            one()
        with pytest.raises(StateDamaged):
            one()
        one()
        assert log == ["open", "close", "open"]
    assert log == ["open", "close", "open", "close"]


@given(st.floats(1, 86400), st.integers(0, 10_000), st.floats(0, 1))
def test_waits(interval: float, failures: int, chance: float) -> None:
    """A wait is between 4/5 of the interval and 6/5 of the longest wait."""
    wait = wait_before_next(interval, failures, chance)
    assert 0.79 * interval <= wait <= 1.21 * max(interval, MAX_WAIT_SECONDS)
    assert wait_before_next(interval, failures, 0) <= wait <= wait_before_next(interval, failures, 1)
