"""Rotation of the PIN key: the PINs of new cases are stored under a new secret, those of existing cases stay.

The key file holds one to three secrets of 32 bytes: the newest, the previous one while it has cases, and the first,
from which the platforms' entry ids are always derived.
"""

import secrets
from collections.abc import Sequence
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Engine, func, select

from takeback.errors import SettingsError
from takeback.registry.security.credentials import (
    MAX_SECRETS,
    PIN_BYTES,
    PIN_KEY_BYTES,
    PinKey,
    load_pin_key,
    write_secret,
)
from takeback.registry.storage import feed_queries
from takeback.registry.storage.engine import tables as t
from takeback.registry.storage.engine.database import writing


class PinKeyUsage(msgspec.Struct, frozen=True):
    """A secret in the key file: its name, and the number of stored cases under it, including ended ones."""

    name: str
    cases: int


def key_usage(connection: Connection, key: PinKey) -> list[PinKeyUsage]:
    """The secrets of a PIN key, newest first, with the number of cases of each."""
    keys = key.all()
    names = ("newest", "before", "first") if len(keys) == MAX_SECRETS else ("newest", "first")
    return [PinKeyUsage(name, _cases(connection, one)) for name, one in zip(names, keys, strict=False)]


def rotate(engine: Engine, path: Path) -> Sequence[PinKeyUsage]:
    """Adds a new secret to the file and returns the usage of all secrets.

    The file is written while the database is locked, so that concurrent rotations wait for each other. If the process
    is interrupted, the file still holds the database's secret, and the next start stores the new mark. Raises
    `SettingsError` if the previous secret, which would be dropped, still has cases.
    """
    with writing(engine) as connection:
        feed_queries.lock(connection)
        key = load_pin_key(path, feed_queries.pin_key_mark(connection))
        for one in key.all()[1:-1]:
            if count := _cases(connection, one):
                raise SettingsError(
                    f"cases still under the previous PIN key: {count}; rotate again when they have ended and are erased"
                )
        kept = (key.secret,) if not key.before else (key.secret, key.before[-1])
        new = PinKey(secrets.token_bytes(PIN_KEY_BYTES), kept)
        # Before the commit: with a mark in the database whose secret is in no file, no case could be opened.
        write_secret(path, new.file())
        feed_queries.keep_pin_key_mark(connection, new.mark())
        return key_usage(connection, new)


def _cases(connection: Connection, key: PinKey) -> int:
    under = func.substr(t.cases.c.pin, PIN_BYTES + 1) == key.tag()
    count: int = connection.execute(select(func.count()).select_from(t.cases).where(under)).scalar_one()
    return count
