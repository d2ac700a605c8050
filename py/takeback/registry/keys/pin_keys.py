"""Rotates the PIN key: new cases are kept under a new secret, cases that are there stay under the one before.

The file of the key holds one to three secrets of 32 bytes: the newest, the one before it while it has cases, and the
first, from which the platforms' entry ids are derived for ever.
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
    """A secret of the file: its name, and how many cases are kept under it, those that ended included."""

    name: str
    cases: int


def held(connection: Connection, key: PinKey) -> list[PinKeyUsage]:
    """The secrets of a PIN key, the newest first, and how many cases each has."""
    keys = key.all()
    names = ("newest", "before", "first") if len(keys) == MAX_SECRETS else ("newest", "first")
    return [PinKeyUsage(name, _cases(connection, one)) for name, one in zip(names, keys, strict=False)]


def rotate(engine: Engine, path: Path) -> Sequence[PinKeyUsage]:
    """Puts a new secret before those in the file; who is held now. Raises `SettingsError` where cases would be lost.

    The file is written while the database is locked, so that of two that rotate one waits for the other. A process that
    stops in between leaves a file that holds what the database is under, and the next start ties them again.
    """
    with writing(engine) as connection:
        feed_queries.lock(connection)
        key = load_pin_key(path, feed_queries.pin_key_mark(connection))
        for one in key.all()[1:-1]:
            if count := _cases(connection, one):
                raise SettingsError(
                    f"cases that are still under the PIN key before the present one: {count}; rotate again when they "
                    "have ended and are erased"
                )
        kept = (key.secret,) if not key.before else (key.secret, key.before[-1])
        new = PinKey(secrets.token_bytes(PIN_KEY_BYTES), kept)
        write_secret(path, new.file())
        feed_queries.keep_pin_key_mark(connection, new.mark())
        return held(connection, new)


def _cases(connection: Connection, key: PinKey) -> int:
    under = func.substr(t.cases.c.pin, PIN_BYTES + 1) == key.tag()
    count: int = connection.execute(select(func.count()).select_from(t.cases).where(under)).scalar_one()
    return count
