"""How platforms' feedback changes an entry's status, and what the operator sees and decides."""

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from takeback.errors import SettingsError
from takeback.protocol import EntryStatus, FeedbackEvent, NewCase, Picture, SignalMessage, Verdict
from takeback.registry.rules.benign_list import BenignList
from takeback.registry.rules.cases import CasePolicy
from takeback.registry.rules.entry_status import (
    REVIEW_LAG_SECONDS,
    EntryState,
    Level,
    StatusLimits,
    StatusSource,
    Vote,
    count,
    is_confirmed,
    is_flood,
    judge,
    share,
)
from takeback.registry.security.entry_ids import EntryIds
from takeback.registry.storage.case_store import Submission
from takeback.registry.storage.engine import tables
from takeback.registry.storage.engine.database import open_database
from takeback.registry.storage.feedback_store import Report
from takeback.registry.storage.platforms import Platforms
from takeback.registry.storage.status_queries import bars
from takeback.registry.storage.store import Store
from takeback.signals import SignalType
from takeback.times import HOUR_SECONDS
from tests.registry.conftest import NewDatabase
from tests.registry.support import Platform, Server, md5

IDS = EntryIds(bytes(32))
LIMITS = StatusLimits(demote=3, flood=6)
votes = st.lists(
    st.builds(
        Vote, st.integers(1, 6), st.sampled_from(list(Verdict)), st.integers(0, 99), st.integers(0, 3 * HOUR_SECONDS)
    ),
    max_size=12,
)


@given(votes, st.sampled_from([None, StatusSource.VOTES]))
def test_votes_demote_and_restore(said: list[Vote], by: StatusSource | None) -> None:
    """Each platform counts once; a review needs enough platforms and a majority, and ends once the majority does."""
    now = EntryState(EntryStatus.REVIEW, StatusSource.VOTES) if by else EntryState()
    found = judge(now, said, flooded=False, limits=LIMITS)
    blocked, not_blocked = count(said)
    assert blocked + not_blocked <= len({vote.platform for vote in said})
    if not_blocked >= LIMITS.demote and not_blocked > blocked:
        assert found == EntryState(EntryStatus.REVIEW, StatusSource.VOTES)
    elif blocked >= not_blocked:
        assert found == EntryState()
    else:
        assert found == now


@given(
    votes,
    st.sampled_from([StatusSource.OPERATOR, StatusSource.WELL_KNOWN]),
    st.sampled_from(list(EntryStatus)),
    st.booleans(),
)
def test_the_operator_has_the_last_word(
    said: list[Vote], by: StatusSource, standing: EntryStatus, flooded: bool
) -> None:
    """No feedback changes an entry that the operator decided on or that is on the benign list."""
    now = EntryState(standing, by)
    assert judge(now, said, flooded=flooded, limits=LIMITS) == now


@given(votes, st.booleans(), st.integers(0, 2 * REVIEW_LAG_SECONDS))
def test_a_flood_never_lets_pass(said: list[Vote], flooded: bool, since: int) -> None:
    """No feedback and no number of matches pauses an entry: it blocks or asks for a review."""
    for by in (None, StatusSource.VOTES, StatusSource.FLOOD, StatusSource.MODERATORS):
        now = EntryState(
            EntryStatus.REVIEW if by in {StatusSource.VOTES, StatusSource.FLOOD} else EntryStatus.BLOCK, by
        )
        found = judge(now, said, flooded=flooded, limits=LIMITS, since=since)
        assert found.status is not EntryStatus.PAUSED
        if by is StatusSource.MODERATORS:
            assert found == judge(now, said, flooded=False, limits=LIMITS, since=since), "no flood changes it"
        elif by is StatusSource.FLOOD:
            assert (found.judge is StatusSource.MODERATORS) == is_confirmed(said, since, LIMITS)
        elif flooded:
            assert found == EntryState(EntryStatus.REVIEW, StatusSource.FLOOD)


def test_moderators_confirm_after_the_lag_and_by_their_last_word() -> None:
    """Three platforms that block an entry at `review` confirm it; earlier votes or fewer platforms do not."""
    late = [Vote(platform, Verdict.BLOCKED, platform, REVIEW_LAG_SECONDS) for platform in (1, 2, 3)]
    assert is_confirmed(late, 0, LIMITS)
    assert not is_confirmed(late, 1, LIMITS)
    assert not is_confirmed(late[:2], 0, LIMITS)
    assert not is_confirmed([*late, Vote(3, Verdict.NOT_BLOCKED, 9, REVIEW_LAG_SECONDS)], 0, LIMITS)
    assert not is_confirmed(late, 0, StatusLimits(demote=0))


