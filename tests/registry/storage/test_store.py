"""The feed against a model: whatever people and platforms do, also concurrently, PROTOCOL.md's rules hold."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Event
from typing import Any, override

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from takeback.errors import CaseClosed, KeyReused, StoreUnavailable
from takeback.protocol import FeedAction, FeedbackEvent, NewCase, Picture, SignalMessage, Verdict
from takeback.registry.security.entry_ids import EntryIds
from takeback.registry.storage.case_store import Addition, CaseWithdrawal, Submission
from takeback.registry.storage.engine.database import open_database
from takeback.registry.storage.engine.group_commit import GroupCommit
from takeback.registry.storage.feedback_store import PlatformPosition, Report
from takeback.registry.storage.platforms import Platforms
from takeback.registry.storage.store import Store
from takeback.signals import SignalType

POOL = [SignalMessage(SignalType.MD5, f"{n:032x}") for n in range(6)]
"""A small pool of signals, so that cases often share them."""
PICTURES = st.lists(st.lists(st.sampled_from(POOL), min_size=1, max_size=3, unique=True), min_size=1, max_size=3)
KEYS = itertools.count(1)


def submission(pictures: list[list[SignalMessage]]) -> Submission:
    """A new case with its own idempotency key."""
    key = next(KEYS).to_bytes(16)
    return Submission(b"pin", key, key, NewCase([Picture(signals) for signals in pictures]))


class Registry(RuleBasedStateMachine):
    """Cases are made and withdrawn, alone and in groups; the model has a set of signals for each active case."""

    cases: Bundle[Any] = Bundle("cases")
    new_database: Callable[[], Path | str]
    """The database of the next example, set by the test."""

    @initialize()
    def start(self) -> None:
        """An empty registry with one platform."""
        engine = open_database(type(self).new_database())
        key = Platforms(engine).add("Example Photos")
        self.platform = Platforms(engine).check(key)
        self.ids = EntryIds(bytes(32))
        self.store = Store(engine, itertools.count(1_800_000_000).__next__)
        self.active: dict[str, list[set[str]]] = {}
        self.blocked: dict[str, list[int]] = {}
        self.heads = [0]
        self.cursor = 0

    @override
    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()

    @rule(target=cases, group=st.lists(PICTURES, min_size=1, max_size=4))
    def submit(self, group: list[list[list[SignalMessage]]]) -> Any:
        """Sends several cases at the same time."""
        sent = [(self.store.cases.submit(submission(pictures)), pictures) for pictures in group]
        numbers = [self._submitted(future, pictures) for future, pictures in sent]
        return multiple(*numbers)

    def _submitted(self, future: Future[Any], pictures: list[list[SignalMessage]]) -> str:
        result = future.result()
        number: str = result.status.number
        assert result.created
        self.active[number] = [{signal.value for signal in signals} for signals in pictures]
        self.blocked[number] = [0] * len(pictures)
        return number

    @rule(number=cases, pictures=PICTURES)
    def add_pictures(self, number: str, pictures: list[list[SignalMessage]]) -> None:
        """Adds pictures to a case, which is refused if it has ended."""
        key = next(KEYS).to_bytes(16)
        addition = Addition(number, key, key, NewCase([Picture(signals) for signals in pictures]))
        if number in self.active:
            for _ in range(2):
                self.store.cases.add_pictures(addition).result()
            self.active[number] += [{signal.value for signal in signals} for signals in pictures]
            self.blocked[number] += [0] * len(pictures)
        else:
            with pytest.raises(CaseClosed):
                self.store.cases.add_pictures(addition).result()

    @rule(number=cases, positions=st.sets(st.integers(0, 3), min_size=1))
    def withdraw_some(self, number: str, positions: set[int]) -> None:
        """Withdraws some pictures of a case, which ends with its last one."""
        status = self.store.cases.withdraw(CaseWithdrawal(number, frozenset(positions))).result()
        if number in self.active:
            for position in positions & set(range(len(self.active[number]))):
                self.active[number][position] = set()
            if not any(self.active[number]):
                del self.active[number]
        assert status.state == ("active" if number in self.active else "withdrawn")

    @rule(group=st.lists(consumes(cases), min_size=1, max_size=3))
    def withdraw(self, group: list[str]) -> None:
        """Sends several withdrawals at the same time."""
        for future in [self.store.cases.withdraw(CaseWithdrawal(number)) for number in group]:
            assert future.result().state == "withdrawn"
        for number in group:
            self.active.pop(number, None)

    @rule(numbers=st.lists(st.integers(0, 5), min_size=1, max_size=6), same=st.booleans())
    def block(self, numbers: list[int], same: bool) -> None:
        """A platform reports a blocked upload that matched some signals, once or twice."""
        ids = {signal: entry for entry, signal in self._walk().items()}
        touched = {POOL[n].value for n in numbers}
        entries = [ids.get(value, "f" * 32) for value in sorted(touched)]
        happened = FeedbackEvent(next(KEYS).to_bytes(16).hex(), Verdict.BLOCKED, entries)
        report = Report(self.platform.id, self.ids, [happened] * (2 if same else 1))
        recorded = [self.store.feedback.record(report).result().recorded for _ in range(2)][-1]
        assert (recorded > 0) == bool(touched & ids.keys())
        for number, pictures in self.active.items():
            for position, signals in enumerate(pictures):
                self.blocked[number][position] += bool(signals & touched)

    @rule(share=st.floats(0, 1))
    def move(self, share: float) -> None:
        """The platform applies a part of the feed."""
        self.cursor = int(self.heads[-1] * share)
        self.store.feedback.move(PlatformPosition(self.platform.id, self.cursor)).result()

    @invariant()
    def the_feed_is_the_model(self) -> None:
        """The active entries of the feed are those of the active cases."""
        if hasattr(self, "store"):
            expected = {value for pictures in self.active.values() for signals in pictures for value in signals}
            assert set(self._walk().values()) == expected

    @invariant()
    def statuses_tell_what_happened(self) -> None:
        """The status of every case has its state, its blocks and its platforms."""
        if not hasattr(self, "store"):
            return
        for number, counts in self.blocked.items():
            case = self.store.cases.case(number)
            assert case
            status = self.store.cases.status(case)
            assert [picture.blocked for picture in status.pictures] == counts
            assert status.state == ("active" if number in self.active else "withdrawn")
            assert status.platforms == (self.cursor >= case.feed_number)

    def _walk(self) -> dict[str, str]:
        """Follows the feed in small pages, checks its rules, and returns the value of each active entry."""
        active: dict[str, str] = {}
        ever: set[str] = set()
        after = 0
        while True:
            page = self.store.feed.page(after, 7, self.ids)
            assert page.head >= self.heads[-1], "the head never falls"
            self.heads.append(page.head)
            for entry in page.entries:
                assert entry.number == after + 1
                after = entry.number
                if entry.action is FeedAction.ADD:
                    assert entry.signal
                    assert entry.entry not in ever
                    assert entry.signal.value not in active.values()
                    active[entry.entry] = entry.signal.value
                    ever.add(entry.entry)
                else:
                    del active[entry.entry]
            if len(page.entries) < 7:
                assert after == page.head
                return active


@pytest.mark.timeout(600)
def test_the_feed_is_what_people_did(new_database: Callable[[], Path | str]) -> None:
    """Whatever people and platforms do, on either database, the feed and the statuses equal the model's."""

    class OnThisStore(Registry):
        pass

    OnThisStore.new_database = staticmethod(new_database)
    run_state_machine_as_test(OnThisStore, settings=settings(max_examples=25, stateful_step_count=12, deadline=None))


