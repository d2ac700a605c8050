"""The routes of the feed: pages, signed and conditional, and the keys that sign them."""

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
from takeback.registry.http.context import JSON, Ask, Services, answer, done, number, platform_key, platform_of, query
from takeback.registry.security.credentials import PlatformKey
from takeback.registry.storage.feed_store import Look, Reading
from takeback.registry.storage.feedback_store import PlatformPosition
from takeback.registry.storage.platforms import Platform

SEEN_EVERY: Final = 60
"""Seconds. A platform that polls in vain is noted this often at most, so that an idle poll writes nothing.

`cases.QUIET` covers this and the longest wait of a poll.
"""
PIECE: Final = 1 << 20
"""Bytes of a long answer that are sent at a time."""
MAX_TILE: Final = 2**48
WORTH_PACKING: Final = 1024
"""Bytes from which a page is compressed for whoever takes it so."""
CACHE: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Accept-Encoding"}
"""A page may be kept by the platform alone, and must be asked about before it is used again."""


@get(openapi.FEED)
async def feed(request: Ask, services: Services) -> Response[bytes]:
    """A page of the feed; `after` says what the platform has taken over."""
    key = platform_key(request)
    try:
        after, limit, wait = _asked(request)
    except InvalidMessage:
        await platform_of(request, services)  # a stranger hears of no other fault
        raise

    look, reading = await _read(services, key, after, limit)
    platform = look.platform
    if after <= reading.page.head:
        await _move(services, platform, after, reading.number)
    if wait and not reading.page.entries:
        await services.heads.beyond(after, wait)
        look, reading = await _read(services, key, after, limit)
        if reading.page.entries:
            await _move(services, look.platform, after, reading.number)
    services.store.usage.count(platform.id, len(reading.page.entries))
    body = protocol.encode(reading.page)
    head = services.signer.sign(reading.number, reading.link, reading.page.head, platform.key_id, body)
    return conditional(request, body, head)


async def _read(services: Services, key: PlatformKey, after: int, limit: int) -> tuple[Look, Reading]:
    """Who asks, and the page: where there is nothing new, one look for all who ask at the same moment is enough."""
    look = await services.looks.answer(key)
    if after >= look.head:
        return look, Reading(protocol.FeedPage([], look.head), look.head, look.link)
    return look, await asyncio.to_thread(services.store.feed.read, after, limit, services.ids_of(look.platform))


@get(openapi.FEED_KEYS)
async def feed_keys(request: Ask, services: Services) -> Response[bytes]:
    """The keys that sign the feed."""
    await platform_of(request, services)
    query(request)
    return answer(await asyncio.to_thread(services.signer.keys))


@get(openapi.TILE)
async def feed_tile(request: Ask, services: Services) -> Response[bytes]:
    """Ten thousand lines of the feed, which never change but that their signals may be erased."""
    platform = await platform_of(request, services)
    query(request)
    place = number({"tile": request.path_params["tile"]}, "tile", 0, MAX_TILE)
    made = await asyncio.to_thread(tiles.tile, services.store, place, services.ids_of(platform))
    if made is None:
        raise HTTPException(status_code=HTTPStatus.NOT_FOUND)
    services.store.usage.count(platform.id, bulk.TILE_LINES)
    lines, link = made
    last = (place + 1) * bulk.TILE_LINES
    head = services.signer.sign(last, link, last, platform.key_id, lines)
    tag = f'W/"{sha256(lines).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, max-age=86400, immutable", "Vary": "Authorization"}
    if _has(request, tag):
        return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers=headers, media_type=bulk.MEDIA_TYPE)
    return Response(lines + bulk.encode_end(head.encode()), headers=headers, media_type=bulk.MEDIA_TYPE)


@get(openapi.SNAPSHOT)
async def feed_snapshot(request: Ask, services: Services) -> Stream:
    """What the feed adds up to now."""
    platform = await platform_of(request, services)
    query(request)
    ids = services.ids_of(platform)
    pieces = tiles.snapshot(services.store, services.signer, platform.key_id, ids)
    return Stream(pieces, headers={"Cache-Control": "no-store"}, media_type=bulk.MEDIA_TYPE)


@get(openapi.PARQUET)
async def feed_parquet(request: Ask, services: Services) -> Stream:
    """The same as Parquet, signed in the header as a page is."""
    platform = await platform_of(request, services)
    query(request)
    file, head = await asyncio.to_thread(_parquet, services, platform)
    headers = {"Cache-Control": "no-store", openapi.FEED_HEAD: head}
    return Stream(_pieces(file), headers=headers, media_type=openapi.PARQUET_MEDIA)


def _parquet(services: Services, platform: Platform) -> tuple[IO[bytes], str]:
    """The file, which nobody else can see, and what is signed for it."""
    try:
        from takeback.registry.http import parquet
    except ImportError as error:  # this registry was installed without it
        raise HTTPException(status_code=HTTPStatus.NOT_FOUND) from error
    try:
        with ExitStack() as undo:
            file = undo.enter_context(tempfile.TemporaryFile())
            number, link, told = parquet.write(services.store, services.ids_of(platform), file)
            digest = parquet.digest(file)
            undo.pop_all()
    except OSError as error:
        raise StoreUnavailable("the registry has no room for this now") from error
    services.store.usage.count(platform.id, told)
    return file, services.signer.sign_digest(number, link, number, platform.key_id, digest)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while piece := file.read(PIECE):
            yield piece


def conditional(request: Ask, body: bytes, head: str) -> Response[bytes]:
    """The body, compressed if that is wanted, or that the platform has it already."""
    tag = f'W/"{sha256(body).hexdigest()}"'
    headers = {"ETag": tag, openapi.FEED_HEAD: head, **CACHE}
    if _has(request, tag):
        return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers=headers, media_type=JSON)
    if len(body) >= WORTH_PACKING and _packed(request):
        body = gzip.compress(body, 1, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers, media_type=JSON)


def _packed(request: Ask) -> bool:
    """Whether whoever asks takes gzip, and likes it."""
    return choose(",".join(request.headers.getall("accept-encoding", [])), ["gzip"]) == "gzip"


def _has(request: Ask, tag: str) -> bool:
    """Whether whoever asks has what is tagged so."""
    listed = ",".join(request.headers.getall("if-none-match", [])).split(",")
    return not {one.strip().removeprefix("W/") for one in listed}.isdisjoint({tag.removeprefix("W/"), "*"})


def _asked(request: Ask) -> tuple[int, int, int]:
    """After which number, how many at most, and how long to wait. Raises `InvalidMessage`."""
    given = query(request, "after", "limit", "wait")
    if "after" not in given:
        raise InvalidMessage("say after which number", "after")
    return (
        number(given, "after", 0, 2**63 - 1),
        number(given, "limit", 1, protocol.MAX_FEED_ENTRIES),
        number(given, "wait", 0, protocol.MAX_WAIT_SECONDS, usual=0),
    )


async def _move(services: Services, platform: Platform, after: int, told: int) -> None:
    """Notes how far a platform has come, and up to where it is told the feed now."""
    seen = services.now() - (platform.seen_at or 0) < SEEN_EVERY
    if not (seen and (platform.cursor, platform.told) == (after, told)):
        await done(services.store.feedback.move(PlatformPosition(platform.id, after, told)))


ROUTES: Final = (feed, feed_keys, feed_tile, feed_snapshot, feed_parquet)
