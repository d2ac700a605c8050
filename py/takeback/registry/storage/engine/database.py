"""Opens the registry's database: the engine with its promises of durability, and the schema brought up to date.

The same tables and the same SQL run on SQLite and on PostgreSQL; what the two need beside it stands here.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from takeback import how_to_install
from takeback.errors import SettingsError
from takeback.private import check_private, make_private

SCHEMA_REVISION: Final = "0013"
"""The newest migration. A database with this revision is ready, and Alembic is not imported."""
BUSY_TIMEOUT_MILLISECONDS: Final = 10_000
"""Milliseconds that a writer waits for another process, such as `takeback platform add` during serving."""
POOL_CONNECTIONS: Final = 8
"""Connections that stay open. More are opened while more threads read at the same time."""
MIGRATION_TRIES: Final = 20
"""Attempts of a first start, half a second apart, while another process makes the same tables."""

_PRAGMAS: Final = (
    f"busy_timeout={BUSY_TIMEOUT_MILLISECONDS}",
    "journal_mode=WAL",
    "synchronous=FULL",  # every commit is on the disk before it is acknowledged
    "foreign_keys=ON",  # off by default
    "secure_delete=ON",  # deleted values are overwritten
)
_POSTGRESQL_OPTIONS: Final = {
    "application_name": "takeback",
    "connect_timeout": 3,
    "tcp_user_timeout": 5000,  # milliseconds, after which a server that does not answer is given up for another
    "prepare_threshold": None,  # behind a pooler the next session has no such statement
}
_TRANSACTION_SETTINGS: Final = "; ".join(
    f"SET LOCAL {setting}"
    for setting in (
        # Times are in milliseconds.
        f"lock_timeout = {BUSY_TIMEOUT_MILLISECONDS}",
        "statement_timeout = 30000",
        "idle_in_transaction_session_timeout = 30000",
        "jit = off",
        # Every query has an index, but without statistics PostgreSQL would still read whole tables.
        "enable_seqscan = off",
    )
)
"""Set at the start of each transaction, as a pooler such as pgbouncer may give each one another session."""
WRITES: Final = {"takeback_writes": True}
"""Execution options of a connection that writes: its transactions take the write lock when they begin."""


def open_database(where: Path | str) -> Engine:
    """Opens a SQLite file or a PostgreSQL address, and makes or migrates the tables if necessary.

    Raises `SettingsError` if the database cannot be used, is locked, or was made by a newer version.
    """
    engine = _sqlite(where) if isinstance(where, Path) else _postgresql(where)
    try:
        with database_errors_named(where), engine.connect() as connection:
            migrated = _version(connection) == SCHEMA_REVISION
        if not migrated:
            migrate(engine, where)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction beside a running registry. Raises `SettingsError` if the database cannot."""
    try:
        with engine.execution_options(**WRITES).begin() as connection:
            yield connection
    except OperationalError as error:
        raise SettingsError(f"cannot write to the database: {error.orig}") from error


@contextmanager
def database_errors_named(where: Path | str) -> Iterator[None]:
    """Raises `SettingsError` for errors of the database, in one line that names it, without its password."""
    try:
        yield
    except DBAPIError as error:
        raise SettingsError(f"cannot use the database {name_of(where)}: {_first_line(error)}") from error


def name_of(where: Path | str) -> str:
    """The database's path, or its address without the password. Raises `SettingsError` for an invalid address."""
    return str(where) if isinstance(where, Path) else _url(where).render_as_string(hide_password=True)


def is_sqlite(engine: Engine) -> bool:
    """Whether the database is SQLite."""
    return engine.dialect.name == "sqlite"


def snapshot_of(engine: Engine) -> dict[str, Any]:
    """Execution options of a connection whose transaction sees one consistent state of the database."""
    # SQLite's transactions always see one state.
    return {} if is_sqlite(engine) else {"isolation_level": "REPEATABLE READ"}


def _sqlite(path: Path) -> Engine:
    try:
        check_private(path, *(path.with_name(f"{path.name}-{beside}") for beside in ("wal", "shm", "journal")))
        make_private(path)
    except OSError as error:
        raise SettingsError(f"cannot use the database {path}: {error.strerror}") from error
    engine = create_engine(
        URL.create("sqlite", database=str(path)),  # not as text, since a path may contain `?` and `%`
        pool_size=POOL_CONNECTIONS,
        max_overflow=-1,
        hide_parameters=True,  # an error's text may reach a log, and must not contain values
        # None, because `_begin` begins transactions, which the sqlite3 module would do only at the first write.
        connect_args={"isolation_level": None, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _postgresql(address: str) -> Engine:
    try:
        engine = create_engine(
            _url(address),
            pool_size=POOL_CONNECTIONS,
            max_overflow=-1,
            pool_pre_ping=True,  # so that dead connections are not used after a restart or a fail-over
            hide_parameters=True,
            isolation_level="READ COMMITTED",
            connect_args=dict(_POSTGRESQL_OPTIONS),
        )
    except ModuleNotFoundError as error:
        raise SettingsError(f"PostgreSQL needs one more package: {how_to_install('postgresql')}") from error
    event.listen(engine, "begin", _set_local)
    return engine


def _url(address: str) -> URL:
    try:
        url = make_url(address)
    except (ArgumentError, ValueError) as error:
        raise SettingsError(_WRONG_ADDRESS) from error
    if url.get_backend_name() != "postgresql":
        raise SettingsError(_WRONG_ADDRESS)
    return url.set(drivername="postgresql+psycopg")


_WRONG_ADDRESS: Final = (
    "TAKEBACK_DATABASE must be an address such as postgresql://user:password@host/name; without it SQLite is used"
)


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).partition("\n")[0]


def _prepare(connection: Any, _entry: ConnectionPoolEntry) -> None:
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("takeback_writes", False)
    # IMMEDIATE: a transaction that reads first and then writes fails at once if another has written meanwhile.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _set_local(connection: Connection) -> None:
    connection.exec_driver_sql(_TRANSACTION_SETTINGS)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def migrate(engine: Engine, where: Path | str) -> None:
    """Brings the schema up to date in one transaction; if several processes start, one does and the others wait.

    Raises `SettingsError` if a newer version made the database, if it cannot be used, or if its references are broken.
    """
    if is_sqlite(engine):
        with database_errors_named(where), engine.connect().execution_options(**WRITES) as connection:
            # Migrations replace tables that others refer to. SQLite ignores this pragma within a transaction.
            connection.connection.cursor().execute("PRAGMA foreign_keys=OFF")
            with connection.begin():
                _upgrade(connection)
                if connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                    raise SettingsError("the database has rows that refer to missing rows; restore it from your backup")
            # The pragma stays with the connection, which must therefore not be used again.
            connection.invalidate()
        return
    for left in reversed(range(MIGRATION_TRIES)):
        try:
            with engine.begin() as connection:
                _upgrade(connection)
        except DBAPIError as error:  # if two processes start first, PostgreSQL lets one make the tables
            with database_errors_named(where):
                if not left:
                    raise
                time.sleep(0.5)
                if _is_ready(engine):
                    return
            del error
        else:
            return


def _is_ready(engine: Engine) -> bool:
    with engine.connect() as connection:
        return _version(connection) == SCHEMA_REVISION


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    # % begins an interpolation in Alembic's configuration.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise SettingsError("the database was made by a newer version of Takeback; start that version") from error
