"""Keeps cases and the feed: reads what the rules of `cases.py` need, and writes down what they say.

Each kind of write takes a whole group of events, because events that arrive together share one transaction.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from random import SystemRandom
from typing import Final

from sqlalchemy import Connection, Engine

from takeback.errors import CaseClosed, KeyReused, NotAPlatform, RegistryError
from takeback.protocol import (
    MAX_CASE_PICTURES,
    CaseState,
    CaseStatus,
    EntryStatus,
    FeedbackEvent,
    FeedbackReceipt,
    FeedPage,
    NewCase,
)
from takeback.registry.rules import cases as rules
from takeback.registry.rules.benign_list import BenignList
from takeback.registry.rules.cases import Case, CasePolicy
from takeback.registry.rules.entry_status import SLOT, SLOTS, EntryState, StatusSource
from takeback.registry.rules.publication_delay import moments
from takeback.registry.security.credentials import PlatformKey
from takeback.registry.security.entry_ids import EntryIds
from takeback.registry.storage import case_queries, entry_statuses, feed_queries, retention, status_queries
from takeback.registry.storage.engine.database import is_sqlite
from takeback.registry.storage.engine.group_commit import GroupCommit
from takeback.registry.storage.engine.periodic import PeriodicTask
from takeback.registry.storage.platforms import Platform, holders
from takeback.registry.storage.row_mapping import AnyRow
from takeback.registry.storage.usage import UsageMeter

TICKS: Final = 10
"""How often within the time of mixing the feed is looked after: entries that are due wait for the next time."""
IDLE: Final = 5.0
"""Seconds between looks where nothing is mixed: then only what a former setting left is due."""
MAX_DUE: Final = 2000
"""Entries that become lines of the feed in one transaction: a few tens of milliseconds in which nobody else writes."""
MAX_LOT: Final = 5000
"""Entries of a snapshot that are read at a time, and levels of matches that are erased."""
RETENTION: Final = 60.0
"""Seconds between looks for cases that expire and for what is to be erased: both are counted in days."""
MAX_RETAINED: Final = 200
"""Cases that expire, and things that are erased of each kind, in one transaction."""

_RANDOM: Final = SystemRandom()


@dataclass(frozen=True, slots=True)
class Submission:
    """A new case as it arrived. `pin`, `key` and `digest` (of message and PIN) are HMACs, all that is kept."""

    pin: bytes
    key: bytes
    digest: bytes
    case: NewCase


@dataclass(frozen=True, slots=True)
class Addition:
    """More pictures for the case of this `number`, as they arrived; `key` and `digest` as with a submission."""

    number: str
    key: bytes
    digest: bytes
    case: NewCase


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Which pictures of a case its owner withdraws, by position; `None` stands for all."""

    number: str
    positions: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """The case that a message made or added to, now or when it came before."""

    status: CaseStatus
    created: bool


@dataclass(frozen=True, slots=True)
class PlatformPosition:
    """How far a platform has come: it has durably applied the feed up to `cursor`.

    It is told the feed up to `told`, if that is more, as it was `at` a moment: now, if none is given.
    """

    platform: int
    cursor: int
    told: int = 0
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a platform says of its uploads."""

    platform: int
    ids: EntryIds
    events: Sequence[FeedbackEvent]


@dataclass(frozen=True, slots=True)
class Reading:
    """A page of the feed, the number to which it leads (the head, if it is empty), and that number's link."""

    page: FeedPage
    number: int
    link: bytes


@dataclass(frozen=True, slots=True)
class Look:
    """Who asks, the feed's newest number, and its link."""

    platform: Platform
    head: int
    link: bytes


