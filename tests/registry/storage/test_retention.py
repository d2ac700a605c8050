"""Retention: cases expire, and what ended long ago is erased, also from the database's files."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from takeback.protocol import CaseState, FeedAction, FeedbackEvent, NewCase, Picture, SignalMessage, Verdict
from takeback.registry.rules.cases import CasePolicy
from takeback.registry.security.entry_ids import EntryIds
from takeback.registry.storage import case_store
from takeback.registry.storage.case_store import Addition, CaseWithdrawal, Submission
from takeback.registry.storage.engine import tables as t
from takeback.registry.storage.engine.database import is_sqlite, open_database
from takeback.registry.storage.feedback_store import Report
from takeback.registry.storage.platforms import Platforms
from takeback.registry.storage.store import Store
from takeback.signals import SignalType
from takeback.times import DAY_SECONDS
from tests.registry.support import serving

IDS = EntryIds(bytes(32))
EXPIRE, KEEP = 365, 30


class Clock:
    """A clock that the test advances by days."""

    def __init__(self) -> None:
        self.now = 1_800_000_000

    def __call__(self) -> float:
        return self.now

    def pass_days(self, days: float) -> None:
        """Later."""
        self.now += int(days * DAY_SECONDS)


@pytest.fixture
def clock() -> Clock:
    """Stands still."""
    return Clock()


@pytest.fixture
def store(new_database: Callable[[], Path | str], clock: Clock) -> Iterator[Store]:
    """An empty store whose cases expire after a year, and are erased 30 days later."""
    opened = Store(open_database(new_database()), clock, CasePolicy(0, EXPIRE * DAY_SECONDS, KEEP * DAY_SECONDS))
    yield opened
    opened.close()


def signal(number: int) -> SignalMessage:
    """The same for the same number."""
    return SignalMessage(SignalType.MD5, f"{number:032x}")


def submit(store: Store, *pictures: int, key: bytes = b"") -> str:
    """Makes a case of pictures with one signal each, and returns its number."""
    key = key or b"%d" % store.cases._clock() + repr(pictures).encode()
    case = NewCase([Picture([signal(number)]) for number in pictures])
    return str(store.cases.submit(Submission(b"pin", key, key, case)).result().status.number)


def retain(store: Store) -> None:
    """Ends and erases everything that is due."""
    while store.cases.retain():
        pass


def state(store: Store, number: str) -> CaseState | None:
    """The state of a case, or `None` if it is erased."""
    case = store.cases.case(number)
    return store.cases.status(case).state if case else None


def feed(store: Store) -> list[tuple[FeedAction, str | None]]:
    """The whole feed: action and value."""
    lines = store.feed.page(0, 1000, IDS).entries
    return [(line.action, line.signal.value if line.signal else None) for line in lines]


def rows(store: Store) -> dict[str, int]:
    """The number of rows in each table."""
    with store._engine.begin() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in t.metadata.sorted_tables
        }


def test_a_case_expires(store: Store, clock: Clock) -> None:
    """A case expires a year after its last new picture, leaves the feed at once, and accepts no more pictures."""
    number, other = submit(store, 1, 2), submit(store, 2, 3)
    clock.pass_days(EXPIRE - 1)
    key = b"more"
    store.cases.add_pictures(Addition(other, key, key, NewCase([Picture([signal(4)])]))).result()
    clock.pass_days(1)
    retain(store)

    case = store.cases.case(number)
    assert case
    status = store.cases.status(case)
    assert (status.state, status.expires_at, status.withdrawn_at) == (CaseState.EXPIRED, None, "2028-01-15T08:00:00Z")
    assert state(store, other) is CaseState.ACTIVE
    assert feed(store)[-1] == (FeedAction.REMOVE, None)
    assert len(feed(store)) == 5, "of the expired case only the picture that nobody else holds leaves"


def test_a_case_expires_never_without_a_setting(new_database: Callable[[], Path | str], clock: Clock) -> None:
    """With `expire` at 0 a case is still active after a hundred years."""
    store = Store(open_database(new_database()), clock, CasePolicy())
    number = submit(store, 1)
    clock.pass_days(36_500)
    retain(store)
    assert state(store, number) is CaseState.ACTIVE
    store.close()


def test_what_ended_is_erased(store: Store, clock: Clock) -> None:
    """Thirty days after its end only the numbered lines of the feed are left of a case, without the signals."""
    key = Platforms(store._engine).add("Example Photos")
    platform = Platforms(store._engine).check(key)
    number = submit(store, 1, 2)
    entry = store.feed.page(0, 1, IDS).entries[0].entry
    store.feedback.record(Report(platform.id, IDS, [FeedbackEvent("0" * 32, Verdict.BLOCKED, [entry])])).result()
    store.cases.withdraw(CaseWithdrawal(number)).result()
    clock.pass_days(KEEP - 0.01)
    retain(store)
    assert state(store, number) is CaseState.WITHDRAWN

    clock.pass_days(0.01)
    retain(store)
    assert state(store, number) is None
    kept = {name: count for name, count in rows(store).items() if count}
    assert kept == {"registry": 1, "platforms": 1, "feed": 4}
    assert [action for action, _ in feed(store)] == ["erased", "erased", "remove", "remove"]
    assert store.feed.page(0, 1000, IDS).entries[0].entry in {
        line.entry for line in store.feed.page(2, 10, IDS).entries
    }


def test_a_withdrawn_picture_is_erased_alone(store: Store, clock: Clock) -> None:
    """A picture withdrawn from an open case loses its signals, and keeps its position in the status."""
    number = submit(store, 1, 2)
    store.cases.withdraw(CaseWithdrawal(number, frozenset({0}))).result()
    clock.pass_days(KEEP)
    retain(store)

    case = store.cases.case(number)
    assert case
    assert [picture.withdrawn_at is None for picture in store.cases.status(case).pictures] == [False, True]
    assert rows(store)["holdings"] == rows(store)["entries"] == 1
    assert sorted(value or "" for _, value in feed(store)) == ["", "", signal(2).value]


def test_the_key_of_an_erased_case_is_free(store: Store, clock: Clock) -> None:
    """A picture of an erased case can be sent again, and makes a new case and a new entry."""
    number = submit(store, 1, key=b"key")
    store.cases.withdraw(CaseWithdrawal(number)).result()
    clock.pass_days(KEEP)
    retain(store)

    assert submit(store, 1, key=b"key") != number
    assert [action for action, _ in feed(store)] == ["erased", "remove", "add"]


def test_much_is_let_go_little_by_little(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows are erased than fit into one transaction."""
    monkeypatch.setattr(case_store, "MAX_RETAINED_ROWS", 3)
    for place in range(5):
        submit(store, 2 * place, 2 * place + 1)
    clock.pass_days(EXPIRE)
    assert store.cases.retain()
    retain(store)
    assert [action for action, _ in feed(store)] == ["add"] * 10 + ["remove"] * 10
    clock.pass_days(KEEP)
    retain(store)
    assert [action for action, _ in feed(store)] == ["erased"] * 10 + ["remove"] * 10
    assert rows(store)["cases"] == rows(store)["entries"] == 0


