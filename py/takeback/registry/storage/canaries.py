"""Canaries: entries that one platform alone is told, so that a list which turns up elsewhere tells whose it was.

A canary is made of a drawn picture as an entry is of a person's, with all the signals that the page would send, and it
matches nothing; so nothing in the list tells it apart. The registry cannot read pictures: it is handed the signals. To
every other platform its line is `erased`, with the leaf that keeps the chain one chain for all. Two platforms that lay
their lists side by side find each other's.
"""

import re
import secrets
from collections import Counter
from collections.abc import Sequence
from mmap import mmap
from typing import Final

import msgspec
from sqlalchemy import Connection, bindparam, func, select, update

from takeback.errors import SettingsError
from takeback.protocol import AgeBand, NewCase, Picture, PictureKind, SignalMessage
from takeback.registry.rules.cases import register, signals_of
from takeback.registry.rules.publication_delay import due_times
from takeback.registry.storage import feed_queries
from takeback.registry.storage.engine import bulk_write
from takeback.registry.storage.engine import tables as t

_HEX: Final = re.compile(rb"(?<![0-9a-fA-F])(?:[0-9a-fA-F]{64}|[0-9a-fA-F]{32}|[0-9a-fA-F]{16})(?![0-9a-fA-F])")
_SOME_AGE_BAND: Final = (
    select(t.entries.c.age_band)
    .where(t.entries.c.number >= bindparam("from"), t.entries.c.kind == PictureKind.IMAGE)
    .order_by(t.entries.c.number)
    .limit(1)
)
_END: Final = (
    update(t.canaries)
    .where(t.canaries.c.platform == bindparam("whose"), t.canaries.c.ended_at.is_(None))
    .values(ended_at=bindparam("now"))
    .returning(t.canaries.c.entry)
)


class PlatformCanaries(msgspec.Struct, frozen=True):
    """The canaries of a platform: how many entries, of which moment the newest is, seconds since 1970."""

    platform: str
    entries: int
    made_at: int


class CanaryTrace(msgspec.Struct, frozen=True):
    """How many of a platform's canaries stand in a list, of how many that it was ever told and are still known."""

    platform: str
    found: int
    told: int


def make(connection: Connection, platform: str, pictures: Sequence[Sequence[SignalMessage]], mix: int, now: int) -> int:
    """Makes entries of the signals of drawn pictures for a platform; how many.

    They mix into the feed like anybody's, over `mix` seconds, and tell the same age band as some entry that is there.
    Raises `SettingsError` for an unknown platform.
    """
    whose = _platform(connection, platform)
    feed_queries.lock(connection)
    last = feed_queries.newest(connection)[1]
    cases = [NewCase([Picture(list(signals))], _age_band(connection, last)) for signals in pictures]
    entries = register(cases, feed_queries.active_signals(connection, signals_of(cases)), last).entries
    feed_queries.add(connection, entries, due_times(len(entries), mix, now))
    new = [{"entry": one.number, "platform": whose, "made_at": now} for one in entries]
    bulk_write.insert(connection, t.canaries, new)
    return len(entries)


def end(connection: Connection, platform: str, mix: int, now: int) -> int:
    """Takes a platform's canaries out of the feed, spread over `mix` seconds; how many entries. Raises as `make`."""
    whose = _platform(connection, platform)
    feed_queries.lock(connection)
    ended = list(connection.execute(_END, {"whose": whose, "now": now}).scalars())
    feed_queries.become_due(connection, ended, due_times(len(ended), mix, now))
    return len(ended)


def held(connection: Connection) -> list[PlatformCanaries]:
    """Which platforms have canaries in the feed, or on their way there."""
    rows = connection.execute(
        select(t.platforms.c.name, func.count(), func.max(t.canaries.c.made_at))
        .join(t.canaries, t.canaries.c.platform == t.platforms.c.id)
        .where(t.canaries.c.ended_at.is_(None))
        .group_by(t.platforms.c.name)
        .order_by(t.platforms.c.name)
    )
    return [PlatformCanaries(*row) for row in rows]


def trace(connection: Connection, listed: bytes | mmap) -> list[CanaryTrace]:
    """Whose canaries stand in a list, the most first: text of any form with hashes in hex."""
    rows = connection.execute(
        select(t.platforms.c.name, t.entries.c.value)
        .join(t.canaries, t.canaries.c.platform == t.platforms.c.id)
        .join(t.entries, t.entries.c.number == t.canaries.c.entry)
    ).all()
    whose = {row.value.hex(): row.name for row in rows}
    words = (match[0].decode().lower() for match in _HEX.finditer(listed))
    found = Counter(whose[value] for value in {word for word in words if word in whose})
    told = Counter(whose.values())
    return [CanaryTrace(name, number, told[name]) for name, number in found.most_common()]


def _age_band(connection: Connection, last: int) -> AgeBand:
    """The age band of a picture that somebody sent, so that it is as frequent among canaries as among the others."""
    told = connection.execute(_SOME_AGE_BAND, {"from": secrets.randbelow(last + 1)}).scalar_one_or_none()
    return AgeBand.MINOR if told is None else AgeBand(told)


def _platform(connection: Connection, name: str) -> int:
    number: int | None = connection.execute(
        select(t.platforms.c.id).where(t.platforms.c.name == name)
    ).scalar_one_or_none()
    if number is None:
        raise SettingsError(f"there is no platform {name!r}; see: takeback platform list")
    return number
