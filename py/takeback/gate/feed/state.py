"""What a gate must not forget: its checkpoint, the active entries, and feedback not yet acknowledged. The only SQL.

One SQLite file. A page's changes and the new checkpoint are one transaction, durable when it returns, so that
kill -9 leaves the state before it or after it. Several processes may use the file at once.
"""

import secrets
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any, Final, NamedTuple

import msgspec

from takeback.chain import FIRST_LINK
from takeback.errors import FeedBroken, GateError, SettingsError, StateDamaged, SyncElsewhere
from takeback.gate.feed.follow import ActiveEntry, Added, Changed, Changes, Erased, FeedPosition, Known, Removed, Step
from takeback.gate.index.multi_index import IndexRow
from takeback.private import check_private, make_private
from takeback.protocol import EntryId, EntryStatus, FeedbackEvent, FeedPage, Verdict
from takeback.signals import Signal, SignalType, Variant

STATE_FILE: Final = "state.sqlite"
LOCK_FILE: Final = "sync.lock"
INDEX_LOCK_FILE: Final = "index.lock"
_APPLICATION: Final = 0x7462_6733  # "tbg3": marks the file as a gate's state in this layout
_BUSY_SECONDS: Final = 30
_GLANCE_SECONDS: Final = 0.1
"""For those who ask how the gate stands: they are told that it cannot be read, rather than kept waiting."""
_DAMAGE: Final = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
}
"""SQLite's codes for a file that is broken, or holds other tables or rows than ours."""

_PRIMARY: Final = 0xFF
"""The part of an extended SQLite code that is the code proper."""

_TABLES: Final = """
CREATE TABLE follower (
  one INTEGER PRIMARY KEY CHECK (one = 1), registry TEXT NOT NULL,
  checkpoint INTEGER NOT NULL, head INTEGER NOT NULL, link BLOB NOT NULL,
  feed_key TEXT, alarm TEXT, read_at REAL) STRICT;
CREATE TABLE entries (
  number INTEGER PRIMARY KEY, entry TEXT NOT NULL,
  type TEXT NOT NULL, value TEXT NOT NULL, quality INTEGER, variant TEXT NOT NULL,
  standing TEXT NOT NULL) STRICT;
CREATE TABLE erased (number INTEGER PRIMARY KEY, entry TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE removals (number INTEGER PRIMARY KEY, entry TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE feedback (
  place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, verdict TEXT NOT NULL, entries TEXT NOT NULL) STRICT;
"""
_CONFIRMED: Final = "CREATE TABLE IF NOT EXISTS confirmed (entry TEXT PRIMARY KEY) STRICT"
"""Entries that this platform's own moderators confirmed; states of before have no such table."""
_PAUSED_INDEX: Final = "CREATE INDEX IF NOT EXISTS entries_paused ON entries (number) WHERE standing = 'paused'"
_INDEXES: Final = (
    "CREATE UNIQUE INDEX entries_entry ON entries (entry)",
    "CREATE UNIQUE INDEX entries_signal ON entries (type, value)",
)
_INSERT: Final = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)"

type EntryRow = tuple[int, str, str, str, int | None, str, str]
"""An entry: number, id, type, value, quality, variant, standing."""


class SnapshotBatch(NamedTuple):
    """Some entries of a snapshot, and the number and id of those that come without a signal."""

    entries: list[EntryRow]
    erased: list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class News:
    """What changed after a number: entries that came and are there still, ids that went, the checkpoint now."""

    added: Sequence[tuple[str, Signal]]
    removed: Sequence[str]
    checkpoint: int


