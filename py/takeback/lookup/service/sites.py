"""Sites, the HMACs of their keys, and how much they asked by the day, in `lookup.sqlite` of the gate's folder.

Nothing of a question is kept here: only how many there were.
"""

import hmac
import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Final, Literal, NamedTuple

from takeback.errors import GateError, SettingsError, StateDamaged
from takeback.private import check_private, make_private

DATABASE: Final = "lookup.sqlite"
DEFAULT_QUOTA: Final = 10_000
"""Questions a day: a forum with an upload every nine seconds."""
MAX_QUOTA: Final = 1_000_000_000
RELOAD_SECONDS: Final = 1.0
"""Time after which a key that was added or revoked by another process takes effect."""
KEPT_DAYS: Final = 400
"""Days of usage that are kept."""
ACTIVE_DAYS: Final = 7
"""Days after its last question in which a site counts as one that checks uploads: long enough for a quiet forum."""
_APPLICATION_ID: Final = 0x7462_6C31  # "tbl1": marks the file as ours, in this layout
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
_BUSY_SECONDS: Final = 30
_TABLES: Final = """
CREATE TABLE service (one INTEGER PRIMARY KEY CHECK (one = 1), secret BLOB NOT NULL) STRICT;
CREATE TABLE sites (name TEXT PRIMARY KEY, quota INTEGER NOT NULL, added TEXT NOT NULL, revoked TEXT) STRICT;
CREATE TABLE keys (id TEXT PRIMARY KEY, site TEXT NOT NULL REFERENCES sites, mac BLOB NOT NULL, ends REAL) STRICT;
CREATE TABLE usage (
  site TEXT NOT NULL, day TEXT NOT NULL, questions INTEGER NOT NULL, stopped INTEGER NOT NULL,
  refused INTEGER NOT NULL, slowed INTEGER NOT NULL, feedback INTEGER NOT NULL, PRIMARY KEY (site, day)) STRICT;
"""
_ADD_USAGE: Final = """
INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (site, day) DO UPDATE SET
  questions = questions + excluded.questions, stopped = stopped + excluded.stopped,
  refused = refused + excluded.refused, slowed = slowed + excluded.slowed, feedback = feedback + excluded.feedback"""

_COUNT_ACTIVE: Final = """
SELECT count(DISTINCT site) FROM keys WHERE (ends IS NULL OR ends > ?) AND EXISTS (
  SELECT 1 FROM usage WHERE usage.site = keys.site AND usage.day >= ? AND usage.questions > 0)"""

type Charged = Literal["questions", "feedback"]


@dataclass(slots=True)
class DayUsage:
    """What a site asked on one day (UTC).

    `stopped` are answers other than `allow`, `refused` those over the quota, and `slowed` those that had to wait
    because many questions were nearly alike.
    """

    questions: int = 0
    stopped: int = 0
    refused: int = 0
    slowed: int = 0
    feedback: int = 0


class SiteRow(NamedTuple):
    """A site: its name, its quota in questions a day, and the days when it was added and revoked."""

    name: str
    quota: int
    added: str
    revoked: str | None


class UsageRow(NamedTuple):
    """What a site asked on one day; the fields are those of `DayUsage`."""

    site: str
    day: str
    questions: int
    stopped: int
    refused: int
    slowed: int
    feedback: int


class Credential(NamedTuple):
    """The HMAC of a key, its site, the site's quota, and when the key ends in seconds since 1970."""

    mac: bytes
    site: str
    quota: int
    ends: float | None


@dataclass(slots=True)
class _Pending:
    """Counts that are not yet in the database, and what each site asked and reported today."""

    counts: dict[tuple[str, str], DayUsage] = field(default_factory=dict)
    today: str = ""
    asked: dict[tuple[str, str], int] = field(default_factory=dict)