class Store:
    """Cases and the feed. Writes give a future that is done when they are durable; reads answer at once.

    `clock` gives seconds since 1970. Everything is safe to call from any thread.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], float],
        policy: CasePolicy | None = None,
        well_known: BenignList | None = None,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._policy = policy or CasePolicy()
        self._well_known = well_known or BenignList()
        self._writer = GroupCommit(engine, feed_queries.lock)
        self._ticker = PeriodicTask(self.tick, max(1.0, self._policy.mix / TICKS) if self._policy.mix else IDLE)
        self._retention = PeriodicTask(self.retain, RETENTION)
        self.meter = UsageMeter(self._writer, clock)

    def close(self) -> None:
        """Writes what is queued and lets go of the database."""
        self._ticker.close()
        self._retention.close()
        self.meter.close()
        self._writer.close()
        self._engine.dispose()

    # Writes

    def submit(self, submission: Submission) -> Future[Submitted]:
        """Makes a case. Raises `KeyReused`, `StoreUnavailable` through the future, as all writes do."""
        return self._writer.submit(self._submit, submission)

    def add_pictures(self, addition: Addition) -> Future[Submitted]:
        """Adds pictures to the case, which exists, once. Raises `CaseClosed` and `KeyReused` too."""
        return self._writer.submit(self._add_pictures, addition)

    def withdraw(self, withdrawn: Withdrawn) -> Future[CaseStatus]:
        """Withdraws pictures of the case, which exists and has them; a second time changes nothing."""
        return self._writer.submit(self._withdraw, withdrawn)

    def change(self, entries: Sequence[int], standing: EntryStatus) -> Future[int]:
        """Gives entries, by inner number, the standing that the operator wants; how many changed."""
        return self._writer.submit(self._change, (entries, standing))

    def tick(self) -> bool:
        """Brings into the feed what is due, durably; whether more is due."""
        moment = self.next_moment()
        return moment is not None and moment <= self._clock() and self._writer.submit(self._publish, None).result()

    def retain(self) -> bool:
        """Ends cases that expire and erases what ended long ago, durably; whether there is more of it."""
        more, erased = self._writer.submit(self._retain, None).result()
        if erased and is_sqlite(self._engine):
            retention.empty_log(self._engine)
        return more

    def record(self, report: Report) -> Future[FeedbackReceipt]:
        """Records what a platform says."""
        return self._writer.submit(self._record, report)

    def move(self, position: PlatformPosition) -> Future[None]:
        """Remembers how far a platform has come, and that it was here."""
        return self._writer.submit(self._move, position)

    def probe(self) -> Future[None]:
        """Writes nothing in particular, durably: it fails when a case could not be kept."""
        return self._writer.submit(self._probe, None)

    # Reads

    def case(self, number: str) -> Case | None:
        """The case of that number, if there is one."""
        with self._engine.begin() as connection:
            return case_queries.case(connection, number)

    def knows(self, key: bytes) -> bool:
        """Whether a message with this idempotency key came before."""
        with self._engine.begin() as connection:
            return bool(case_queries.submissions(connection, [key]))

    def status(self, case: Case) -> CaseStatus:
        """What the owner of `case` is told."""
        with self._engine.begin() as connection:
            return self._status_of(connection, case)

    def picture_count(self, number: str) -> int:
        """How many pictures a case has had."""
        with self._engine.begin() as connection:
            return case_queries.picture_count(connection, number)

    def next_moment(self) -> int | None:
        """When something is due next, if anything is: seconds since 1970."""
        with self._engine.begin() as connection:
            return feed_queries.next_moment(connection)

    def feed(self, after: int, limit: int, ids: EntryIds) -> FeedPage:
        """At most `limit` entries of the feed after the number `after`, by a platform's `ids`, and its head."""
        return self.read(after, limit, ids).page

    def read(self, after: int, limit: int, ids: EntryIds) -> Reading:
        """The same, with the link to which it leads."""
        with self._engine.begin() as connection:
            return _read(connection, after, limit, ids)

    def look(self, keys: Sequence[PlatformKey]) -> list[Look | Exception]:
        """Who holds these keys and how far the feed has come, in one transaction; `NotAPlatform` for the others."""
        with self._engine.begin() as connection:
            found = holders(connection, keys)
            number, link = feed_queries.link(connection)
        return [one if isinstance(one, NotAPlatform) else Look(one, number, link) for one in found]

    def active_at(self, number: int, ids: EntryIds) -> Iterator[list[tuple[AnyRow, str]]]:
        """What was in the feed at `number`, some thousands at a time, each with a platform's id for it.

        Each lot is read by itself, so that whoever takes long holds up nobody. Standings may be newer than `number`.
        """
        after = 0
        while True:
            with self._engine.begin() as connection:
                rows = feed_queries.active_at(connection, number, after, MAX_LOT)
                names = feed_queries.names_of(connection, [row.entry for row in rows], ids)
            if not rows:
                return
            yield list(zip(rows, names, strict=True))
            after = rows[-1].number

    def totals(self) -> dict[str, int]:
        """How much there is, by the names of `metrics.py`."""
        with self._engine.begin() as connection:
            return feed_queries.totals(connection) | {"entries_flooding": status_queries.floods(connection)}

    def head(self) -> tuple[int, bytes]:
        """The feed's newest number and its link."""
        with self._engine.begin() as connection:
            return feed_queries.link(connection)

    # How each kind of write is done, a group at a time

    def _submit(self, connection: Connection, group: Sequence[Submission]) -> list[Submitted | RegistryError]:
        known = case_queries.submissions(connection, {s.key for s in group})
        fresh: dict[bytes, Submission] = {}
        for submission in group:
            if submission.key not in known:
                fresh.setdefault(submission.key, submission)
        made = self._make_cases(connection, list(fresh.values())) if fresh else {}
        outcome: list[Submitted | RegistryError] = []
        for submission in group:
            digest, number = known.get(submission.key) or (fresh[submission.key].digest, None)
            if not secrets.compare_digest(digest, submission.digest):
                outcome.append(_key_reused())
            elif number is None:
                outcome.append(Submitted(made[submission.key], fresh[submission.key] is submission))
            else:
                outcome.append(Submitted(self._status(connection, number), created=False))
        return outcome

    def _make_cases(self, connection: Connection, group: list[Submission]) -> dict[bytes, CaseStatus]:
        """Makes a case of each submission; gives their statuses by idempotency key."""
        now = int(self._clock())
        held = self._register(connection, [s.case for s in group], now)
        settled = not self._policy.mix
        head = feed_queries.head(connection)
        state = CaseState.ACTIVE if settled else CaseState.RECEIVED
        settles_at = None if settled else now + self._policy.mix
        made = [
            Case(number, s.pin, state, now, now, None, head, settles_at)
            for number, s in zip(case_queries.free_numbers(connection, len(group)), group, strict=True)
        ]
        case_queries.keep_cases(connection, made)
        rows = [
            (case.number, position, entries)
            for case, pictures in zip(made, held, strict=True)
            for position, entries in enumerate(pictures)
        ]
        case_queries.keep_pictures(connection, rows, now, now if settled else None)
        pairs = list(zip(group, made, strict=True))
        case_queries.keep_submissions(connection, [(s.key, s.digest, case.number) for s, case in pairs])
        reached = feed_queries.platforms_at(connection, head, 0) if settled else 0
        return {
            s.key: rules.status(case, reached, [rules.NOTHING_SEEN] * len(s.case.pictures), self._policy, now)
            for s, case in pairs
        }

    def _register(
        self, connection: Connection, new: Sequence[NewCase], now: int
    ) -> tuple[tuple[tuple[int, ...], ...], ...]:
        """Writes what entries the new pictures need; gives for each case which entries each picture holds."""
        active = feed_queries.active_signals(connection, rules.signals_of(new))
        registered = rules.register(new, active, feed_queries.newest(connection)[1])
        if self._policy.mix:
            feed_queries.add(connection, registered.entries, moments(len(registered.entries), self._policy.mix, now))
        else:
            order = [entry.number for entry in registered.entries]
            _RANDOM.shuffle(order)
            feed_queries.publish(connection, registered.entries, order, now)
        familiar = [entry.number for entry in registered.entries if self._well_known.holds(entry.signal)]
        if familiar:
            entry_statuses.give(connection, familiar, EntryState(EntryStatus.REVIEW, StatusSource.WELL_KNOWN), now)
        return registered.held

    def _add_pictures(self, connection: Connection, group: Sequence[Addition]) -> list[Submitted | RegistryError]:
        return [self._add_to_one(connection, addition) for addition in group]

    def _add_to_one(self, connection: Connection, addition: Addition) -> Submitted | RegistryError:
        known = case_queries.submissions(connection, [addition.key])
        if addition.key in known:
            same = secrets.compare_digest(known[addition.key][0], addition.digest)
            return Submitted(self._status(connection, addition.number), created=False) if same else _key_reused()
        case, now = case_queries.case(connection, addition.number), int(self._clock())
        there = case_queries.picture_count(connection, addition.number)
        if case is None or not case.is_open:
            return CaseClosed("this case has ended and takes no more pictures; make a new case")
        if there + len(addition.case.pictures) > MAX_CASE_PICTURES:
            return CaseClosed(f"a case holds at most {MAX_CASE_PICTURES} pictures; make a new case for the rest")
        (held,) = self._register(connection, [addition.case], now)
        rows = [(case.number, position, entries) for position, entries in enumerate(held, there)]
        case_queries.keep_pictures(connection, rows, now)
        case_queries.keep_submissions(connection, [(addition.key, addition.digest, case.number)])
        case_queries.case_renewed(connection, case.number, now)
        self._changed(connection, case.number, now)
        return Submitted(self._status(connection, case.number), created=True)

    def _withdraw(self, connection: Connection, group: Sequence[Withdrawn]) -> list[CaseStatus]:
        for one in group:
            self._end(connection, one, CaseState.WITHDRAWN)
        return [self._status(connection, one.number) for one in group]

    def _end(self, connection: Connection, ending: Withdrawn, state: CaseState) -> None:
        """Ends pictures of a case, and the case with its last one."""
        case, now = case_queries.case(connection, ending.number), int(self._clock())
        if case is None or not case.is_open:
            return
        left = case_queries.end_pictures(connection, case.number, ending.positions, now)
        if not case_queries.has_pictures(connection, case.number):
            case_queries.end_case(connection, case.number, state, now)
        feed_queries.become_due(connection, left, moments(len(left), self._policy.mix, now))
        self._changed(connection, case.number, now)

    def _changed(self, connection: Connection, number: str, now: int) -> None:
        """The case's last change is on its way into the feed; without mixing it arrives at once."""
        case_queries.case_changed(connection, number, now + self._policy.mix)
        if not self._policy.mix:
            while self._publish_some(connection):
                pass

    def _publish(self, connection: Connection, group: Sequence[None]) -> list[bool]:
        return [self._publish_some(connection)] * len(group)

    def _publish_some(self, connection: Connection) -> bool:
        """Says in the feed what is due, up to a limit; whether more is due. Cases settle when nothing is."""
        now = int(self._clock())
        due, standings = feed_queries.due(connection, now, MAX_DUE)
        if due:
            settled = rules.settle(due, _RANDOM.shuffle)
            feed_queries.say(connection, settled, [one.number for one in due], standings, now)
        if len(due) == MAX_DUE:
            return True
        polls_from = now + 1 if self._policy.mix else now  # a poll in this very second may have come before
        case_queries.settle_cases(connection, now, polls_from)
        return False

    def _retain(self, connection: Connection, group: Sequence[None]) -> list[tuple[bool, bool]]:
        return [self._retain_some(connection)] * len(group)

    def _retain_some(self, connection: Connection) -> tuple[bool, bool]:
        """Lets go of a little of each kind; whether there is more, and whether anything was erased."""
        now = int(self._clock())
        gone, before = [], now - self._policy.keep
        if self._policy.expire:
            expired = retention.expired(connection, now - self._policy.expire, MAX_RETAINED)
            for number in expired:
                self._end(connection, Withdrawn(number), CaseState.EXPIRED)
            gone.append(len(expired))
        erased = [
            erase(connection, before, MAX_RETAINED)
            for erase in (retention.erase_cases, retention.erase_pictures, retention.erase_entries)
        ]
        levels = retention.erase_levels(connection, now // SLOT - SLOTS, MAX_LOT)
        return MAX_RETAINED in gone + erased or levels == MAX_LOT, any(erased)

    def _change(self, connection: Connection, group: Sequence[tuple[Sequence[int], EntryStatus]]) -> list[int]:
        now = int(self._clock())
        return [
            entry_statuses.give(connection, which, EntryState(to, StatusSource.OPERATOR), now) for which, to in group
        ]

    def _record(self, connection: Connection, group: Sequence[Report]) -> list[FeedbackReceipt]:
        return [self._record_one(connection, report) for report in group]

    def _record_one(self, connection: Connection, report: Report) -> FeedbackReceipt:
        asked = {entry for event in report.events for entry in event.entries}
        active = feed_queries.active_entries(connection, report.ids, asked)
        known = feed_queries.feedback_on_record(connection, report.platform, [event.id for event in report.events])
        recorded = rules.record(report.events, known, active)
        if recorded.events:
            now = int(self._clock())
            feed_queries.keep_feedback(connection, report.platform, recorded.events, now)
            entry_statuses.look_at(connection, report.platform, recorded.events, self._policy.limits, now)
        return recorded.receipt

    def _move(self, connection: Connection, group: Sequence[PlatformPosition]) -> list[None]:
        now = int(self._clock())
        positions = [(p.platform, p.cursor, max(p.cursor, p.told), now if p.at is None else p.at) for p in group]
        feed_queries.move(connection, positions, now)
        return [None] * len(group)

    def _probe(self, connection: Connection, group: Sequence[None]) -> list[None]:
        feed_queries.touch(connection)
        return [None] * len(group)

    def _status(self, connection: Connection, number: str) -> CaseStatus:
        """The status of a case that is known to be there."""
        case = case_queries.case(connection, number)
        assert case is not None
        return self._status_of(connection, case)

    def _status_of(self, connection: Connection, case: Case) -> CaseStatus:
        polls_from = case.polls_from if self._policy.mix else 0
        reached = feed_queries.platforms_at(connection, case.feed_number, polls_from)
        pictures = case_queries.pictures(connection, case.number, self._policy.quiet)
        return rules.status(case, reached, pictures, self._policy, self._clock())


def _read(connection: Connection, after: int, limit: int, ids: EntryIds) -> Reading:
    head, newest = feed_queries.link(connection)
    if after >= head:  # an idle poll costs next to nothing
        return Reading(FeedPage([], head), head, newest)
    entries, link = feed_queries.page(connection, after, min(after + limit, head), ids)
    return Reading(FeedPage(entries, head), after + len(entries), link or newest)


def _key_reused() -> KeyReused:
    return KeyReused("this idempotency key came with another message before; make a new one")
