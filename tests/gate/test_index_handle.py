from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from takeback.gate.feed.follow import Added, Changes, FeedPosition, Removed, Step
from takeback.gate.feed.state import STATE_FILE, State
from takeback.gate.index.file import IndexMarks, load
from takeback.gate.index.multi_index import MERGE_ROWS, Reach
from takeback.gate.index_handle import INDEX_FILE, IndexHandle
from takeback.signals import SignalType
from tests.gate.codes import found
from tests.gate.feeds import entry_id, signal

REGISTRY = "https://registry.example"


@contextmanager
def opened(home: Path, reach: Reach | None = None) -> Iterator[tuple[State, IndexHandle]]:
    """A process's state and index handle."""
    state = State(home, REGISTRY)
    try:
        yield state, IndexHandle(home, state, reach or Reach())
    finally:
        state.close()


def apply(state: State, *steps: Step) -> int:
    """Applies steps as one page, and returns the checkpoint after them."""
    before, _ = state.position()
    after = FeedPosition(before.checkpoint + len(steps), before.checkpoint + len(steps))
    state.apply(Changes(before, after, steps))
    return after.checkpoint


def added(first: int, count: int) -> list[Step]:
    """This number of added entries, the last with an exact hash."""
    kinds = [SignalType.PDQ] * (count - 1) + [SignalType.MD5]
    return [Added(n, entry_id(n), signal(n, kind)) for n, kind in enumerate(kinds, first)]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with 40 entries, and its index in a file."""
    with opened(tmp_path) as (state, handle):
        handle.catch_up(apply(state, *added(1, 40)))
    assert (tmp_path / INDEX_FILE).exists()
    return tmp_path


def test_opened_from_the_file(home: Path) -> None:
    """A second process loads the file, and follows on from there."""
    with opened(home) as (state, handle):
        apply(state, *added(41, 2), Removed(43, entry_id(5)))
        index = handle.catch_up(43)
        assert found(index, signal(40, SignalType.MD5)) == {(entry_id(40), 0)}
        assert found(index, signal(41)) == {(entry_id(41), 0)}
        assert found(index, signal(5)) == set()
        assert handle.unwritten == 3, "the rest is in the file"


@pytest.mark.parametrize("trouble", ["absent", "damaged", "foreign", "other policy", "set back"])
def test_made_anew(home: Path, trouble: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """If the file is missing, damaged, foreign, of another policy or newer than the state, the index is rebuilt."""
    path = home / INDEX_FILE
    reach = Reach(pdq=30) if trouble == "other policy" else Reach()
    if trouble == "absent":
        path.unlink()
    elif trouble == "damaged":
        path.write_bytes(path.read_bytes()[:-9])
    elif trouble == "foreign":
        folder = tmp_path_factory.mktemp("other")
        with opened(folder) as (state, handle):
            handle.catch_up(apply(state, *added(1001, 10)))
        path.write_bytes((folder / INDEX_FILE).read_bytes())
    elif trouble == "set back":
        before = (home / STATE_FILE).read_bytes()
        with opened(home) as (state, handle):
            handle.catch_up(apply(state, Removed(41, entry_id(7))))
            handle.write_if_due()
        (home / STATE_FILE).write_bytes(before)
    with opened(home, reach) as (state, handle):
        checkpoint = state.position()[0].checkpoint
        assert found(handle.catch_up(checkpoint), signal(7)) == {(entry_id(7), 0)}
        assert found(handle.index, signal(1005)) == set()
        assert load(path)[0] == IndexMarks(state.identity, checkpoint, reach.as_dict())


def test_what_is_withdrawn_leaves_the_folder(home: Path) -> None:
    """Once a withdrawal is followed, no file of the folder holds the hash; others reload."""
    value = signal(5).value
    with opened(home) as (_, other), opened(home) as (state, handle):
        assert found(other.catch_up(40), signal(5)) == {(entry_id(5), 0)}
        handle.catch_up(apply(state, Removed(41, entry_id(5))))
        handle.write_if_due()
        state.reached_end(0)
        assert found(other.catch_up(41), signal(5)) == set()
        assert other.unwritten == 0, "it took the new file"
        kept = b"".join(path.read_bytes() for path in home.iterdir())
        assert bytes.fromhex(value) not in kept
        assert value.encode() not in kept
        assert bytes.fromhex(signal(6).value) in kept


def test_the_file_is_not_written_for_little(home: Path) -> None:
    """A few new entries do not cause the file to be rewritten; many do."""
    before = (home / INDEX_FILE).stat().st_ino
    with opened(home) as (state, handle):
        handle.catch_up(apply(state, *added(41, 2)))
        handle.write_if_due()
        assert (home / INDEX_FILE).stat().st_ino == before
        handle.catch_up(apply(state, *added(43, MERGE_ROWS)))
        handle.index.wait()  # even merged into one table, the entries are not in the file
        handle.write_if_due()
        assert load(home / INDEX_FILE)[0].checkpoint == 42 + MERGE_ROWS


def test_one_writes(home: Path) -> None:
    """While another process writes the index, no other writes it or waits."""
    with opened(home) as (state, handle), opened(home) as (other, _):
        handle.catch_up(apply(state, Removed(41, entry_id(5))))
        with other.index_lock() as is_ours:
            assert is_ours
            handle.write_if_due()
            assert load(home / INDEX_FILE)[0].checkpoint == 40
        handle.write_if_due()
        assert load(home / INDEX_FILE)[0].checkpoint == 41


def test_identity(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A state keeps its identity when it is opened again; a copy, which may hold fewer entries, gets another."""
    folder = tmp_path_factory.mktemp("copy")
    with opened(home) as (state, _), opened(home) as (again, _):
        identity = state.identity
        assert identity == again.identity != 0
        state.copy(folder / "state.sqlite")
    with opened(folder) as (copy, _):
        assert copy.identity not in {0, identity}
