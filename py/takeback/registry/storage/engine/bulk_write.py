"""Statements over many rows, of bounded size.

New values are sent row by row to SQLite, and as arrays to PostgreSQL, where that takes a third of the time. Values to
look up are sent in batches. This is the only module with an `IN (...)` of any number of values, which a test checks.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import batched
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Delete,
    Executable,
    Row,
    Select,
    String,
    Table,
    TableValuedAlias,
    Update,
    bindparam,
    func,
    select,
)
from sqlalchemy import insert as insert_into
from sqlalchemy import update as update_of
from sqlalchemy.dialects.postgresql import ARRAY

from takeback.registry.storage.engine.database import is_sqlite

type ColumnRows = Sequence[Mapping[str, object]]
"""Rows that all have the same columns."""

MAX_PARAMETERS: Final = 10_000
"""Values in one `IN (...)`: well under the limits of SQLite (32,766) and PostgreSQL (65,535)."""
_SOME: Final = "some"
_GIVEN: Final = "given_"
"""The prefix of parameters that hold a column's value; SQLAlchemy reserves the plain names in an UPDATE."""


def among(
    connection: Connection,
    statement: Select[Any] | Update | Delete,
    column: Column[Any],
    values: Iterable[object],
    **parameters: object,
) -> list[Row[*tuple[Any, ...]]]:
    """Executes a statement with these `parameters` where `column` is one of `values`; returns the rows that it gives.

    It is executed for one batch of values at a time, so it must not order, limit or aggregate rows across values.
    """
    of_batch = statement.where(column.in_(bindparam(_SOME, expanding=True)))
    rows: list[Row[*tuple[Any, ...]]] = []
    # Without repeats, so that no row is found in two batches.
    for batch in batched(dict.fromkeys(values), MAX_PARAMETERS):
        found = connection.execute(of_batch, {**parameters, _SOME: batch})
        if found.returns_rows:
            rows += found.all()
    return rows


def insert(connection: Connection, table: Table, rows: ColumnRows) -> None:
    """Inserts rows."""
    if not rows:
        return
    if is_sqlite(connection.engine):
        connection.execute(insert_into(table), rows)
    else:
        connection.execute(_insert_arrays(table, tuple(rows[0])), _arrays(rows))


def update(connection: Connection, table: Table, key: str, rows: ColumnRows) -> None:
    """Updates rows: each of `rows` has the value of the column `key` that selects a row, and its new values."""
    if not rows:
        return
    names = tuple(rows[0])
    if is_sqlite(connection.engine):
        values = [{f"{_GIVEN}{name}": value for name, value in row.items()} for row in rows]
        connection.execute(_update_one(table, key, names), values)
    else:
        connection.execute(_update_arrays(table, key, names), _arrays(rows))


@cache
def _insert_arrays(table: Table, names: tuple[str, ...]) -> Executable:
    given = _unnested(table, names)
    return insert_into(table).from_select(names, select(*given.c))


@cache
def _update_arrays(table: Table, key: str, names: tuple[str, ...]) -> Executable:
    given = _unnested(table, names)
    return (
        update_of(table)
        .where(table.c[key] == given.c[key])
        .values({name: given.c[name] for name in names if name != key})
    )


@cache
def _update_one(table: Table, key: str, names: tuple[str, ...]) -> Executable:
    return (
        update_of(table)
        .where(table.c[key] == bindparam(f"{_GIVEN}{key}"))
        .values({name: bindparam(f"{_GIVEN}{name}") for name in names if name != key})
    )


def _unnested(table: Table, names: Sequence[str]) -> TableValuedAlias:
    """The rows as a table that is made from one array for each column."""
    arrays = (bindparam(f"{_GIVEN}{name}", type_=_array(table.c[name])) for name in names)
    return func.unnest(*arrays).table_valued(*names).render_derived()


def _array(column: Column[Any]) -> ARRAY[Any]:
    """The array type for a column, without a length, to which PostgreSQL would silently truncate strings."""
    return ARRAY(String() if isinstance(column.type, String) else column.type)


def _arrays(rows: ColumnRows) -> dict[str, list[object]]:
    return {f"{_GIVEN}{name}": [row[name] for row in rows] for name in rows[0]}
