"""The gate's durable state: its checkpoint, the active entries, and feedback that is not yet acknowledged.

It is one SQLite file. A page's changes and the new checkpoint are one transaction, which is durable when `apply`
returns, so that kill -9 leaves the state before it or after it. Several processes may use the file at once.
"""

import secrets
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
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
from takeback.protocol import LATER_TYPES, EntryId, EntryStatus, FeedbackEvent, FeedPage, Verdict
from takeback.signals import Signal, SignalType, Variant

STATE_FILE: Final = "state.sqlite"
LOCK_FILE: Final = "sync.lock"
INDEX_LOCK_FILE: Final = "index.lock"
_APPLICATION_ID: Final = 0x7462_6733  # "tbg3": marks the file as a gate's state in this layout
_BUSY_SECONDS: Final = 30
_PEEK_SECONDS: Final = 0.1
"""Time that a status or health request waits for the database; after that it fails rather than hang."""
_DAMAGE_CODES: Final = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
}
"""SQLite's error codes for a file that is corrupt, or does not have our tables and rows."""

_PRIMARY_CODE_MASK: Final = 0xFF
"""The bits of an extended SQLite error code that hold the primary code."""

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
"""Entries that this platform's moderators confirmed. Older state files do not have the table."""
_TYPES_READ: Final = """
CREATE TABLE IF NOT EXISTS types_read (type TEXT PRIMARY KEY, checkpoint INTEGER NOT NULL) STRICT"""
"""Up to which checkpoint entries of each of the `LATER_TYPES` were read. Older versions of the gate do not write it."""
_LATE: Final = """
CREATE TABLE late (
  number INTEGER PRIMARY KEY, entry TEXT NOT NULL, type TEXT NOT NULL, value TEXT NOT NULL, quality INTEGER,
  variant TEXT NOT NULL, standing TEXT NOT NULL) STRICT"""
"""Entries of a snapshot whose signature is still to check; the columns are those of `entries`."""
_INSERT_LATE: Final = """
INSERT INTO late SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
WHERE EXISTS (SELECT 1 FROM erased WHERE number = ?1 AND entry = ?2)"""
_LATE_ROWS: Final = 5000
"""Entries that one transaction moves from `late` to `entries`, so that no other writer waits for long."""
_PAUSED_INDEX: Final = "CREATE INDEX IF NOT EXISTS entries_paused ON entries (number) WHERE standing = 'paused'"
_INDEXES: Final = (
    "CREATE UNIQUE INDEX entries_entry ON entries (entry)",
    "CREATE UNIQUE INDEX entries_signal ON entries (type, value)",
)
_INSERT: Final = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)"

type EntryRow = tuple[int, str, str, str, int | None, str, str]
"""An entry: number, id, type, value, quality, variant, standing."""


class SnapshotBatch(NamedTuple):
    """A batch of a snapshot: entries, and the number and id of each tombstone."""

    entries: list[EntryRow]
    erased: list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class EntryChanges:
    """The changes after a feed number: active entries added since, ids removed since, and the present checkpoint."""

    added: Sequence[tuple[str, Signal]]
    removed: Sequence[str]
    checkpoint: int


