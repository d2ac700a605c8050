"""The platforms and their keys, in the database: what `takeback platform` changes and what every poll looks up."""

import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from takeback.errors import NotAPlatform, SettingsError
from takeback.registry.security.credentials import PlatformKey
from takeback.registry.storage.engine import bulk_write
from takeback.registry.storage.engine import tables as t
from takeback.registry.storage.engine.database import writing

MAX_NAME_CHARS: Final = 80


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform as it is kept. Times are seconds since 1970; `cursor` is how far it has applied the feed.

    `told` is the number to which the last answer led that it was given from the feed.

    `own_ids_after` is the last entry that it knows by an id from before platforms had ids of their own.
    """

    id: int
    name: str
    key_id: str
    created_at: int
    cursor: int
    seen_at: int | None
    revoked_at: int | None
    own_ids_after: int
    told: int


class Platforms:
    """The platforms in the database of `engine`. `clock` gives seconds since 1970."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock

    def check(self, key: PlatformKey) -> Platform:
        """The platform that holds `key`. Raises `NotAPlatform`; whether the name or the secret is wrong is not told."""
        with self._engine.begin() as connection:
            (found,) = holders(connection, [key])
        if isinstance(found, NotAPlatform):
            raise found
        return found

    def all(self) -> list[Platform]:
        """Every platform, by name."""
        with self._engine.begin() as connection:
            return [_platform(row) for row in connection.execute(select(t.platforms).order_by(t.platforms.c.name))]

    def add(self, name: str) -> PlatformKey:
        """A new platform's key. Raises `SettingsError` if the name is taken or cannot be used."""
        if not (name.isprintable() and name == name.strip() and 1 <= len(name) <= MAX_NAME_CHARS):
            raise SettingsError(
                f"a platform's name is 1 to {MAX_NAME_CHARS} printable characters without spaces around it"
            )
        key = PlatformKey.new()
        row = {"name": name, "created_at": int(self._clock()), "cursor": 0, "own_ids_after": 0, **_kept(key)}
        try:
            with writing(self._engine) as connection:
                connection.execute(insert(t.platforms), row)
        except IntegrityError as error:
            raise SettingsError(f"there is a platform {name!r} already; see: takeback platform list") from error
        return key

    def rotate(self, name: str) -> PlatformKey:
        """A new key for a platform; the old one stops at once. Raises `SettingsError`."""
        key = PlatformKey.new()
        self._change(name, {**_kept(key), "revoked_at": None})
        return key

    def revoke(self, name: str) -> None:
        """The platform's key stops at once. Raises `SettingsError`."""
        self._change(name, {"revoked_at": int(self._clock())})

    def _change(self, name: str, values: dict[str, object]) -> None:
        with writing(self._engine) as connection:
            changed = connection.execute(update(t.platforms).where(t.platforms.c.name == name).values(values))
        if changed.rowcount == 0:
            raise SettingsError(f"there is no platform {name!r}; see: takeback platform list")


def holders(connection: Connection, keys: Sequence[PlatformKey]) -> list[Platform | NotAPlatform]:
    """The platforms that hold these keys, or why one does not, in the caller's transaction."""
    rows = bulk_write.among(connection, select(t.platforms), t.platforms.c.key_id, (key.key_id for key in keys))
    known = {row.key_id: row for row in rows}
    return [_holder(key, known.get(key.key_id)) for key in keys]


def _holder(key: PlatformKey, row: Row[*tuple[Any, ...]] | None) -> Platform | NotAPlatform:
    secret = row.secret if row else bytes(32)
    if not hmac.compare_digest(secret, key.digest()) or row is None or row.revoked_at is not None:
        return NotAPlatform("the registry does not know this key, or it was revoked")
    return _platform(row)


def _kept(key: PlatformKey) -> dict[str, object]:
    return {"key_id": key.key_id, "secret": key.digest()}


def _platform(row: Row[*tuple[Any, ...]]) -> Platform:
    return Platform(
        row.id,
        row.name,
        row.key_id,
        row.created_at,
        row.cursor,
        row.seen_at,
        row.revoked_at,
        row.own_ids_after,
        row.told,
    )
