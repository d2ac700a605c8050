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

SCHEMA_REVISION: Final = "0010"
"""The newest migration. A database that says the same is ready, and Alembic is not even imported."""
BUSY_TIMEOUT_MILLISECONDS: Final = 10_000
"""Milliseconds that a writer waits for another process, such as `takeback platform add` beside a server."""
POOL_CONNECTIONS: Final = 8
"""Connections that stay open. More are opened while more threads read at the same time."""
MIGRATION_TRIES: Final = 20
"""How often a first start looks again, half a second apart, while another process makes the same tables."""

_PRAGMAS: Final = (
    f"busy_timeout={BUSY_TIMEOUT_MILLISECONDS}",
    "journal_mode=WAL",
    "synchronous=FULL",  # every commit is on the disk before it is acknowledged
    "foreign_keys=ON",
    "secure_delete=ON",  # what is erased is overwritten
)
_POSTGRESQL: Final = {
    "application_name": "takeback",
    "connect_timeout": 3,
    "tcp_user_timeout": 5000,  # milliseconds; a server that vanished without a word is given up, and another is tried
    "prepare_threshold": None,  # the next transaction may be in another session, which knows no such statement
}
_LOCAL: Final = "; ".join(
    f"SET LOCAL {setting}"
    for setting in (
        f"lock_timeout = {BUSY_TIMEOUT_MILLISECONDS}",
        "statement_timeout = 30000",
        "idle_in_transaction_session_timeout = 30000",
        "jit = off",
        # Every question has an index; before its first statistics PostgreSQL would read whole tables all the same.
        "enable_seqscan = off",
    )
)
"""Said at the start of each transaction: a pooler such as pgbouncer gives every transaction another session."""
WRITES: Final = {"takeback_writes": True}
"""Execution options of a connection that means to write: its transaction takes the lock at its start."""


def open_database(where: Path | str) -> Engine:
    """The database in a file of SQLite, or at an address of PostgreSQL; made or migrated if need be.

    Raises `SettingsError` if it cannot be used, is locked, or was made by a newer version.
    """
    engine = _sqlite(where) if isinstance(where, Path) else _postgresql(where)
    try:
        with told(where), engine.connect() as connection:
            migrated = _version(connection) == SCHEMA_REVISION
        if not migrated:
            migrate(engine, where)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction of a command that writes beside a running registry. Raises `SettingsError` if it cannot."""
    try:
        with engine.execution_options(**WRITES).begin() as connection:
            yield connection
    except OperationalError as error:
        raise SettingsError(f"cannot write to the database: {error.orig}") from error


@contextmanager
def told(where: Path | str) -> Iterator[None]:
    """The database's own errors become one line that names it, without its password."""
    try:
        yield
    except DBAPIError as error:
        raise SettingsError(f"cannot use the database {name_of(where)}: {_first_line(error)}") from error


def name_of(where: Path | str) -> str:
    """The database as it may be shown."""
    return str(where) if isinstance(where, Path) else _url(where).render_as_string(hide_password=True)


def is_sqlite(engine: Engine) -> bool:
    """Whether it is a file of SQLite."""
    return engine.dialect.name == "sqlite"


def snapshot_of(engine: Engine) -> dict[str, Any]:
    """Execution options of a connection whose transaction sees the database as it is at one moment."""
    return {} if is_sqlite(engine) else {"isolation_level": "REPEATABLE READ"}


def _sqlite(path: Path) -> Engine:
    try:
        check_private(path, *(path.with_name(f"{path.name}-{beside}") for beside in ("wal", "shm", "journal")))
        make_private(path)
    except OSError as error:
        raise SettingsError(f"cannot use the database {path}: {error.strerror}") from error
    engine = create_engine(
        URL.create("sqlite", database=str(path)),  # a path is no address: it may hold `?` and `%`
        pool_size=POOL_CONNECTIONS,
        max_overflow=-1,
        hide_parameters=True,  # an error's text may reach a log; the values never do
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
            pool_pre_ping=True,  # after a restart or a fail-over of the database nobody gets a dead connection
            hide_parameters=True,
            isolation_level="READ COMMITTED",
            connect_args=dict(_POSTGRESQL),
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
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _set_local(connection: Connection) -> None:
    connection.exec_driver_sql(_LOCAL)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def migrate(engine: Engine, where: Path | str) -> None:
    """Brings the schema up to date in one transaction, so that of several processes one does it and the rest wait."""
    if is_sqlite(engine):
        with told(where), engine.connect().execution_options(**WRITES) as connection:
            # A table that is made anew is away for a moment; within a transaction this would have no effect.
            connection.connection.cursor().execute("PRAGMA foreign_keys=OFF")
            with connection.begin():
                _upgrade(connection)
                if connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                    raise SettingsError("the database holds what refers to nothing; restore it from your backup")
            connection.invalidate()
        return
    for left in reversed(range(MIGRATION_TRIES)):
        try:
            with engine.begin() as connection:
                _upgrade(connection)
        except DBAPIError as error:  # two first starts at once: PostgreSQL lets one of them make the tables
            with told(where):
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
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise SettingsError("the database was made by a newer version of Takeback; start that version") from error