class State:
    """The state file of one gate.

    Any method raises `StateDamaged` when SQLite cannot read the file or it holds what no gate wrote, and `GateError`
    when it cannot be used now; an error of whoever calls stays what it is.

    May be shared by threads, not carried through a fork.
    """

    def __init__(self, home: Path, registry: str) -> None:
        """Opens the file in `home`, or makes it.

        Raises `SettingsError` if it follows another registry, or if others may read the folder.
        """
        self._path = home / STATE_FILE
        self._home = home
        self._lock = RLock()
        self._reads = RLock()
        with self._translated():
            self._make_file(self._path)
            check_private(home, self._path)
            self._db = _connect(self._path)
        self.identity = 0
        """A number that no other state has: what was made of this one says so by it."""
        try:
            self._prepare(registry)
            with self._translated():
                self._reader = _connect(self._path)
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Lets go of the file."""
        with self._reads:
            self._reader.close()
        with self._lock:
            self._db.close()

    def glance(self) -> tuple[FeedPosition, float | None]:
        """The same as `standing`, for those who must not wait for anybody's work."""
        with self._glancing() as db, self._stored():
            return self._standing(db)

    def standing(self) -> tuple[FeedPosition, float | None]:
        """How far the feed is applied, and when it was last read to its end: seconds since 1970, None if never."""
        with self._reading() as db, self._stored():
            return self._standing(db)

    def _standing(self, db: sqlite3.Connection) -> tuple[FeedPosition, float | None]:
        *place, read_at = self._follower(db, "checkpoint, head, link, read_at")
        return FeedPosition(*place), read_at

    def feed_key(self) -> str | None:
        """The key whose signature is believed, `None` before there was one."""
        with self._reading() as db:
            key: str | None = self._follower(db, "feed_key")[0]
            return key

    def trust(self, key: str) -> None:
        """Believes the feed that is signed with this key from now on."""
        with self._writing() as db:
            db.execute("UPDATE follower SET feed_key = ?", (key,))

    def alarm(self) -> str | None:
        """What is wrong with the feed since the last sync that went well, if anything is."""
        with self._glancing() as db:
            alarm: str | None = self._follower(db, "alarm")[0]
            return alarm

    def raise_alarm(self, text: str) -> None:
        """Notes that the feed must not be followed, and why; the next sync that goes well ends it."""
        with self._writing() as db:
            db.execute("UPDATE follower SET alarm = ?", (text,))

    def known(self, page: FeedPage) -> Known:
        """All that the state knows of the entries and signals on `page`."""
        active: dict[str, ActiveEntry] = {}
        retired: set[str] = set()
        with self._reading() as db, self._stored():
            for line in page.entries:
                named = db.execute("SELECT entry, number, type, value FROM entries WHERE entry = ?", (line.entry,))
                active |= {
                    entry: ActiveEntry(number, (SignalType(kind), value)) for entry, number, kind, value in named
                }
                erased = db.execute("SELECT entry, number FROM erased WHERE entry = ?", (line.entry,))
                active |= {entry: ActiveEntry(number, None) for entry, number in erased}
                gone = db.execute("SELECT entry FROM removals WHERE entry = ?", (line.entry,))
                retired |= {entry for (entry,) in gone}
                if line.signal is not None:
                    key = (line.signal.type, line.signal.value)
                    holders = db.execute("SELECT entry, number FROM entries WHERE type = ? AND value = ?", key)
                    active |= {entry: ActiveEntry(number, key) for entry, number in holders}
        return Known(active, retired)

    def apply(self, changes: Changes) -> None:
        """Takes over a page's changes and its checkpoint, all or nothing."""
        with self._writing() as db:
            before, after = changes.before, changes.after
            moved = db.execute(
                "UPDATE follower SET checkpoint = ?, head = ?, link = ? WHERE checkpoint = ? AND link = ?",
                (after.checkpoint, after.head, after.link, before.checkpoint, before.link),
            )
            if moved.rowcount != 1:
                raise GateError("another sync moved the checkpoint in the meantime: run `takeback gate sync` again")
            for step in changes.steps:
                _take(db, step)

    def fill(self, lots: Iterable[SnapshotBatch], reached: Callable[[], FeedPosition]) -> None:
        """Takes over a snapshot, all or nothing, into a state that is empty; `reached` tells the position at its end.

        Raises `FeedBroken` if an entry or a signal is there twice.
        """
        with self._writing() as db:
            if self._follower(db, "checkpoint")[0]:
                raise GateError("another sync moved the checkpoint in the meantime: run `takeback gate sync` again")
            db.execute("DROP INDEX entries_entry")
            db.execute("DROP INDEX entries_signal")
            try:
                for lot in lots:
                    db.executemany(_INSERT, lot.entries)
                    db.executemany("INSERT INTO erased VALUES (?, ?)", lot.erased)
                for index in _INDEXES:  # sorted once: several times as fast as entry by entry
                    db.execute(index)
            except sqlite3.IntegrityError as error:
                raise FeedBroken("rule 4: the snapshot holds an entry or a signal twice") from error
            at = reached()
            db.execute("UPDATE follower SET checkpoint = ?, head = ?, link = ?", (at.checkpoint, at.head, at.link))

    def reached_end(self, now: float) -> None:
        """Notes that the feed was read to its end at `now`, and leaves no withdrawn hash in the write-ahead log."""
        with self._writing() as db:
            db.execute("UPDATE follower SET read_at = ?, alarm = NULL", (now,))
        with self._lock, self._translated():
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def news(self, after: int) -> News:
        """What changed after number `after`; 0 gives every active entry."""
        with self._reading() as db, self._stored():
            checkpoint = self._follower(db, "checkpoint")[0]
            rows = db.execute("SELECT entry, type, value, quality, variant FROM entries WHERE number > ?", (after,))
            added = [(entry, _signal(*fields)) for entry, *fields in rows]
            removed = [entry for (entry,) in db.execute("SELECT entry FROM removals WHERE number > ?", (after,))]
        return News(added, removed, checkpoint)

    def read_all[R](self, make: Callable[[Iterable[IndexRow]], R]) -> tuple[int, R]:
        """The checkpoint, and what `make` makes of all entries; others may use the state meanwhile."""
        with self._translated(), self._stored(), closing(_connect(self._path)) as db:
            db.execute("BEGIN")
            checkpoint: int = self._follower(db, "checkpoint")[0]
            made = make(db.execute("SELECT entry, type, value, quality FROM entries"))
            db.execute("COMMIT")
        return checkpoint, made

    def has_removed_since(self, number: int) -> bool:
        """Whether any entry was removed after a number."""
        with self._reading() as db:
            return db.execute("SELECT 1 FROM removals WHERE number > ? LIMIT 1", (number,)).fetchone() is not None

    def standings(self, entries: Iterable[str]) -> dict[str, EntryStatus]:
        """The standings of those entries that are there still."""
        with self._reading() as db, self._stored():
            found = [
                db.execute("SELECT entry, standing FROM entries WHERE entry = ?", (entry,)).fetchone()
                for entry in entries
            ]
            return {row[0]: EntryStatus(row[1]) for row in found if row}

    def confirm(self, entries: Iterable[str], *, confirmed: bool) -> None:
        """Notes of entries that are there that the platform's moderators confirmed them, or did not after all."""
        rows = [(entry,) for entry in entries]
        with self._writing() as db:
            if confirmed:
                there = "INSERT OR IGNORE INTO confirmed SELECT entry FROM entries WHERE entry = ?"
                db.executemany(there, rows)
            else:
                db.executemany("DELETE FROM confirmed WHERE entry = ?", rows)

    def confirmed(self, entries: Iterable[str]) -> frozenset[str]:
        """Those of the entries that the platform's moderators confirmed."""
        with self._reading() as db:
            asked = "SELECT entry FROM confirmed WHERE entry = ?"
            return frozenset(entry for entry in entries if db.execute(asked, (entry,)).fetchone())

    def paused_count(self) -> int:
        """How many entries the registry paused."""
        with self._reading() as db:
            count: int = db.execute("SELECT count(*) FROM entries WHERE standing = 'paused'").fetchone()[0]
            return count

    def copy(self, path: Path, newer_than: int = 0) -> int:
        """Makes a state file at `path` with the entries after a number, and no feedback; returns its checkpoint."""
        with self._lock, self._translated():
            self._make_file(path)
            with closing(_connect(path)) as db:
                self._db.backup(db)
                _give_identity(db)
                db.execute("DELETE FROM feedback")
                db.execute("DELETE FROM entries WHERE number <= ?", (newer_than,))
                db.execute("VACUUM")
                db.execute("PRAGMA journal_mode = DELETE")
                checkpoint: int = self._follower(db, "checkpoint")[0]
        return checkpoint

    def counts(self) -> Counter[SignalType]:
        """How many active entries there are of each type."""
        with self._glancing() as db, self._stored():
            rows = db.execute("SELECT type, count(*) FROM entries GROUP BY type")
            return Counter({SignalType(kind): count for kind, count in rows})

    def queue(self, events: Iterable[FeedbackEvent]) -> None:
        """Keeps feedback until it is acknowledged; an event that waits already waits once."""
        rows = [(event.id, event.verdict, msgspec.json.encode(event.entries).decode()) for event in events]
        with self._writing() as db:
            db.executemany("INSERT OR IGNORE INTO feedback (id, verdict, entries) VALUES (?, ?, ?)", rows)

    def waiting(self, limit: int) -> list[FeedbackEvent]:
        """The oldest events that wait, at most `limit`."""
        with self._reading() as db, self._stored():
            rows = db.execute("SELECT id, verdict, entries FROM feedback ORDER BY place LIMIT ?", (limit,)).fetchall()
            return [FeedbackEvent(id_, Verdict(verdict), _entry_ids(entries)) for id_, verdict, entries in rows]

    def waiting_count(self) -> int:
        """How many events wait."""
        with self._glancing() as db:
            count: int = db.execute("SELECT count(*) FROM feedback").fetchone()[0]
            return count

    def acknowledge(self, events: Sequence[FeedbackEvent]) -> None:
        """Forgets events that the registry has on record."""
        with self._writing() as db:
            db.executemany("DELETE FROM feedback WHERE id = ?", [(event.id,) for event in events])

    @contextmanager
    def syncing(self, patience: float = _BUSY_SECONDS) -> Iterator[None]:
        """Holds the right to follow the feed; waits `patience` seconds for another's. A killed process lets go."""
        turn = self._take_turn(LOCK_FILE, patience)
        if turn is None:
            raise SyncElsewhere("another sync is at work in this folder: wait for it, or stop it")
        with closing(turn):
            yield

    @contextmanager
    def turn_to_index(self) -> Iterator[bool]:
        """Holds the right to write the index; gives whether nobody else has it."""
        turn = self._take_turn(INDEX_LOCK_FILE, 0)
        try:
            yield turn is not None
        finally:
            if turn is not None:
                turn.close()

    def _take_turn(self, name: str, patience: float) -> sqlite3.Connection | None:
        """A connection whose open transaction is the lock, None if it is another's: it goes with the process."""
        with self._translated():
            make_private(self._home / name)
            turn = sqlite3.connect(self._home / name, timeout=patience, isolation_level=None, check_same_thread=False)
            try:
                turn.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                turn.close()
                if error.sqlite_errorcode & _PRIMARY != sqlite3.SQLITE_BUSY:
                    raise
                return None
            return turn

    def _prepare(self, registry: str) -> None:
        """Makes the tables in an empty file, refuses a foreign one and one that follows another registry."""
        with self._writing() as db:
            mark = db.execute("PRAGMA application_id").fetchone()[0]
            if mark == 0 and not db.execute("SELECT 1 FROM sqlite_master").fetchone():
                for statement in (*_TABLES.strip().split(";\n"), *_INDEXES):
                    db.execute(statement)
                db.execute("INSERT INTO follower VALUES (1, ?, 0, 0, ?, NULL, NULL, NULL)", (registry, FIRST_LINK))
                db.execute(f"PRAGMA application_id = {_APPLICATION}")
            elif mark != _APPLICATION:
                raise self._damaged("it is not a gate's state")
            db.execute(_CONFIRMED)
            db.execute(_PAUSED_INDEX)
            if not db.execute("PRAGMA user_version").fetchone()[0]:
                _give_identity(db)
            self.identity = db.execute("PRAGMA user_version").fetchone()[0]
            followed = self._follower(db, "registry")[0]
        if followed != registry:
            raise SettingsError(f"this folder follows {followed}: take another folder for {registry}")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """What is read inside belongs together, and waits for nobody who writes, here or elsewhere."""
        with self._reads, self._transaction(self._reader, "BEGIN") as db:
            yield db

    @contextmanager
    def _glancing(self) -> Iterator[sqlite3.Connection]:
        """The same by a connection of its own, which waits for nobody at all."""
        address = f"{self._path.absolute().as_uri()}?mode=ro"
        with (
            self._translated(),
            closing(sqlite3.connect(address, timeout=_GLANCE_SECONDS, isolation_level=None, uri=True)) as db,
        ):
            yield db

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """What is written inside is kept whole, or not at all."""
        with self._lock, self._transaction(self._db, "BEGIN IMMEDIATE") as db:
            yield db

    @contextmanager
    def _transaction(self, db: sqlite3.Connection, begin: str) -> Iterator[sqlite3.Connection]:
        with self._translated():
            db.execute(begin)
            try:
                yield db
                db.execute("COMMIT")
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Foreign exceptions become ours."""
        try:
            yield
        except sqlite3.ProgrammingError as error:
            if "closed" not in str(error):
                raise
            raise GateError("the gate is closed") from error
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", None)
            if code is None or code & _PRIMARY in _DAMAGE:
                raise self._damaged(getattr(error, "sqlite_errorname", "a text in it is none")) from error
            raise GateError(f"the gate's state {self._path} cannot be used now: {error}") from error

    def _make_file(self, path: Path) -> None:
        """Makes an empty file that only its owner can read, if there is none."""
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            make_private(path)
        except OSError as error:
            raise GateError(f"the gate's state {self._path} cannot be used now: {error.strerror}") from error

    def _follower(self, db: sqlite3.Connection, columns: str) -> Any:
        """Some columns of the one row that says how far the feed is followed."""
        row = db.execute(f"SELECT {columns} FROM follower").fetchone()  # noqa: S608 - our own names
        if row is None:
            raise self._damaged("it does not say how far the feed is followed")
        return row

    @contextmanager
    def _stored(self) -> Iterator[None]:
        """What is made inside of stored values; one that no gate wrote is damage too."""
        try:
            yield
        except (ValueError, TypeError, msgspec.MsgspecError) as error:
            raise self._damaged("it holds a value that cannot be") from error

    def _damaged(self, what: str) -> StateDamaged:
        return StateDamaged(
            f"the gate's state {self._path} cannot be read ({what}): stop what uses it, move the file away and run "
            "`takeback gate sync`, which reads the whole feed again; feedback that waits in it is lost"
        )


def _take(db: sqlite3.Connection, step: Step) -> None:
    """Writes one step."""
    match step:
        case Added(number, entry, signal, standing):
            row = (number, entry, signal.type, signal.value, signal.quality, signal.variant, standing)
            db.execute(_INSERT, row)
        case Changed(_, entry, standing):
            db.execute("UPDATE entries SET standing = ? WHERE entry = ?", (standing, entry))
        case Erased(number, entry):
            db.execute("INSERT INTO erased VALUES (?, ?)", (number, entry))
        case Removed(number, entry):
            db.execute("DELETE FROM entries WHERE entry = ?", (entry,))
            db.execute("DELETE FROM erased WHERE entry = ?", (entry,))
            db.execute("DELETE FROM confirmed WHERE entry = ?", (entry,))
            db.execute("INSERT INTO removals VALUES (?, ?)", (number, entry))


def _give_identity(db: sqlite3.Connection) -> None:
    """Gives a state a number of its own, in the place that SQLite leaves to its users."""
    db.execute(f"PRAGMA user_version = {1 + secrets.randbelow(2**31 - 1)}")


def _signal(kind: str, value: str, quality: int | None, variant: str) -> Signal:
    return Signal(SignalType(kind), value, quality, Variant(variant))


def _entry_ids(text: str) -> list[EntryId]:
    return msgspec.json.decode(text, type=list[EntryId])


def _connect(path: Path, patience: float = _BUSY_SECONDS) -> sqlite3.Connection:
    """A connection that commits to the disk itself and overwrites what it deletes: a withdrawn hash is gone."""
    db = sqlite3.connect(path, timeout=patience, isolation_level=None, check_same_thread=False)
    try:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            db.execute(f"PRAGMA {pragma}")
    except BaseException:
        db.close()
        raise
    return db
