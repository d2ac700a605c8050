"""The feed in the binary form of `bulk.py`: tiles of its lines, and snapshots of its active entries."""

from collections.abc import Iterator
from hashlib import sha256

from takeback import bulk, chain
from takeback.bulk import NO_QUALITY, TYPE_CODES, VALUE_BYTES, Add
from takeback.protocol import FeedAction
from takeback.registry.keys.feed_signing import Signer
from takeback.registry.security.entry_ids import EntryIds
from takeback.registry.storage.row_mapping import AnyRow, Types, is_told, new_line
from takeback.registry.storage.store import Store
from takeback.signals import SignalType, Variant
from takeback.times import DAY_SECONDS


def tile(store: Store, place: int, ids: EntryIds, types: Types) -> tuple[bytes, bytes] | None:
    """The lines of a tile, without its signed end, and the last line's link; `None` until the tile is full."""
    reading = store.feed.read(place * bulk.TILE_LINES, bulk.TILE_LINES, ids, types)
    if len(reading.page.entries) < bulk.TILE_LINES:
        return None
    return bulk.MAGIC[False] + b"".join(map(bulk.write_line, reading.page.entries)), reading.link


def snapshot(store: Store, signer: Signer, platform: str, ids: EntryIds, types: Types) -> Iterator[bytes]:
    """Yields a snapshot of the feed in chunks; the last one is the end, which is signed for all of them."""
    number, link = store.feed.head()
    chunk, digest = bulk.MAGIC[True], sha256(bulk.MAGIC[True])
    yield chunk
    told = 0
    for batch in store.feed.active_at(number, ids):
        chunk = b"".join(_entry_bytes(row, name, ids.platform, types) for row, name in batch)
        digest.update(chunk)
        told += len(batch)
        yield chunk
    store.usage.count(ids.platform, told)
    yield bulk.encode_end(signer.sign_digest(number, link, number, platform, digest.digest()).encode())


def _entry_bytes(row: AnyRow, name: str, platform: int, types: Types) -> bytes:
    if is_told(row, platform, types):
        return bulk.write_add(row.number, bytes.fromhex(name), _add(row))
    # With the status that its `add` had, not today's: the chain covers that line.
    leaf = chain.leaf(new_line(row.number, FeedAction.ADD, row.added_as, row), row.number)
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
