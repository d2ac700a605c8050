import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.chain import FIRST_LINK
from takeback.errors import FeedBroken, GateError, SettingsError, StateDamaged
from takeback.gate.feed.follow import FeedPosition, follow
from takeback.gate.feed.state import STATE_FILE, SnapshotBatch, State
from takeback.protocol import FeedAction, FeedbackEvent, FeedEntry, Verdict
from takeback.signals import Signal, SignalType
from tests.gate.feeds import Log, entry_id, logs, signal

ROOT = Path(__file__).parents[3]
URL = "https://registry.example"
EVENT = FeedbackEvent("1" * 32, Verdict.BLOCKED, [entry_id(1)])


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """A new gate's state."""
    with closing(State(tmp_path, URL)) as opened:
        yield opened


def take(state: State, log: Log, limit: int = 1000) -> None:
    """Follows the log to its end, page by page."""
    while (position := state.standing()[0]).checkpoint < len(log.lines):
        page = log.page(position.checkpoint, limit)
        state.apply(follow(position, state.known(page), page, limit))


def holds(state: State, log: Log) -> bool:
    """Whether the state is what a follower of the whole log must have."""
    news = state.news(0)
    return dict(news.added) == log.active and news.checkpoint == len(log.lines)


@given(log=logs(), limit=st.integers(1, 7), cut=st.integers(0, 40))
def test_honest_feeds(tmp_path_factory: pytest.TempPathFactory, log: Log, limit: int, cut: int) -> None:
    """After any honest feed the state holds its active entries, also when it was closed in between."""
    home = tmp_path_factory.mktemp("state")
    begun = Log()
    begun.lines = log.lines[:cut]
    with closing(State(home, URL)) as state:
        take(state, begun, limit)
    with closing(State(home, URL)) as state:
        take(state, log, limit)
        assert holds(state, log)


def test_news(state: State) -> None:
    """News after a number are the entries that came and are there still, and the ids that went."""
    log = Log()
    first, short = log.add(signal(1)), log.add(signal(2))
    take(state, log)
    log.remove(first)
    log.remove(short)
    back = log.add(signal(1))
    log.remove(log.add(signal(3)))
    take(state, log)
    news = state.news(2)
    assert list(news.added) == [(back, signal(1))]
    assert {first, short} <= set(news.removed)
    assert news.checkpoint == 7


@pytest.mark.parametrize("entry", [entry_id(9), entry_id(1)])
def test_broken_feed(state: State, entry: str) -> None:
    """An entry that breaks a rule leaves the checkpoint and the entries as they were."""
    log = Log()
    log.remove(log.add(signal(1)))
    log.add(signal(2))
    take(state, log)
    with pytest.raises(FeedBroken, match="number 4"):
        take(state, Log([*log.lines, FeedEntry(4, FeedAction.REMOVE, entry)]))
    assert holds(state, log)


def test_removed_for_good(state: State, tmp_path: Path) -> None:
    """After the feed is read to its end, no byte of a withdrawn hash is left in the gate's files."""
    log = Log()
    gone = [log.add(signal(seed)) for seed in range(50)]
    log.add(signal(99))
    take(state, log)
    for entry in gone:
        log.remove(entry)
    take(state, log)
    state.reached_end(1.0)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert signal(99).value.encode() in kept
    assert not any(signal(seed).value.encode() in kept for seed in range(50))


def test_feedback_waits(tmp_path: Path) -> None:
    """Feedback waits in order through a restart until it is acknowledged, once however often it is queued."""
    other = FeedbackEvent("0" * 32, Verdict.NOT_BLOCKED, [entry_id(2), entry_id(3)])
    with closing(State(tmp_path, URL)) as state:
        state.queue([EVENT, other])
        state.queue([EVENT])
    with closing(State(tmp_path, URL)) as state:
        assert state.waiting(10) == [EVENT, other]
        assert state.waiting(1) == [EVENT]
        state.acknowledge([EVENT])
        assert (state.waiting(10), state.waiting_count()) == ([other], 1)


def test_counts(state: State) -> None:
    """The active entries are counted by type."""
    log = Log()
    log.add(signal(1))
    log.add(signal(2))
    log.remove(log.add(signal(1, SignalType.MD5)))
    log.add(signal(1, SignalType.SHA256))
    take(state, log)
    assert state.counts() == {SignalType.PDQ: 2, SignalType.SHA256: 1}


def test_another_registry(state: State, tmp_path: Path) -> None:
    """A folder that follows one registry does not follow another."""
    assert state.standing()[0].checkpoint == 0
    with pytest.raises(SettingsError, match=r"follows https://registry\.example"):
        State(tmp_path, "https://other.example")


def test_only_the_owner_reads(state: State, tmp_path: Path) -> None:
    """Nobody but their owner can read the hashes."""
    state.queue([EVENT])
    assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}


def test_two_syncs(state: State, tmp_path: Path) -> None:
    """While one process syncs another cannot, but it can read; afterwards it can."""
    with closing(State(tmp_path, URL)) as other:
        with state.syncing():
            with pytest.raises(GateError, match="another sync"), other.syncing(patience=0):
                pass
            assert holds(other, Log())
        with other.syncing(patience=0):
            pass


def test_stale_changes(state: State) -> None:
    """Changes from a position that is no longer the state's are refused whole."""
    log = Log()
    log.add(signal(1))
    page = log.page(0)
    changes = follow(state.standing()[0], state.known(page), page)
    state.apply(changes)
    with pytest.raises(GateError, match="another sync moved the checkpoint"):
        state.apply(changes)
    assert holds(state, log)


def garbage(path: Path) -> None:
    """No database at all."""
    path.write_bytes(b"not a database, but long enough to look like a file " * 100)