class State:
    """The state file of one gate. Thread-safe, but must not be carried through a fork.

    Every method raises `StateDamaged` if SQLite cannot read the file or its content is invalid, and `GateError` if it
    cannot be used now. Exceptions that a caller raises within a context manager pass through unchanged.
    """

    def __init__(self, home: Path, registry: str) -> None:
        """Opens the file in `home`, creating it if needed.

        Raises `SettingsError` if it follows another registry, or if other users may read the folder.
        """
        self._path = home / STATE_FILE
        self._home = home
        self._lock = RLock()
        self._reads = RLock()
        with self._translated():
            self._make_file(self._path)
            check_private(home, self._path)
            self._db = _connect(self._path)
        try:
            self._prepare(registry)
            with self._translated():
                self._reader = _connect(self._path)
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Closes the file."""
        with self._reads:
            self._reader.close()
        with self._lock:
            self._db.close()

    @property
    def identity(self) -> int:
        """A random number that identifies this state, so that an index can name the state it was built from.

        It changes when entries join behind the checkpoint.
        """
        with self._reading() as db:
            identity: int = db.execute("PRAGMA user_version").fetchone()[0]
            return identity

    def peek_position(self) -> tuple[FeedPosition, float | None]:
        """Like `position`, but does not wait for other users of the state."""
        with self._peeking() as db, self._checked_values():
            return self._position(db)

    def position(self) -> tuple[FeedPosition, float | None]:
        """Returns the feed position, and when the feed was last read to its end: seconds since 1970, None if never."""
        with self._reading() as db, self._checked_values():
            return self._position(db)

    def _position(self, db: sqlite3.Connection) -> tuple[FeedPosition, float | None]:
        *place, read_at = self._follower(db, "checkpoint, head, link, read_at")
        return FeedPosition(*place), read_at

    def feed_key(self) -> str | None:
        """Returns the trusted feed key in hex, None if there is none yet."""
        with self._reading() as db:
            key: str | None = self._follower(db, "feed_key")[0]
            return key

    def trust(self, key: str) -> None:
        """Sets the trusted feed key, in hex."""
        with self._writing() as db:
            db.execute("UPDATE follower SET feed_key = ?", (key,))

    def alarm(self) -> str | None:
        """Returns why the feed is not followed, None since the last successful sync."""
        with self._peeking() as db:
            alarm: str | None = self._follower(db, "alarm")[0]
            return alarm

    def raise_alarm(self, text: str) -> None:
        """Stores why the feed must not be followed; the next successful sync clears it."""
        with self._writing() as db:
            db.execute("UPDATE follower SET alarm = ?", (text,))

    def known(self, page: FeedPage) -> Known:
        """Returns what the state knows of the entries and signals on `page`."""
        active: dict[str, ActiveEntry] = {}
        retired: set[str] = set()
        with self._reading() as db, self._checked_values():
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
        """Applies a page's changes and its checkpoint in one transaction.

        Raises `GateError` if another sync moved the checkpoint meanwhile.
        """
        with self._writing() as db:
            before, after = changes.before, changes.after
            # Compared and set in one statement, so that no two syncs apply the same page.
            moved = db.execute(
                "UPDATE follower SET checkpoint = ?, head = ?, link = ? WHERE checkpoint = ? AND link = ?",
                (after.checkpoint, after.head, after.link, before.checkpoint, before.link),
            )
            if moved.rowcount != 1:
                raise GateError("another sync moved the checkpoint in the meantime: run `takeback gate sync` again")
            for step in changes.steps:
                _apply_step(db, step)
            # Only those that were read up to here: entries of the others may have come as tombstones.
            read = [(after.checkpoint, kind, before.checkpoint) for kind in LATER_TYPES]
            db.executemany("UPDATE types_read SET checkpoint = ? WHERE type = ? AND checkpoint = ?", read)

    def import_snapshot(self, batches: Iterable[SnapshotBatch], reached: Callable[[], FeedPosition]) -> None:
        """Imports a snapshot into an empty state, in one transaction; `reached` returns the position at its end.

        Raises `FeedBroken` if an entry or a signal occurs twice, and `GateError` if the state is not empty.
        """
        with self._writing() as db:
            if self._follower(db, "checkpoint")[0]:
                raise GateError("another sync moved the checkpoint in the meantime: run `takeback gate sync` again")
            db.execute("DROP INDEX entries_entry")
            db.execute("DROP INDEX entries_signal")
            try:
                for batch in batches:
                    db.executemany(_INSERT, batch.entries)
                    db.executemany("INSERT INTO erased VALUES (?, ?)", batch.erased)
                for index in _INDEXES:  # building them once is several times as fast as updating them for each row
                    db.execute(index)
            except sqlite3.IntegrityError as error:
                raise FeedBroken("rule 4: the snapshot holds an entry or a signal twice") from error
            # The signed head stands at the end of the snapshot, which is read by now.
            at = reached()
            db.execute("UPDATE follower SET checkpoint = ?, head = ?, link = ?", (at.checkpoint, at.head, at.link))
            _mark_types_read(db)

    def unread_types(self) -> frozenset[SignalType]:
        """Returns the types whose entries may be tombstones here, because an older version of the gate read them."""
        with self._reading() as db:
            rows = db.execute("SELECT type FROM types_read JOIN follower USING (checkpoint)")
            return LATER_TYPES - {kind for (kind,) in rows}

    def fill_tombstones(
        self, types: AbstractSet[SignalType], batches: Iterable[SnapshotBatch], check: Callable[[], object]
    ) -> int:
        """Gives tombstones their entries of these `types` in a snapshot, and returns how many.

        `check` raises an error unless the snapshot, which is read by then, is the registry's; before that nothing
        changes. Everything else stays as it is: checkpoint, ids, confirmed entries and feedback. Must be called within
        `sync_lock`. Raises `FeedBroken` if a signal occurs twice.
        """
        try:
            self._stage(types, batches)
            check()
            filled = self._move_late()
        finally:
            with self._writing() as db:
                db.execute("DROP TABLE IF EXISTS late")
        with self._writing() as db:
            _mark_types_read(db)
            # For other processes, whose index goes on from its own checkpoint and would never get these entries.
            _give_identity(db)
        return filled

    def _stage(self, types: AbstractSet[SignalType], batches: Iterable[SnapshotBatch]) -> None:
        """Writes to `late` the entries of these `types` that are tombstones here."""
        with self._writing() as db:
            db.execute("DROP TABLE IF EXISTS late")
            db.execute(_LATE)
        for batch in batches:
            with self._writing() as db:
                rows = [row for row in batch.entries if row[2] in types]
                db.executemany(_INSERT_LATE, rows)

    def _move_late(self) -> int:
        """Moves the entries in `late` to the places of their tombstones, and returns how many."""
        moved = 0
        while True:
            with self._writing() as db:
                some = db.execute("SELECT number FROM late ORDER BY number LIMIT ?", (_LATE_ROWS,)).fetchall()
                if not some:
                    return moved
                last = some[-1]
                try:
                    db.execute("INSERT INTO entries SELECT * FROM late WHERE number <= ?", last)
                except sqlite3.IntegrityError as error:
                    raise FeedBroken("rule 4: the snapshot holds an entry or a signal twice") from error
                db.execute("DELETE FROM erased WHERE number IN (SELECT number FROM late WHERE number <= ?)", last)
                db.execute("DELETE FROM late WHERE number <= ?", last)
            moved += len(some)

    def reached_end(self, now: float) -> None:
        """Records that the feed was read to its end at `now`, and removes withdrawn hashes from the write-ahead log."""
        with self._writing() as db:
            db.execute("UPDATE follower SET read_at = ?, alarm = NULL", (now,))
        with self._lock, self._translated():
            # After the commit, because SQLite refuses a checkpoint within a transaction.
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def changes_since(self, after: int) -> EntryChanges:
        """Returns what changed after number `after`; 0 gives all active entries."""
        with self._reading() as db, self._checked_values():
            checkpoint = self._follower(db, "checkpoint")[0]
            rows = db.execute("SELECT entry, type, value, quality, variant FROM entries WHERE number > ?", (after,))
            added = [(entry, _signal(*fields)) for entry, *fields in rows]
            removed = [entry for (entry,) in db.execute("SELECT entry FROM removals WHERE number > ?", (after,))]
        return EntryChanges(added, removed, checkpoint)

    def read_all[R](self, make: Callable[[Iterable[IndexRow]], R]) -> tuple[int, R]:
        """Returns the checkpoint and the result of `make` on all entries, without blocking other users of the state."""
        with self._translated(), self._checked_values(), closing(_connect(self._path)) as db:
            db.execute("BEGIN")
            checkpoint: int = self._follower(db, "checkpoint")[0]
            made = make(db.execute("SELECT entry, type, value, quality FROM entries"))
            db.execute("COMMIT")
        return checkpoint, made

    def values_beginning(self, kind: SignalType, beginning: str) -> list[str]:
        """Returns the values of this type that begin with these lowercase hex digits, in order."""
        asked = "SELECT value FROM entries WHERE type = ? AND value >= ? AND value < ? ORDER BY value"
        with self._reading() as db:
            # The first letter that is no hex digit is greater than all digits.
            return [value for (value,) in db.execute(asked, (kind, beginning, f"{beginning}g"))]

    def has_removed_since(self, number: int) -> bool:
        """Returns whether any entry was removed after number `number`."""
        with self._reading() as db:
            return db.execute("SELECT 1 FROM removals WHERE number > ? LIMIT 1", (number,)).fetchone() is not None

    def entry_statuses(self, entries: Iterable[str]) -> dict[str, EntryStatus]:
        """Returns the entry statuses of those `entries` that are still active."""
        with self._reading() as db, self._checked_values():
            found = [
                db.execute("SELECT entry, standing FROM entries WHERE entry = ?", (entry,)).fetchone()
                for entry in entries
            ]
            return {row[0]: EntryStatus(row[1]) for row in found if row}

    def entry_variants(self, entries: Iterable[str]) -> dict[str, Variant]:
        """Returns the variants of those `entries` that are still active."""
        with self._reading() as db, self._checked_values():
            asked = "SELECT entry, variant FROM entries WHERE entry = ?"
            found = [db.execute(asked, (entry,)).fetchone() for entry in entries]
            return {row[0]: Variant(row[1]) for row in found if row}

    def confirm(self, entries: Iterable[str], *, confirmed: bool) -> None:
        """Records whether the platform's moderators confirmed `entries`; entries that are not active are ignored."""
        rows = [(entry,) for entry in entries]
        with self._writing() as db:
            if confirmed:
                there = "INSERT OR IGNORE INTO confirmed SELECT entry FROM entries WHERE entry = ?"
                db.executemany(there, rows)
            else:
                db.executemany("DELETE FROM confirmed WHERE entry = ?", rows)

    def confirmed(self, entries: Iterable[str]) -> frozenset[str]:
        """Returns the entries that the platform's moderators confirmed."""
        with self._reading() as db:
            asked = "SELECT entry FROM confirmed WHERE entry = ?"
            return frozenset(entry for entry in entries if db.execute(asked, (entry,)).fetchone())

    def paused_count(self) -> int:
        """Returns the number of entries that the registry paused."""
        with self._reading() as db:
            count: int = db.execute("SELECT count(*) FROM entries WHERE standing = 'paused'").fetchone()[0]
            return count

    def copy(self, path: Path, newer_than: int = 0) -> int:
        """Copies the entries after number `newer_than`, without feedback, to a new file; returns its checkpoint."""
        with self._lock, self._translated():
            self._make_file(path)
            with closing(_connect(path)) as db:
                self._db.backup(db)
                # A new identity: the copy, which may hold fewer entries, must not take the original's index file.
                _give_identity(db)
                db.execute("DELETE FROM feedback")
                db.execute("DELETE FROM entries WHERE number <= ?", (newer_than,))
                db.execute("VACUUM")
                db.execute("PRAGMA journal_mode = DELETE")
                checkpoint: int = self._follower(db, "checkpoint")[0]
        return checkpoint

    def counts(self) -> Counter[SignalType]:
        """Returns the number of active entries of each type."""
        with self._peeking() as db, self._checked_values():
            rows = db.execute("SELECT type, count(*) FROM entries GROUP BY type")
            return Counter({SignalType(kind): count for kind, count in rows})

    def queue_feedback(self, events: Iterable[FeedbackEvent]) -> None:
        """Queues feedback until it is acknowledged; an event that is queued already stays queued once."""
        rows = [(event.id, event.verdict, msgspec.json.encode(event.entries).decode()) for event in events]
        with self._writing() as db:
            db.executemany("INSERT OR IGNORE INTO feedback (id, verdict, entries) VALUES (?, ?, ?)", rows)

    def queued_feedback(self, limit: int) -> list[FeedbackEvent]:
        """Returns the oldest queued events, at most `limit`."""
        with self._reading() as db, self._checked_values():
            rows = db.execute("SELECT id, verdict, entries FROM feedback ORDER BY place LIMIT ?", (limit,)).fetchall()
            return [FeedbackEvent(id_, Verdict(verdict), _entry_ids(entries)) for id_, verdict, entries in rows]

    def queued_feedback_count(self) -> int:
        """Returns the number of queued events."""
        with self._peeking() as db:
            count: int = db.execute("SELECT count(*) FROM feedback").fetchone()[0]
            return count

    def acknowledge(self, events: Sequence[FeedbackEvent]) -> None:
        """Deletes events from the queue that the registry has stored."""
        with self._writing() as db:
            db.executemany("DELETE FROM feedback WHERE id = ?", [(event.id,) for event in events])

    @contextmanager
    def sync_lock(self, timeout: float = _BUSY_SECONDS) -> Iterator[None]:
        """Holds the lock for following the feed; a killed process releases it.

        Raises `SyncElsewhere` if another process holds it for more than `timeout` seconds.
        """
        lock = self._try_lock(LOCK_FILE, timeout)
        if lock is None:
            raise SyncElsewhere("another sync is running in this folder: wait for it, or stop it")
        with closing(lock):
            yield

    @contextmanager
    def index_lock(self) -> Iterator[bool]:
        """Tries to hold the lock for writing the index, and yields whether it does."""
        lock = self._try_lock(INDEX_LOCK_FILE, 0)
        try:
            yield lock is not None
        finally:
            if lock is not None:
                lock.close()

    def _try_lock(self, name: str, timeout: float) -> sqlite3.Connection | None:
        """Returns a connection whose open transaction is the lock, None if it is taken.

        SQLite's lock is released by the kernel when the process ends, however it ends.
        """
        with self._translated():
            make_private(self._home / name)
            lock = sqlite3.connect(self._home / name, timeout=timeout, isolation_level=None, check_same_thread=False)
            try:
                lock.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                lock.close()
                if error.sqlite_errorcode & _PRIMARY_CODE_MASK != sqlite3.SQLITE_BUSY:
                    raise
                return None
            return lock

    def _prepare(self, registry: str) -> None:
        """Creates the tables in an empty file, and refuses a foreign file or one that follows another registry."""
        with self._writing() as db:
            mark = db.execute("PRAGMA application_id").fetchone()[0]
            # 0 is SQLite's default, so a file that has it and tables is another program's.
            if mark == 0 and not db.execute("SELECT 1 FROM sqlite_master").fetchone():
                for statement in (*_TABLES.strip().split(";\n"), *_INDEXES):
                    db.execute(statement)
                db.execute("INSERT INTO follower VALUES (1, ?, 0, 0, ?, NULL, NULL, NULL)", (registry, FIRST_LINK))
                db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            elif mark != _APPLICATION_ID:
                raise self._damaged("it is not a gate's state")
            db.execute(_CONFIRMED)
            db.execute(_PAUSED_INDEX)
            db.execute(_TYPES_READ)
            if not self._follower(db, "checkpoint")[0]:  # so nothing of any type can have been missed
                _mark_types_read(db)
            if not db.execute("PRAGMA user_version").fetchone()[0]:
                _give_identity(db)
            followed = self._follower(db, "registry")[0]
        if followed != registry:
            raise SettingsError(f"this folder follows {followed}: use another folder for {registry}")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A read transaction: a consistent view that does not wait for writers."""
        with self._reads, self._transaction(self._reader, "BEGIN") as db:
            yield db

    @contextmanager
    def _peeking(self) -> Iterator[sqlite3.Connection]:
        """A read-only connection of its own, which does not wait for other threads either."""
        # As a URI, because only that has a read-only mode; `as_uri` escapes `?`, `#` and `%` in the path.
        address = f"{self._path.absolute().as_uri()}?mode=ro"
        with (
            self._translated(),
            closing(sqlite3.connect(address, timeout=_PEEK_SECONDS, isolation_level=None, uri=True)) as db,
        ):
            yield db

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A write transaction, committed at the end unless an exception is raised."""
        # IMMEDIATE: a transaction that reads first and then writes fails at once if another has written meanwhile.
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
        """Translates SQLite's exceptions into ours."""
        try:
            yield
        except sqlite3.ProgrammingError as error:
            if "closed" not in str(error):
                raise
            raise GateError("the gate is closed") from error
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", None)
            if code is None or code & _PRIMARY_CODE_MASK in _DAMAGE_CODES:
                what = getattr(error, "sqlite_errorname", "it holds a value that is not valid text")
                raise self._damaged(what) from error
            raise GateError(f"the gate's state {self._path} cannot be used now: {error}") from error

    def _make_file(self, path: Path) -> None:
        """Creates an empty file that only its owner can read, unless it exists."""
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            make_private(path)
        except OSError as error:
            raise GateError(f"the gate's state {self._path} cannot be used now: {error.strerror}") from error

    def _follower(self, db: sqlite3.Connection, columns: str) -> Any:
        """Returns columns of the single row that says how far the feed is followed."""
        row = db.execute(f"SELECT {columns} FROM follower").fetchone()  # noqa: S608 - our own names
        if row is None:
            raise self._damaged("it does not say how far the feed is followed")
        return row

    @contextmanager
    def _checked_values(self) -> Iterator[None]:
        """Translates the errors of converting stored values: an invalid value is damage too."""
        try:
            yield
        except (ValueError, TypeError, msgspec.MsgspecError) as error:
            raise self._damaged("it holds an invalid value") from error

    def _damaged(self, what: str) -> StateDamaged:
        return StateDamaged(
            f"the gate's state {self._path} cannot be read ({what}): stop the processes that use it, move the file "
            "away and run `takeback gate sync`, which reads the whole feed again; feedback queued in it is lost"
        )


