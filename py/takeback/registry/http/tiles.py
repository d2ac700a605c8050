"""The feed in bulk, as `bulk.py` has it: tiles of its lines, and the snapshot of what it adds up to."""

from collections.abc import Iterator
from hashlib import sha256

from takeback import bulk, chain
from takeback.bulk import NO_QUALITY, TYPE_CODES, VALUE_BYTES, Add
from takeback.protocol import FeedAction
from takeback.registry.keys.feed_signing import Signer
from takeback.registry.security.entry_ids import EntryIds
from takeback.registry.storage.row_mapping import AnyRow, is_told, saying
from takeback.registry.storage.store import Store
from takeback.signals import SignalType, Variant
from takeback.times import DAY_SECONDS


def tile(store: Store, place: int, ids: EntryIds) -> tuple[bytes, bytes] | None:
    """The lines of a tile, without its end, and the last one's link; `None` before the tile is full."""
    reading = store.feed.read(place * bulk.TILE_LINES, bulk.TILE_LINES, ids)
    if len(reading.page.entries) < bulk.TILE_LINES:
        return None
    return bulk.MAGIC[False] + b"".join(map(bulk.write_line, reading.page.entries)), reading.link


def snapshot(store: Store, signer: Signer, platform: str, ids: EntryIds) -> Iterator[bytes]:
    """What the feed adds up to now, piece by piece, with an end that is signed for all of them."""
    number, link = store.feed.head()
    piece, digest = bulk.MAGIC[True], sha256(bulk.MAGIC[True])
    yield piece
    told = 0
    for lot in store.feed.active_at(number, ids):
        piece = b"".join(_written(row, name, ids.platform) for row, name in lot)
        digest.update(piece)
        told += len(lot)
        yield piece
    store.usage.count(ids.platform, told)
    yield bulk.encode_end(signer.sign_digest(number, link, number, platform, digest.digest()).encode())


def _written(row: AnyRow, name: str, platform: int) -> bytes:
    if is_told(row, platform):
        return bulk.write_add(row.number, bytes.fromhex(name), _add(row))
    leaf = chain.leaf(saying(row.number, FeedAction.ADD, row.added_as, row), row.number)
    return bulk.write_line(chain.tombstone(row.number, name, leaf))


def _add(row: AnyRow) -> Add:
    code = TYPE_CODES[SignalType(row.type)]
    return Add(
        code,
        bulk.VARIANT_CODES[Variant(row.variant)],
        bulk.flags_of(row.kind, row.ai_made, row.age_band, row.standing),
        NO_QUALITY if row.quality is None else row.quality,
        0 if row.added_at is None else row.added_at // DAY_SECONDS,
        b"",
        row.value if VALUE_BYTES[code] else row.text,
    )
