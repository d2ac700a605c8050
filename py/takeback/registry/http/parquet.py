"""The snapshot as Parquet, for loading the list into a data warehouse or a data frame. PROTOCOL.md has the columns."""

from collections.abc import Sequence
from hashlib import sha256
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from takeback.registry.security.entry_ids import EntryIds
from takeback.registry.storage.row_mapping import AnyRow, Types, is_told
from takeback.registry.storage.store import Store
from takeback.times import DAY_SECONDS

_WORD: Final = pa.dictionary(pa.int8(), pa.string())
COLUMNS: Final = pa.schema(
    [
        pa.field("number", pa.int64(), nullable=False),
        pa.field("entry", pa.string(), nullable=False),
        pa.field("type", _WORD, nullable=False),
        pa.field("value", pa.string(), nullable=False),
        pa.field("quality", pa.int8()),
        pa.field("variant", _WORD, nullable=False),
        pa.field("kind", _WORD, nullable=False),
        pa.field("ai_made", pa.bool_(), nullable=False),
        pa.field("age_band", _WORD, nullable=False),
        pa.field("since", pa.date32()),
        pa.field("standing", _WORD, nullable=False),
    ]
)
_CHUNK_BYTES: Final = 1 << 20


def write(store: Store, ids: EntryIds, types: Types, out: IO[bytes]) -> tuple[int, bytes, int]:
    """Writes a snapshot of the feed, as a platform sees it; returns its number, that number's link, and the entries.

    Entries of other than these `types` are left out.
    """
    # First: lines that are published while the file is written are not in it.
    number, link = store.feed.head()
    count = 0
    with pq.ParquetWriter(out, COLUMNS, compression="zstd") as file:
        for batch in store.feed.active_at(number, ids):
            told = [(row, name) for row, name in batch if is_told(row, ids.platform, types)]
            file.write_table(_table(told))
            count += len(told)
    return number, link, count


def digest(file: IO[bytes]) -> bytes:
    """The SHA-256 of the whole file."""
    file.seek(0)
    found = sha256()
    while piece := file.read(_CHUNK_BYTES):
        found.update(piece)
    return found.digest()


def _table(batch: Sequence[tuple[AnyRow, str]]) -> Any:
    rows = [row for row, _ in batch]
    columns = [
        [row.number for row in rows],
        [name for _, name in batch],
        [row.type for row in rows],
        [row.value.hex() if row.text is None else row.text.decode() for row in rows],
        [row.quality for row in rows],
        [row.variant for row in rows],
        [row.kind for row in rows],
        [bool(row.ai_made) for row in rows],
        [row.age_band for row in rows],
        [None if row.added_at is None else row.added_at // DAY_SECONDS for row in rows],
        [row.standing for row in rows],
    ]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, COLUMNS, strict=True)]
    return pa.Table.from_arrays(arrays, schema=COLUMNS)
