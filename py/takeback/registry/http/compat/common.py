"""What the interfaces for other clients share: authentication, positions, and reads that miss nothing."""

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
"""Seconds that a client's clock may be ahead. A client that sends local time as UTC may be hours ahead; it is refused,
because it would skip entries."""


async def platform_with_key(services: Services, key: str, how: str) -> Platform:
    """The platform with this `key`. Raises `NotAPlatform`; for a malformed key its message is `how`."""
    try:
        read = PlatformKey.from_header(f"Bearer {key}")
    except NotAPlatform as error:
        raise NotAPlatform(how) from error
    return await asyncio.to_thread(services.platforms.check, read)


async def wait_for_writers(services: Services) -> int:
    """Returns the present time in seconds, once everything written before it can be read.

    Raises `StoreUnavailable` if the database cannot be written.
    """
    now = int(services.now())
    await done(services.store.probe())
    return now


async def keep_position(services: Services, platform: Platform, number: int, told: int, at: int) -> None:
    """Stores that a platform has applied the feed up to `number`, and is sent it up to `told`, as of the time `at`."""
    seen = services.now() - (platform.seen_at or 0) < SEEN_INTERVAL_SECONDS
    if not (seen and (platform.cursor, platform.told) == (number, max(number, told))):
        await done(services.store.feedback.move(PlatformPosition(platform.id, number, told, at)))


def feedback_event(what: str, verdict: Verdict, entries: list[str]) -> FeedbackEvent:
    """An event with a platform's verdict on `what`; its id depends on these alone, so that repeats count once."""
    return FeedbackEvent(sha256(f"{what} {verdict}".encode()).hexdigest()[:32], verdict, entries)


async def record_feedback(services: Services, platform: Platform, events: list[FeedbackEvent]) -> FeedbackReceipt:
    """Records the platform's events. Raises `StoreUnavailable` if they cannot be stored."""
    report = Report(platform.id, services.ids_of(platform), events)
    return await done(services.store.feedback.record(report))


def query_parameter(request: Ask, name: str, default: str) -> str:
    """A parameter of the query. Unlike in the registry's own API, unknown parameters are ignored."""
    return str(request.query_params.get(name, default))