def zeroed_pages(path: Path) -> None:
    """A file whose pages were lost in a crash."""
    data = path.read_bytes()
    path.write_bytes(data[:4096] + bytes(len(data) - 4096))


def foreign(path: Path) -> None:
    """Another program's database."""
    path.unlink()
    path.touch(0o600)
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE songs (title TEXT)")


def no_follower(path: Path) -> None:
    """No checkpoint."""
    change(path, "DELETE FROM follower")


def no_table(path: Path) -> None:
    """A table is gone."""
    change(path, "DROP TABLE entries")


def wrong_value(path: Path) -> None:
    """A value that is no hash."""
    change(path, "UPDATE entries SET value = 'ABCDE' WHERE number = 7")


def wrong_type(path: Path) -> None:
    """A type that does not exist."""
    change(path, "UPDATE entries SET type = 'pdf'")


def not_text(path: Path) -> None:
    """A text that is not UTF-8."""
    change(path, "UPDATE entries SET value = CAST(x'ff4142434445' AS TEXT) WHERE number = 7")


def change(path: Path, statement: str) -> None:
    """Changes the file behind the gate's back."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(statement)


DAMAGES = [garbage, zeroed_pages, foreign, no_follower, no_table, wrong_value, wrong_type, not_text]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """A damaged or foreign file is refused, and the error says what to do, and quotes nothing of the file."""
    log = Log()
    for seed in range(200):
        log.add(signal(seed))
    with closing(State(tmp_path, URL)) as state:
        take(state, log)
    damage(tmp_path / STATE_FILE)
    with (
        pytest.raises(StateDamaged, match="move the file away and run") as caught,
        closing(State(tmp_path, URL)) as state,
    ):
        state.news(0)
    assert "ABCDE" not in str(caught.value)


def test_no_place(tmp_path: Path) -> None:
    """A folder that cannot be made is an error that names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(GateError, match=r"file/home.* cannot be used now"):
        State(tmp_path / "file" / "home", URL)


@pytest.mark.parametrize("error", [ValueError("a bug"), TypeError("a bug"), OSError(28, "no space left")])
def test_other_peoples_errors(tmp_path: Path, error: Exception) -> None:
    """An error of what fills the state is not taken for one of its file, and leaves the state as it was."""

    def lots() -> Iterator[SnapshotBatch]:
        yield SnapshotBatch([], [])
        raise error

    with closing(State(tmp_path, URL)) as state:
        with pytest.raises(type(error)) as caught:
            state.fill(lots(), lambda: FeedPosition(1, 1, FIRST_LINK))
        assert caught.value is error
        assert state.standing()[0].checkpoint == 0


def test_closed(tmp_path: Path) -> None:
    """A closed state says that it is closed."""
    state = State(tmp_path, URL)
    state.close()
    with pytest.raises(GateError, match="the gate is closed"):
        state.standing()


def killing_log() -> Log:
    """Six pages of three entries that come, go and come back."""
    log = Log()
    for round_ in range(6):
        held = [log.add(signal(round_)), log.add(signal(round_, SignalType.MD5))]
        log.remove(held[0])
    return log


def follow_until_killed(home: Path) -> None:
    """Follows the log and queues feedback, and tells in a file what is done."""
    log = killing_log()
    with (home / "told").open("w", buffering=1) as told, closing(State(home, URL)) as state:
        while (position := state.standing()[0]).checkpoint < len(log.lines):
            page = log.page(position.checkpoint, 3)
            with state.syncing():
                state.apply(follow(position, state.known(page), page, 3))
            print(position.checkpoint + 3, file=told)
            state.queue([EVENT])
            print("queued", file=told)
        state.reached_end(1.0)


KILLER = """
import os, signal, sqlite3, sys
from pathlib import Path
from tests.gate.feed.test_state import follow_until_killed

class Counted(sqlite3.Connection):
    left = 0
    def execute(self, *arguments):
        Counted.left -= 1
        if Counted.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().execute(*arguments)

connect = sqlite3.connect
def counted(path, *arguments, **named):
    ours = {"factory": Counted} if "state.sqlite" in str(path) else {}  # what measures coverage has a database too
    return connect(path, *arguments, **named, **ours)
sqlite3.connect = counted
status, statement = 1, 0
while status:
    home = Path(sys.argv[1], str(statement))
    home.mkdir(0o700)
    child = os.fork()
    if not child:
        Counted.left = statement
        follow_until_killed(home)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in {0, -signal.SIGKILL}, status
    statement += 1
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_kill(tmp_path: Path) -> None:
    """Killed before any statement, the state holds just what its checkpoint says and all that was acknowledged."""
    paths = os.pathsep.join([str(ROOT / "py"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    subprocess.run([sys.executable, "-c", KILLER, tmp_path], check=True, env={**os.environ, "PYTHONPATH": paths})
    homes = sorted(tmp_path.iterdir(), key=lambda home: int(home.name))
    assert len(homes) > 100
    log = killing_log()
    for home in homes:
        told = (home / "told").read_text().split()
        with closing(State(home, URL)) as state:
            at = state.standing()[0].checkpoint
            assert at >= max(map(int, filter(str.isdigit, told)), default=0)
            assert state.waiting(1) == [EVENT] or "queued" not in told
            assert dict(state.news(0).added) == replay(log, at)
            take(state, log, 3)
            assert holds(state, log)


def replay(log: Log, until: int) -> dict[str, Signal]:
    """The active entries after so many lines."""
    active: dict[str, Signal] = {}
    for line in log.lines[:until]:
        if line.signal is None:
            del active[line.entry]
        else:
            active[line.entry] = line.signal.signal()
    return active