@pytest.fixture
def store(new_database: Callable[[], Path | str]) -> Iterator[Store]:
    """An empty store with a fixed clock."""
    opened = Store(open_database(new_database()), lambda: 1_800_000_000)
    yield opened
    opened.close()


def test_one_bad_event_does_not_harm_its_group(store: Store) -> None:
    """If one of several events in a transaction fails, only that one is refused and the others are stored."""
    good, other = submission([[POOL[0]]]), submission([[POOL[1]]])
    broken = Submission(None, next(KEYS).to_bytes(16), b"", good.case)  # type: ignore[arg-type]
    writer = GroupCommit(store._engine, lambda _: None)
    jobs = [(store.cases._submit, one) for one in (good, broken, other)]
    gate: Future[None] = Future()
    writer.submit(lambda _c, group: [gate.result() for _ in group], None)
    futures = [writer.submit(batch, item) for batch, item in jobs]
    gate.set_result(None)
    outcomes: list[Any] = [future.exception() or future.result() for future in futures]
    writer.close()

    assert outcomes[0].created
    assert isinstance(outcomes[1], StoreUnavailable)
    assert outcomes[2].created
    assert store.feed.page(0, 10, EntryIds(bytes(32))).head == 2


def test_a_key_reused_within_one_group_is_refused(store: Store) -> None:
    """Of two concurrent messages with the same key, one is stored and the other is refused."""
    first = submission([[POOL[0]]])
    second = Submission(b"pin", first.key, b"other", first.case)
    with store._engine.begin() as connection:
        one, two = store.cases._submit(connection, [first, second])

    assert not isinstance(one, KeyReused)
    assert isinstance(two, KeyReused)


