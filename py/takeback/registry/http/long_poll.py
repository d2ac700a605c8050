"""Waits for news of the feed on behalf of every platform that asks to wait, with one look at the database for all."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

POLL_INTERVAL_SECONDS: Final = 0.25
"""Seconds between looks while somebody waits. Other processes write too, so the database alone knows."""


class LongPoll:
    """The feed's newest number as it grows. `read` gives it and blocks; used within one event loop."""

    def __init__(self, read: Callable[[], int]) -> None:
        self._read = read
        self._look: asyncio.Task[int] | None = None
        self._stopped = False

    def stop(self) -> None:
        """Lets everybody who waits go, and nobody wait again: the server is about to end."""
        self._stopped = True

    @property
    def stopped(self) -> bool:
        """Whether the server is about to end."""
        return self._stopped

    async def beyond(self, number: int, seconds: float) -> None:
        """Comes back when the feed has gone beyond `number`, at the latest after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._stopped and await self._newest() <= number:
                    pass

    async def _newest(self) -> int:
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._ask())
        return await asyncio.shield(self._look)

    async def _ask(self) -> int:
        await asyncio.sleep(POLL_INTERVAL_SECONDS)
        return await asyncio.to_thread(self._read)
