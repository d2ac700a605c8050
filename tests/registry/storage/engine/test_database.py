import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from takeback.registry.storage.engine import database, tables
from takeback.registry.storage.engine.database import WRITES, open_database


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """An empty database, made by the migrations."""
    return open_database(tmp_path / "registry.sqlite")


def test_the_migrations_make_the_tables(engine: Engine) -> None:
    """The migrations make exactly the tables and indexes that the code describes."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
    engine.dispose()


def test_the_code_knows_the_newest_migration() -> None:
    """A database is ready without Alembic exactly when it has the newest migration."""
    assert (
        ScriptDirectory(str(Path(database.__file__).with_name("migrations"))).get_current_head()
        == database.SCHEMA_REVISION
    )


def test_every_connection_keeps_its_promises(engine: Engine) -> None:
    """Every connection commits durably, enforces foreign keys, and waits for other writers."""
    with engine.connect() as one, engine.connect() as two:
        for connection in (one, two):
            pragmas = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
            assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}
    engine.dispose()


def test_the_database_itself_refuses_a_second_active_entry(engine: Engine) -> None:
    """The database itself refuses two active entries with the same signal."""
    row = """INSERT INTO entries (number, type, value, variant, kind, ai_made, age_band, standing, active, salt)
             VALUES (:n, 'md5', :value, 'whole', 'image', :no, 'minor', 'block', :active, :value)"""
    same = {"value": b"0", "no": False}
    with engine.execution_options(**WRITES).begin() as connection:
        connection.execute(text(row), [same | {"n": n, "active": n == 3} for n in (1, 2, 3)])
    with (
        pytest.raises(IntegrityError),
        engine.execution_options(**WRITES).begin() as connection,
    ):
        connection.execute(text(row), same | {"n": 4, "active": True})
    engine.dispose()


def test_a_migration_that_breaks_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first start that is interrupted in its migration leaves an empty database, and the next one completes it."""
    path = tmp_path / "registry.sqlite"

    def broken(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as fault:
        fault.setattr("alembic.op.create_index", broken)
        with pytest.raises(KeyboardInterrupt):
            open_database(path)
    with sqlite3.connect(path) as plain:
        assert plain.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    plain.close()
    open_database(path).dispose()
