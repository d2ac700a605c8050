"""The SQL of the feed. Each function is one query or one change, in the caller's transaction."""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Final

from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, func, insert, or_, select, update

from takeback import chain
from takeback.protocol import EntryStatus, FeedAction, FeedbackEvent, FeedEntry, SignalMessage
from takeback.registry.rules import cases as rules
from takeback.registry.security.entry_ids import EntryIds
from takeback.registry.storage import row_mapping
from takeback.registry.storage.engine import bulk_write
from takeback.registry.storage.engine import tables as t
from takeback.signals import HEX_DIGITS, SignalKey, SignalType

SALT_BYTES: Final = 16
"""Random bytes in an entry's leaf, so that the signal of an erased entry cannot be guessed from its leaf."""
TEXT_TYPES: Final = frozenset(SignalType).difference(HEX_DIGITS)
"""Types whose value is not a hash and too long for an index."""

_HEAD: Final = select(t.registry.c.head)
_NEWEST: Final = select(t.registry.c.head, t.registry.c.entry)
_LINK: Final = select(t.registry.c.head, t.registry.c.chain)
_MORE_ENTRIES: Final = update(t.registry).values(entry=t.registry.c.entry + bindparam("entries"))
_ADVANCE: Final = update(t.registry).values(head=bindparam("to"), chain=bindparam("link"))
_CURSORS: Final = select(t.platforms.c.cursor).where(t.platforms.c.revoked_at.is_(None))
_HELD: Final = or_(
    select(t.holdings.c.entry)
    .join(
        t.pictures,
        and_(t.pictures.c.case_number == t.holdings.c.case_number, t.pictures.c.position == t.holdings.c.picture),
    )
    .where(t.holdings.c.entry == t.entries.c.number, t.pictures.c.ended_at.is_(None))
    .exists(),
    select(t.canaries.c.entry)
    .where(t.canaries.c.entry == t.entries.c.number, t.canaries.c.ended_at.is_(None))
    .exists(),
)
"""Whether a picture of an open case holds the entry, or the entry is a canary."""
_DUE: Final = (
    select(
        t.entries.c.number,
        and_(t.entries.c.added.is_not(None), t.entries.c.removed.is_(None)).label("in_feed"),
        t.entries.c.standing,
        _HELD.label("held"),
    )
    .where(t.entries.c.due <= bindparam("now"))
    .order_by(t.entries.c.due)
    .limit(bindparam("limit"))
)
_NEXT_MOMENT: Final = select(func.min(t.entries.c.due), select(func.min(t.cases.c.settles_at)).scalar_subquery())
_CHANGE: Final = (
    update(t.entries)
    .where(t.entries.c.active, t.entries.c.standing != bindparam("to"))
    .values(standing=bindparam("to"))
    .returning(t.entries.c.number, t.entries.c.added)
)
_WITH_VALUE: Final = (
    select(t.entries.c.type, t.entries.c.value, t.entries.c.number, t.canaries.c.platform.label("told_to"))
    .outerjoin(t.canaries, t.canaries.c.entry == t.entries.c.number)
    .where(t.entries.c.active)
)
_ENTRY: Final = (
    t.entries.c.type,
    t.entries.c.value,
    t.entries.c.text,
    t.entries.c.quality,
    t.entries.c.variant,
    t.entries.c.kind,
    t.entries.c.ai_made,
    t.entries.c.age_band,
    t.entries.c.added_at,
    t.entries.c.salt,
)
"""The columns of an entry that appear in the feed."""
_PAGE: Final = (
    select(
        t.feed.c.number,
        t.feed.c.action,
        t.feed.c.entry,
        t.feed.c.standing,
        *_ENTRY,
        t.feed.c.chain,
        t.feed.c.leaf,
        t.canaries.c.platform.label("told_to"),
    )
    .outerjoin(t.entries, and_(t.entries.c.number == t.feed.c.entry, t.feed.c.action == FeedAction.ADD))
    .outerjoin(t.canaries, t.canaries.c.entry == t.entries.c.number)
    .where(and_(t.feed.c.number > bindparam("after"), t.feed.c.number <= bindparam("upto")))
    .order_by(t.feed.c.number)
)
_ACTIVE_AT: Final = (
    select(
        t.feed.c.number,
        t.feed.c.entry,
        *_ENTRY,
        t.entries.c.standing,
        t.feed.c.standing.label("added_as"),
        t.canaries.c.platform.label("told_to"),
    )
    .join(t.entries, t.entries.c.number == t.feed.c.entry)
    .outerjoin(t.canaries, t.canaries.c.entry == t.entries.c.number)
    .where(
        t.feed.c.number > bindparam("after"),
        t.feed.c.number <= bindparam("at"),
        t.feed.c.action == FeedAction.ADD,
        or_(t.entries.c.removed.is_(None), t.entries.c.removed > bindparam("at")),
    )
    .order_by(t.feed.c.number)
    .limit(bindparam("limit"))
)


