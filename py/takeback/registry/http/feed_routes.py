"""The routes of the feed: pages, tiles, snapshots, and the keys that sign them."""

import asyncio
import gzip
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import sha256
from http import HTTPStatus
from typing import IO, Final

from litestar import Response, get
from litestar.exceptions import HTTPException
from litestar.response import Stream

from takeback import bulk, protocol
from takeback.errors import InvalidMessage, StoreUnavailable
from takeback.registry.http import openapi, tiles
from takeback.registry.http.content_encoding import choose
from takeback.registry.http.context import (
    JSON,
    Ask,
    Services,
    answer,
    done,
    number,
    platform_key,
    platform_of,
    query,
    types_known,
)
from takeback.registry.rules import platform_list
from takeback.registry.security.credentials import PlatformKey
from takeback.registry.storage.feed_store import Look, Reading
from takeback.registry.storage.feedback_store import PlatformPosition
from takeback.registry.storage.platforms import Platform
from takeback.registry.storage.row_mapping import Types

SEEN_INTERVAL_SECONDS: Final = 60
"""The shortest time between two writes that a platform was seen, so that most idle polls write nothing.

`QUIET_SECONDS` in `rules/cases.py` covers this and the longest wait of a poll.
"""
CHUNK_BYTES: Final = 1 << 20
"""The size of the chunks in which a long answer is sent."""
MAX_TILE_NUMBER: Final = 2**48
"""The highest tile, whose lines still have numbers of 64 bits."""
MIN_COMPRESSED_BYTES: Final = 1024
"""The size from which a page is compressed, if the client accepts that."""
VARY: Final = f"Authorization, {openapi.SIGNAL_TYPES}"
CACHE: Final = {"Cache-Control": "private, no-cache", "Vary": f"{VARY}, Accept-Encoding"}
"""Only the platform may cache a page, and it must revalidate it before each use."""


@get(openapi.FEED)
async def feed(request: Ask, services: Services) -> Response[bytes]:
    """A page of the feed after the number `after`, which the platform has durably applied."""
    key = platform_key(request)
    try:
        after, limit, wait = _page_range(request)
    except InvalidMessage:
        await platform_of(request, services)  # without a valid key the answer is 401, whatever else is wrong
        raise

    types = types_known(request)
    sites = platform_list.small_sites_told(request.headers.getall(openapi.SMALL_SITES, []))
    look, reading = await _read(services, key, types, after, limit)
    platform = look.platform
    # A cursor beyond the end names lines that no platform can have applied.
    if after <= reading.page.head:
        await _keep_position(services, platform, after, reading.number, sites)
    if wait and not reading.page.entries:
        await services.long_poll.beyond(after, wait)
        look, reading = await _read(services, key, types, after, limit)
        if reading.page.entries:
            await _keep_position(services, look.platform, after, reading.number, sites)
    services.store.usage.count(platform.id, len(reading.page.entries))
    body = protocol.encode(reading.page)
    head = services.signer.sign(reading.number, reading.link, reading.page.head, platform.key_id, body)
    return conditional(request, body, head)


async def _read(services: Services, key: PlatformKey, types: Types, after: int, limit: int) -> tuple[Look, Reading]:
    """The platform and the page; if there is nothing new, one query for all concurrent requests suffices."""
    # Measured: three times as many idle polls a second as with a query for each.
    look = await services.feed_looks.answer(key)
    if after >= look.head:
        return look, Reading(protocol.FeedPage([], look.head), look.head, look.link)
    ids = services.ids_of(look.platform)
    return look, await asyncio.to_thread(services.store.feed.read, after, limit, ids, types)


@get(openapi.FEED_KEYS)
async def feed_keys(request: Ask, services: Services) -> Response[bytes]:
    """The keys that sign the feed."""
    await platform_of(request, services)
    query(request)
    return answer(await asyncio.to_thread(services.signer.keys))


@get(openapi.TILE)
async def feed_tile(request: Ask, services: Services) -> Response[bytes]:
    """A tile of ten thousand lines of the feed, which never change, except that signals are erased.

    Raises `HTTPException` with status 404 until the tile is full.
    """
    platform = await platform_of(request, services)
    query(request)
    place = number({"tile": request.path_params["tile"]}, "tile", 0, MAX_TILE_NUMBER)
    made = await asyncio.to_thread(tiles.tile, services.store, place, services.ids_of(platform), types_known(request))
    if made is None:
        raise HTTPException(status_code=HTTPStatus.NOT_FOUND)
    services.store.usage.count(platform.id, bulk.TILE_LINES)
    lines, link = made
    last = (place + 1) * bulk.TILE_LINES
    head = services.signer.sign(last, link, last, platform.key_id, lines)
    # Of the lines alone, because the signed end has the time, which differs in each answer.
    tag = f'W/"{sha256(lines).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, max-age=86400, immutable", "Vary": VARY}
    if _has(request, tag):
        return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers=headers, media_type=bulk.MEDIA_TYPE)
    return Response(lines + bulk.encode_end(head.encode()), headers=headers, media_type=bulk.MEDIA_TYPE)


