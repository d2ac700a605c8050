"""What the interfaces for other people's clients share: who asks, how far they came, that nothing is missed."""

import asyncio
from hashlib import sha256
from typing import Final

from takeback.errors import NotAPlatform
from takeback.protocol import FeedbackEvent, FeedbackReceipt, Verdict
from takeback.registry.http.context import Ask, Services, done
from takeback.registry.http.feed_routes import SEEN_INTERVAL_SECONDS
from takeback.registry.security.credentials import PlatformKey
from takeback.registry.storage.feedback_store import PlatformPosition, Report
from takeback.registry.storage.platforms import Platform

PAGE_LINES: Final = 1000
"""Lines of the feed in one answer, at most."""
MAX_CLOCK_SKEW_SECONDS: Final = 10
"""Seconds that a client's clock may be ahead. One that sends local time under a `Z` east of Greenwich is hours ahead,
and would step over entries for ever: it is refused."""


async def asking(services: Services, key: str, how: str) -> Platform:
    """The platform whose `key` came with a request. Raises `NotAPlatform`, which tells `how` to send it."""
    try:
        read = PlatformKey.from_header(f"Bearer {key}")
    except NotAPlatform as error:
        raise NotAPlatform(how) from error
    return await asyncio.to_thread(services.platforms.check, read)


async def everything_until_now(services: Services) -> int:
    """The present second; what was written in one before it can be read from here on: the writers are waited for."""
    now = int(services.now())
    await done(services.store.probe())
    return now


async def came_to(services: Services, platform: Platform, number: int, told: int, at: int) -> None:
    """Notes that the platform has applied the feed up to `number`, and is told it up to `told`, as it was `at` then."""
    seen = services.now() - (platform.seen_at or 0) < SEEN_INTERVAL_SECONDS
    if not (seen and (platform.cursor, platform.told) == (number, max(number, told))):
        await done(services.store.feedback.move(PlatformPosition(platform.id, number, told, at)))


def vote(what: str, verdict: Verdict, entries: list[str]) -> FeedbackEvent:
    """A platform's verdict on `what`, which counts once however often it is sent."""
    return FeedbackEvent(sha256(f"{what} {verdict}".encode()).hexdigest()[:32], verdict, entries)


async def tell(services: Services, platform: Platform, events: list[FeedbackEvent]) -> FeedbackReceipt:
    """Records what the platform says."""
    report = Report(platform.id, services.ids_of(platform), events)
    return await done(services.store.feedback.record(report))


def parameter(request: Ask, name: str, default: str) -> str:
    """A parameter of the query; one that the clients of others send and we do not know is passed over."""
    return str(request.query_params.get(name, default))
