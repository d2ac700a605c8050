"""Concurrent requests share one query, and each gets its own answer."""

import asyncio
from collections.abc import Sequence

import pytest

from takeback.errors import NotAPlatform
from takeback.registry.storage.engine.request_coalescing import MAX_BATCH_REQUESTS, RequestCoalescer
from tests.registry.support import Server


class Desk:
    """Answers a number with its double, refuses 13, and fails at 270; `groups` has the questions of each query."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []

    def ask(self, numbers: Sequence[int]) -> list[int | Exception]:
        self.groups.append(list(numbers))
        if 270 in numbers:
            raise ZeroDivisionError
        return [NotAPlatform("no") if number == 13 else 2 * number for number in numbers]


def test_each_gets_an_answer_of_their_own() -> None:
    """Questions that arrive during a query wait for the next one, which has at most `MAX_BATCH_REQUESTS`."""
    desk = Desk()

    async def main() -> list[int | BaseException]:
        together = RequestCoalescer(desk.ask)
        asked = [together.answer(number) for number in range(MAX_BATCH_REQUESTS + 20)]
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = asyncio.run(main())
    assert isinstance(answers[13], NotAPlatform)
    assert answers[14:MAX_BATCH_REQUESTS] == [2 * number for number in range(14, MAX_BATCH_REQUESTS)]
    assert all(isinstance(answer, ZeroDivisionError) for answer in answers[MAX_BATCH_REQUESTS:])
    assert [len(group) for group in desk.groups] == [MAX_BATCH_REQUESTS, 20]


def test_who_leaves_disturbs_nobody() -> None:
    """If the caller of a question is cancelled, the others still get their answers."""
    desk = Desk()

    async def main() -> int:
        together = RequestCoalescer(desk.ask)
        gone = asyncio.create_task(together.answer(1))
        there = asyncio.create_task(together.answer(2))
        await asyncio.sleep(0)
        gone.cancel()
        assert await there == 4
        return await together.answer(3)

    assert asyncio.run(main()) == 6


def test_a_revoked_key_stops_at_once(server: Server) -> None:
    """The next poll with a revoked key is refused, although others share its query."""
    stays, goes = server.platform("Stays"), server.platform("Goes")
    assert [server.http.get("/v1/feed?after=0", headers=one.headers).status_code for one in (stays, goes)] == [200, 200]
    assert server.command("platform", "revoke", "Goes").returncode == 0
    answers = [server.http.get("/v1/feed?after=0", headers=one.headers).status_code for one in (stays, goes)]
    assert answers == [200, 401]


def test_a_key_that_nobody_has_is_refused(server: Server) -> None:
    """An unknown key id, and a known one with a wrong secret, get the same answer."""
    known = server.platform("Known").key
    for key in (known[:-4] + "0000", "tbk_" + "0" * 16 + "_" + "0" * 64):
        answer = server.http.get("/v1/feed?after=0", headers={"Authorization": f"Bearer {key}"})
        assert (answer.status_code, answer.json()["type"]) == (401, "urn:takeback:problem:not-a-platform")


@pytest.mark.parametrize("after", [0, 10**6])
def test_an_empty_feed_and_a_cursor_beyond_it(server: Server, after: int) -> None:
    """Both answers have no entries and the true head."""
    platform = server.platform(f"Beyond {after}")
    head = platform.page(10**9)["head"]
    assert platform.page(max(after, head)) == {"entries": [], "head": head}