def _apply_step(db: sqlite3.Connection, step: Step) -> None:
    """Writes one step of a page."""
    match step:
        case Added(number, entry, signal, status):
            row = (number, entry, signal.type, signal.value, signal.quality, signal.variant, status)
            db.execute(_INSERT, row)
        case Changed(_, entry, status):
            db.execute("UPDATE entries SET standing = ? WHERE entry = ?", (status, entry))
        case Erased(number, entry):
            db.execute("INSERT INTO erased VALUES (?, ?)", (number, entry))
        case Removed(number, entry):
            db.execute("DELETE FROM entries WHERE entry = ?", (entry,))
            db.execute("DELETE FROM erased WHERE entry = ?", (entry,))
            db.execute("DELETE FROM confirmed WHERE entry = ?", (entry,))
            db.execute("INSERT INTO removals VALUES (?, ?)", (number, entry))


def _mark_types_read(db: sqlite3.Connection) -> None:
    """Records that all entries up to the checkpoint were read with every type."""
    write = "INSERT OR REPLACE INTO types_read SELECT ?, checkpoint FROM follower"
    db.executemany(write, [(kind,) for kind in LATER_TYPES])


def _give_identity(db: sqlite3.Connection) -> None:
    """Gives a state its random identity, stored in `user_version`, which SQLite leaves to applications."""
    db.execute(f"PRAGMA user_version = {1 + secrets.randbelow(2**31 - 1)}")


def _signal(kind: str, value: str, quality: int | None, variant: str) -> Signal:
    return Signal(SignalType(kind), value, quality, Variant(variant))


def _entry_ids(text: str) -> list[EntryId]:
    return msgspec.json.decode(text, type=list[EntryId])


def _connect(path: Path, timeout: float = _BUSY_SECONDS) -> sqlite3.Connection:
    """Opens a connection that syncs each commit to disk, and overwrites deleted data: a withdrawn hash is gone."""
    # `State` begins transactions itself (isolation_level) and keeps threads apart by its locks (check_same_thread).
    db = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    try:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            db.execute(f"PRAGMA {pragma}")
    except BaseException:
        db.close()
        raise
    return db
