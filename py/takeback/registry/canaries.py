"""Canaries: entries that one platform alone is told, so that a list which turns up elsewhere tells whose it was.

A canary looks like any entry and matches nothing: its values are chance. To every other platform its line is `erased`,
with the leaf that keeps the chain one chain for all. Two platforms that lay their lists side by side find each other's.
"""

import random
import re
import secrets
from collections import Counter
from collections.abc import Sequence
from mmap import mmap
from typing import Final

import msgspec
from sqlalchemy import Connection, bindparam, func, select, update

from takeback.errors import SettingsError
from takeback.protocol import AgeBand, PictureKind, SignalMessage
from takeback.registry import many, queries
from takeback.registry import tables as t
from takeback.registry.cases import Entry
from takeback.registry.mixing import moments
from takeback.signals import SignalType

_HEX: Final = re.compile(rb"(?<![0-9a-fA-F])(?:[0-9a-fA-F]{64}|[0-9a-fA-F]{32})(?![0-9a-fA-F])")
_BITS: Final = 256
_END: Final = (
    update(t.canaries)
    .where(t.canaries.c.platform == bindparam("whose"), t.canaries.c.ended_at.is_(None))
    .values(ended_at=bindparam("now"))
    .returning(t.canaries.c.entry)
)


class Held(msgspec.Struct, frozen=True):
    """The canaries of a platform: how many entries, of which moment the newest is, seconds since 1970."""

    platform: str
    entries: int
    made_at: int


class Traced(msgspec.Struct, frozen=True):
    """How many of a platform's canaries stand in a list, of how many that it was ever told and are still known."""

    platform: str
    found: int
    told: int


def make(connection: Connection, platform: str, pictures: int, mix: int, now: int) -> int:
    """Makes up pictures for a platform, each an entry of PDQ, SHA-256 and MD5; how many entries.

    They mix into the feed like anybody's, over `mix` seconds. Raises `SettingsError` for an unknown platform.
    """
    whose = _platform(connection, platform)
    queries.lock(connection)
    last = queries.newest(connection)[1]
    signals = [signal for _ in range(pictures) for signal in _made_up()]
    entries = [
        Entry(number, signal, PictureKind.IMAGE, False, AgeBand.MINOR)
        for number, signal in enumerate(signals, last + 1)
    ]
    queries.add(connection, entries, moments(len(entries), mix, now))
    new = [{"entry": one.number, "platform": whose, "made_at": now} for one in entries]
    many.insert(connection, t.canaries, new)
    return len(entries)


def end(connection: Connection, platform: str, mix: int, now: int) -> int:
    """Takes a platform's canaries out of the feed, spread over `mix` seconds; how many entries. Raises as `make`."""
    whose = _platform(connection, platform)
    queries.lock(connection)
    ended = list(connection.execute(_END, {"whose": whose, "now": now}).scalars())
    queries.become_due(connection, ended, moments(len(ended), mix, now))
    return len(ended)


def held(connection: Connection) -> list[Held]:
    """Which platforms have canaries in the feed, or on their way there."""
    rows = connection.execute(
        select(t.platforms.c.name, func.count(), func.max(t.canaries.c.made_at))
        .join(t.canaries, t.canaries.c.platform == t.platforms.c.id)
        .where(t.canaries.c.ended_at.is_(None))
        .group_by(t.platforms.c.name)
        .order_by(t.platforms.c.name)
    )
    return [Held(*row) for row in rows]


def trace(connection: Connection, listed: bytes | mmap) -> list[Traced]:
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
    return [Traced(name, number, told[name]) for name, number in found.most_common()]


def _made_up() -> Sequence[SignalMessage]:
    """The signals of a picture that never was. Half of a PDQ's bits are set, as its median sees to."""
    ones = random.SystemRandom().sample(range(_BITS), _BITS // 2)
    pdq = sum(1 << one for one in ones).to_bytes(_BITS // 8).hex()
    return (
        SignalMessage(SignalType.PDQ, pdq, 100),
        SignalMessage(SignalType.SHA256, secrets.token_hex(32)),
        SignalMessage(SignalType.MD5, secrets.token_hex(16)),
    )


def _platform(connection: Connection, name: str) -> int:
    number: int | None = connection.execute(
        select(t.platforms.c.id).where(t.platforms.c.name == name)
    ).scalar_one_or_none()
    if number is None:
        raise SettingsError(f"there is no platform {name!r}; see: takeback platform list")
    return number
