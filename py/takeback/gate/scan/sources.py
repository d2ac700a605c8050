"""Divides the input of a scan into chunks. The same input always gives the same chunks, in the same order.

Each chunk names its `sources`, so that a resumed scan knows which parts of its input are finished. Where possible, the
worker reads the chunk itself: a row group of a Parquet file, or some pictures. Rows of CSV files and databases are read
here, and the chunk carries them to the worker.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, Self

import fsspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from takeback.errors import SettingsError
from takeback.gate.scan.work import ADDRESS_COLUMN, KEY_COLUMN
from takeback.signals import SignalType

CHUNK_ROWS: Final = 20_000
"""Rows of a chunk that is read here, which take a few seconds of work."""
CHUNK_PICTURES: Final = 64
"""Pictures of a chunk, which take a few seconds of work too."""
COLUMNS: Final = (KEY_COLUMN, "quality", "type", "value", *(kind.value for kind in SignalType))
"""The names of columns that `work` reads."""
_DATABASE: Final = ("sqlite:", "postgresql:", "postgresql+", "mysql:", "mysql+")

type ColumnNames = Mapping[str, str]
"""The platform's names of columns, by our names."""


@dataclass(frozen=True, slots=True)
class PictureChunk:
    """Picture files, by their addresses."""

    addresses: tuple[str, ...]

    @property
    def sources(self) -> Sequence[str]:
        """The names of its sources, by which a resumed scan recognises it."""
        return self.addresses

    def only(self, sources: Iterable[str]) -> Self:
        """Returns a chunk of only these sources."""
        return replace(self, addresses=tuple(sources))

    def load(self) -> pa.RecordBatch:
        """Returns one row for each file."""
        return pa.RecordBatch.from_pydict({ADDRESS_COLUMN: list(self.addresses)})


@dataclass(frozen=True, slots=True)
class RowGroup:
    """A row group of a Parquet file."""

    address: str
    group: int
    columns: ColumnNames
    content: str
    """Digest of the row group's metadata: number of rows, sizes, offsets and bounds."""

    @property
    def sources(self) -> Sequence[str]:
        """The names of its sources, by which a resumed scan recognises it."""
        return (f"{self.address} {self.group} {self.content}",)

    def only(self, _: Iterable[str]) -> Self:
        """Returns itself, because it is never divided."""
        return self

    def load(self) -> pa.RecordBatch:
        """Returns the rows, with our column names."""
        with fsspec.open(self.address, "rb") as file:
            table = pa.parquet.ParquetFile(file).read_row_group(self.group, columns=list(self.columns.values()))
        return _renamed(table, self.columns)


@dataclass(frozen=True, slots=True)
class RowChunk:
    """Rows that were read already."""

    batch: pa.RecordBatch

    @property
    def sources(self) -> Sequence[str]:
        """The names of its sources, by which a resumed scan recognises it."""
        return (sha256(self.batch.serialize()).hexdigest(),)

    def only(self, _: Iterable[str]) -> Self:
        """Returns itself, because it is never divided."""
        return self

    def load(self) -> pa.RecordBatch:
        """Returns the rows."""
        return self.batch


type ScanChunk = PictureChunk | RowGroup | RowChunk


def chunks(inputs: Sequence[str], renamed: ColumnNames, table: str | None = None) -> Iterator[ScanChunk]:
    """Yields the chunks of every input: Parquet or CSV files, a `table` of a database, or folders of pictures.

    Raises `SettingsError` if an input cannot be read or lacks a column.
    """
    for address in inputs:
        if address.startswith(_DATABASE):
            yield from _from_database(address, table, renamed)
            continue
        for file in _files(address):
            if isinstance(file, tuple):
                yield PictureChunk(file)
            elif file.endswith(".parquet"):
                yield from _from_parquet(file, renamed)
            else:
                yield from _from_csv(file, renamed)


def count(chunks: Iterable[ScanChunk]) -> int | None:
    """Returns the number of chunks; None if finding it would mean reading all rows."""
    total = 0
    for chunk in chunks:
        if isinstance(chunk, RowChunk):
            return None
        total += 1
    return total


def _files(address: str) -> Iterator[str | tuple[str, ...]]:
    """Yields the table files at an address, then its pictures in groups of `CHUNK_PICTURES`."""
    try:
        system, path = fsspec.core.url_to_fs(address)
        found = system.glob(path) if "*" in path else [path]
        names = sorted({name for one in found for name in (system.find(one) if system.isdir(one) else [one])})
        missing = not names or not system.exists(names[0])
    except (OSError, ValueError, ImportError) as error:
        raise SettingsError(f"{address} cannot be read: {error}") from error
    if missing:
        raise SettingsError(f"{address} does not exist, or is empty")
    names = [str(system.unstrip_protocol(name)) for name in names]
    yield from (name for name in names if name.endswith((".parquet", ".csv")))
    pictures = [name for name in names if not name.endswith((".parquet", ".csv"))]
    yield from (tuple(pictures[at : at + CHUNK_PICTURES]) for at in range(0, len(pictures), CHUNK_PICTURES))


