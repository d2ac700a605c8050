"""The store of cases: makes them, adds pictures, withdraws pictures, and ends cases that expire.

It reads what the rules in `rules/cases.py` need and writes what they decide. Each write takes a group of events,
because events that arrive together share one transaction.
"""

import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from random import SystemRandom
from typing import Final

from sqlalchemy import Connection, Engine

from takeback.errors import CaseClosed, KeyReused, RegistryError
from takeback.protocol import MAX_CASE_PICTURES, CaseState, CaseStatus, EntryStatus, NewCase
from takeback.registry.rules import cases as rules
from takeback.registry.rules.benign_list import BenignList
from takeback.registry.rules.cases import Case, CasePolicy
from takeback.registry.rules.entry_status import SLOT_SECONDS, SLOTS_PER_HOUR, EntryState, StatusSource
from takeback.registry.rules.platform_list import Reached
from takeback.registry.rules.publication_delay import due_times
from takeback.registry.storage import case_queries, entry_statuses, feed_queries, reach_queries, retention
from takeback.registry.storage.engine.database import is_sqlite
from takeback.registry.storage.engine.group_commit import GroupCommit
from takeback.registry.storage.feed_store import FeedStore

MAX_LEVEL_ROWS: Final = 5000
"""Match counts of past hours that are erased in one transaction, at most."""
MAX_RETAINED_ROWS: Final = 200
"""Cases that expire, and rows of each kind that are erased, in one transaction, at most."""

_RANDOM: Final = SystemRandom()


@dataclass(frozen=True, slots=True)
class Submission:
    """A new case. `pin`, `key` and `digest` (of message and PIN) are HMACs, the only form in which they are stored."""

    pin: bytes
    key: bytes
    digest: bytes
    case: NewCase


@dataclass(frozen=True, slots=True)
class Addition:
    """More pictures for the case with this `number`; `key` and `digest` are as in `Submission`."""

    number: str
    key: bytes
    digest: bytes
    case: NewCase


@dataclass(frozen=True, slots=True)
class CaseWithdrawal:
    """The pictures that are withdrawn from a case, by position; `None` is all."""

    number: str
    positions: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """The status of the case that a message made or added to; `created` is false for a repeated message."""

    status: CaseStatus
    created: bool