@given(st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=3, unique=True), min_size=1, max_size=12))
def test_entries_of_one_upload_share_one_level(uploads: list[list[int]]) -> None:
    """After an upload, all entries that it matched share the highest of their levels plus one; others stay."""
    levels: dict[int, Level] = {}
    for slot, touched in enumerate(uploads):
        before = {entry: dict(levels.get(entry, {})) for entry in range(1, 6)}
        share(levels, touched, slot // 3)
        highest = max(sum(before[entry].values()) for entry in touched)
        for entry in range(1, 6):
            if entry in touched:
                assert levels[entry] == levels[touched[0]]
                assert sum(levels[entry].values()) > highest
            else:
                assert dict(levels.get(entry, {})) == before[entry]


@given(votes)
def test_votes_can_be_turned_off(said: list[Vote]) -> None:
    """With a limit of 0, no number of platforms demotes an entry."""
    assert judge(EntryState(), said, flooded=False, limits=StatusLimits(0, 0)) == EntryState()


@given(st.lists(st.integers(0, 50), max_size=4), st.integers(2, 60))
def test_a_flood_takes_enough_matches_of_more_than_one_platform(matches: list[int], flood: int) -> None:
    """A flood needs `flood` matches from at least two platforms, each of which counts for at most half."""
    if is_flood(matches, flood):
        assert sum(matches) >= flood
        assert sum(count > 0 for count in matches) > 1
    assert not is_flood(matches, 0)
    assert is_flood([*matches, flood, flood], flood)
    assert not is_flood([10**6], flood)


class Desk:
    """A registry with some entries and platforms, whose clock the test sets."""

    def __init__(self, engine: Engine, limits: StatusLimits = LIMITS) -> None:
        self.now = 1_800_000_000
        self.engine = engine
        self.store = Store(engine, lambda: self.now, CasePolicy(limits=limits))
        known = Platforms(engine)
        self.platforms = [known.check(known.add(f"Platform {n}")).id for n in range(5)]
        self.events = itertools.count(1)
        self.entries: list[str] = []
        self.register("ab" * 16)

    def register(self, value: str) -> None:
        """One more entry."""
        case = NewCase([Picture([SignalMessage(SignalType.MD5, value)])])
        self.store.cases.submit(Submission(b"pin", value.encode(), b"digest", case)).result()
        self.entries.append(self.store.feed.page(0, 100, IDS).entries[-1].entry)

    def say(self, platform: int, verdict: Verdict, *entries: int, times: int = 1) -> None:
        """One platform's feedback on uploads that each matched these entries; the first one, if none is named."""
        matched = [self.entries[entry] for entry in entries or (0,)]
        events = [FeedbackEvent(f"{next(self.events):032x}", verdict, matched) for _ in range(times)]
        for some in itertools.batched(events, 500):
            self.store.feedback.record(Report(self.platforms[platform], IDS, some)).result()

    def told(self, entry: int = 0) -> list[EntryStatus]:
        """What the feed said of an entry after it was added."""
        lines = self.store.feed.page(0, 1000, IDS).entries
        return [line.standing for line in lines if line.entry == self.entries[entry] and line.standing]


@pytest.fixture
def desk(new_database: NewDatabase) -> Iterator[Desk]:
    """An empty desk, over each kind of database."""
    engine = open_database(new_database())
    desk = Desk(engine)
    yield desk
    desk.store.close()


def test_three_platforms_demote_and_as_many_restore(desk: Desk) -> None:
    """The third `not_blocked` platform demotes an entry; once as many platforms block it, it blocks again."""
    for platform in (0, 0, 0, 1):
        desk.say(platform, Verdict.NOT_BLOCKED)
    assert desk.told() == []
    desk.say(2, Verdict.NOT_BLOCKED)
    assert desk.told() == [EntryStatus.REVIEW]
    desk.say(3, Verdict.BLOCKED)
    desk.say(4, Verdict.PENDING_REVIEW)
    assert desk.told() == [EntryStatus.REVIEW]
    desk.say(2, Verdict.BLOCKED)
    assert desk.told() == [EntryStatus.REVIEW, EntryStatus.BLOCK]


def test_a_flood_asks_for_a_review_until_somebody_decides(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """Too many matches within an hour demote an entry, which is logged; once resumed it blocks for good."""
    for _ in range(8):
        desk.say(0, Verdict.BLOCKED)
        desk.now += HOUR_SECONDS // 5
    assert desk.told() == [], "slower ones do nothing"
    desk.now += HOUR_SECONDS
    desk.say(1, Verdict.BLOCKED, times=3)
    for verdict in (Verdict.BLOCKED, Verdict.PENDING_REVIEW):
        desk.say(2, verdict)
    assert desk.told() == []
    desk.say(2, Verdict.BLOCKED)
    assert desk.told() == [EntryStatus.REVIEW]
    assert "a flood of matches: entry 1 asks for a review" in caplog.text
    assert desk.store.totals()["entries_flooding"] == 1
    for platform in range(5):
        desk.say(platform, Verdict.NOT_BLOCKED)
    assert desk.told() == [EntryStatus.REVIEW]
    desk.store.feedback.change([1], EntryStatus.BLOCK).result()
    for platform in (1, 2):
        desk.say(platform, Verdict.BLOCKED, times=20)
    assert desk.told() == [EntryStatus.REVIEW, EntryStatus.BLOCK]
    assert desk.store.totals()["entries_flooding"] == 0


def test_2500_reports_of_each_of_two_platforms_switch_nothing_off(new_database: NewDatabase) -> None:
    """At the default limits, two platforms that are flooded or whose keys were stolen cause a review, never a pause."""
    desk = Desk(open_database(new_database()), StatusLimits())
    for platform in (0, 1):
        desk.say(platform, Verdict.BLOCKED, times=2499)
    assert desk.told() == []
    for platform in (0, 1):
        desk.say(platform, Verdict.BLOCKED, times=600)
    assert desk.told() == [EntryStatus.REVIEW]
    desk.store.close()


def test_a_new_entry_near_an_old_one_inherits_its_level(desk: Desk) -> None:
    """A new near duplicate of a flooding entry is demoted by each platform's first upload; an unrelated one is not."""
    for platform in (0, 1):
        desk.say(platform, Verdict.BLOCKED, times=3)
    desk.register("cd" * 16)
    desk.register("ef" * 16)
    desk.say(2, Verdict.BLOCKED, 2)
    desk.say(0, Verdict.BLOCKED, 0, 1)
    assert desk.told(1) == [], "one platform alone brings its half"
    desk.say(1, Verdict.BLOCKED, 0, 1)
    assert [desk.told(entry) for entry in range(3)] == [[EntryStatus.REVIEW], [EntryStatus.REVIEW], []]


def test_what_moderators_confirmed_is_no_longer_braked(desk: Desk) -> None:
    """Early blocks do not confirm an entry; three platforms that reviewed it do, and then no flood demotes it."""

    def flood() -> None:
        for platform in (0, 1):
            desk.say(platform, Verdict.BLOCKED, times=6)

    flood()
    for platform in (2, 3, 4):
        desk.say(platform, Verdict.BLOCKED)
    assert desk.told() == [EntryStatus.REVIEW], "these gates had not heard of it"
    desk.now += REVIEW_LAG_SECONDS
    for platform in (2, 3):
        desk.say(platform, Verdict.BLOCKED)
    assert desk.told() == [EntryStatus.REVIEW]
    desk.say(4, Verdict.BLOCKED)
    assert desk.told() == [EntryStatus.REVIEW, EntryStatus.BLOCK]
    flood()
    assert desk.told() == [EntryStatus.REVIEW, EntryStatus.BLOCK]
    for platform in range(5):
        desk.say(platform, Verdict.NOT_BLOCKED)
    assert desk.told() == [EntryStatus.REVIEW, EntryStatus.BLOCK, EntryStatus.REVIEW], "but votes do"


def test_levels_are_erased(desk: Desk) -> None:
    """After an hour the counts of matches are erased."""
    desk.say(0, Verdict.BLOCKED)
    desk.now += 2 * HOUR_SECONDS
    desk.store.cases.retain()
    with desk.engine.connect() as connection:
        assert connection.execute(select(tables.levels)).all() == []


def test_one_platform_alone_is_no_flood(desk: Desk) -> None:
    """One platform's stolen key cannot demote an entry for all others, nor can reports that are not matches."""
    for _ in range(20):
        desk.say(1, Verdict.BLOCKED)
    for platform in (2, 3):
        for _ in range(2):
            desk.say(platform, Verdict.NOT_BLOCKED)
    assert desk.told() == []


def test_a_flood_of_what_votes_demoted_waits_for_moderators(desk: Desk) -> None:
    """A flood keeps an entry that votes demoted at `review`, even once as many platforms block it as do not."""
    for platform in (0, 3, 4):
        desk.say(platform, Verdict.NOT_BLOCKED)
    for platform in (1, 2):
        desk.say(platform, Verdict.PENDING_REVIEW, times=3)
    for platform in (0, 3, 4):
        desk.say(platform, Verdict.BLOCKED)
    assert desk.told() == [EntryStatus.REVIEW]


@pytest.mark.parametrize("mix", [0, 600], ids=["at once", "mixed"])
def test_an_entry_on_the_benign_list_only_asks_for_a_review(
    new_database: NewDatabase, tmp_path: Path, mix: int
) -> None:
    """An entry within 31 bits of the benign list is at `review`; one farther away blocks."""
    known = 2**128 - 1
    near, far = f"{known ^ (2**31 - 1) << 112:064x}", f"{known ^ (2**32 - 1) << 112:064x}"
    path = tmp_path / "known.txt"
    path.write_text(f"pdq {known:064x}  # a face that everybody knows\n")
    engine = open_database(new_database())
    now = [1_800_000_000]
    store = Store(engine, lambda: now[0], CasePolicy(mix), BenignList.load(path))
    pictures = [Picture([SignalMessage(SignalType.PDQ, value, 100)]) for value in (near, far)]
    store.cases.submit(Submission(b"pin", b"key", b"digest", NewCase(pictures))).result()
    now[0] += 2 * mix
    store.feed.tick()
    standings: dict[str, EntryStatus] = {}
    values: dict[str, str] = {}
    for line in store.feed.page(0, 100, IDS).entries:
        standings[line.entry] = line.standing or EntryStatus.BLOCK
        if line.signal:
            values[line.signal.value] = line.entry
    assert [standings[values[value]] for value in (near, far)] == [EntryStatus.REVIEW, EntryStatus.BLOCK]
    store.close()


def test_a_list_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """The error for a missing list names the setting; that for an invalid line names the line."""
    with pytest.raises(SettingsError, match="TAKEBACK_WELL_KNOWN"):
        BenignList.load(tmp_path / "none.txt")
    tmp_path.joinpath("list.txt").write_text("# none\npdq 12\n")
    with pytest.raises(SettingsError, match="line 2"):
        BenignList.load(tmp_path / "list.txt")


def standing_of(platform: Platform) -> Callable[[], list[str]]:
    """Returns a function that gives the statuses that the feed has published since this call."""
    start = platform.page()["head"]
    return lambda: [line["standing"] for line in platform.page(start)["entries"]]


def test_the_operator_pauses_and_resumes(server: Server, platform: Platform) -> None:
    """`pause` and `resume` take the numbers that `entries` shows and work while the registry runs."""
    server.submit([md5()])
    told = standing_of(platform)
    (shown,) = json.loads(server.command("registry", "entries", "--standing", "block", "--limit", "1", "--json").stdout)
    assert server.command("registry", "pause", str(shown["entry"])).stdout.startswith("1 of 1 changed to paused")
    told_again = server.command("registry", "pause", str(shown["entry"]), "--json").stdout
    assert json.loads(told_again) == {"changed": 0, "asked": 1, "standing": "paused"}
    listed = server.command("registry", "entries").stdout
    assert f"{shown['entry']}  " in listed
    assert "operator" in listed
    assert server.command("registry", "resume", str(shown["entry"]), "999999").stdout.startswith("1 of 2 changed")
    assert told() == ["paused", "block"]


def test_the_status_counts_and_shows_no_hash(server: Server, platform: Platform) -> None:
    """`status` shows cases, entries, platforms and a plot of a month, as text or JSON, and never a hash."""
    before = json.loads(server.command("registry", "status", "--json").stdout)
    signal = md5()
    server.submit([signal])
    entry = list(platform.active())[-1]
    platform.report(entry)
    after = json.loads(server.command("registry", "status", "--json").stdout)
    assert after["new_cases"][-1] == before["new_cases"][-1] + 1
    assert after["blocks"][-1] == before["blocks"][-1] + 1
    assert len(after["blocks"]) == 30
    text = server.command("registry", "status").stdout
    assert "PLATFORM" in text
    assert "█" in text
    assert signal["value"] not in text + json.dumps(after)


def test_expire_does_what_is_due(server: Server) -> None:
    """`expire` reports that it is done and changes nothing that is not due."""
    answer = server.submit([md5()]).json()
    done = server.command("registry", "expire")
    assert done.returncode == 0
    assert "erased" in done.stdout
    assert server.case(answer["number"]).json()["state"] == "active"


@pytest.mark.parametrize(
    ("counts", "drawn"), [([0, 0], "  "), ([0, 1], " █"), ([1, 8, 4], "▁█▄"), ([1, 1000], "▁█")], ids=str
)
def test_counts_are_drawn_by_the_largest(counts: list[int], drawn: str) -> None:
    """The largest count is a full bar, and every count above 0 is visible."""
    assert bars(counts) == drawn
