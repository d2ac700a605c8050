"""Backups from SQLite and PostgreSQL into either, and what a check finds."""

import gzip
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from takeback.errors import SettingsError
from takeback.protocol import EntryStatus, FeedbackEvent, NewCase, Picture, SignalMessage, Verdict
from takeback.registry.operations import backup
from takeback.registry.operations.integrity import prove
from takeback.registry.rules.cases import CasePolicy
from takeback.registry.security.entry_ids import EntryIds
from takeback.registry.storage.case_store import CaseWithdrawal, Submission
from takeback.registry.storage.engine.database import open_database
from takeback.registry.storage.feedback_store import Report
from takeback.registry.storage.platforms import Platforms
from takeback.registry.storage.store import Store
from takeback.signals import SignalType
from takeback.times import DAY_SECONDS
from tests.registry.support import PIN, Server, command, md5, serving

IDS = EntryIds(bytes(32))
KEYS = itertools.count(1)

type NewDatabase = Callable[[], Path | str]


def submit(store: Store, *pictures: str) -> str:
    """A new case of pictures with one md5 each."""
    key = next(KEYS).to_bytes(16)
    case = NewCase([Picture([SignalMessage(SignalType.MD5, value * 32)]) for value in pictures])
    return store.cases.submit(Submission(b"pin", key, key, case)).result().status.number


def lived(engine: Engine) -> None:
    """Makes one of everything: additions, changes, removals, erasure, feedback, and delayed entries."""
    now = [1_800_000_000]
    store = Store(engine, lambda: now[0], CasePolicy(0, 0, DAY_SECONDS))
    platform = Platforms(engine).check(Platforms(engine).add("Example Photos"))
    gone = submit(store, "a", "b")
    store.cases.withdraw(CaseWithdrawal(gone)).result()
    now[0] += DAY_SECONDS
    while store.cases.retain():
        pass
    submit(store, "a", "c", "d")
    entry = store.feed.page(4, 1, IDS).entries[0].entry
    store.feedback.record(Report(platform.id, IDS, [FeedbackEvent("0" * 32, Verdict.BLOCKED, [entry])])).result()
    store.feedback.change([3, 4], EntryStatus.REVIEW).result()
    store.close()
    waiting = Store(engine, lambda: now[0], CasePolicy(600))
    submit(waiting, "e")
    waiting.close()


@pytest.fixture
def full(new_database: NewDatabase) -> Iterator[Engine]:
    """A database with every kind of row."""
    engine = open_database(new_database())
    lived(engine)
    yield engine
    engine.dispose()


def test_a_backup_is_the_whole_database(full: Engine, new_database: NewDatabase, tmp_path: Path) -> None:
    """A backup restored into an empty database gives the same backup again, and the registry continues from it."""
    proof = backup.write(full, tmp_path / "one")
    restored = open_database(new_database())
    assert backup.read(restored, tmp_path / "one") == proof
    backup.write(restored, tmp_path / "two")
    assert gzip.decompress((tmp_path / "two").read_bytes()) == gzip.decompress((tmp_path / "one").read_bytes())
    assert (tmp_path / "one").stat().st_mode & 0o077 == 0

    store = Store(restored, lambda: 1_900_000_000)
    Platforms(restored).add("A platform that comes later")
    submit(store, "f")
    store.close()
    with restored.begin() as connection:
        assert prove(connection).lines > proof.lines
    with pytest.raises(SettingsError, match="not empty"):
        backup.read(restored, tmp_path / "one")
    restored.dispose()


def test_a_backup_goes_from_one_store_to_the_other(full: Engine, tmp_path: Path) -> None:
    """A backup of either store is restored into SQLite."""
    proof = backup.write(full, tmp_path / "one")
    restored = open_database(tmp_path / "registry.sqlite")
    assert backup.read(restored, tmp_path / "one") == proof
    restored.dispose()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda data: data[:-20],
        lambda _: gzip.compress(b"{}"),
        lambda data: gzip.compress(gzip.decompress(data)[:-3]),
        lambda data: gzip.compress(gzip.decompress(data) + b"[]\n"),
        lambda data: gzip.compress(gzip.decompress(data).replace(b'"add",', b'"remove",', 1)),
        lambda data: gzip.compress(gzip.decompress(data).replace(b'"review"', b'"paused"', 1)),
        lambda data: gzip.compress(_without(gzip.decompress(data), b'[5,"add"')),
    ],
)
def test_a_spoilt_backup_is_refused(
    full: Engine, new_database: NewDatabase, tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    """A truncated or changed backup leaves the database empty."""
    backup.write(full, tmp_path / "one")
    (tmp_path / "bad").write_bytes(spoil((tmp_path / "one").read_bytes()))
    restored = open_database(new_database())
    with pytest.raises(SettingsError):
        backup.read(restored, tmp_path / "bad")
    assert backup.read(restored, tmp_path / "one").lines
    restored.dispose()


def _without(data: bytes, line: bytes) -> bytes:
    return b"".join(one for one in data.splitlines(keepends=True) if not one.startswith(line))


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        ("DELETE FROM feed WHERE number = 3", "number 3 is missing from the feed"),
        (
            "DELETE FROM feed WHERE number = (SELECT max(number) FROM feed)",
            "which is not the end that the registry recorded",
        ),
        ("UPDATE feed SET action = 'add' WHERE action = 'remove'", "adds an entry that is already in it"),
        ("UPDATE entries SET kind = 'video' WHERE number = 4", "was changed after it was written"),
        (
            "UPDATE entries SET removed = 1 WHERE number = 4",
            "entry 4 is stored in a different state than the feed says",
        ),
        (
            "UPDATE entries SET standing = 'block' WHERE number = 4",
            "entry 4 is stored in a different state than the feed says",
        ),
        ("UPDATE feed SET leaf = NULL WHERE number = 1", "number 1 of the feed has lost its entry"),
    ],
)
def test_a_check_finds_what_is_broken(full: Engine, damage: str, complaint: str) -> None:
    """A database whose feed lost a line or was changed is not verified, and the error says where."""
    with full.begin() as connection:
        prove(connection)
    with full.execution_options(takeback_writes=True).begin() as connection:
        connection.execute(text(damage))
    with full.begin() as connection, pytest.raises(SettingsError, match=complaint):
        prove(connection)


def test_backup_and_restore_by_hand(tmp_path: Path) -> None:
    """A registry that is backed up while it runs and restored with its keys opens the same cases and passes a check."""
    data, other, file = tmp_path / "var", tmp_path / "other", tmp_path / "backup.gz"
    with serving(data) as server:
        number = server.submit([md5()]).json()["number"]
        made = server.command("registry", "backup", str(file))
        assert made.returncode == 0, made.stderr
        assert "holds the feed up to number 1, 1 entries" in made.stdout
        assert server.command("registry", "check").stdout.startswith("all is well")
    (data / "keys").rename(tmp_path / "keys")
    restored = command("registry", "restore", file, "--data", other)
    assert restored.returncode == 0, restored.stderr
    missing = command("registry", "check", "--data", other)
    assert (missing.returncode, "PIN key" in missing.stderr) == (2, True)
    (tmp_path / "keys").rename(other / "keys")
    server = Server(other)
    assert server.case(number, PIN).status_code == 200
    server.stop()
