"""The platforms and the digests of their keys, which `takeback platform` changes and every poll looks up."""

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
"""Characters in a platform's name, at most."""


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform as stored. Times are seconds since 1970; it has applied the feed up to `cursor`.

    `told` is the number up to which it was sent the feed. `own_ids_after` is the last entry that it knows by an id from
    before ids differed by platform.
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
        """The platform that holds `key`.

        Raises `NotAPlatform` if none does or the key was revoked; the error is the same for an unknown key id and for a
        wrong secret.
        """
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
        """Adds a platform and returns its key. Raises `SettingsError` if the name is taken or invalid."""
        if not (name.isprintable() and name == name.strip() and 1 <= len(name) <= MAX_NAME_CHARS):
            raise SettingsError(
                f"a platform's name must be 1 to {MAX_NAME_CHARS} printable characters, without spaces at either end"
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
        """Gives a platform a new key; the old one stops working at once. Raises `SettingsError` for an unknown name."""
        key = PlatformKey.new()
        self._change(name, {**_kept(key), "revoked_at": None})
        return key

    def revoke(self, name: str) -> None:
        """Revokes a platform's key, which stops working at once. Raises `SettingsError` for an unknown name."""
        self._change(name, {"revoked_at": int(self._clock())})

    def _change(self, name: str, values: dict[str, object]) -> None:
        with writing(self._engine) as connection:
            changed = connection.execute(update(t.platforms).where(t.platforms.c.name == name).values(values))
        if changed.rowcount == 0:
            raise SettingsError(f"there is no platform {name!r}; see: takeback platform list")


def holders(connection: Connection, keys: Sequence[PlatformKey]) -> list[Platform | NotAPlatform]:
    """The platforms that hold these keys, with a `NotAPlatform` for each key that none holds."""
    rows = bulk_write.among(connection, select(t.platforms), t.platforms.c.key_id, (key.key_id for key in keys))
    known = {row.key_id: row for row in rows}
    return [_holder(key, known.get(key.key_id)) for key in keys]


def _holder(key: PlatformKey, row: Row[*tuple[Any, ...]] | None) -> Platform | NotAPlatform:
    # Compared with zeros for an unknown key id, so that it takes as long as a wrong secret.
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