def test_when_the_disk_fails_nothing_is_kept_and_it_recovers(store: Store) -> None:
    """A failed commit raises `StoreUnavailable` and leaves no trace, and the same message succeeds later."""
    message = submission([[POOL[0]]])
    failing = True

    def fail(connection: Connection) -> None:
        if failing and connection.get_execution_options().get("takeback_writes"):
            raise OperationalError("COMMIT", None, Exception("database or disk is full"))

    event.listen(store._engine, "commit", fail)
    with pytest.raises(StoreUnavailable):
        store.cases.submit(message).result()
    assert store.feed.page(0, 10, EntryIds(bytes(32))).head == 0
    failing = False

    assert store.cases.submit(message).result().created
    assert store.feed.page(0, 10, EntryIds(bytes(32))).head == 1


def test_what_was_kept_although_it_failed_is_found_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a commit is durable and its answer is lost, the same message gives the same case."""
    message = submission([[POOL[0]]])
    dialect = store._engine.dialect

    def commit_and_fail(connection: Any) -> None:
        connection.commit()
        raise OperationalError("COMMIT", None, Exception("disk I/O error"))

    with monkeypatch.context() as fault:
        fault.setattr(dialect, "do_commit", commit_and_fail)
        with pytest.raises(StoreUnavailable):
            store.cases.submit(message).result()
    again = store.cases.submit(message).result()

    assert not again.created
    assert store.feed.page(0, 10, EntryIds(bytes(32))).head == 1


def test_what_comes_while_another_process_writes_goes_along(tmp_path: Path) -> None:
    """After waiting for the lock, all events that are queued by then are written in one transaction."""
    waits, goes_on, groups = Event(), Event(), list[list[int]]()

    def begin(_connection: Connection) -> None:
        waits.set()
        assert goes_on.wait(30)

    def note(_connection: Connection, items: Sequence[int]) -> Sequence[int]:
        groups.append(list(items))
        return items

    engine = open_database(tmp_path / "registry.sqlite")
    writer = GroupCommit(engine, begin)
    first = writer.submit(note, 1)
    assert waits.wait(30)
    others = [writer.submit(note, n) for n in (2, 3)]
    goes_on.set()
    assert [future.result(30) for future in (first, *others)] == [1, 2, 3]
    writer.close()
    engine.dispose()
    assert groups == [[1, 2, 3]]
