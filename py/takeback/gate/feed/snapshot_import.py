"""A cold start: the snapshot of the registry becomes the rows of an empty state, a lot at a time."""

from collections.abc import Callable, Iterator
from typing import Final

from takeback.bulk import ENTRY_STATUS_SHIFT, ENTRY_STATUSES, NO_QUALITY, TYPES, VARIANTS, BulkRecord, Reader, value_of
from takeback.errors import FeedBroken, InvalidSignal
from takeback.gate.feed.state import EntryRow, SnapshotBatch
from takeback.protocol import FeedAction
from takeback.signals import Signal, SignalType

FROM: Final = 20_000
"""Lines of a feed from which a new gate takes the snapshot instead of page after page."""
LOT: Final = 10_000
"""Entries of a lot."""


def lots(reader: Reader, on_lot: Callable[[int], None]) -> Iterator[SnapshotBatch]:
    """The snapshot's entries, checked one by one; `on_lot` hears of the last number of each. Raises `FeedBroken`."""
    last, lot = 0, SnapshotBatch([], [])
    for record in reader:
        if record.number <= last:
            raise FeedBroken(f"rule 1: the snapshot goes back from number {last} to {record.number}")
        last = record.number
        if record.action is FeedAction.ERASED:
            lot.erased.append((record.number, record.entry.hex()))
        else:
            lot.entries.append(_row(record))
        if len(lot.entries) == LOT:
            yield lot
            on_lot(last)
            lot = SnapshotBatch([], [])
    yield lot
    if reader.head is None or last > reader.head.number:
        raise FeedBroken(f"rule 2: the snapshot holds number {last}, which lies beyond its end")


def _row(record: BulkRecord) -> EntryRow:
    add = record.add
    if add is None:
        raise FeedBroken(f"number {record.number} of the snapshot does not add an entry")
    kind, value = TYPES[add.type], value_of(add.type, add.value)
    quality = None if add.quality == NO_QUALITY else add.quality
    if kind is SignalType.VPDQ or (quality is not None) != (kind is SignalType.PDQ):
        _check(record.number, kind, value, quality)
    elif quality is not None and quality > 100:
        raise FeedBroken(f"number {record.number} breaks the protocol: quality is from 0 to 100")
    variant = VARIANTS[add.variant]
    return (
        record.number,
        record.entry.hex(),
        kind,
        value,
        quality,
        variant,
        ENTRY_STATUSES[add.flags >> ENTRY_STATUS_SHIFT],
    )


def _check(number: int, kind: SignalType, value: str, quality: int | None) -> None:
    try:
        Signal(kind, value, quality)
    except InvalidSignal as error:
        raise FeedBroken(f"number {number} breaks the protocol: {error}") from error
