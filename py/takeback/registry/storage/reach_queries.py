"""The SQL of how far platforms have followed the feed, and of whom a change has reached.

Each function is one query or one change, in the caller's transaction.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy import Connection, and_, bindparam, case, func, select, update

from takeback.registry.rules.platform_list import FOLLOWING_SECONDS, Reached
from takeback.registry.storage.engine import tables as t

_IS_LOOKUP: Final = t.platforms.c.is_lookup
_REACHED: Final = select(
    func.count(case((~_IS_LOOKUP, t.platforms.c.id))),
    func.sum(
        case(
            # The same rule as `platform_list.small_sites`.
            (and_(_IS_LOOKUP, t.platforms.c.small_sites_at >= bindparam("since")), t.platforms.c.small_sites),
            else_=0,
        )
    ),
).where(
    t.platforms.c.revoked_at.is_(None),
    t.platforms.c.told >= bindparam("feed_number"),
    t.platforms.c.told_at >= bindparam("polls_from"),
)
_MOVE: Final = (
    update(t.platforms)
    .where(t.platforms.c.id == bindparam("platform"))
    .values(cursor=bindparam("to"), seen_at=bindparam("now"), told=bindparam("up_to"), told_at=bindparam("at"))
)
_SERVE: Final = (
    update(t.platforms)
    .where(t.platforms.c.id == bindparam("platform"), _IS_LOOKUP)
    .values(small_sites=bindparam("sites"), small_sites_at=bindparam("now"))
)
"""Only of a platform that is marked at this moment, whatever the route has read before."""


def reach(connection: Connection, feed_number: int, polls_from: int, now: float) -> Reached:
    """Who has received the feed up to `feed_number` by a poll at or after `polls_from`, as of the time `now`."""
    asked = {"feed_number": feed_number, "polls_from": polls_from, "since": math.ceil(now - FOLLOWING_SECONDS)}
    platforms, sites = connection.execute(_REACHED, asked).one()
    return Reached(platforms, int(sites or 0))


def keep_positions(connection: Connection, positions: Iterable[tuple[int, int, int, int]], now: int) -> None:
    """Stores the `positions` of platforms: id, cursor, the number up to which they were sent the feed, and when."""
    rows = [{"platform": id_, "to": to, "up_to": told, "at": at, "now": now} for id_, to, told, at in positions]
    connection.execute(_MOVE, rows)


def keep_small_sites(connection: Connection, told: Mapping[int, int], now: int) -> None:
    """Stores how many small sites look-up services serve, by the id of each; other platforms are left out."""
    rows = [{"platform": id_, "sites": sites, "now": now} for id_, sites in told.items()]
    if rows:
        connection.execute(_SERVE, rows)
