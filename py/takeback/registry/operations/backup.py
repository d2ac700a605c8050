"""Backups: the whole database as one portable file, from SQLite or PostgreSQL into either.

The file is gzipped JSON, one value a line: a header, then for each table its columns and its rows, then the number of
rows. It is made in one transaction while the registry runs, so it is a consistent state of the database. The secret
keys are not in it.
"""

import gzip
import os
import zlib
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import Connection, Engine, LargeBinary, Table, select, text
from sqlalchemy.exc import SQLAlchemyError

from takeback.errors import SettingsError
from takeback.registry.operations.integrity import Proof, prove
from takeback.registry.storage.engine import bulk_write
from takeback.registry.storage.engine import tables as t
from takeback.registry.storage.engine.database import SCHEMA_REVISION, WRITES, snapshot_of

BATCH_ROWS: Final = 5000
"""Rows that are read or written in one statement."""
FORMAT: Final = "takeback backup 1"


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line of a backup."""

    format: str
    schema: str
    head: int


class TableHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The line before a table's rows."""

    table: str
    columns: list[str]


class BackupFooter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last line of a backup."""

    rows: int


def write(engine: Engine, path: Path) -> Proof:
    """Verifies the database and writes a backup to `path`, whole or not at all.

    Raises `SettingsError` if the database is damaged or the file cannot be written.
    """
    if not path.name:
        raise SettingsError(f"cannot write {path}: name a file")
    draft = path.with_name(f"{path.name}.new")
    try:
        # A file that exists would keep its own mode, so O_EXCL makes a new one, which only its owner may read.
        draft.unlink(missing_ok=True)
        with (
            os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file,
            engine.connect().execution_options(**snapshot_of(engine)) as connection,
            connection.begin(),
        ):
            with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1) as packed:
                # Before the rows are written: a damaged database must not replace a good backup.
                proof = prove(connection)
                _write(connection, packed, proof)
            file.flush()
            # Before the rename, or a power cut could leave the name with a file that is not whole.
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror or error}") from error
    return proof


def read(engine: Engine, path: Path) -> Proof:
    """Restores a backup into an empty database, in one transaction that is committed only if the result is verified.

    Raises `SettingsError` if the file cannot be read or is no whole backup, or if the database is not empty.
    """
    try:
        with gzip.open(path) as packed, engine.execution_options(**WRITES).begin() as connection:
            _read(connection, iter(packed))
            return prove(connection)
    except (OSError, EOFError, zlib.error) as error:
        raise SettingsError(f"cannot read the backup {path}: {error}") from error
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise SettingsError(f"{path} is not a whole backup: {error}") from error
    except SQLAlchemyError as error:
        told = str(getattr(error, "orig", None) or error).partition("\n")[0]
        raise SettingsError(f"{path} has a row that the database refuses: {told}") from error


def _write(connection: Connection, file: gzip.GzipFile, proof: Proof) -> None:
    def say(what: object) -> None:
        file.write(msgspec.json.encode(what) + b"\n")

    say(Header(FORMAT, SCHEMA_REVISION, proof.lines))
    rows = 0
    # Sorted by dependency, so that a restore never inserts a row before the one that it refers to.
    for table in t.metadata.sorted_tables:
        say(TableHeader(str(table.name), [str(column.name) for column in table.columns]))
        ordered = select(table).order_by(*table.primary_key.columns).execution_options(yield_per=BATCH_ROWS)
        with connection.execute(ordered) as found:
            for row in found:
                say(list(row))
                rows += 1
    say(BackupFooter(rows))


def _read(connection: Connection, file: Iterator[bytes]) -> None:
    _check_start(connection, next(file, b""))
    # The migration made this one row; the backup has its own.
    connection.execute(t.registry.delete())
    rows, line = 0, next(file, b"")
    for table in t.metadata.sorted_tables:
        part = msgspec.json.decode(line, type=TableHeader)
        if (part.table, part.columns) != (table.name, [str(column.name) for column in table.columns]):
            raise ValueError(f"the table {part.table} does not have the expected name or columns")
        found: list[bytes] = []
        for line in file:
            if not line.startswith(b"["):
                break
            found.append(line)
            if len(found) == BATCH_ROWS:
                rows += _insert(connection, table, found)
                found = []
        rows += _insert(connection, table, found)
    if msgspec.json.decode(line, type=BackupFooter).rows != rows or next(file, None) is not None:
        raise ValueError("it has too few rows or too many")
    if connection.dialect.name == "postgresql":
        _count_on(connection)


def _check_start(connection: Connection, line: bytes) -> None:
    """Checks that the file has this version's format and schema, and that the database is empty."""
    header = msgspec.json.decode(line, type=Header)
    if header.format != FORMAT:
        raise ValueError("it has an unknown format")
    if header.schema != SCHEMA_REVISION:
        raise SettingsError(
            f"the backup has schema {header.schema}, and this version has {SCHEMA_REVISION}: restore it with the "
            "version that made it, then start this one"
        )
    if any(connection.execute(select(table).limit(1)).first() for table in (t.cases, t.feed, t.platforms, t.entries)):
        raise SettingsError("the database is not empty: restore into a new one")


def _insert(connection: Connection, table: Table, lines: list[bytes]) -> int:
    names = [str(column.name) for column in table.columns]
    packed = [place for place, column in enumerate(table.columns) if isinstance(column.type, LargeBinary)]
    rows = []
    for line in lines:
        values = msgspec.json.decode(line, type=list[object])
        for place in packed:
            value = values[place]
            values[place] = b64decode(value, validate=True) if isinstance(value, str) else None
        rows.append(dict(zip(names, values, strict=True)))
    bulk_write.insert(connection, table, rows)
    return len(rows)


def _count_on(connection: Connection) -> None:
    """Sets PostgreSQL's sequences to continue after the restored rows."""
    for table in (t.platforms, t.feedback):
        connection.execute(
            text(
                f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), "  # noqa: S608 - the names are constants
                f"(SELECT coalesce(max(id), 0) + 1 FROM {table.name}), false)"
            )
        )
