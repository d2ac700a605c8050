"""Several processes write to one feed at random and concurrently, while a platform follows it."""

import random
import secrets
import time
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing import get_context
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from takeback.protocol import FeedAction, NewCase, Picture, SignalMessage
from takeback.registry.rules.cases import CasePolicy
from takeback.registry.security.entry_ids import EntryIds
from takeback.registry.storage.case_store import CaseWithdrawal, Submission
from takeback.registry.storage.engine.database import open_database
from takeback.registry.storage.store import Store
from takeback.signals import SignalType

SHARED = [SignalMessage(SignalType.MD5, f"{n:032x}") for n in range(8)]
"""Signals that all processes send repeatedly, so that they collide."""
IDS = EntryIds(bytes(32))
PROCESSES = 3


def write(where: Path | str, seed: int, events: int, mix: int, said: "Queue[Any]") -> None:
    """One process: makes and withdraws cases, many at a time, and reports what its cases hold in the end."""
    choice = random.Random(seed)
    store = Store(open_database(where), time.time, CasePolicy(delay_seconds=mix))
    open_cases: dict[str, set[str]] = {}
    for _ in range(events):
        waiting: list[tuple[Future[Any], set[str]]] = []
        for _ in range(choice.randint(1, 8)):
            signals = [*choice.sample(SHARED, choice.randint(0, 3)), _own()]
            message = NewCase([Picture(signals)])
            key = secrets.token_bytes(16)
            waiting.append((store.cases.submit(Submission(b"pin", key, key, message)), {s.value for s in signals}))
        going = choice.sample(sorted(open_cases), choice.randint(0, len(open_cases)))
        ended = [store.cases.withdraw(CaseWithdrawal(number)) for number in going]
        for future, values in waiting:
            open_cases[future.result().status.number] = values
        for number, future in zip(going, ended, strict=True):
            assert future.result().state == "withdrawn"
            del open_cases[number]
    store.close()
    said.put(set().union(*open_cases.values()))


def _own() -> SignalMessage:
    return SignalMessage(SignalType.MD5, secrets.token_hex(16))


def follow(store: Store, after: int, active: dict[str, str]) -> int:
    """Applies the lines after a number, checks each, and returns the last number."""
    while entries := (page := store.feed.page(after, 17, IDS)).entries:
        for entry in entries:
            assert entry.number == after + 1, "a gap, or a line that came late"
            after = entry.number
            if entry.action is FeedAction.ADD:
                assert entry.signal
                assert entry.signal.value not in active.values()
                assert active.setdefault(entry.entry, entry.signal.value) == entry.signal.value
            else:
                del active[entry.entry]
        assert after <= page.head
    return after


@pytest.mark.timeout(600)
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), mix=st.sampled_from([0, 1]))
def test_the_feed_has_no_gap_under_many_writers(new_database: Callable[[], Path | str], seed: int, mix: int) -> None:
    """A platform that follows during the writes sees each number once and in order, and ends with the right state."""
    where = new_database()
    store = Store(open_database(where), time.time, CasePolicy(delay_seconds=mix))
    processes = get_context("spawn")
    said: Queue[Any] = processes.Queue()
    writers = [processes.Process(target=write, args=(where, seed + n, 12, mix, said)) for n in range(PROCESSES)]
    for writer in writers:
        writer.start()
    after, active = 0, dict[str, str]()
    while any(writer.is_alive() for writer in writers):
        after = follow(store, after, active)
    expected = set().union(*(said.get(timeout=10) for _ in writers))
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    while store.feed.next_due_time() is not None:
        time.sleep(0.05)
    follow(store, after, active)
    store.close()

    assert set(active.values()) == expected
