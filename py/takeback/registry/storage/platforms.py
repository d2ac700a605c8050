"""The platforms and the digests of their keys, which `takeback platform` changes and every poll looks up."""

import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from takeback.errors import NotAPlatform, SettingsError
from takeback.protocol import PlatformList
from takeback.registry.rules import platform_list
from takeback.registry.security.credentials import PlatformKey
from takeback.registry.storage import feed_queries
from takeback.registry.storage.engine import bulk_write
from takeback.registry.storage.engine import tables as t
from takeback.registry.storage.engine.database import writing

MAX_NAME_CHARS: Final = 80
"""Characters in a platform's name, at most."""


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform as stored. Times are seconds since 1970; it has applied the feed up to `cursor`.

    `told` is the number up to which it was sent the feed, and `told_at` when that was last, 0 for never.
    `own_ids_after` is the last entry that it knows by an id from before ids differed by platform. `published_name` is
    the name that everybody sees, which the operator set at `published_at` with the platform's consent. A look-up
    service said at `small_sites_at` that it serves so many `small_sites`.
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
    told_at: int
    published_name: str | None
    published_at: int | None
    is_lookup: bool
    small_sites: int
    small_sites_at: int | None

    def follows(self, now: float) -> bool:
        """Whether the platform follows the feed at the time `now`, in seconds since 1970."""
        return platform_list.follows(self.told_at, self.revoked_at, now)

    def small_sites_now(self, now: float) -> int:
        """The number of small sites that it serves at the time `now`, 0 for other platforms than look-up services."""
        if not (self.is_lookup and self.follows(now)):
            return 0
        return platform_list.small_sites(self.small_sites, self.small_sites_at, now)


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

    def public_list(self) -> PlatformList:
        """The platforms that follow the feed now, as everybody may see them."""
        now = self._clock()
        following = [one for one in self.all() if one.follows(now)]
        names = [one.published_name for one in following if one.published_name is not None]
        unnamed = [one for one in following if one.published_name is None and not one.is_lookup]
        return PlatformList(
            sorted(names, key=lambda name: (name.casefold(), name)),
            len(unnamed),
            sum(one.small_sites_now(now) for one in following),
        )

    def add(self, name: str, *, is_lookup: bool = False) -> PlatformKey:
        """Adds a platform and returns its key. Raises `SettingsError` if the name is taken or invalid."""
        if not (name.isprintable() and name == name.strip() and 1 <= len(name) <= MAX_NAME_CHARS):
            raise SettingsError(
                f"a platform's name must be 1 to {MAX_NAME_CHARS} printable characters, without spaces at either end"
            )
        key = PlatformKey.new()
        row = {"name": name, "created_at": int(self._clock()), "cursor": 0, "own_ids_after": 0, "is_lookup": is_lookup}
        try:
            with writing(self._engine) as connection:
                connection.execute(insert(t.platforms), row | _kept(key))
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

    def set_lookup(self, name: str, is_lookup: bool) -> None:
        """Marks a platform as a look-up service, or no longer as one. Raises `SettingsError` for an unknown name."""
        # What it said before does not count: it was not yet trusted, or is not any more.
        self._change(name, {"is_lookup": is_lookup, "small_sites": 0, "small_sites_at": None})

    def publishable(self, name: str, shown: str) -> Platform:
        """The platform as it would be if it were published under the name `shown`; nothing is changed.

        Raises `SettingsError` if there is no such platform, or the name to show is invalid or taken by another one.
        """
        with self._engine.begin() as connection:
            return self._publishable(connection, name, shown)

    def publish(self, name: str, shown: str) -> Platform:
        """Publishes a platform, which must have consented, under the name `shown`. Raises like `publishable`."""
        with writing(self._engine) as connection:
            # Locked, so that two commands at once cannot publish two platforms under one name.
            feed_queries.lock(connection)
            one = self._publishable(connection, name, shown)
            now_public = {"published_name": one.published_name, "published_at": one.published_at}
            connection.execute(update(t.platforms).where(t.platforms.c.id == one.id).values(now_public))
        return one

    def unpublish(self, name: str) -> None:
        """Hides a platform's name from everybody. Raises `SettingsError` for an unknown platform."""
        self._change(name, {"published_name": None, "published_at": None})

    def _publishable(self, connection: Connection, name: str, shown: str) -> Platform:
        known = {row.name: _platform(row) for row in connection.execute(select(t.platforms))}
        if name not in known:
            raise _unknown(name)
        published = platform_list.published_name(shown)
        for other in known.values():
            taken = other.published_name is not None and platform_list.is_same_name(other.published_name, published)
            if taken and other.name != name:
                raise SettingsError(
                    f"{other.name!r} is published as {other.published_name!r} already; choose another name to show"
                )
        return replace(known[name], published_name=published, published_at=int(self._clock()))

    def _change(self, name: str, values: dict[str, object]) -> None:
        with writing(self._engine) as connection:
            changed = connection.execute(update(t.platforms).where(t.platforms.c.name == name).values(values))
        if changed.rowcount == 0:
            raise _unknown(name)


def _unknown(name: str) -> SettingsError:
    return SettingsError(f"there is no platform {name!r}; see: takeback platform list")


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
        row.told_at,
        row.published_name,
        row.published_at,
        row.is_lookup,
        row.small_sites,
        row.small_sites_at,
    )
