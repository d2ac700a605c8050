"""The notifications that wait for a decision, in a file of SQLite that outlives the process, however it ends."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Condition
from typing import Final

from takeback.errors import GateError, SettingsError
from takeback.integrations.bucket.events import Notice

MAX_WAITING: Final = 1_000_000
"""Notices that may wait: beyond it senders are asked to keep theirs. They take about 300 bytes each."""
_SCHEMA: Final = """
create table if not exists notices (
  number integer primary key autoincrement,
  bucket text not null,
  key text not null,
  version text not null,
  event text not null,
  changes integer not null default 0,
  tries integer not null default 0,
  due real not null,
  unique (bucket, key, version)
) strict;
create index if not exists notices_by_due on notices (due);
"""
# An object that is written again while it is checked gets a new number of changes, and is checked again.
_ADD: Final = """
insert into notices (bucket, key, version, event, due) values (?, ?, ?, ?, ?)
on conflict do update set changes = changes + 1, event = excluded.event, due = min(due, excluded.due)
"""
_DUE: Final = """
select number, bucket, key, version, event, changes, tries from notices
where due <= ? order by due, number limit ?
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A notice that somebody works on: its number in the queue, and how often it was tried before."""

    number: int
    notice: Notice
    changes: int
    tries: int

    @property
    def event(self) -> str:
        """The event's id for the log: its number here, and the store's id if there is one."""
        return f"{self.number} ({self.notice.event})" if self.notice.event else str(self.number)


class NoticeQueue:
    """The queue. Thread-safe; of one process, which locks the file. Each change is on disk before its method returns.

    Raises `GateError` if the disk does not take it.
    """

    def __init__(self, file: Path, now: Callable[[], float] = time.time) -> None:
        """Opens or makes the file, which only its owner can read. Raises `SettingsError`."""
        self._now = now
        self._changed = Condition()
        self._taken = set[int]()
        try:
            os.close(os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            self._database = sqlite3.connect(file, timeout=1, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise SettingsError(f"the queue {file} cannot be used: {error}") from error
        try:
            # The lock is taken with the first write, and is held until the process ends.
            for pragma in ("locking_mode=exclusive", "journal_mode=wal", "synchronous=full", "secure_delete=on"):
                self._database.execute(f"pragma {pragma}")
            self._database.executescript(f"begin immediate; {_SCHEMA} commit;")
        except sqlite3.Error as error:
            self._database.close()
            why = "another process uses it" if "locked" in str(error) else str(error)
            raise SettingsError(f"the queue {file} cannot be used: {why}") from error

    def __len__(self) -> int:
        """Returns how many notices wait or are worked on."""
        with self._changed:
            return int(self._database.execute("select count(*) from notices").fetchone()[0])

    def add(self, notices: Iterable[Notice]) -> None:
        """Adds notices, all or none; the same object waits once."""
        rows = [(one.bucket, one.key, one.version, one.event, self._now()) for one in notices]
        if not rows:
            return
        if len(self) + len(rows) > MAX_WAITING:
            raise GateError("too many notifications wait")
        with self._changed:
            try:
                self._database.execute("begin immediate")
                self._database.executemany(_ADD, rows)
                self._database.execute("commit")
            except sqlite3.Error as error:
                if self._database.in_transaction:
                    self._database.execute("rollback")
                raise GateError(f"the notification cannot be kept: {error}") from error
            self._changed.notify_all()

    def take(self, seconds: float) -> Waiting | None:
        """Returns a notice that is due, or none after so many seconds."""
        with self._changed:
            waiting = self._next()
            if waiting is None and seconds > 0:
                self._changed.wait(seconds)
                waiting = self._next()
            if waiting:
                self._taken.add(waiting.number)
            return waiting

    def _next(self) -> Waiting | None:
        found = self._database.execute(_DUE, (self._now(), len(self._taken) + 1))
        for number, bucket, key, version, event, changes, tries in found.fetchall():
            if number not in self._taken:
                return Waiting(number, Notice(bucket, key, version, event), changes, tries)
        return None

    def done(self, waiting: Waiting) -> None:
        """Forgets a notice, unless its object was written again meanwhile."""
        self._write(waiting, "delete from notices where number = ? and changes = ?", waiting.number, waiting.changes)

    def postpone(self, waiting: Waiting, seconds: float) -> None:
        """Gives a notice back, to be tried again after so many seconds."""
        self._write(
            waiting,
            "update notices set tries = tries + 1, due = ? where number = ? and changes = ?",
            self._now() + seconds,
            waiting.number,
            waiting.changes,
        )

    def _write(self, waiting: Waiting, statement: str, *values: float) -> None:
        with self._changed:
            try:
                self._database.execute(statement, values)
            except sqlite3.Error as error:
                raise GateError(f"the queue cannot be written: {error}") from error
            finally:
                self._taken.discard(waiting.number)
                self._changed.notify_all()

    def hurry(self) -> None:
        """Makes everything due, after decisions are possible again."""
        with self._changed:
            try:
                self._database.execute("update notices set due = ? where due > ?", (self._now(), self._now()))
            except sqlite3.Error as error:
                raise GateError(f"the queue cannot be written: {error}") from error
            self._changed.notify_all()

    def close(self) -> None:
        """Closes the file."""
        with self._changed:
            self._database.close()
