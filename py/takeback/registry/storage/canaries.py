"""Canaries: entries that only one platform sees, so that a leaked list can be traced to the platform that had it.

Canaries are made from drawn pictures, with all the signals that the page would send. They match nothing, and nothing in
the list distinguishes them from other entries. The registry cannot read pictures, so the caller passes the signals. For
every other platform the line is a tombstone with the entry's leaf, so that all have the same hash chain. Two platforms
that compare their lists can find each other's canaries.
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
from takeback.registry.storage.row_mapping import AnyRow

# Only whole runs of hex digits, so that no part of a longer one is taken for a hash.
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
    """The canaries of a platform: the number of entries, and when the newest was made, in seconds since 1970."""

    platform: str
    entries: int
    made_at: int


class CanaryTrace(msgspec.Struct, frozen=True):
    """How many of a platform's canaries are in a list, and how many of them are stored in all."""

    platform: str
    found: int
    told: int


def make(
    connection: Connection, platform: str, pictures: Sequence[Sequence[SignalMessage]], max_delay: int, now: int
) -> int:
    """Makes canaries for a platform from the signals of drawn pictures; returns the number of entries.

    Like any entries they are published within `max_delay` seconds, and they have the age band of a random entry. Raises
    `SettingsError` for an unknown platform.
    """
    whose = _platform(connection, platform)
    feed_queries.lock(connection)
    last = feed_queries.newest(connection)[1]
    cases = [NewCase([Picture(list(signals))], _age_band(connection, last)) for signals in pictures]
    entries = register(cases, feed_queries.active_signals(connection, signals_of(cases)), last).entries
    feed_queries.add(connection, entries, due_times(len(entries), max_delay, now))
    new = [{"entry": one.number, "platform": whose, "made_at": now} for one in entries]
    bulk_write.insert(connection, t.canaries, new)
    return len(entries)


def end(connection: Connection, platform: str, max_delay: int, now: int) -> int:
    """Removes a platform's canaries from the feed within `max_delay` seconds; returns the number of entries.

    Raises `SettingsError` for an unknown platform.
    """
    whose = _platform(connection, platform)
    feed_queries.lock(connection)
    ended = list(connection.execute(_END, {"whose": whose, "now": now}).scalars())
    feed_queries.become_due(connection, ended, due_times(len(ended), max_delay, now))
    return len(ended)


def canary_counts(connection: Connection) -> list[PlatformCanaries]:
    """The platforms that have canaries in the feed, or due to enter it."""
    rows = connection.execute(
        select(t.platforms.c.name, func.count(), func.max(t.canaries.c.made_at))
        .join(t.canaries, t.canaries.c.platform == t.platforms.c.id)
        .where(t.canaries.c.ended_at.is_(None))
        .group_by(t.platforms.c.name)
        .order_by(t.platforms.c.name)
    )
    return [PlatformCanaries(*row) for row in rows]


def trace(connection: Connection, listed: bytes | mmap) -> list[CanaryTrace]:
    """The platforms whose canaries are in `listed`, a text of any form with hashes in hex, by their number.

    A canary of several hashes is in it if they all are.
    """
    rows = connection.execute(
        select(t.platforms.c.name, t.entries.c.value, t.entries.c.text)
        .join(t.canaries, t.canaries.c.platform == t.platforms.c.id)
        .join(t.entries, t.entries.c.number == t.canaries.c.entry)
    ).all()
    made = [(row.name, _hashes(row)) for row in rows]
    ours = {word for _, hashes in made for word in hashes}
    there = {word for match in _HEX.finditer(listed) if (word := match[0].decode().lower()) in ours}
    found = Counter(name for name, hashes in made if hashes <= there)
    told = Counter(name for name, _ in made)
    return [CanaryTrace(name, number, told[name]) for name, number in found.most_common()]


def _hashes(row: AnyRow) -> set[str]:
    """The hashes of a canary's signal in hex; one of several hashes is stored as text."""
    return {row.value.hex()} if row.text is None else {word.decode() for word in _HEX.findall(row.text)}


def _age_band(connection: Connection, last: int) -> AgeBand:
    """The age band of a random entry of a picture, so that canaries have the same distribution as other entries."""
    told = connection.execute(_SOME_AGE_BAND, {"from": secrets.randbelow(last + 1)}).scalar_one_or_none()
    return AgeBand.MINOR if told is None else AgeBand(told)


def _platform(connection: Connection, name: str) -> int:
    number: int | None = connection.execute(
        select(t.platforms.c.id).where(t.platforms.c.name == name)
    ).scalar_one_or_none()
    if number is None:
        raise SettingsError(f"there is no platform {name!r}; see: takeback platform list")
    return number
