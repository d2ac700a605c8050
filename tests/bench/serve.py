"""Uploads and hashes per second that the gate's sidecar decides on, one process on one core: `build.py bench serve`.

The server has one core and the callers another. The rate per second of the server's own processor time is given as
well, because on a busy machine the wall clock also measures other programs.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final

from takeback.gate.feed.follow import Added, Changes, FeedPosition
from takeback.gate.feed.state import State
from takeback.gate.settings import GateSettings, save
from takeback.signals import Signal, SignalType
from tests.bench.hashing import photograph
from tests.gate.feeds import KEY

ENTRIES: Final = int(os.environ.get("TAKEBACK_BENCH_ENTRIES", "1000000"))
SECONDS: Final = 6.0
CALLERS: Final = 16
REGISTRY: Final = "http://127.0.0.1:9"
MEGAPIXEL: Final = (1155, 866)
HMA: Final = "its makers publish 450-500 requests/s for HMA on 10 pods"


def random_pdq(numbers: Random) -> Signal:
    """A PDQ hash of good quality."""
    return Signal(SignalType.PDQ, f"{numbers.getrandbits(256):064x}", 100)


def fill(home: Path, signals: Iterator[Signal], total: int) -> None:
    """Makes the folder of a gate that has read a feed of these signals, `total` of them."""
    save(home, GateSettings(REGISTRY, KEY))
    state = State(home, REGISTRY)
    for start in range(0, total, 50_000):
        steps = [Added(n, f"{n:032x}", one) for n, one in enumerate(islice(signals, 50_000), start + 1)]
        after = FeedPosition(start + len(steps), total)
        state.apply(Changes(FeedPosition(start, total if start else 0), after, tuple(steps)))
    state.reached_end(time.time())
    state.close()


@contextmanager
def sidecar(home: Path) -> Iterator[tuple[int, int]]:
    """The sidecar on the first core; its port and process."""
    program = [sys.executable, "-c", "from takeback.cli import main; main()", "gate", "serve", "--home", str(home)]
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    cores = set(range(os.cpu_count() or 1))
    with subprocess.Popen([*program, "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        os.sched_setaffinity(0, {max(cores)})
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline().rstrip("/\n").rpartition(":")[2]), process.pid
        finally:
            os.sched_setaffinity(0, cores)
            process.terminate()
            process.wait()


def busy(process: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def post(path: str, body: bytes) -> bytes:
    """A request as it stands on the wire."""
    return f"POST {path} HTTP/1.1\r\nHost: gate\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def caller(port: int, requests: Sequence[bytes], until: float, took: list[float]) -> None:
    """One caller, request after request; notes how long each answer took, in seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    place = 0
    while time.perf_counter() < until:
        start = time.perf_counter()
        writer.write(requests[place % len(requests)])
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        assert head.startswith(b"HTTP/1.1 200 "), head
        assert length is not None
        await reader.readexactly(int(length[1]))
        took.append(time.perf_counter() - start)
        place += 1
    writer.close()
    await writer.wait_closed()


async def load(port: int, requests: Sequence[bytes], callers: int) -> list[float]:
    """All callers at once."""
    took: list[float] = []
    until = time.perf_counter() + SECONDS
    await asyncio.gather(*(caller(port, [*requests[at:], *requests[:at]], until, took) for at in range(callers)))
    return took


def measure(what: str, server: tuple[int, int], requests: Sequence[bytes], callers: int, each: int = 1) -> None:
    """Prints one line; `each` look-ups are in a request."""
    port, process = server
    asyncio.run(load(port, requests, 1))  # warm
    before = busy(process)
    took = sorted(asyncio.run(load(port, requests, callers)))
    used = busy(process) - before
    rate, own = len(took) / SECONDS * each, len(took) / used * each
    p99 = took[int(len(took) * 0.99)] * 1000
    print(f"{what:34} {rate:8.0f}/s  {own:8.0f} per second of processor time  p99 {p99:6.1f} ms  {callers} callers")


def main() -> None:
    """Prints everything."""
    numbers = Random(2)

    def upload() -> dict[str, object]:
        return {"signals": [{"type": "pdq", "value": f"{numbers.getrandbits(256):064x}", "quality": 100}]}

    hashes = [post("/v1/check/signals", json.dumps(upload()).encode()) for _ in range(500)]
    batches = [
        post("/v1/check/batch", json.dumps({"uploads": [upload() for _ in range(100)]}).encode()) for _ in range(20)
    ]
    hma = [
        f"GET /m/lookup?signal={numbers.getrandbits(256):064x}&signal_type=pdq HTTP/1.1\r\nHost: gate\r\n\r\n".encode()
        for _ in range(500)
    ]
    picture = [post("/v1/check", photograph(*MEGAPIXEL))]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "gate"
        numbers = Random(1)
        fill(home, (random_pdq(numbers) for _ in range(ENTRIES)), ENTRIES)
        with sidecar(home) as server:
            print(f"one process on one core, {ENTRIES} PDQ entries; {HMA}")
            measure("hash: POST /v1/check/signals", server, hashes, CALLERS)
            measure("hash: GET /m/lookup", server, hma, CALLERS)
            measure("hashes in batches of 100", server, batches, 4, 100)
            measure("1-megapixel JPEG: POST /v1/check", server, picture, 4)


if __name__ == "__main__":
    main()
