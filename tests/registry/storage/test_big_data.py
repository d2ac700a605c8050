"""No statement grows with the data: every look-up works with more rows than a statement can have parameters.

PostgreSQL takes 65,535 parameters in a statement, SQLite 32,766.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, Table, func, select

from takeback import registry as package
from takeback.protocol import (
    AgeBand,
    CaseState,
    EntryStatus,
    FeedbackEvent,
    NewCase,
    Picture,
    PictureKind,
    SignalMessage,
    Verdict,
)
from takeback.registry.rules.cases import Case, CasePolicy, Entry
from takeback.registry.rules.entry_status import EntryState, StatusLimits, StatusSource
from takeback.registry.security.credentials import PlatformKey
from takeback.registry.security.entry_ids import EntryIds
from takeback.registry.storage import case_queries, entry_statuses, feed_queries, retention, status_queries
from takeback.registry.storage.case_store import CaseWithdrawal, Submission
from takeback.registry.storage.engine import bulk_write
from takeback.registry.storage.engine import tables as t
from takeback.registry.storage.engine.database import WRITES, open_database
from takeback.registry.storage.platforms import Platforms, holders
from takeback.registry.storage.store import Store
from takeback.signals import SignalType
from takeback.times import DAY_SECONDS
from tests.registry.conftest import STORES
from tests.registry.postgres import Cluster

ROWS = 70_000
NOW = 1_800_000_000
IDS = EntryIds(bytes(32))
OLDER = EntryIds(bytes(32), own_after=ROWS)
"""The ids of a platform that knows every entry by an id of the first release."""


@dataclass
class Big:
    """A database with many entries in the feed, and much feedback on the first of them."""

    engine: Engine
    platform: int
    key: PlatformKey


def signal(number: int) -> SignalMessage:
    """The same for the same number."""
    return SignalMessage(SignalType.MD5, f"{number:032x}")


def event(number: int) -> FeedbackEvent:
    """The same."""
    return FeedbackEvent(f"{number:032x}", Verdict.BLOCKED, ["0" * 32])


@pytest.fixture(scope="module", params=STORES)
def big(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Big]:
    """The database, filled once for each kind; tests roll back their changes."""
    where: Path | str = tmp_path_factory.mktemp("big") / "registry.sqlite"
    if request.param == "postgresql":
        cluster: Cluster = request.getfixturevalue("postgresql")
        where = cluster.new_database(request.getfixturevalue("template"))
    engine = open_database(where)
    key = Platforms(engine).add("Example Photos")
    platform = Platforms(engine).check(key).id
    entries = [Entry(number, signal(number), PictureKind.IMAGE, False, AgeBand.MINOR) for number in range(1, ROWS + 1)]
    with engine.execution_options(**WRITES).begin() as connection:
        feed_queries.publish(connection, entries, range(1, ROWS + 1), NOW)
        bulk_write.insert(connection, t.first_ids, [{"entry": n, "id": f"{n:032x}"} for n in range(1, ROWS + 1)])
        feed_queries.keep_feedback(connection, platform, [(event(n), [1]) for n in range(ROWS)], NOW)
    yield Big(engine, platform, key)
    engine.dispose()


@pytest.fixture
def connection(big: Big) -> Iterator[Connection]:
    """A transaction that is rolled back."""
    with big.engine.connect().execution_options(**WRITES) as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


def count(connection: Connection, table: Table) -> int:
    """The number of rows in a table."""
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_signals_are_found(connection: Connection) -> None:
    """The active entries of many signals are found."""
    asked = [signal(number) for number in range(ROWS, 2 * ROWS)]
    assert feed_queries.active_signals(connection, asked) == {(SignalType.MD5, signal(ROWS).value): ROWS}


def test_entries_are_found_by_their_ids(connection: Connection) -> None:
    """The entries of many ids are found, by present ids and by those of the first release."""
    every = list(range(1, ROWS + 1))
    assert feed_queries.entry_ids(connection, every, OLDER) == [f"{number:032x}" for number in every]
    for ids in (IDS, OLDER):
        names = feed_queries.entry_ids(connection, every, ids)
        assert feed_queries.active_entries(connection, ids, names) == dict(zip(names, every, strict=True))


def test_standings_change(big: Big, connection: Connection) -> None:
    """Many entries change their status at once, each with a line in the feed; an upload that matched all is counted."""
    every = range(1, ROWS + 1)
    assert (
        entry_statuses.set_status(connection, every, EntryState(EntryStatus.PAUSED, StatusSource.OPERATOR), NOW) == ROWS
    )
    assert feed_queries.head(connection) == 2 * ROWS
    entry_statuses.apply_feedback(connection, big.platform, [(event(1), every)], StatusLimits(3, 5), NOW)
    noticed = status_queries.list_entries(connection, [EntryStatus.PAUSED], ROWS)
    assert {(one.standing, one.judge) for one in noticed} == {("paused", "operator")}
    assert [one.blocked for one in noticed if one.entry == 1] == [1]


def test_feedback_is_known(big: Big, connection: Connection) -> None:
    """Repeated events are found among many."""
    asked = [event(number).id for number in range(1, ROWS + 1)]
    assert feed_queries.feedback_on_record(connection, big.platform, asked) == set(asked[:-1])


def test_an_entry_with_much_feedback_is_erased(connection: Connection) -> None:
    """An entry is erased with all its feedback."""
    connection.execute(t.entries.update().where(t.entries.c.number == 1).values(removed_at=NOW))
    assert retention.erase_entries(connection, NOW, 1) == 1
    assert (count(connection, t.feedback), count(connection, t.feedback_entries)) == (0, 0)


def test_many_entries_are_erased(connection: Connection) -> None:
    """All entries are erased at once, and the feed keeps their leaves."""
    connection.execute(t.entries.update().values(removed_at=NOW, active=False))
    assert retention.erase_entries(connection, NOW, ROWS) == ROWS
    assert count(connection, t.entries) == 0
    assert connection.execute(select(func.count(t.feed.c.leaf))).scalar_one() == ROWS


def test_many_cases_are_made_and_erased(connection: Connection) -> None:
    """Many cases get numbers, are found by their keys, and are erased at once."""
    numbers = case_queries.free_numbers(connection, ROWS)
    cases = [Case(number, b"pin", CaseState.WITHDRAWN, NOW, NOW, NOW, 0, None) for number in numbers]
    keys = [int(number).to_bytes(8) for number in numbers]
    case_queries.keep_cases(connection, cases)
    case_queries.keep_pictures(connection, [(number, 0, [1]) for number in numbers], NOW)
    case_queries.keep_submissions(
        connection, [(key, b"digest", number) for key, number in zip(keys, numbers, strict=True)]
    )
    assert len(case_queries.submissions(connection, keys)) == ROWS
    assert retention.erase_cases(connection, NOW, ROWS) == ROWS
    assert [count(connection, table) for table in (t.cases, t.pictures, t.holdings, t.submissions)] == [0] * 4


def test_many_pictures_end(connection: Connection) -> None:
    """All pictures of a case with very many positions end at once."""
    (number,), pictures = case_queries.free_numbers(connection, 1), range(2**15)
    case_queries.keep_cases(connection, [Case(number, b"pin", CaseState.ACTIVE, NOW, NOW, None, 0, None)])
    case_queries.keep_pictures(connection, [(number, place, [place + 1]) for place in pictures], NOW)
    assert set(case_queries.end_pictures(connection, number, pictures, NOW)) == {place + 1 for place in pictures}
    assert not case_queries.has_pictures(connection, number)


def test_many_keys_are_looked_up(big: Big, connection: Connection) -> None:
    """A key is found among many."""
    found = holders(connection, [*(PlatformKey.new() for _ in range(ROWS)), big.key])
    assert [one.name for one in found if not isinstance(one, Exception)] == ["Example Photos"]


def test_erasure_goes_on_for_everybody(big: Big) -> None:
    """With an entry that has much feedback, the store ends expired cases and erases old ones."""
    now = [float(NOW)]
    store = Store(big.engine, lambda: now[0], CasePolicy(0, 365 * DAY_SECONDS, 30 * DAY_SECONDS))
    case = NewCase([Picture([signal(1)])])
    number = store.cases.submit(Submission(b"pin", b"key", b"digest", case)).result().status.number
    with big.engine.execution_options(**WRITES).begin() as connection:
        connection.execute(t.entries.update().where(t.entries.c.number > 1).values(added=None, active=False))
    store.cases.withdraw(CaseWithdrawal(number)).result()
    now[0] += 31 * DAY_SECONDS
    assert store.cases.retain() is False
    assert store.cases.case(number) is None
    with big.engine.begin() as connection:
        assert count(connection, t.feedback) == 0
    store.close()


def test_values_are_looked_up_in_batches() -> None:
    """Only `bulk_write.among` uses `IN` with any number of values; other code uses it only with constants."""
    folder = Path(package.__file__ or "").parent
    grows = [
        f"{path.name}:{call.lineno}"
        for path in sorted(folder.rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        if isinstance(call.func, ast.Attribute)
        if call.func.attr in {"in_", "not_in", "notin_", "any_", "tuple_"}
        if not _is_constant(call.args[0])
    ]
    assert [place for place in grows if not place.startswith("bulk_write.py:")] == []
    assert len(grows) == 1


def _is_constant(values: ast.expr) -> bool:
    """Whether the number of values is fixed in the source: `[A, B]`, or the name of a constant."""
    return isinstance(values, ast.List | ast.Tuple) or (isinstance(values, ast.Name) and values.id.isupper())