def _from_parquet(address: str, renamed: ColumnNames) -> Iterator[RowGroup]:
    try:
        with fsspec.open(address, "rb") as file:
            found = pa.parquet.ParquetFile(file)
            columns = _columns(found.schema_arrow.names, renamed, address)
            groups = [repr(found.metadata.row_group(group).to_dict()) for group in range(found.num_row_groups)]
    except (OSError, pa.ArrowException) as error:
        raise SettingsError(f"{address} cannot be read as Parquet: {type(error).__name__}") from error
    for group, about in enumerate(groups):
        yield RowGroup(address, group, columns, sha256(about.encode()).hexdigest())


def _from_csv(address: str, renamed: ColumnNames) -> Iterator[RowChunk]:
    """Yields the rows of a CSV file, all columns read as text: a hash that consists of digits is not a number."""
    try:
        with fsspec.open(address, "rb") as file:
            # utf-8-sig: a spreadsheet puts a byte order mark first.
            head = file.readline().decode("utf-8-sig").strip().split(",")
        names = [name.strip('"') for name in head]
        columns = _columns(names, renamed, address)
        text = pa.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            include_columns=list(columns.values()),
            strings_can_be_null=True,
        )
        with fsspec.open(address, "rb") as file, pa.csv.open_csv(file, convert_options=text) as reader:
            yield from _slices(reader, columns)
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise SettingsError(f"{address} cannot be read as CSV: {type(error).__name__}") from error


def _from_database(address: str, table: str | None, renamed: ColumnNames) -> Iterator[RowChunk]:
    import sqlalchemy as sql

    if not table:
        raise SettingsError("give the table of the database that holds the signals: --table NAME")
    try:
        engine = sql.create_engine(address, poolclass=sql.NullPool)
        stored = sql.Table(table, sql.MetaData(), autoload_with=engine)
        columns = _columns(stored.columns.keys(), renamed, table)
        chosen = sql.select(*(stored.c[theirs].label(ours) for ours, theirs in columns.items()))
        # Without an order a database may give the rows in any, and a resumed scan would not know its chunks.
        ordered = chosen.order_by(stored.c[columns[KEY_COLUMN]])
        with engine.connect().execution_options(yield_per=CHUNK_ROWS) as connection:
            for rows in connection.execute(ordered).mappings().partitions():
                yield RowChunk(pa.RecordBatch.from_pylist([dict(row) for row in rows]))
    except (sql.exc.SQLAlchemyError, ImportError) as error:
        raise SettingsError(f"the table {table} cannot be read: {type(error).__name__}") from error


def _columns(there: Iterable[str], renamed: ColumnNames, where: str) -> ColumnNames:
    """Returns the columns that exist in the input. Raises `SettingsError` if one is unknown or missing."""
    names = set(there)
    if unknown := [name for name in renamed if name not in COLUMNS]:
        raise SettingsError(f"unknown column {unknown[0]}: the columns are {', '.join(COLUMNS)}")
    if gone := [theirs for theirs in renamed.values() if theirs not in names]:
        raise SettingsError(f"{where} has no column {gone[0]}")
    found = {ours: renamed.get(ours, ours) for ours in COLUMNS if renamed.get(ours, ours) in names}
    if KEY_COLUMN not in found:
        raise SettingsError(f"{where} has no column that identifies a row: name it with --column key=NAME")
    if not set(found) - {KEY_COLUMN, "quality", "type"}:
        raise SettingsError(f"{where} has no column of signals: name one with --column pdq=NAME or the like")
    return found


def _slices(batches: Iterable[pa.RecordBatch], columns: ColumnNames) -> Iterator[RowChunk]:
    for batch in batches:
        whole = _renamed(pa.Table.from_batches([batch]), columns)
        yield from (RowChunk(whole.slice(at, CHUNK_ROWS)) for at in range(0, whole.num_rows, CHUNK_ROWS))


def _renamed(table: pa.Table, columns: ColumnNames) -> pa.RecordBatch:
    """Returns the rows with our column names, as one batch."""
    chosen = table.select(list(columns.values())).rename_columns(list(columns)).combine_chunks()
    batches = chosen.to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=chosen.schema)
