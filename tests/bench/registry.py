"""Durable cases that one registry acknowledges per second, and how fast it starts: `python3 build.py bench registry`.

64 clients on the loopback each send one case after another, of one picture with three signals, and wait for each
answer. Also measures what one proof of work buys a client that uses everything it pays for.
"""

import asyncio
import json
import secrets
import statistics
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import httpx

from takeback.registry.rules.cases import MAX_LOT_PICTURES
from takeback.registry.settings import RegistrySettings
from takeback.signals import Variant
from tests.registry.postgres import NoPostgres, cluster
from tests.registry.support import (
    PIN,
    Json,
    Server,
    md5,
    pdq,
    problem,
    secret_headers,
    serving,
    sha256,
    solved,
)

CLIENTS = 64
SECONDS = 5.0
STARTS = 5


def request() -> bytes:
    """A new case as it stands on the wire."""
    body = json.dumps({"pictures": [{"signals": [pdq(), sha256(), md5()]}]}).encode()
    head = (
        "POST /v1/cases HTTP/1.1\r\nHost: registry\r\nContent-Type: application/json\r\n"
        f"Takeback-Pin: {PIN}\r\nIdempotency-Key: {secrets.token_hex(16)}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def client(host: str, port: int, until: float, took: list[float]) -> None:
    """One client; notes how long each answer took, in seconds."""
    reader, writer = await asyncio.open_connection(host, port)
    while time.perf_counter() < until:
        message = request()
        start = time.perf_counter()
        writer.write(message)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 201 "), head
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        took.append(time.perf_counter() - start)
    writer.close()
    await writer.wait_closed()


async def load(addresses: list[str]) -> list[float]:
    """All clients at once, spread over the servers."""
    places = [address.removeprefix("http://").split(":") for address in addresses]
    took: list[float] = []
    until = time.perf_counter() + SECONDS
    clients = (places[n % len(places)] for n in range(CLIENTS))
    await asyncio.gather(*(client(host, int(port), until, took) for host, port in clients))
    return took


def start_seconds(data: Path) -> float:
    """From the command to its answering."""
    start = time.perf_counter()
    server = Server(data)
    assert server.http.get("/healthz").status_code == 200
    took = time.perf_counter() - start
    server.stop()
    return took


def bought(data: Path) -> str:
    """What one proof of work buys at the base price: a full message, and then more with the same proof."""
    with serving(data, environ={"TAKEBACK_WORK": str(RegistrySettings().work)}) as server:
        pictures, headers = [full_picture() for _ in range(MAX_LOT_PICTURES)], secret_headers()
        asked = problem(post(server, "/v1/cases", pictures, headers), 428, "work-needed").work
        start = time.perf_counter()
        shown = {"Takeback-Work": solved(asked)}
        took = time.perf_counter() - start
        made = post(server, "/v1/cases", pictures, headers | shown)
        assert made.status_code == 201, made.text
        more = f"/v1/cases/{made.json()['number']}/pictures"
        for path in (more, "/v1/cases"):
            problem(post(server, path, pictures[:1], secret_headers() | shown), 428, "work-needed")
    codes = sum(len(picture) for picture in pictures)
    return f"{len(pictures)} pictures and {codes} signals, done in {took:.2f} s; any more, on either route, is refused"


def full_picture() -> list[Json]:
    """A picture with all the views that there are."""
    return [{**pdq(), "variant": variant} for variant in Variant] + [md5()]


def post(server: Server, path: str, pictures: list[list[Json]], headers: dict[str, str]) -> httpx.Response:
    """Brings pictures to a route."""
    return server.http.post(path, json={"pictures": [{"signals": one} for one in pictures]}, headers=headers)


def main() -> None:
    """Prints the figures."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "var"
        print(f"first start: {start_seconds(data):.2f} s")
        print(f"later starts: {statistics.median(start_seconds(data) for _ in range(STARTS)):.2f} s (median)")
        print(f"one proof of work buys {bought(Path(folder) / 'priced')}")
        told("SQLite, one process", [Server(data)])
        with suppress(NoPostgres), cluster() as running:
            environ = {"TAKEBACK_DATABASE": running.new_database()}
            told("PostgreSQL, two processes", [Server(data, environ=environ) for _ in range(2)])


def told(what: str, servers: list[Server]) -> None:
    """Prints how many cases a second these servers of one registry keep."""
    took = sorted(asyncio.run(load([server.address for server in servers])))
    for server in servers:
        server.stop()
    p99 = took[int(len(took) * 0.99)]
    print(f"{what}: {len(took) / SECONDS:.0f} durable cases/s with {CLIENTS} clients, p99 {p99 * 1000:.0f} ms")