def test_no_byte_of_what_was_erased_is_left_in_the_files(store: Store, clock: Clock) -> None:
    """An erased value is in no file of SQLite; PostgreSQL frees the space by its own vacuum."""
    if not is_sqlite(store._engine):
        pytest.skip("PostgreSQL overwrites when it vacuums")
    secret = SignalMessage(SignalType.SHA256, "5ec2e7" + "ab" * 29)
    number = store.cases.submit(Submission(b"pin", b"k", b"d", NewCase([Picture([secret])]))).result().status.number
    file = Path(str(store._engine.url.database))
    files = [file, file.with_name(file.name + "-wal")]
    needle = bytes.fromhex(secret.value)
    assert any(needle in one.read_bytes() for one in files)
    store.cases.withdraw(CaseWithdrawal(number)).result()
    clock.pass_days(KEEP)
    retain(store)
    assert not any(needle in one.read_bytes() for one in files if one.exists())


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_passes_the_feed_is_what_is_open(new_database: Callable[[], Path | str], data: st.DataObject) -> None:
    """For any history of cases, the active entries are those of open cases, and the feed keeps its rules."""
    clock = Clock()
    store = Store(open_database(new_database()), clock, CasePolicy(0, 20 * DAY_SECONDS, 10 * DAY_SECONDS))
    cases: dict[str, set[str]] = {}
    for step in range(data.draw(st.integers(1, 12))):
        match data.draw(st.sampled_from(["submit", "withdraw", "wait"])):
            case "submit":
                pictures = data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=3))
                cases[submit(store, *pictures, key=b"%d" % step)] = {signal(n).value for n in pictures}
            case "withdraw" if cases:
                number = data.draw(st.sampled_from(sorted(cases)))
                store.cases.withdraw(CaseWithdrawal(number)).result()
                del cases[number]
            case _:
                clock.pass_days(data.draw(st.integers(1, 15)))
        retain(store)
        for number in list(cases):
            if state(store, number) is CaseState.EXPIRED:
                del cases[number]
        assert _sum(store) == set().union(*cases.values())
    store.close()


def _sum(store: Store) -> set[str]:
    """The active entries of the feed."""
    active: dict[str, str | None] = {}
    for line in store.feed.page(0, 1000, IDS).entries:
        if line.action is FeedAction.REMOVE:
            del active[line.entry]
        else:
            assert line.entry not in active
            active[line.entry] = line.signal.value if line.signal else None
    assert None not in active.values(), "what is erased was removed"
    return {value for value in active.values() if value}


def test_the_server_lets_go_by_itself(tmp_path: Path) -> None:
    """A registry that is started with `TAKEBACK_EXPIRE` ends old cases by itself."""
    data = tmp_path / "var"
    data.mkdir()
    engine = open_database(data / "registry.sqlite")
    old = Store(engine, lambda: 1_500_000_000)
    number = submit(old, 1)
    old.close()
    program = "from takeback.registry.storage import store; store.RETENTION_SECONDS = 0.05\n"
    program += "from takeback.cli import main; main()"
    with serving(data, "--expire", "1", "--keep", "1", program=program) as server:
        platform = server.platform("Example Photos")
        while len(platform.page()["entries"]) < 2:
            pass
    assert number
