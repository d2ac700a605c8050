"""The store of feedback: platforms' verdicts on uploads, their positions in the feed, and operators' decisions."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from sqlalchemy import Connection

from takeback.protocol import EntryStatus, FeedbackEvent, FeedbackReceipt
from takeback.registry.rules import cases as rules
from takeback.registry.rules.cases import CasePolicy
from takeback.registry.rules.entry_status import EntryState, StatusSource
from takeback.registry.security.entry_ids import EntryIds
from takeback.registry.storage import entry_statuses, feed_queries, reach_queries
from takeback.registry.storage.engine.group_commit import GroupCommit


@dataclass(frozen=True, slots=True)
class PlatformPosition:
    """A platform's position in the feed: it has durably applied the feed up to `cursor`.

    It was sent the feed up to `told`, or to `cursor` if that is more, at the time `at`, in seconds since 1970; `None`
    is now. `small_sites` are those that it said it serves, `None` if it said nothing.
    """

    platform: int
    cursor: int
    told: int = 0
    at: int | None = None
    small_sites: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The feedback of a platform on its uploads, with the platform's `ids` of entries."""

    platform: int
    ids: EntryIds
    events: Sequence[FeedbackEvent]


class FeedbackStore:
    """The store of feedback. Writes return a future that completes once they are durable.

    `clock` returns seconds since 1970. Every method may be called from any thread; its future raises
    `StoreUnavailable` if the write cannot be stored.
    """

    def __init__(self, clock: Callable[[], float], policy: CasePolicy, writer: GroupCommit) -> None:
        self._clock = clock
        self._policy = policy
        self._writer = writer

    def record(self, report: Report) -> Future[FeedbackReceipt]:
        """Records a platform's feedback; a repeated event is counted once."""
        return self._writer.submit(self._record, report)

    def move(self, position: PlatformPosition) -> Future[None]:
        """Stores a platform's position in the feed and when it was last seen."""
        return self._writer.submit(self._move, position)

    def change(self, entries: Sequence[int], status: EntryStatus) -> Future[int]:
        """Sets the status of entries, by internal number, as the operator decided; the result is how many changed."""
        return self._writer.submit(self._change, (entries, status))

    def _change(self, connection: Connection, group: Sequence[tuple[Sequence[int], EntryStatus]]) -> list[int]:
        now = int(self._clock())
        return [
            entry_statuses.set_status(connection, which, EntryState(to, StatusSource.OPERATOR), now)
            for which, to in group
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
            entry_statuses.apply_feedback(connection, report.platform, recorded.events, self._policy.limits, now)
        return recorded.receipt

    def _move(self, connection: Connection, group: Sequence[PlatformPosition]) -> list[None]:
        now = int(self._clock())
        positions = [(p.platform, p.cursor, max(p.cursor, p.told), now if p.at is None else p.at) for p in group]
        reach_queries.keep_positions(connection, positions, now)
        told = {p.platform: p.small_sites for p in group if p.small_sites is not None}
        reach_queries.keep_small_sites(connection, told, now)
        return [None] * len(group)
