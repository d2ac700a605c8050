"""Keeps what platforms and the operator say: feedback on uploads, how far platforms are, and the status of entries."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from sqlalchemy import Connection

from takeback.protocol import EntryStatus, FeedbackEvent, FeedbackReceipt
from takeback.registry.rules import cases as rules
from takeback.registry.rules.cases import CasePolicy
from takeback.registry.rules.entry_status import EntryState, StatusSource
from takeback.registry.security.entry_ids import EntryIds
from takeback.registry.storage import entry_statuses, feed_queries
from takeback.registry.storage.engine.group_commit import GroupCommit


@dataclass(frozen=True, slots=True)
class PlatformPosition:
    """How far a platform has come: it has durably applied the feed up to `cursor`.

    It has been sent the feed up to `told`, if that is more, as of `at`, in seconds since 1970; `None` is now.
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


class FeedbackStore:
    """What was said of entries. Writes return a future that completes once they are durable.

    `clock` returns seconds since 1970. Every method may be called from any thread, and raises `StoreUnavailable`
    through its future.
    """

    def __init__(self, clock: Callable[[], float], policy: CasePolicy, writer: GroupCommit) -> None:
        self._clock = clock
        self._policy = policy
        self._writer = writer

    def record(self, report: Report) -> Future[FeedbackReceipt]:
        """Records what a platform says; an event that came before is counted once."""
        return self._writer.submit(self._record, report)

    def move(self, position: PlatformPosition) -> Future[None]:
        """Remembers how far a platform has come, and that it was here."""
        return self._writer.submit(self._move, position)

    def change(self, entries: Sequence[int], standing: EntryStatus) -> Future[int]:
        """Gives entries, by inner number, the status that the operator wants; how many changed."""
        return self._writer.submit(self._change, (entries, standing))

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
