"""What a row of the database says as a line of the feed."""

from typing import Any, Final

from sqlalchemy import Row

from takeback import chain
from takeback.protocol import AgeBand, EntryStatus, FeedAction, FeedEntry, PictureKind, SignalMessage
from takeback.signals import SignalType, Variant
from takeback.times import day

NOBODY: Final = "0" * 32
"""The id in a line that is made for its leaf alone, which no platform's id is part of."""

type AnyRow = Row[*tuple[Any, ...]]


def line(row: AnyRow, name: str, platform: int) -> FeedEntry:
    """The line of a row of `feed` beside its entry, to the `platform` that knows the entry by `name`."""
    action = FeedAction(row.action)
    if action is FeedAction.ADD and row.type is None:
        return chain.tombstone(row.number, name, row.leaf)
    said = saying(row.number, action, row.standing, row, name)
    return said if is_told(row, platform) else chain.tombstone(row.number, name, chain.leaf(said, row.number))


def is_told(row: AnyRow, platform: int) -> bool:
    """Whether a platform is told an entry's signal: all of them, but for a canary of another."""
    return row.told_to is None or row.told_to == platform


def saying(number: int, action: FeedAction, standing: str | None, entry: AnyRow, name: str = NOBODY) -> FeedEntry:
    """The line of this number that says this of an entry's row."""
    told = None if standing is None else EntryStatus(standing)
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
    """The signal of an entry's row."""
    value = row.value.hex() if row.text is None else row.text.decode()
    return SignalMessage(SignalType(row.type), value, row.quality, Variant(row.variant))