def lock(connection: Connection) -> None:
    """Locks the feed for this transaction, so that numbers become visible in order (SQLite locks the whole file)."""
    connection.execute(_HEAD.with_for_update())


def pin_key_mark(connection: Connection) -> bytes | None:
    """The mark of the database's PIN key, or `None` for a new database."""
    mark: bytes | None = connection.execute(select(t.registry.c.pin_key)).scalar_one()
    return mark


def keep_pin_key_mark(connection: Connection, mark: bytes) -> None:
    """Stores the mark of the database's PIN key."""
    connection.execute(update(t.registry).values(pin_key=mark))


def head(connection: Connection) -> int:
    """The feed's newest number."""
    number: int = connection.execute(_HEAD).scalar_one()
    return number


def link(connection: Connection) -> tuple[int, bytes]:
    """The feed's newest number and its link."""
    row = connection.execute(_LINK).one()
    return row.head, row.chain


def newest(connection: Connection) -> tuple[int, int]:
    """The newest number of the feed, and that of the entries."""
    row = connection.execute(_NEWEST).one()
    return row.head, row.entry


def touch(connection: Connection) -> None:
    """Makes a write that changes nothing."""
    connection.execute(_MORE_ENTRIES, {"entries": 0})


def active_signals(
    connection: Connection, signals: Iterable[SignalMessage], platform: int | None = None
) -> dict[SignalKey, int]:
    """The numbers of the active entries of these `signals`; only of those published to `platform`, if it is given."""
    asked = {(signal.type, stored_value(signal)): (signal.type, signal.value) for signal in signals}
    active: dict[SignalKey, int] = {}
    for row in bulk_write.among(connection, _WITH_VALUE, t.entries.c.value, {value for _, value in asked}):
        if platform is not None and not row_mapping.is_told(row, platform):
            continue
        # Found by value alone, which an entry of another type may share.
        if key := asked.get((SignalType(row.type), row.value)):
            active[key] = row.number
    return active


def active_entries(connection: Connection, ids: EntryIds, asked: Collection[str]) -> dict[str, int]:
    """The numbers of those entries in the feed that a platform knows by one of the ids `asked`, by id."""
    numbers = ids.numbers(asked)
    if ids.own_after:
        older = select(t.first_ids).where(t.first_ids.c.entry <= ids.own_after)
        numbers |= {row.id: row.entry for row in bulk_write.among(connection, older, t.first_ids.c.id, asked)}
    active = select(t.entries.c.number).where(t.entries.c.active, t.entries.c.added.is_not(None))
    in_feed = {row.number for row in bulk_write.among(connection, active, t.entries.c.number, numbers.values())}
    return {one: number for one, number in numbers.items() if number in in_feed}


def add(connection: Connection, entries: Sequence[rules.Entry], due: Sequence[int]) -> None:
    """Writes new entries, each with the time `due` at which it enters the feed."""
    if entries:
        new = [_entry_row(entry) | {"due": at} for entry, at in zip(entries, due, strict=True)]
        bulk_write.insert(connection, t.entries, new)
        connection.execute(_MORE_ENTRIES, {"entries": len(entries)})


def publish(connection: Connection, entries: Sequence[rules.Entry], order: Sequence[int], now: int) -> None:
    """Writes new entries and publishes them at once, in the `order` of these numbers."""
    if not entries:
        return
    first = head(connection) + 1
    added = {number: line for line, number in enumerate(order, first)}
    new = [_entry_row(entry) | {"added": added[entry.number], "added_at": now} for entry in entries]
    bulk_write.insert(connection, t.entries, new)
    connection.execute(_MORE_ENTRIES, {"entries": len(entries)})
    _append(connection, [(FeedAction.ADD, number, None) for number in order])


