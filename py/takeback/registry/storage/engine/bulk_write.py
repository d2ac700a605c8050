"""Statements over many rows, whose own size never grows with the data.

New values go row by row to SQLite, as arrays to PostgreSQL, where that takes a third. What is looked for goes in lots:
this is the one place with an `IN (...)` of as many values as there are, which a test holds.
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
"""Each names the same columns."""

MAX_PARAMETERS: Final = 10_000
"""Values in one `IN (...)`: well under the limits of SQLite (32,766) and PostgreSQL (65,535)."""
_SOME: Final = "some"
_GIVEN: Final = "given_"
"""In front of a column's name for a value of it: SQLAlchemy wants the bare names for itself."""


def among(
    connection: Connection,
    statement: Select[Any] | Update | Delete,
    column: Column[Any],
    values: Iterable[object],
    **parameters: object,
) -> list[Row[*tuple[Any, ...]]]:
    """What a statement with these `parameters` gives, or changes, where `column` has one of `values`.

    It is executed for a lot of values at a time, so it may neither order nor limit its rows, nor sum them up over lots.
    """
    of_lot = statement.where(column.in_(bindparam(_SOME, expanding=True)))
    rows: list[Row[*tuple[Any, ...]]] = []
    for lot in batched(dict.fromkeys(values), MAX_PARAMETERS):
        found = connection.execute(of_lot, {**parameters, _SOME: lot})
        if found.returns_rows:
            rows += found.all()
    return rows


def insert(connection: Connection, table: Table, rows: ColumnRows) -> None:
    """Writes new rows."""
    if not rows:
        return
    if is_sqlite(connection.engine):
        connection.execute(insert_into(table), rows)
    else:
        connection.execute(_insert_arrays(table, tuple(rows[0])), _arrays(rows))


def update(connection: Connection, table: Table, key: str, rows: ColumnRows) -> None:
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


def _arrays(rows: ColumnRows) -> dict[str, list[object]]:
    return {f"{_GIVEN}{name}": [row[name] for row in rows] for name in rows[0]}