@get(openapi.SNAPSHOT)
async def feed_snapshot(request: Ask, services: Services) -> Stream:
    """A snapshot of all active entries."""
    platform = await platform_of(request, services)
    query(request)
    ids = services.ids_of(platform)
    pieces = tiles.snapshot(services.store, services.signer, platform.key_id, ids, types_known(request))
    return Stream(pieces, headers={"Cache-Control": "no-store"}, media_type=bulk.MEDIA_TYPE)


@get(openapi.PARQUET)
async def feed_parquet(request: Ask, services: Services) -> Stream:
    """The snapshot as Parquet, signed in a header like a page."""
    platform = await platform_of(request, services)
    query(request)
    file, head = await asyncio.to_thread(_parquet, services, platform, types_known(request))
    headers = {"Cache-Control": "no-store", openapi.FEED_HEAD: head}
    return Stream(_chunks(file), headers=headers, media_type=openapi.PARQUET_MEDIA)


def _parquet(services: Services, platform: Platform, types: Types) -> tuple[IO[bytes], str]:
    """Writes the snapshot to an unnamed temporary file; returns the file and its signed head.

    Raises `HTTPException` with status 404 if Parquet is not installed, and `StoreUnavailable` if the disk is full.
    """
    try:
        from takeback.registry.http import parquet
    except ImportError as error:  # this registry was installed without it
        raise HTTPException(status_code=HTTPStatus.NOT_FOUND) from error
    try:
        with ExitStack() as undo:
            file = undo.enter_context(tempfile.TemporaryFile())
            number, link, told = parquet.write(services.store, services.ids_of(platform), types, file)
            digest = parquet.digest(file)
            undo.pop_all()
    except OSError as error:
        raise StoreUnavailable("the registry has no disk space for this now") from error
    services.store.usage.count(platform.id, told)
    return file, services.signer.sign_digest(number, link, number, platform.key_id, digest)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while piece := file.read(CHUNK_BYTES):
            yield piece


def conditional(request: Ask, body: bytes, head: str) -> Response[bytes]:
    """An answer with the body, compressed if the client prefers that, or 304 if the client has it already."""
    # Weak, because the plain and the compressed form share it (RFC 9110, section 8.8.1).
    tag = f'W/"{sha256(body).hexdigest()}"'
    headers = {"ETag": tag, openapi.FEED_HEAD: head, **CACHE}
    if _has(request, tag):
        return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers=headers, media_type=JSON)
    if len(body) >= MIN_COMPRESSED_BYTES and _accepts_gzip(request):
        body = gzip.compress(body, 1, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers, media_type=JSON)


def _accepts_gzip(request: Ask) -> bool:
    """Whether the client prefers gzip."""
    return choose(",".join(request.headers.getall("accept-encoding", [])), ["gzip"]) == "gzip"


def _has(request: Ask, tag: str) -> bool:
    """Whether the client has the answer with this entity tag."""
    listed = ",".join(request.headers.getall("if-none-match", [])).split(",")
    return not {one.strip().removeprefix("W/") for one in listed}.isdisjoint({tag.removeprefix("W/"), "*"})


def _page_range(request: Ask) -> tuple[int, int, int]:
    """The parameters `after`, `limit` and `wait`. Raises `InvalidMessage` if one is missing or invalid."""
    given = query(request, "after", "limit", "wait")
    if "after" not in given:
        raise InvalidMessage("this parameter is required: the last number that you applied", "after")
    return (
        number(given, "after", 0, 2**63 - 1),
        number(given, "limit", 1, protocol.MAX_FEED_ENTRIES),
        number(given, "wait", 0, protocol.MAX_WAIT_SECONDS, usual=0),
    )


async def _keep_position(services: Services, platform: Platform, after: int, told: int, sites: int | None) -> None:
    """Stores how far a platform has applied the feed, and up to which number it is sent it now.

    `sites` are the small sites that it said it serves, `None` if it said nothing. Only a look-up service is believed.
    """
    if not platform.is_lookup:
        sites = None
    seen = _is_recent(services, platform.seen_at)
    known = sites is None or (sites == platform.small_sites and _is_recent(services, platform.small_sites_at))
    if not (seen and known and (platform.cursor, platform.told) == (after, told)):
        await done(services.store.feedback.move(PlatformPosition(platform.id, after, told, small_sites=sites)))


def _is_recent(services: Services, at: int | None) -> bool:
    """Whether what was written at the time `at` need not be written again yet."""
    return services.now() - (at or 0) < SEEN_INTERVAL_SECONDS


ROUTES: Final = (feed, feed_keys, feed_tile, feed_snapshot, feed_parquet)
