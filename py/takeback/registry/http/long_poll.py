"""Long polls: requests that wait for new lines of the feed share one query of the database."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

POLL_INTERVAL_SECONDS: Final = 0.25
"""Seconds between queries while a request waits. Other processes write too, so only the database has the news."""


class LongPoll:
    """Waits for the feed's newest number to grow. `read` returns it and blocks. Must be used in one event loop."""

    def __init__(self, read: Callable[[], int]) -> None:
        self._read = read
        self._look: asyncio.Task[int] | None = None
        self._stopped = False

    def stop(self) -> None:
        """Ends all waits, now and from now on, because the server is stopping."""
        self._stopped = True

    @property
    def stopped(self) -> bool:
        """Whether the server is stopping."""
        return self._stopped

    async def beyond(self, number: int, seconds: float) -> None:
        """Returns when the feed has gone beyond `number`, and at the latest after `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._stopped and await self._newest() <= number:
                    pass

    async def _newest(self) -> int:
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._ask())
        # Shielded, because others may wait for the same query when one's time is over.
        return await asyncio.shield(self._look)

    async def _ask(self) -> int:
        await asyncio.sleep(POLL_INTERVAL_SECONDS)
        return await asyncio.to_thread(self._read)
