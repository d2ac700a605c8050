"""Request coalescing: requests that arrive during a query share the next one, so that an idle poll costs little."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

MAX_BATCH_REQUESTS: Final = 256
"""Requests in one query, at most: far fewer than a database accepts in one list."""


class RequestCoalescer[Q, A]:
    """Collects questions while `ask` answers the previous ones in a thread. Must be used in one event loop.

    `ask` returns for each question its answer, or the error to raise to its caller.
    """

    def __init__(self, ask: Callable[[Sequence[Q]], Sequence[A | Exception]]) -> None:
        self._ask = ask
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._asking: asyncio.Task[None] | None = None

    async def answer(self, question: Q) -> A:
        """The answer to `question`. Raises the error that `ask` returned for it, or raised."""
        future: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._asking is None or self._asking.done():
            # Kept, because the event loop holds tasks by weak references alone.
            self._asking = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._waiting:
            some, self._waiting = self._waiting[:MAX_BATCH_REQUESTS], self._waiting[MAX_BATCH_REQUESTS:]
            try:
                answers = await asyncio.to_thread(self._ask, [question for question, _ in some])
            except Exception as error:  # noqa: BLE001 - the callers must get every error
                answers = [error] * len(some)
            for (_, future), answer in zip(some, answers, strict=True):
                if future.done():  # its caller was cancelled
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
