"""Verifies a database by following its own feed from the first line to the last."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from sqlalchemy import Connection, select

from takeback import chain
from takeback.errors import SettingsError
from takeback.protocol import EntryStatus, FeedAction, FeedKey
from takeback.registry.storage import feed_queries, row_mapping
from takeback.registry.storage.engine import tables as t

BATCH_ROWS: Final = 5000
"""Rows that are fetched at a time."""
_LINES: Final = (
    select(
        *t.feed.c,
        t.entries.c.number.label("there"),
        *(t.entries.c[name] for name in ("type", "value", "text", "quality", "variant", "kind", "ai_made", "age_band")),
        *(t.entries.c[name] for name in ("added", "added_at", "removed", "salt", "active")),
    )
    .outerjoin(t.entries, t.entries.c.number == t.feed.c.entry)
    .order_by(t.feed.c.number)
    .execution_options(yield_per=BATCH_ROWS)
)
_IN_FEED: Final = select(t.entries.c.number, t.entries.c.standing).where(
    t.entries.c.added.is_not(None), t.entries.c.removed.is_(None)
)


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of a verification: the feed's lines, its active entries, and the last link of the hash chain."""

    lines: int
    entries: int
    link: str


def prove(connection: Connection) -> Proof:
    """Verifies the feed in the caller's transaction. Raises `SettingsError`, which names the line that is wrong."""
    link, number, active, added = chain.FIRST_LINK, 0, dict[int, str](), dict[int, int]()
    with connection.execute(_LINES) as rows:
        for row in rows:
            number += 1
            if row.number != number:
                raise SettingsError(f"number {number} is missing from the feed")
            _check_action(row, active)
            # The leaf of a later line names the number of the line that added its entry.
            link = chain.link(link, _leaf(row, added.setdefault(row.entry, number)))
            if link != row.chain:
                raise SettingsError(f"number {number} of the feed was changed after it was written")
    if (number, link) != feed_queries.link(connection):
        raise SettingsError(f"the feed ends at number {number}, which is not the end that the registry recorded")
    there = {row.number: row.standing for row in connection.execute(_IN_FEED)}
    if there != active:
        one, _ = min(there.items() ^ active.items())
        raise SettingsError(f"entry {one} is stored in a different state than the feed says")
    return Proof(number, len(active), link.hex())


def prove_keys(keys: Sequence[FeedKey]) -> None:
    """Verifies the succession of feed keys from the first to the last, as a gate does.

    A key without a signature is valid too: its predecessor was lost, and platforms were given the key by hand. Raises
    `SettingsError` if a signature is wrong or the first key is missing.
    """
    for number, (before, after) in enumerate(pairwise(keys), 2):
        if after.signature is not None and not chain.is_successor(before.key, after):
            raise SettingsError(f"feed key {number} is not signed by its predecessor: restore your last backup")
    if keys and keys[0].signature is not None:
        raise SettingsError("the first feed key is missing: restore your last backup")


def _check_action(row: row_mapping.AnyRow, active: dict[int, str]) -> None:
    """Applies a line to `active`, the statuses of the entries in the feed, if the rules of the feed allow it."""
    if row.action == FeedAction.ADD:
        if row.entry in active:
            raise SettingsError(f"number {row.number} of the feed adds an entry that is already in it")
        active[row.entry] = row.standing or EntryStatus.BLOCK
    elif row.entry not in active:
        raise SettingsError(f"number {row.number} of the feed {row.action}s an entry that is not in it")
    elif row.action == FeedAction.REMOVE:
        del active[row.entry]
    else:
        active[row.entry] = row.standing


def _leaf(row: row_mapping.AnyRow, added: int) -> bytes:
    if row.action == FeedAction.ADD and row.there is None:
        if row.leaf is None:
            raise SettingsError(f"number {row.number} of the feed has lost its entry")
        return bytes(row.leaf)
    return chain.leaf(row_mapping.new_line(row.number, FeedAction(row.action), row.standing, row), added)
