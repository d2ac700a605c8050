"""Maps rows of the database to lines of the feed."""

from collections.abc import Set as AbstractSet
from typing import Any, Final

from sqlalchemy import Row

from takeback import chain
from takeback.protocol import AgeBand, EntryStatus, FeedAction, FeedEntry, PictureKind, SignalMessage
from takeback.signals import SignalType, Variant
from takeback.times import day

NO_ENTRY_ID: Final = "0" * 32
"""The id in a line that is made only for its leaf, which does not depend on the id."""

EVERY_TYPE: Final = frozenset(SignalType)

type AnyRow = Row[*tuple[Any, ...]]
type Types = AbstractSet[SignalType]
"""The types of signals that a platform's client knows."""


def line(row: AnyRow, name: str, platform: int, types: Types = EVERY_TYPE) -> FeedEntry:
    """The line for a row of `feed` joined with its entry, as `platform` sees it, which knows the entry by `name`."""
    action = FeedAction(row.action)
    if action is FeedAction.ADD and row.type is None:
        return chain.tombstone(row.number, name, row.leaf)
    said = new_line(row.number, action, row.standing, row, name)
    return said if is_told(row, platform, types) else chain.tombstone(row.number, name, chain.leaf(said, row.number))


def is_told(row: AnyRow, platform: int, types: Types = EVERY_TYPE) -> bool:
    """Whether a platform sees an entry's signal: every one of `types` except another platform's canaries."""
    return (row.type is None or row.type in types) and (row.told_to is None or row.told_to == platform)


def new_line(number: int, action: FeedAction, status: str | None, entry: AnyRow, name: str = NO_ENTRY_ID) -> FeedEntry:
    """The line with this number and action for an entry's row."""
    told = None if status is None else EntryStatus(status)
    if action is not FeedAction.ADD:
        return FeedEntry(number, action, name, standing=told)
    return FeedEntry(
        number,
        action,
        name,
        signal(entry),
        PictureKind(entry.kind),
        bool(entry.ai_made),
        AgeBand(entry.age_band),
        None if entry.added_at is None else day(entry.added_at),
        told,
        entry.salt.hex(),
    )


def signal(row: AnyRow) -> SignalMessage:
    """The signal in an entry's row."""
    value = row.value.hex() if row.text is None else row.text.decode()
    return SignalMessage(SignalType(row.type), value, row.quality, Variant(row.variant))
