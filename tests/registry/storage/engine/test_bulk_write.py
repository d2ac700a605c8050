"""Bulk writes, on both databases."""

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import DataError

from takeback.registry.storage.engine import bulk_write
from takeback.registry.storage.engine import tables as t
from takeback.registry.storage.engine.database import open_database
from tests.registry.conftest import NewDatabase


def _row(number: int, state: str = "active") -> dict[str, object]:
    """A row of a case with values of every kind: integers, bytes, text, and NULL."""
    return {
        "number": number,
        "pin": bytes([number]) * 3,
        "state": state,
        "received_at": 1_800_000_000,
        "withdrawn_at": None,
        "feed_number": 2**40,
        "renewed_at": 1_800_000_000,
        "settles_at": None if number % 2 else number,
        "polls_from": number,
    }


def _kept(connection: Connection) -> list[dict[str, object]]:
    return [dict(row) for row in connection.execute(select(t.cases).order_by(t.cases.c.number)).mappings()]


def test_rows_come_back_as_they_were_written(new_database: NewDatabase) -> None:
    """Any number of rows is written and read back, with values of every kind."""
    engine = open_database(new_database())
    rows = [_row(number) for number in range(1, 8)]
    with engine.begin() as connection:
        bulk_write.insert(connection, t.cases, [])
        bulk_write.insert(connection, t.cases, rows[:1])
        bulk_write.insert(connection, t.cases, rows[1:])
        assert _kept(connection) == rows
    engine.dispose()


def test_each_row_gets_its_own_values(new_database: NewDatabase) -> None:
    """An update changes the named rows and no others."""
    engine = open_database(new_database())
    rows = [_row(number) for number in range(1, 5)]
    with engine.begin() as connection:
        bulk_write.insert(connection, t.cases, rows)
        bulk_write.update(connection, t.cases, "number", [])
        bulk_write.update(
            connection, t.cases, "number", [{"number": n, "settles_at": n + 100, "state": "expired"} for n in (2, 3)]
        )
        changed = {row["number"]: (row["settles_at"], row["state"]) for row in _kept(connection)}
    assert changed == {1: (None, "active"), 2: (102, "expired"), 3: (103, "expired"), 4: (4, "active")}
    engine.dispose()


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
def test_a_text_that_is_too_long_is_refused(new_database: NewDatabase) -> None:
    """A string that is too long for its column is refused, not truncated."""
    engine = open_database(new_database())
    with pytest.raises(DataError, match="value too long"), engine.begin() as connection:
        bulk_write.insert(connection, t.cases, [_row(1, state="withdrawn-or-expired")])
    engine.dispose()
