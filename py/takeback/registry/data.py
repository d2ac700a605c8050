"""Opens what a registry keeps: its folder, database and keys. It imports no server, so commands start quickly."""

import errno
import os
from pathlib import Path

from sqlalchemy import Engine

from takeback.errors import SettingsError
from takeback.registry.keys.feed_signing import check_newest, public_keys
from takeback.registry.operations.integrity import Proof, prove, prove_keys
from takeback.registry.security.credentials import PinKey, load_pin_key
from takeback.registry.settings import RegistrySettings
from takeback.registry.storage.engine.database import WRITES, is_sqlite, open_database, snapshot_of
from takeback.registry.storage.feed_queries import keep_pin_key_mark, lock, pin_key_mark


def open_data(settings: RegistrySettings) -> Engine:
    """Opens the database, and makes it and the data folder if they do not exist.

    Raises `SettingsError` if the folder cannot be written or the database cannot be used.
    """
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(settings.data, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise SettingsError(f"cannot write in the data folder {settings.data}: {error.strerror}") from error
    return open_database(settings.store)


def open_pin_key(engine: Engine, path: Path) -> PinKey:
    """The database's PIN key, which the first start makes. Raises `SettingsError` as `load_pin_key` does."""
    with engine.execution_options(**WRITES).begin() as connection:
        lock(connection)  # if several processes start first, one makes the key
        mark = pin_key_mark(connection)
        key = load_pin_key(path, mark)
        if mark != key.mark():
            keep_pin_key_mark(connection, key.mark())
    return key


def check_data(settings: RegistrySettings) -> Proof:
    """Verifies the database and its keys. Raises `SettingsError`, which says what is wrong."""
    engine = open_data(settings)
    try:
        return _checked(engine, settings)
    finally:
        engine.dispose()


def _checked(engine: Engine, settings: RegistrySettings) -> Proof:
    if is_sqlite(engine):
        with engine.begin() as connection:
            found = connection.exec_driver_sql("PRAGMA integrity_check").scalar()
            if found != "ok" or connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                raise SettingsError("the database file is damaged: restore your last backup")
    with engine.connect().execution_options(**snapshot_of(engine)) as connection, connection.begin():
        mark = pin_key_mark(connection)
        proof = prove(connection)
    if mark is not None:
        load_pin_key(settings.pin_key, mark)
    if keys := public_keys(engine):
        prove_keys(keys)
        check_newest(settings.feed_key, keys)
    return proof
