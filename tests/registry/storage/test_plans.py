"""Requests of people and platforms use indexes, so that their cost does not grow with the registry."""

import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import event

from takeback.protocol import FeedbackEvent, NewCase, Picture, SignalMessage, Verdict
from takeback.registry.rules.cases import CasePolicy
from takeback.registry.security.entry_ids import EntryIds
from takeback.registry.storage.case_store import Addition, CaseWithdrawal, Submission
from takeback.registry.storage.engine.database import open_database
from takeback.registry.storage.feedback_store import PlatformPosition, Report
from takeback.registry.storage.platforms import Platforms
from takeback.registry.storage.store import Store
from takeback.signals import SignalType
from tests.registry.support import telling

GROWS = frozenset({"cases", "pictures", "entries", "first_ids", "holdings", "feed", "submissions", "feedback_entries"})
"""Tables that grow with everything that people and platforms send."""


def _pictures() -> NewCase:
    return NewCase([Picture([SignalMessage(SignalType.PDQ, telling(), 100)])])


def _everything(store: Store, platforms: Platforms) -> None:
    """Makes a case, adds a picture, reports it and withdraws it, while a platform follows the feed."""
    key = platforms.add("Example Photos")
    platform, ids = platforms.check(key), EntryIds(bytes(32))
    number = store.cases.submit(Submission(bytes(32), bytes(32), bytes(32), _pictures())).result().status.number
    store.cases.add_pictures(Addition(number, b"1" * 32, bytes(32), _pictures())).result()
    store.feed.tick()
    page = store.feed.page(0, 1000, ids)
    told = FeedbackEvent(secrets.token_hex(16), Verdict.NOT_BLOCKED, [page.entries[0].entry])
    store.feedback.record(Report(platform.id, ids, [told])).result()
    store.feedback.move(PlatformPosition(platform.id, 1)).result()
    list(store.feed.active_at(1, ids))
    store.feed.look([key])
    store.cases.knows(bytes(32))
    case = store.cases.case(number)
    assert case
    store.cases.status(case)
    store.cases.withdraw(CaseWithdrawal(number, frozenset({0}))).result()
    store.cases.withdraw(CaseWithdrawal(number)).result()
    store.feed.tick()
    store.cases.retain()


def test_nothing_reads_a_whole_table(tmp_path: Path) -> None:
    """SQLite's plan of every statement uses an index for each table that grows."""
    engine = open_database(tmp_path / "registry.sqlite")
    asked: list[tuple[str, Any]] = []

    def note(_c: object, _cursor: object, statement: str, parameters: Any, _context: object, many: bool) -> None:
        if not statement.startswith("BEGIN"):
            asked.append((statement, parameters[0] if many else parameters))

    event.listen(engine, "before_cursor_execute", note)
    store = Store(engine, time.time, CasePolicy(retention_seconds=0))
    _everything(store, Platforms(engine))
    event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        read_whole = {
            f"{step[3]} in: {statement}"
            for statement, parameters in dict(asked).items()
            for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            if _scanned(step) in GROWS
        }
    store.close()
    assert not read_whole


def _scanned(step: Sequence[Any]) -> str:
    """The table that a step of a plan scans without an index, or `None`."""
    words: list[str] = step[3].split()
    return words[1] if words[0] == "SCAN" and "INDEX" not in words else ""
