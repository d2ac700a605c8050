"""Asks the database once for all who ask at the same moment: an idle poll then costs next to nothing."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

MAX_BATCH_REQUESTS: Final = 256
"""Questions that are asked at once: well under what a database takes in one list."""


class RequestCoalescer[Q, A]:
    """Gathers questions while `ask` answers those before, in a thread; used within one event loop.

    `ask` gives an answer for each question, or the error that its asker is to see.
    """

    def __init__(self, ask: Callable[[Sequence[Q]], Sequence[A | Exception]]) -> None:
        self._ask = ask
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._asking: asyncio.Task[None] | None = None

    async def answer(self, question: Q) -> A:
        """The answer, or the error."""
        future: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._waiting:
            some, self._waiting = self._waiting[:MAX_BATCH_REQUESTS], self._waiting[MAX_BATCH_REQUESTS:]
            try:
                answers = await asyncio.to_thread(self._ask, [question for question, _ in some])
            except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is
                answers = [error] * len(some)
            for (_, future), answer in zip(some, answers, strict=True):
                if future.done():  # whoever asked is gone
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
