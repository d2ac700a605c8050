"""A gate that learns a new type of signal gets the entries that an older version of it got as tombstones."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import batched
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback import bulk, protocol
from takeback.errors import FeedBroken, GateError, RegistryUnreachable, TakebackError
from takeback.gate import Action, Gate
from takeback.gate.feed import client, snapshot_import
from takeback.gate.feed import state as state_module
from takeback.gate.feed.follow import follow
from takeback.gate.feed.state import EntryRow, SnapshotBatch, State
from takeback.gate.settings import GateSettings, save
from takeback.protocol import EntryStatus, FeedAction
from takeback.signals import SignalType
from tests.gate.feeds import KEY, Log, logs, signal
from tests.gate.servers import Answer, Registry, Request, running

URL = "https://registry.example"
OLD_TYPES = frozenset(SignalType) - protocol.LATER_TYPES
LATER = SignalType.MD5
"""The type that is new in these tests of decisions, because every gate finds it."""


@contextmanager
def knowing(*later: SignalType) -> Iterator[None]:
    """A version of the gate that knows these of the newer types."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (client, state_module):
            patch.setattr(module, "LATER_TYPES", frozenset(later))
        yield


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A registry in which `LATER` is new."""
    monkeypatch.setattr(protocol, "LATER_TYPES", frozenset({LATER}))
    with running() as served:
        yield served


@pytest.fixture
def home(registry: Registry, tmp_path: Path) -> Path:
    """A gate that has never synced."""
    save(tmp_path / "gate", GateSettings(registry.url, KEY))
    return tmp_path / "gate"


def action(gate: Gate, seed: int) -> Action:
    """The decision on an upload with a signal of the new type."""
    return gate.check_signals([signal(seed, LATER)]).action


def snapshots(registry: Registry) -> int:
    """How often the snapshot was asked for."""
    return sum(request.path == "/v1/feed/snapshot" for request in registry.requests)


def take(state: State, log: Log, types: frozenset[SignalType], upto: int | None = None) -> None:
    """Follows the log to its end or to number `upto` with a gate that knows these types."""
    part = Log(log.lines[:upto], log.active)
    while (position := state.position()[0]).checkpoint < len(part.lines):
        page = part.page(position.checkpoint, types=types)
        state.apply(follow(position, state.known(page), page))


def batches(log: Log) -> Iterator[SnapshotBatch]:
    """The snapshot in batches of two."""
    for some in batched(log.snapshot(), 2):
        rows: list[EntryRow] = [
            (line.number, line.entry, held.type, held.value, held.quality, held.variant, line.standing or "block")
            for line in some
            if (held := line.signal)
        ]
        yield SnapshotBatch(rows, [])


def held(state: State) -> dict[str, tuple[object, EntryStatus]]:
    """The active entries with their signals and statuses."""
    added = dict(state.changes_since(0).added)
    statuses = state.entry_statuses(added)
    return {entry: (found, statuses[entry]) for entry, found in added.items()}


@given(log=logs(), data=st.data())
def test_after_any_feed_nothing_is_missed(
    tmp_path_factory: pytest.TempPathFactory, log: Log, data: st.DataObject
) -> None:
    """An upgrade at any number, and again after the older version ran once more, leads to the state of a new gate."""
    for entry in data.draw(st.sets(st.sampled_from(sorted(log.active)) if log.active else st.nothing())):
        log.change(entry, EntryStatus.REVIEW)
    first, second = sorted(data.draw(st.tuples(*[st.integers(0, len(log.lines))] * 2)))
    home = tmp_path_factory.mktemp("state")
    with knowing(), closing(State(home, URL)) as state:
        take(state, log, OLD_TYPES, first)
        state.confirm(log.active, confirmed=True)
        confirmed = state.confirmed(log.active)
    with closing(State(home, URL)) as state:
        assert bool(state.unread_types()) == (first > 0)
        take(state, log, frozenset(SignalType), second)
    if data.draw(st.booleans()):
        with knowing(), closing(State(home, URL)) as state:
            take(state, log, OLD_TYPES)
    with closing(State(home, URL)) as state:
        take(state, log, frozenset(SignalType))
        if unread := state.unread_types():
            before, identity = state.position(), state.identity
            state.fill_tombstones(unread, batches(log), lambda: None)
            assert (state.position(), state.identity == identity) == (before, False)
        assert state.unread_types() == frozenset()
        assert state.confirmed(log.active) == confirmed
        with closing(State(tmp_path_factory.mktemp("new"), URL)) as new:
            take(new, log, frozenset(SignalType))
            assert held(state) == held(new)


def test_an_upgraded_gate(registry: Registry, home: Path) -> None:
    """After the upgrade a sync finds what was missed, once, and keeps ids, confirmed entries and queued feedback."""
    log = registry.log
    kept = [log.add(signal(seed, kind)) for seed, kind in ((1, LATER), (2, SignalType.SHA256), (3, LATER))]
    gone = log.add(signal(4, LATER))
    log.change(kept[2], EntryStatus.REVIEW)
    with knowing(), Gate.open(home) as older:
        older.sync()
        assert [action(older, seed) for seed in (1, 3, 4)] == [Action.ALLOW] * 3
        older.feedback([kept[1]], "blocked", confirmed=True)
    log.remove(gone)
    with knowing(LATER), Gate.open(home) as gate, Gate.open(home) as other:
        assert action(other, 1) is Action.ALLOW
        synced = gate.sync()
        assert (synced.added, synced.removed, synced.delivered, synced.checkpoint) == (2, 1, 1, 6)
        for process in (gate, other):
            assert [action(process, seed) for seed in (1, 3, 4)] == [Action.BLOCK, Action.REVIEW, Action.ALLOW]
        assert gate.check_signals([signal(1, LATER)]).matches[0].entry == kept[0]
        log.add(signal(5, LATER))
        log.remove(kept[0])
        gate.sync()
        for process in (gate, other):
            assert [action(process, seed) for seed in (1, 3, 5)] == [Action.ALLOW, Action.REVIEW, Action.BLOCK]
        assert gate.status().alarm is None
    with closing(State(home, registry.url)) as state:
        assert state.confirmed(kept) == {kept[1]}
    assert snapshots(registry) == 1


def test_a_new_gate_asks_for_no_snapshot(registry: Registry, home: Path) -> None:
    """A gate that knew the type from its first line on has missed nothing, even if it is opened again."""
    for seed in range(3):
        registry.log.add(signal(seed, LATER))
        with knowing(LATER), Gate.open(home) as gate:
            gate.sync()
            assert action(gate, seed) is Action.BLOCK
    assert snapshots(registry) == 0


def test_an_older_version_ran_in_between(registry: Registry, home: Path) -> None:
    """What an older version got as tombstones while it ran in the folder once more is found as well."""
    for version, seed in ((knowing(LATER), 1), (knowing(), 2), (knowing(LATER), 3)):
        registry.log.add(signal(seed, LATER))
        with version, Gate.open(home) as gate:
            gate.sync()
    with knowing(LATER), Gate.open(home) as gate:
        assert [action(gate, seed) for seed in (1, 2, 3)] == [Action.BLOCK] * 3
    assert snapshots(registry) == 1


def test_a_registry_of_the_first_version(registry: Registry, home: Path) -> None:
    """An upgraded gate follows a registry that does not know the header, and gets the new type once that does."""
    log = registry.log
    log.add(signal(1, SignalType.SHA256))
    with knowing(), Gate.open(home) as older:
        older.sync()
    with knowing(LATER), Gate.open(home) as gate:
        assert (gate.sync().added, gate.sync().added) == (0, 0)
        log.add(signal(2, LATER))
        assert gate.sync().added == 1
        assert action(gate, 2) is Action.BLOCK
    assert snapshots(registry) == 1


def unsigned(registry: Registry, request: Request) -> Answer:
    """A snapshot whose signature covers something else."""
    answer = registry.honest(request)
    return Answer(bytes(answer.body[:20]) + b"x" + bytes(answer.body[21:]))  # type: ignore[arg-type]


def cut(registry: Registry, request: Request) -> Answer:
    """A snapshot without its end."""
    return Answer(registry.honest(request).body[:60])


def older(registry: Registry, request: Request) -> Answer:
    """A snapshot from before the last line."""
    past = Registry(Log(registry.log.lines[:-1], registry.log.active))
    return past.honest(request)


TROUBLE: dict[str, tuple[Callable[[Registry, Request], Answer], type[TakebackError], str]] = {
    "unsigned": (unsigned, FeedBroken, "rule 5"),
    "cut": (cut, FeedBroken, "truncated"),
    "older": (older, RegistryUnreachable, "older than its feed"),
    "busy": (lambda _, __: Answer(status=503), RegistryUnreachable, "cannot answer now"),
}


@pytest.mark.parametrize(("lie", "error", "text"), TROUBLE.values(), ids=TROUBLE.keys())
def test_a_bad_snapshot_changes_nothing(
    registry: Registry,
    home: Path,
    lie: Callable[[Registry, Request], Answer],
    error: type[TakebackError],
    text: str,
) -> None:
    """Withdrawals and feedback do not wait for the snapshot, nothing of a bad one is kept, and a good one mends all."""
    log = registry.log
    log.add(signal(1, LATER))
    gone = log.add(signal(2, SignalType.SHA256))
    with knowing(), Gate.open(home) as first:
        first.sync()
        first.feedback([gone], "blocked")
    log.remove(gone)
    registry.answer = lambda request: (
        lie(registry, request) if request.path == "/v1/feed/snapshot" else registry.honest(request)
    )
    with knowing(LATER), Gate.open(home) as gate:
        with pytest.raises(error, match=text):
            gate.sync()
        assert gate.status().checkpoint == 3
        assert gate.status().feedback_waiting == 0
        assert gate.check_signals([signal(2, SignalType.SHA256)]).action is Action.ALLOW
        assert action(gate, 1) is Action.ALLOW
        registry.answer = registry.honest
        assert gate.sync().added == 1
        assert action(gate, 1) is Action.BLOCK
        assert gate.status().alarm is None


def test_ended_half_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If moving the entries ends half way, the next sync finishes it."""
    log = Log()
    for seed in range(5):
        log.add(signal(seed, SignalType.PATCHES))
    monkeypatch.setattr(state_module, "_LATE_ROWS", 2)
    with knowing(), closing(State(tmp_path, URL)) as state:
        take(state, log, OLD_TYPES)
    with closing(State(tmp_path, URL)) as state:
        types = state.unread_types()
        state._stage(types, batches(log))
        with state._writing() as db:
            db.execute("DELETE FROM late WHERE number > 2")
        assert state._move_late() == 2
        assert state.unread_types() == types
    with closing(State(tmp_path, URL)) as state:
        assert state.fill_tombstones(types, batches(log), lambda: None) == 3
        assert dict(state.changes_since(0).added) == log.active


def test_a_state_that_is_closed(tmp_path: Path) -> None:
    """A closed state says so."""
    state = State(tmp_path, URL)
    state.close()
    with pytest.raises(GateError, match="the gate is closed"):
        state.unread_types()


def bulk_record(value: bytes, variant: int) -> bulk.BulkRecord:
    """An entry of local hashes in a snapshot."""
    add = bulk.Add(bulk.TYPES.index(SignalType.PATCHES), variant, 0, bulk.NO_QUALITY, 0, b"", value)
    return bulk.BulkRecord(7, FeedAction.ADD, b"e" * 16, add)


def test_the_snapshot_checks_local_hashes() -> None:
    """A malformed `patches` value in a snapshot is refused with its number."""
    for value, variant in ((b"ffff", 0), (b"00000000ffffffff", 1)):
        record = bulk_record(value, variant)
        with pytest.raises(FeedBroken, match="number 7"):
            snapshot_import._row(record)
    assert snapshot_import._row(bulk_record(b"00000000ffffffff", 0))[2] is SignalType.PATCHES