def due(connection: Connection, now: int, limit: int) -> tuple[list[rules.Due], dict[int, EntryStatus]]:
    """The entries that are due, oldest first, and their statuses."""
    rows = connection.execute(_DUE, {"now": now, "limit": limit}).all()
    found = [rules.Due(row.number, bool(row.in_feed), bool(row.held)) for row in rows]
    return found, {row.number: EntryStatus(row.standing) for row in rows}


def publish_due(
    connection: Connection,
    settled: rules.Settled,
    waited: Iterable[int],
    statuses: Mapping[int, EntryStatus],
    now: int,
) -> None:
    """Publishes `settled`, the changes of the entries that `waited`, and marks all of these as no longer due."""
    new = list(enumerate(settled.lines, head(connection) + 1))
    said = {number for _, (_, number) in new} | set(settled.dropped)
    added = [(n, e) for n, (action, e) in new if action is FeedAction.ADD]
    removed = [(n, e) for n, (action, e) in new if action is FeedAction.REMOVE]
    gone = {"removed_at": now, "active": False, "due": None}
    for changed in (
        [{"number": e, "added": n, "added_at": now, "due": None} for n, e in added],
        [{"number": e, "removed": n, **gone} for n, e in removed],
        [{"number": e, **gone} for e in settled.dropped],
        [{"number": e, "due": None} for e in waited if e not in said],
    ):
        # Before the lines, whose leaves are made of the entries as they are then.
        bulk_write.update(connection, t.entries, "number", changed)
    _append(connection, [(action, e, _published_status(action, statuses[e])) for _, (action, e) in new])


def change(connection: Connection, numbers: Sequence[int], status: EntryStatus) -> int:
    """Changes the status of active entries, and publishes it for those in the feed; returns how many changed."""
    rows = bulk_write.among(connection, _CHANGE, t.entries.c.number, numbers, to=status)
    told = [row.number for row in rows if row.added is not None]
    _append(connection, [(FeedAction.CHANGE, number, status) for number in told])
    return len(rows)


def _append(connection: Connection, said: Sequence[tuple[FeedAction, int, EntryStatus | None]]) -> None:
    """Writes the feed's next lines, each an action, an entry and its status; the entries must be written already."""
    if not said:
        return
    number, now = link(connection)
    rows = bulk_write.among(connection, select(t.entries), t.entries.c.number, (entry for _, entry, _ in said))
    entries: dict[int, row_mapping.AnyRow] = {row.number: row for row in rows}
    new = []
    for action, entry, status in said:
        number, row = number + 1, entries[entry]
        now = chain.link(now, chain.leaf(row_mapping.new_line(number, action, status, row), row.added))
        new.append({"number": number, "action": action, "entry": entry, "standing": status, "chain": now})
    bulk_write.insert(connection, t.feed, new)
    connection.execute(_ADVANCE, {"to": number, "link": now})


def _published_status(action: FeedAction, status: EntryStatus) -> EntryStatus | None:
    """The status in a line of this action: only an `add` has one, and only if it is not `block`."""
    return status if action is FeedAction.ADD and status is not EntryStatus.BLOCK else None


def totals(connection: Connection) -> dict[str, int]:
    """The totals of each kind, by the names of `http/metrics.py`."""
    newest, slowest = head(connection), min(cursors(connection), default=None)

    def count(table: Table, *where: ColumnElement[bool]) -> int:
        number: int = connection.execute(select(func.count()).select_from(table).where(*where)).scalar_one()
        return number

    return {
        "feed_head": newest,
        "cases_open": count(t.cases, t.cases.c.withdrawn_at.is_(None)),
        "entries_active": count(t.entries, t.entries.c.active),
        "entries_due": count(t.entries, t.entries.c.due.is_not(None)),
        "feedback": count(t.feedback),
        "platforms": count(t.platforms, t.platforms.c.revoked_at.is_(None)),
        "platform_lag": 0 if slowest is None else max(0, newest - slowest),
    }


