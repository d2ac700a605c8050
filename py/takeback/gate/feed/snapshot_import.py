"""The snapshot import: turns the registry's snapshot into rows of a state, one batch at a time."""

from collections.abc import Callable, Iterator
from typing import Final

from takeback.bulk import ENTRY_STATUS_SHIFT, ENTRY_STATUSES, NO_QUALITY, TYPES, VARIANTS, BulkRecord, Reader, value_of
from takeback.errors import FeedBroken, InvalidSignal
from takeback.gate.feed.state import EntryRow, SnapshotBatch
from takeback.protocol import FeedAction
from takeback.signals import HEX_DIGITS, Signal, SignalType, Variant

MIN_SNAPSHOT_LINES: Final = 20_000
"""Length of the feed from which a new gate imports the snapshot instead of reading all pages."""
SNAPSHOT_BATCH_ROWS: Final = 10_000
"""Entries in a batch."""


def snapshot_batches(reader: Reader, on_batch: Callable[[int], None]) -> Iterator[SnapshotBatch]:
    """Checks the snapshot's entries and yields them in batches; `on_batch` is called with the last number of each.

    Raises `FeedBroken` if an entry is malformed, out of order or beyond the signed head.
    """
    last, batch = 0, SnapshotBatch([], [])
    for record in reader:
        if record.number <= last:
            raise FeedBroken(f"rule 1: the snapshot goes back from number {last} to {record.number}")
        last = record.number
        if record.action is FeedAction.ERASED:
            batch.erased.append((record.number, record.entry.hex()))
        else:
            batch.entries.append(_row(record))
        if len(batch.entries) == SNAPSHOT_BATCH_ROWS:
            yield batch
            on_batch(last)
            batch = SnapshotBatch([], [])
    yield batch
    if reader.head is None or last > reader.head.number:
        raise FeedBroken(f"rule 2: the snapshot holds number {last}, which lies beyond its end")


def _row(record: BulkRecord) -> EntryRow:
    add = record.add
    if add is None:
        raise FeedBroken(f"number {record.number} of the snapshot does not add an entry")
    kind, value = TYPES[add.type], value_of(add.type, add.value)
    quality = None if add.quality == NO_QUALITY else add.quality
    variant = VARIANTS[add.variant]
    # The binary form fixes the length of a hash, so only text and the quality can be wrong.
    if kind not in HEX_DIGITS or (quality is not None) != (kind is SignalType.PDQ):
        _check(record.number, kind, value, quality, variant)
    elif quality is not None and quality > 100:
        raise FeedBroken(f"number {record.number} breaks the protocol: quality must be from 0 to 100")
    return (
        record.number,
        record.entry.hex(),
        kind,
        value,
        quality,
        variant,
        ENTRY_STATUSES[add.flags >> ENTRY_STATUS_SHIFT],
    )


def _check(number: int, kind: SignalType, value: str, quality: int | None, variant: Variant) -> None:
    try:
        Signal(kind, value, quality, variant)
    except InvalidSignal as error:
        raise FeedBroken(f"number {number} breaks the protocol: {error}") from error
