"""A case's status does not reveal whether others sent the same picture before."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from takeback.registry.rules.cases import QUIET_SECONDS
from takeback.registry.server import build_site
from takeback.registry.settings import RegistrySettings
from tests.registry.conftest import NewDatabase
from tests.registry.support import Json, follow, pdq, secret_headers, sha256

MIX = 300
STEP = 10
"""Seconds between steps."""
LONG = 1500
SLOW = 600
START = 1_800_000_000
OTHER_PIN = "2345-6789-ABCD"


class Gate:
    """A platform that polls at an interval, and blocks an upload if it has its signals."""

    def __init__(self, http: httpx.AsyncClient, key: str, every: int) -> None:
        self.http = http
        self.headers = {"Authorization": f"Bearer {key}"}
        self.every = every
        self.lines: list[Json] = []

    async def poll(self) -> None:
        """Polls the feed from the platform's position."""
        answer = await self.http.get("/v1/feed", params={"after": len(self.lines)}, headers=self.headers)
        self.lines += answer.raise_for_status().json()["entries"]

    async def upload(self, values: set[str], name: str) -> None:
        """Checks an upload with these hashes, and reports it if it is blocked."""
        known = [entry for entry, (_, value) in follow(iter(self.lines))[0].items() if value in values]
        if known:
            body = {"feedback": [{"id": name, "verdict": "blocked", "entries": known}]}
            (await self.http.post("/v1/feedback", json=body, headers=self.headers)).raise_for_status()


class World:
    """A registry whose clock the test sets, with a fast platform and a slow one."""

    def __init__(self, where: Path | str, data: Path) -> None:
        self.now = START
        database, kept = (where, data) if isinstance(where, str) else ("", where.parent)
        settings = RegistrySettings(data=kept, database=database, keys=data / "keys", mix=MIX, work=0)
        site, services = build_site(settings, lambda: float(self.now))
        self.store, platforms = services.store, services.platforms
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(site), base_url="http://registry")
        self.gates = [Gate(self.http, platforms.add(f"every {n}").text(), n) for n in (STEP, SLOW)]

    async def submit(self, picture: Json, pin: str) -> str:
        """Makes a new case and returns its number."""
        answer = await self.http.post("/v1/cases", json={"pictures": [picture]}, headers=secret_headers(pin))
        return str(answer.raise_for_status().json()["number"])

    async def pass_time(self) -> None:
        """Makes one step: publishes what is due, and lets platforms poll whose interval has passed."""
        self.now += STEP
        self.store.feed.tick()
        for gate in self.gates:
            if (self.now - START) % gate.every == 0:
                await gate.poll()


async def watch(world: World, *, known: bool) -> list[Any]:
    """The statuses of a case at each step; if `known`, somebody else sent the same picture before."""
    signals = [pdq(), sha256()]
    values, picture = {signal["value"] for signal in signals}, {"signals": signals}
    if known:
        await world.submit(picture, OTHER_PIN)
    while world.now < START + 2 * SLOW:
        await world.pass_time()
    secret = secret_headers()
    number = await world.submit(picture, secret["Takeback-Pin"])
    seen = []
    for step in range(LONG // STEP):
        await world.pass_time()
        for place, gate in enumerate(world.gates):
            await gate.upload(values, f"{step:016x}{place:016x}")
        answer = await world.http.get(f"/v1/cases/{number}", headers={"Takeback-Pin": secret["Takeback-Pin"]})
        told = answer.raise_for_status().json()
        seen.append({name: value for name, value in told.items() if name != "number"})
    return seen


@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore:.*will stop working in Litestar 3.0:DeprecationWarning")
def test_a_case_tells_nothing_of_what_others_sent(new_database: NewDatabase, tmp_path: Path) -> None:
    """At every step the status is the same, whether or not the picture was registered and blocked before."""
    stories = []
    for known in (False, True):
        data = tmp_path / str(known)
        data.mkdir()
        world = World(new_database(), data)
        stories.append(asyncio.run(watch(world, known=known)))
        world.store.close()
    fresh, known_before = stories
    assert fresh == known_before
    counts = [told["platforms"] for told in fresh]
    assert set(counts) == {0, 1, 2}, "the fast platform is counted, then the slow one"
    settled = next(place for place, told in enumerate(fresh) if told["state"] == "active")
    assert not any(counts[: settled + QUIET_SECONDS // STEP])
    blocked = [told["pictures"][0]["blocked"] for told in fresh]
    assert blocked[settled] == 0
    assert blocked[-1] > 0
    assert fresh[-1]["pictures"][0]["platforms"] == 2