def next_due_time(connection: Connection) -> int | None:
    """When the next entry or case is due, in seconds since 1970, or `None`."""
    return min((at for at in connection.execute(_NEXT_MOMENT).one() if at is not None), default=None)


def feedback_on_record(connection: Connection, platform: int, ids: Iterable[str]) -> set[str]:
    """The ids of those of these events that the platform has reported before."""
    of_platform = select(t.feedback.c.event).where(t.feedback.c.platform == platform)
    return {row.event for row in bulk_write.among(connection, of_platform, t.feedback.c.event, ids)}


def keep_feedback(
    connection: Connection, platform: int, events: Sequence[tuple[FeedbackEvent, Sequence[int]]], now: int
) -> None:
    """Writes a platform's events, each with the numbers of its entries."""
    told_at = connection.execute(select(t.platforms.c.told_at).where(t.platforms.c.id == platform)).scalar_one()
    new = insert(t.feedback).returning(t.feedback.c.event, t.feedback.c.id)
    kept = connection.execute(
        new,
        [
            {"platform": platform, "event": e.id, "verdict": e.verdict, "received_at": now, "told_at": told_at}
            for e, _ in events
        ],
    )
    # By event, because RETURNING promises no order.
    ids: Mapping[str, int] = {row.event: row.id for row in kept}
    bulk_write.insert(
        connection,
        t.feedback_entries,
        [{"entry": entry, "feedback": ids[event.id]} for event, touched in events for entry in touched],
    )


def cursors(connection: Connection) -> Sequence[int]:
    """The cursors of all platforms that are not revoked."""
    return connection.execute(_CURSORS).scalars().all()


def become_due(connection: Connection, entries: Sequence[int], at: Sequence[int]) -> None:
    """Sets for each of `entries` the time `at` which it is due."""
    changed = [{"number": one, "due": when} for one, when in zip(entries, at, strict=True)]
    bulk_write.update(connection, t.entries, "number", changed)


def page(
    connection: Connection, after: int, upto: int, ids: EntryIds, types: row_mapping.Types
) -> tuple[list[FeedEntry], bytes | None]:
    """The feed's lines with `after < number <= upto`, as the platform with these ids sees them, which knows `types`.

    Also returns the link of the last line, or `None` if there are no lines.
    """
    rows = connection.execute(_PAGE, {"after": after, "upto": upto}).all()
    names = entry_ids(connection, [row.entry for row in rows], ids)
    found = [row_mapping.line(row, name, ids.platform, types) for row, name in zip(rows, names, strict=True)]
    return found, rows[-1].chain if rows else None


def entry_ids(connection: Connection, numbers: Sequence[int], ids: EntryIds) -> list[str]:
    """The ids under which a platform knows the entries with these numbers, in their order."""
    names = ids.of(numbers)
    if not ids.own_after or not any(number <= ids.own_after for number in numbers):
        return names
    older = (number for number in numbers if number <= ids.own_after)
    first = {row.entry: row.id for row in bulk_write.among(connection, select(t.first_ids), t.first_ids.c.entry, older)}
    return [first.get(number, name) for number, name in zip(numbers, names, strict=True)]


def active_at(connection: Connection, number: int, after: int, limit: int) -> Sequence[row_mapping.AnyRow]:
    """At most `limit` entries that were in the feed at `number`, in the order of their lines, which follow `after`."""
    return connection.execute(_ACTIVE_AT, {"at": number, "after": after, "limit": limit}).all()


def stored_value(signal: SignalMessage) -> bytes:
    """The value of a signal in the index: its bytes, or the SHA-256 of a text that is not a hash."""
    return sha256(signal.value.encode()).digest() if signal.type in TEXT_TYPES else bytes.fromhex(signal.value)


def _entry_row(entry: rules.Entry) -> dict[str, object]:
    return {
        "number": entry.number,
        "type": entry.signal.type,
        "value": stored_value(entry.signal),
        "text": entry.signal.value.encode() if entry.signal.type in TEXT_TYPES else None,
        "quality": entry.signal.quality,
        "variant": entry.signal.variant,
        "active": True,
        "kind": entry.kind,
        "ai_made": entry.ai_made,
        "age_band": entry.age_band,
        "standing": EntryStatus.BLOCK,
        "salt": secrets.token_bytes(SALT_BYTES),
    }