class CaseStore:
    """The store of cases. Writes return a future that completes once they are durable; reads block.

    `clock` returns seconds since 1970. Every method may be called from any thread. The future of a write raises
    `StoreUnavailable` if it cannot be stored.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], float],
        policy: CasePolicy,
        benign: BenignList,
        writer: GroupCommit,
        feed: FeedStore,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._policy = policy
        self._benign = benign
        self._writer = writer
        self._feed = feed

    # Writes

    def submit(self, submission: Submission) -> Future[Submitted]:
        """Makes a case, or returns the one that the same message made before.

        The future raises `KeyReused` if the idempotency key came with a different message.
        """
        return self._writer.submit(self._submit, submission)

    def add_pictures(self, addition: Addition) -> Future[Submitted]:
        """Adds pictures to an existing case, once.

        The future raises `CaseClosed` if the case has ended or is full, and `KeyReused` as in `submit`.
        """
        return self._writer.submit(self._add_pictures, addition)

    def withdraw(self, withdrawn: CaseWithdrawal) -> Future[CaseStatus]:
        """Withdraws pictures of an existing case; to repeat it changes nothing."""
        return self._writer.submit(self._withdraw, withdrawn)

    def retain(self) -> bool:
        """Ends cases that have expired and erases what ended long ago, durably; returns whether there is more to do."""
        more, erased = self._writer.submit(self._retain, None).result()
        if erased and is_sqlite(self._engine):
            retention.truncate_log(self._engine)
        return more

    # Reads

    def case(self, number: str) -> Case | None:
        """The case with this number, or `None`."""
        with self._engine.begin() as connection:
            return case_queries.case(connection, number)

    def knows(self, key: bytes) -> bool:
        """Whether a message with this idempotency key has been stored."""
        with self._engine.begin() as connection:
            return bool(case_queries.submissions(connection, [key]))

    def status(self, case: Case) -> CaseStatus:
        """The status that the owner of `case` sees."""
        with self._engine.begin() as connection:
            return self._status_of(connection, case)

    def picture_count(self, number: str) -> int:
        """The number of pictures of a case, including withdrawn ones."""
        with self._engine.begin() as connection:
            return case_queries.picture_count(connection, number)

    # Handlers, each for a group of writes of one kind

    def _submit(self, connection: Connection, group: Sequence[Submission]) -> list[Submitted | RegistryError]:
        known = case_queries.submissions(connection, {s.key for s in group})
        # A repeat may come in the same group: the first makes the case, the others get it.
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
        """Makes a case for each submission; returns their statuses by idempotency key."""
        now = int(self._clock())
        held = self._register(connection, [s.case for s in group], now)
        settled = not self._policy.delay_seconds
        head = feed_queries.head(connection)
        state = CaseState.ACTIVE if settled else CaseState.RECEIVED
        settles_at = None if settled else now + self._policy.delay_seconds
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
        reached = reach_queries.reach(connection, head, 0, now) if settled else Reached(0, 0)
        return {
            s.key: rules.status(case, reached, [rules.NOTHING_SEEN] * len(s.case.pictures), self._policy, now)
            for s, case in pairs
        }

    def _register(
        self, connection: Connection, new: Sequence[NewCase], now: int
    ) -> tuple[tuple[tuple[int, ...], ...], ...]:
        """Writes the entries that new pictures need; returns, by case and picture, the entries that each holds."""
        active = feed_queries.active_signals(connection, rules.signals_of(new))
        registered = rules.register(new, active, feed_queries.newest(connection)[1])
        if self._policy.delay_seconds:
            feed_queries.add(
                connection, registered.entries, due_times(len(registered.entries), self._policy.delay_seconds, now)
            )
        else:
            order = [entry.number for entry in registered.entries]
            _RANDOM.shuffle(order)
            feed_queries.publish(connection, registered.entries, order, now)
        benign = [entry.number for entry in registered.entries if self._benign.holds(entry.signal)]
        if benign:
            entry_statuses.set_status(connection, benign, EntryState(EntryStatus.REVIEW, StatusSource.WELL_KNOWN), now)
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

    def _withdraw(self, connection: Connection, group: Sequence[CaseWithdrawal]) -> list[CaseStatus]:
        for one in group:
            self._end(connection, one, CaseState.WITHDRAWN)
        return [self._status(connection, one.number) for one in group]

    def _end(self, connection: Connection, ending: CaseWithdrawal, state: CaseState) -> None:
        """Ends pictures of a case, and the case itself with its last picture."""
        case, now = case_queries.case(connection, ending.number), int(self._clock())
        if case is None or not case.is_open:
            return
        left = case_queries.end_pictures(connection, case.number, ending.positions, now)
        if not case_queries.has_pictures(connection, case.number):
            case_queries.end_case(connection, case.number, state, now)
        feed_queries.become_due(connection, left, due_times(len(left), self._policy.delay_seconds, now))
        self._changed(connection, case.number, now)

    def _changed(self, connection: Connection, number: str, now: int) -> None:
        """Stores when the case's last change is published; without a publication delay, publishes it."""
        case_queries.case_changed(connection, number, now + self._policy.delay_seconds)
        if not self._policy.delay_seconds:
            self._feed.publish_all(connection)

    def _retain(self, connection: Connection, group: Sequence[None]) -> list[tuple[bool, bool]]:
        return [self._retain_some(connection)] * len(group)

    def _retain_some(self, connection: Connection) -> tuple[bool, bool]:
        """Erases a batch of each kind; returns whether there is more, and whether anything was erased."""
        now = int(self._clock())
        gone, before = [], now - self._policy.retention_seconds
        if self._policy.expiry_seconds:
            expired = retention.expired(connection, now - self._policy.expiry_seconds, MAX_RETAINED_ROWS)
            for number in expired:
                self._end(connection, CaseWithdrawal(number), CaseState.EXPIRED)
            gone.append(len(expired))
        erased = [
            erase(connection, before, MAX_RETAINED_ROWS)
            for erase in (retention.erase_cases, retention.erase_pictures, retention.erase_entries)
        ]
        levels = retention.erase_levels(connection, now // SLOT_SECONDS - SLOTS_PER_HOUR, MAX_LEVEL_ROWS)
        return MAX_RETAINED_ROWS in gone + erased or levels == MAX_LEVEL_ROWS, any(erased)

    def _status(self, connection: Connection, number: str) -> CaseStatus:
        """The status of a case that exists."""
        case = case_queries.case(connection, number)
        assert case is not None
        return self._status_of(connection, case)

    def _status_of(self, connection: Connection, case: Case) -> CaseStatus:
        polls_from = case.polls_from if self._policy.delay_seconds else 0
        now = self._clock()
        reached = reach_queries.reach(connection, case.feed_number, polls_from, now)
        pictures = case_queries.pictures(connection, case.number, self._policy.quiet_seconds)
        return rules.status(case, reached, pictures, self._policy, now)


def _key_reused() -> KeyReused:
    return KeyReused("this idempotency key was used with a different message before; make a new one")
