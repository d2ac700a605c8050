"""Writes many rows of a table in one go: row by row to SQLite, as arrays to PostgreSQL, where that takes a third."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import Column, Connection, Executable, String, Table, TableValuedAlias, bindparam, func, select
from sqlalchemy import insert as insert_into
from sqlalchemy import update as update_of
from sqlalchemy.dialects.postgresql import ARRAY

from takeback.registry.database import is_sqlite

type Rows = Sequence[Mapping[str, object]]
"""Each names the same columns."""

_GIVEN: Final = "given_"
"""In front of a column's name for a value of it: SQLAlchemy wants the bare names for itself."""


def insert(connection: Connection, table: Table, rows: Rows) -> None:
    """Writes new rows."""
    if not rows:
        return
    if is_sqlite(connection.engine):
        connection.execute(insert_into(table), rows)
    else:
        connection.execute(_insert_arrays(table, tuple(rows[0])), _arrays(rows))


def update(connection: Connection, table: Table, key: str, rows: Rows) -> None:
    """Gives the rows that have these values in the column `key` the others."""
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
    """The rows as a table, of one array for each column."""
    arrays = (bindparam(f"{_GIVEN}{name}", type_=_array(table.c[name])) for name in names)
    return func.unnest(*arrays).table_valued(*names).render_derived()


def _array(column: Column[Any]) -> ARRAY[Any]:
    """Without a length, which PostgreSQL would cut to without a word."""
    return ARRAY(String() if isinstance(column.type, String) else column.type)


def _arrays(rows: Rows) -> dict[str, list[object]]:
    return {f"{_GIVEN}{name}": [row[name] for row in rows] for name in rows[0]}
