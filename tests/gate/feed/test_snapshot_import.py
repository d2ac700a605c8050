"""A new gate before a long feed takes the snapshot: all of it or nothing, and goes on from there line by line."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest

from takeback import bulk, chain
from takeback.errors import FeedBroken, RegistryUnreachable, TakebackError
from takeback.gate import Action, Gate
from takeback.gate.feed import snapshot_import
from takeback.gate.feed.follow import FeedPosition
from takeback.gate.settings import GateSettings, save
from takeback.protocol import FeedHead, encode
from takeback.signals import SignalType
from tests.gate.feeds import KEY, signal
from tests.gate.servers import Answer, Registry, Request, moment, problem, running

LINES = 12
KINDS = list(SignalType)


@dataclass
class Snapshots:
    """Answers for the snapshot of a registry; `change` spoils the records, `tail` the end."""

    registry: Registry
    change: Callable[[list[bytes]], list[bytes]] = list
    cut: int | None = None
    number: int | None = None
    sign: bool = True
    asked: list[Request] = field(default_factory=list)

    def answer(self, request: Request) -> Answer:
        """The snapshot, or what the registry answers."""
        if request.path != "/v1/feed/snapshot":
            return self.registry.honest(request)
        self.asked.append(request)
        lines = [line for line in self.registry.log.lines if line.entry in self.registry.log.active]
        records = [bulk.write_line(line) for line in lines if line.signal]
        body = bulk.MAGIC[True] + b"".join(self.change(records))
        number = len(self.registry.log.lines)
        link = self.registry.log.link(number).hex()
        head = FeedHead(self.number or number, link, number, moment(time.time()), "0" * 64)
        digest = sha256(body if self.sign else b"").digest()
        signed = chain.sign(self.registry.keys[-1], head, KEY.split("_")[1], digest)
        return Answer((body + bulk.encode_end(encode(signed)))[: self.cut])


@pytest.fixture
def snapshots(monkeypatch: pytest.MonkeyPatch) -> Iterator[Snapshots]:
    """A registry with a feed that counts as long, from which two entries have gone."""
    monkeypatch.setattr(snapshot_import, "FROM", 10)
    monkeypatch.setattr(snapshot_import, "LOT", 3)
    with running() as registry:
        for seed in range(LINES):
            registry.log.add(signal(seed, KINDS[seed % 5]))
        for line in registry.log.lines[1:3]:
            registry.log.remove(line.entry)
        made = Snapshots(registry)
        registry.answer = made.answer
        yield made


@pytest.fixture
def home(snapshots: Snapshots, tmp_path: Path) -> Path:
    """A gate that has seen nothing yet."""
    save(tmp_path / "gate", GateSettings(snapshots.registry.url, KEY))
    return tmp_path / "gate"


def test_main_path(snapshots: Snapshots, home: Path) -> None:
    """The snapshot is taken once, decides at once, and the next lines of the feed are applied to it."""
    log, told = snapshots.registry.log, list[FeedPosition]()
    with Gate.open(home) as gate:
        synced = gate.sync(told.append)
        assert (synced.added, synced.checkpoint) == (LINES - 2, LINES + 2)
        assert [position.checkpoint for position in told] == [5, 8, 11]
        assert gate.check_signals([signal(0, KINDS[0])]).action is Action.BLOCK
        assert gate.check_signals([signal(1, KINDS[1])]).action is Action.ALLOW
        log.remove(log.lines[0].entry)
        log.add(signal(99))
        assert (gate.sync().added, len(snapshots.asked)) == (1, 1)
        assert gate.check_signals([signal(0, KINDS[0])]).action is Action.ALLOW
        assert gate.status().alarm is None


def test_a_short_feed_comes_in_pages(snapshots: Snapshots, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a short feed no snapshot is asked for."""
    monkeypatch.setattr(snapshot_import, "FROM", 1000)
    with Gate.open(home) as gate:
        assert gate.sync().added == LINES
    assert snapshots.asked == []


def more(records: list[bytes], entry: bytes, quality: int) -> list[bytes]:
    """One more pdq in the end."""
    return [*records, bulk.write_add(LINES + 2, entry, bulk.Add(0, 0, 0, quality, 0, b"", b"x" * 32))]


SPOILED: dict[str, tuple[dict[str, object], type[TakebackError], str]] = {
    "cut": ({"cut": 200}, FeedBroken, "truncated"),
    "not signed": ({"sign": False}, FeedBroken, "rule 5"),
    "an entry twice": (
        {"change": lambda r: more(r, r[0][9:25], 90)},
        FeedBroken,
        "rule 4",
    ),
    "backwards": ({"change": lambda r: r[::-1]}, FeedBroken, "rule 1"),
    "beyond its end": ({"number": 3}, FeedBroken, "rule 2"),
    "a bad quality": (
        {"change": lambda r: more(r, b"e" * 16, 101)},
        FeedBroken,
        "14",
    ),
    "no quality": ({"change": lambda r: more(r, b"e" * 16, 255)}, FeedBroken, "14"),
}


@pytest.mark.parametrize(("spoil", "error", "text"), SPOILED.values(), ids=SPOILED.keys())
def test_a_bad_snapshot_leaves_nothing(
    snapshots: Snapshots, home: Path, spoil: dict[str, object], error: type[TakebackError], text: str
) -> None:
    """A snapshot that breaks a rule leaves the gate as empty as it was, and a good one mends it."""
    for name, value in spoil.items():
        setattr(snapshots, name, value)
    with Gate.open(home) as gate:
        with pytest.raises(error, match=text):
            gate.sync()
        assert (gate.status().checkpoint, gate.status().entries) == (0, {})
        snapshots.registry.answer = Snapshots(snapshots.registry).answer
        assert gate.sync().added == LINES - 2


def test_trouble(snapshots: Snapshots, home: Path) -> None:
    """A registry that cannot give its snapshot now is one that cannot be reached."""
    snapshots.registry.answer = lambda r: problem(503) if r.path.endswith("snapshot") else snapshots.registry.honest(r)
    with Gate.open(home) as gate, pytest.raises(RegistryUnreachable):
        gate.sync()
