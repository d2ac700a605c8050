"""A new gate that reads a feed of a million entries, and gates that poll without news: `python3 build.py bench feed`.

`ENTRIES=100000 python3 build.py bench feed` uses a smaller feed.
"""

import asyncio
import os
import secrets
import tempfile
import time
from pathlib import Path

from takeback.gate import Gate
from takeback.gate.settings import GateSettings, save
from takeback.protocol import AgeBand, PictureKind, SignalMessage
from takeback.registry.rules.cases import Entry
from takeback.registry.storage import feed_queries
from takeback.registry.storage.engine import tables
from takeback.registry.storage.engine.database import WRITES, open_database
from takeback.signals import SignalType
from tests.registry.support import Server

ENTRIES = int(os.environ.get("ENTRIES", "1000000"))
LOT = 5000
CLIENTS = 32
SECONDS = 5.0


def fill(path: Path, start: int, end: int) -> None:
    """Brings pdq entries into the feed of a registry's database, which has `start`, until there are `end`.

    The index of values is made in the end, at once: kept up while lots of thousands come in, most of it would be
    written for every lot.
    """
    engine = open_database(path)
    (by_value,) = (index for index in tables.entries.indexes if index.name == "entries_active")
    by_value.drop(engine)
    for first in range(start, end, LOT):
        numbers = range(first + 1, min(first + LOT, end) + 1)
        entries = [
            Entry(n, SignalMessage(SignalType.PDQ, secrets.token_hex(32), 90), PictureKind.IMAGE, False, AgeBand.MINOR)
            for n in numbers
        ]
        with engine.execution_options(**WRITES).begin() as connection:
            feed_queries.publish(connection, entries, list(numbers), 1_800_000_000)
    by_value.create(engine)
    engine.dispose()


def cold_start(server: Server, key: str, home: Path) -> None:
    """Prints how long a new gate takes until it decides."""
    save(home, GateSettings(server.address, key))
    with Gate.open(home) as gate:
        start = time.perf_counter()
        synced = gate.sync()
        read = time.perf_counter()
        gate.warm_up()
        ready = time.perf_counter()
        assert synced.added == ENTRIES
        assert sum(gate.status().entries.values()) == ENTRIES
    print(f"{ENTRIES} entries: read and kept in {read - start:.1f} s, indexed in {ready - read:.1f} s more")


async def poll(address: str, key: str, until: float) -> int:
    """One platform that polls without pause and has all there is; how many answers it got."""
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"GET /v1/feed?after={ENTRIES} HTTP/1.1\r\nHost: registry\r\nAuthorization: Bearer {key}\r\n"
    tag, answered = b"", 0
    while time.perf_counter() < until:
        writer.write(head.encode() + tag + b"\r\n")
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not tag:
            assert answer.startswith(b"http/1.1 200")
            await reader.readexactly(int(answer.split(b"content-length: ")[1].split(b"\r\n")[0]))
            tag = b"If-None-Match: " + answer.split(b"etag: ")[1].split(b"\r\n")[0].replace(b"w/", b"W/") + b"\r\n"
        else:
            assert answer.startswith(b"http/1.1 304"), answer
            answered += 1
    writer.close()
    return answered


async def polls(address: str, key: str) -> int:
    """All platforms at once."""
    until = time.perf_counter() + SECONDS
    return sum(await asyncio.gather(*(poll(address, key, until) for _ in range(CLIENTS))))


def main() -> None:
    """Prints both figures."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "var"
        data.mkdir()
        start = time.perf_counter()
        fill(data / "registry.sqlite", 0, ENTRIES)
        print(f"{ENTRIES / (time.perf_counter() - start):.0f} entries/s brought into the feed, 5,000 in a transaction")
        server = Server(data)
        key = server.platform("Example Photos").key
        cold_start(server, key, Path(folder) / "gate")
        answered = asyncio.run(polls(server.address, key))
        server.stop()
    print(f"{answered / SECONDS:.0f} idle conditional polls/s, {CLIENTS} at a time")


if __name__ == "__main__":
    main()
