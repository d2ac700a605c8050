"""The feed by time: clients that follow it by seconds end with the active entries, whatever happened."""

import random
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, delete, select, update

from takeback.protocol import MAX_FEED_ENTRIES, EntryStatus, FeedAction, NewCase, Picture, SignalMessage
from takeback.registry.security.entry_ids import EntryIds
from takeback.registry.storage.case_store import CaseWithdrawal, Submission
from takeback.registry.storage.change_feed import ChangeFeed, ChangeRecord
from takeback.registry.storage.engine import tables as t
from takeback.registry.storage.engine.database import open_database
from takeback.registry.storage.store import Store
from takeback.signals import SignalType
from tests.registry.conftest import NewDatabase

IDS = EntryIds(bytes(32))


class History:
    """A registry whose clock the test sets."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.now = 1_800_000_000
        self.store = Store(engine, lambda: self.now)
        self.records = ChangeFeed(engine)
        self.cases: list[str] = []
        self.keys = 0

    def submit(self, value: str) -> None:
        """Makes a case of one picture."""
        self.keys += 1
        key = self.keys.to_bytes(16)
        case = NewCase([Picture([SignalMessage(SignalType.MD5, value)])])
        self.cases.append(self.store.cases.submit(Submission(b"pin", key, key, case)).result().status.number)

    def withdraw(self, place: int) -> None:
        """Ends a case."""
        self.store.cases.withdraw(CaseWithdrawal(self.cases.pop(place))).result()

    def standing(self) -> dict[str, str]:
        """The records of a complete client: entry to value, for entries with the status `block`."""
        held: dict[str, str] = {}
        shown: dict[str, EntryStatus] = {}
        page = self.store.feed.page(0, MAX_FEED_ENTRIES, IDS)
        assert page.head <= MAX_FEED_ENTRIES
        for line in page.entries:
            if line.signal:
                held[line.entry] = line.signal.value
            elif line.action is FeedAction.REMOVE:
                held.pop(line.entry)
            shown[line.entry] = line.standing or shown.get(line.entry, EntryStatus.BLOCK)
        return {entry: value for entry, value in held.items() if shown[entry] is EntryStatus.BLOCK}


@pytest.fixture
def history(new_database: NewDatabase) -> Iterator[History]:
    """An empty registry."""
    running = History(open_database(new_database()))
    yield running
    running.store.close()


def apply(held: dict[str, str], records: tuple[ChangeRecord, ...]) -> None:
    for record in records:
        if record.there:
            held[record.id] = record.value
        else:
            held.pop(record.id, None)


@pytest.mark.parametrize("seed", range(2))
def test_clients_that_follow_by_time_end_with_what_stands(history: History, seed: int) -> None:
    """Windows without overlap, and fetches from an inclusive start, both give everything, in pages of any size."""
    chance = random.Random(seed)
    windows: dict[str, str] = {}
    starts: dict[str, str] = {}
    until, start = 0, 0
    for _ in range(120):
        act = chance.randrange(6)
        if act < 2 or not history.cases:
            history.submit(f"{chance.randrange(12):032x}")
        elif act == 2:
            history.withdraw(chance.randrange(len(history.cases)))
        elif act == 3:
            one = chance.randrange(1, history.keys + 1)
            history.store.feedback.change([one], chance.choice(list(EntryStatus))).result()
        elif act == 4:
            after, end = history.records.number_at(until), history.records.end_at(history.now)
            while after < end:
                step = min(end, after + chance.randrange(1, 9))
                apply(windows, history.records.changes(after, step, IDS).records)
                after = step
            until, history.now = history.now, history.now + 1
            assert windows == history.standing()
        else:
            after, end = history.records.number_at(start - 1), history.records.head()
            apply(starts, history.records.changes(after, end, IDS).records)
            start = history.now
            assert starts == history.standing()
        history.now += chance.randrange(2)


def test_what_is_erased_is_gone_for_everyone(history: History) -> None:
    """A removed entry whose signal is erased is gone under its id, without a signal, and marked as lost."""
    history.submit("0" * 32)
    history.submit("1" * 32)
    (gone, stays) = history.records.changes(0, 2, IDS).records
    assert history.records.named([SignalMessage(SignalType.MD5, gone.value)], IDS) == {gone.value: [gone.id]}
    history.withdraw(0)
    with history.engine.begin() as connection:
        erased = connection.execute(select(t.entries.c.number).where(~t.entries.c.active)).scalar_one()
        connection.execute(delete(t.holdings).where(t.holdings.c.entry == erased))
        connection.execute(delete(t.entries).where(t.entries.c.number == erased))
    whole = history.records.changes(0, 3, IDS)
    assert {record.id for record in whole.records if record.there} == {stays.id}
    assert [(record.there, record.type) for record in whole.records if record.id == gone.id] == [(False, None)]
    assert (whole.lost, history.records.changes(0, 2, IDS).lost) == (True, False)


def test_entries_from_before_moments_were_kept(history: History) -> None:
    """An entry without a time is older than every time that a client starts from, except 0."""
    history.submit("0" * 32)
    with history.engine.begin() as connection:
        connection.execute(update(t.entries).values(added_at=None))
    assert [history.records.number_at(moment) for moment in (0, 50_400, history.now)] == [0, 0, 1]