class Sites:
    """The database of one service. Thread-safe.

    Methods raise `GateError` if the file cannot be used now, and `StateDamaged` if it is not ours.
    """

    def __init__(self, home: Path, clock: Callable[[], float] = time.time) -> None:
        """Opens the file in the gate's folder, creating it if needed. Raises `SettingsError` if others may read it."""
        self._clock = clock
        self._lock = Lock()
        self._pending = _Pending()
        self._credentials: dict[str, Credential] = {}
        self._version = -1
        self._looked_at = float("-inf")
        path = home / DATABASE
        if not home.is_dir():
            raise SettingsError(f"{home} does not exist: create the gate with `takeback gate init`")
        with _translated():
            make_private(path)
            check_private(home, path)
            self._db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise
        self.secret: bytes = self._db.execute("SELECT secret FROM service").fetchone()[0]
        """32 random bytes, from which the service's keys are derived."""

    def close(self) -> None:
        """Writes what was counted, and closes the file."""
        try:
            self.write_usage()
        finally:
            with self._lock:
                self._db.close()

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA secure_delete = ON")
        mark = self._db.execute("PRAGMA application_id").fetchone()[0]
        if mark == _APPLICATION_ID:
            return
        if mark or self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            raise StateDamaged(f"{DATABASE} was not made by this version of the look-up service")
        self._db.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id = {_APPLICATION_ID};")
        self._db.execute("INSERT INTO service VALUES (1, ?)", (secrets.token_bytes(32),))
        self._db.execute("COMMIT")

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    # Sites and keys, for the command line

    def add(self, name: str, quota: int = DEFAULT_QUOTA) -> str:
        """Adds a site, or gives a revoked one a new start; returns its key. Raises `SettingsError` if it is there."""
        if not _NAME.fullmatch(name):
            raise SettingsError("a site's name has up to 63 lowercase letters, digits, dots and hyphens")
        with self._writing() as db:
            row = db.execute("SELECT revoked FROM sites WHERE name = ?", (name,)).fetchone()
            if row and row[0] is None:
                raise SettingsError(f"{name} is there already: `takeback lookup rotate {name}` gives it a new key")
            db.execute("DELETE FROM keys WHERE site = ?", (name,))
            db.execute("INSERT OR REPLACE INTO sites VALUES (?, ?, ?, NULL)", (name, quota, self._today()))
            return self._new_key(db, name)

    def rotate(self, name: str, grace_hours: float = 0.0) -> str:
        """Gives a site a new key and returns it; the keys before end after `grace_hours`. Raises `SettingsError`."""
        with self._writing() as db:
            self._check_active(db, name)
            ends = self._clock() + grace_hours * 3600
            db.execute("UPDATE keys SET ends = min(coalesce(ends, ?1), ?1) WHERE site = ?2", (ends, name))
            db.execute("DELETE FROM keys WHERE ends <= ?", (self._clock(),))
            return self._new_key(db, name)

    def revoke(self, name: str) -> None:
        """Ends all keys of a site; its usage stays. Raises `SettingsError` if there is no such site."""
        with self._writing() as db:
            self._check_active(db, name)
            db.execute("DELETE FROM keys WHERE site = ?", (name,))
            self._version = -1
            db.execute("UPDATE sites SET revoked = ? WHERE name = ?", (self._today(), name))

    def _new_key(self, db: sqlite3.Connection, name: str) -> str:
        self._version = -1  # SQLite tells only of changes by others
        identifier = secrets.token_hex(8)
        key = f"tbl_{identifier}_{secrets.token_hex(32)}"
        secret = db.execute("SELECT secret FROM service").fetchone()[0]
        db.execute("INSERT INTO keys VALUES (?, ?, ?, NULL)", (identifier, name, key_mac(secret, key)))
        return key

    def _check_active(self, db: sqlite3.Connection, name: str) -> None:
        row = db.execute("SELECT revoked FROM sites WHERE name = ?", (name,)).fetchone()
        if row is None or row[0] is not None:
            raise SettingsError(f"there is no site {name}: see `takeback lookup list`")

    def sites(self) -> list[SiteRow]:
        """Returns all sites, also those that were revoked, by name."""
        with self._lock, _translated():
            return [SiteRow(*row) for row in self._db.execute("SELECT * FROM sites ORDER BY name")]

    def usage(self, days: int, name: str | None = None) -> list[UsageRow]:
        """Returns what sites asked in the last `days` days, today included; of the site `name` alone if it is given."""
        first = _day(self._clock() - (days - 1) * 86400)
        asked = "SELECT * FROM usage WHERE day >= ?1 AND (?2 IS NULL OR site = ?2) ORDER BY day, site"
        with self._lock, _translated():
            return [UsageRow(*row) for row in self._db.execute(asked, (first, name))]

    def active(self) -> int:
        """Returns how many sites have a valid key and asked in the last `ACTIVE_DAYS` days (UTC), today included."""
        first = _day(self._clock() - (ACTIVE_DAYS - 1) * 86400)
        with self._lock, _translated():
            count: int = self._db.execute(_COUNT_ACTIVE, (self._clock(), first)).fetchone()[0]
        return count

    # For the service

    def credential(self, key: str) -> Credential | None:
        """Returns the credential that a key is for, None if it is of no site or has ended."""
        self._reload()
        parts = key.split("_")
        held = self._credentials.get(parts[1]) if len(parts) == 3 else None
        # An unknown identifier takes as long as a wrong key.
        is_right = hmac.compare_digest(key_mac(self.secret, key), held.mac if held else bytes(32))
        if held is None or not is_right or (held.ends is not None and held.ends <= self._clock()):
            return None
        return held

    def _reload(self) -> None:
        now = time.monotonic()
        if now - self._looked_at < RELOAD_SECONDS:
            return
        self._looked_at = now
        with self._lock, _translated():
            version = self._db.execute("PRAGMA data_version").fetchone()[0]
            if version != self._version:
                rows = self._db.execute("SELECT id, mac, site, quota, ends FROM keys JOIN sites ON name = site")
                self._credentials = {identifier: Credential(*row) for identifier, *row in rows}
                self._version = version

    def charge(self, credential: Credential, count: int, what: Charged = "questions") -> int:
        """Counts questions or feedback of a site; returns 0, or the seconds until its next ones if over the quota.

        Feedback has a quota of its own, as large as that for questions, or what was answered could not be reported.
        """
        today = self._today()
        with self._lock, _translated():
            if self._pending.today != today:
                self._pending.today = today
                self._pending.asked = self._asked(today)
            asked = self._pending.asked.get((credential.site, what), 0)
            usage = self._pending.counts.setdefault((credential.site, today), DayUsage())
            if asked + count > credential.quota:
                usage.refused += count
                return self._until_midnight()
            self._pending.asked[credential.site, what] = asked + count
            if what == "questions":
                usage.questions += count
            else:
                usage.feedback += count
            return 0

    def _asked(self, day: str) -> dict[tuple[str, str], int]:
        """Returns the day's questions and feedback of each site: those in the database, and those not there yet."""
        asked: dict[tuple[str, str], int] = {}
        for site, *counts in self._db.execute("SELECT site, questions, feedback FROM usage WHERE day = ?", (day,)):
            asked[site, "questions"], asked[site, "feedback"] = counts
        for (site, on), usage in self._pending.counts.items():
            for what, more in (("questions", usage.questions), ("feedback", usage.feedback)) if on == day else ():
                asked[site, what] = asked.get((site, what), 0) + more
        return asked

    def count(self, site: str, *, stopped: int = 0, slowed: int = 0) -> None:
        """Counts answers of a site."""
        with self._lock:
            usage = self._pending.counts.setdefault((site, self._today()), DayUsage())
            usage.stopped += stopped
            usage.slowed += slowed

    def write_usage(self) -> None:
        """Adds what was counted to the database, and removes days that are too old."""
        with self._writing() as db:
            rows = [
                (site, day, held.questions, held.stopped, held.refused, held.slowed, held.feedback)
                for (site, day), held in self._pending.counts.items()
            ]
            if rows:
                db.executemany(_ADD_USAGE, rows)
                db.execute("DELETE FROM usage WHERE day < ?", (_day(self._clock() - KEPT_DAYS * 86400),))
                self._pending.counts.clear()  # after the rows are written, or a full disk would lose them

    def _today(self) -> str:
        return _day(self._clock())

    def _until_midnight(self) -> int:
        now = datetime.fromtimestamp(self._clock(), UTC)
        tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return max(1, int((tomorrow - now).total_seconds()) + 1)


def key_mac(secret: bytes, key: str) -> bytes:
    """Returns the HMAC-SHA256 by which a key is recognised (RFC 2104)."""
    return hmac.digest(secret, b"key " + key.encode("utf-8", "surrogatepass"), sha256)


def _day(at: float) -> str:
    return _day_of(int(at // 86400))


@lru_cache(maxsize=4)
def _day_of(number: int) -> str:
    """Returns the date (UTC) of a day since 1970; it is asked for with every question."""
    return datetime.fromtimestamp(number * 86400, UTC).strftime("%Y-%m-%d")


@contextmanager
def _translated() -> Iterator[None]:
    """Raises our errors for those of SQLite and of the file system."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise GateError(f"{DATABASE} cannot be used now: {error}") from error
    except sqlite3.DatabaseError as error:
        raise StateDamaged(f"{DATABASE} is damaged: {error}") from error
    except OSError as error:
        raise GateError(f"{DATABASE} cannot be used: {error.strerror}") from error
