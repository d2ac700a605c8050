"""How long other requests to Synapse take while it has uploads checked: `python3 build.py bench synapse`.

Six uploaders send 12-megapixel JPEGs, each one every three seconds, or without a pause if that takes longer. Meanwhile
a client asks in turns for `versions`, `whoami` and `sync`. The same is measured of an idle Synapse, and of one without
the module. Synapse itself makes thumbnails of an upload, in its own process, which hinders other requests more than a
check does; so the target is measured without thumbnails. The sidecar, Synapse and the uploaders are processes of their
own and share the cores. A run takes about a minute.
"""

import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path
from random import Random
from threading import Thread
from typing import Final

import httpx

from tests.bench.hashing import photograph
from tests.bench.serve import busy, fill, random_pdq
from tests.integrations.synapse.homeserver import Homeserver, homeserver, upload

ENTRIES: Final = 100_000
TWELVE_MEGAPIXELS: Final = (4000, 3000)
UPLOADERS: Final = 6
REQUESTS: Final = 300
MOST_SECONDS: Final = 20.0
"""For the measurement that has a target; others take half of it."""
EVERY_SECONDS: Final = 3.0
NO_THUMBNAILS: Final = {"thumbnail_sizes": list[object]()}
TARGET_MS: Final = 200
type Count = Synchronized[int]

ASKED: Final = ("versions", "v3/account/whoami", "v3/sync?timeout=0")


@contextmanager
def sidecar(home: Path) -> Iterator[str]:
    """The address of a sidecar in a process of its own."""
    program = [sys.executable, "-c", "from takeback.cli import main; main()", "gate", "serve", "--home", str(home)]
    with subprocess.Popen([*program, "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{process.stdout.readline().rstrip('/\n').rpartition(':')[2]}"
        finally:
            process.terminate()


def send(url: str, authorization: str, file: Path, stop: Event) -> int:
    """Uploads a file again and again; returns how often."""
    count, data = 0, file.read_bytes()
    with httpx.Client(base_url=url, headers={"authorization": authorization}, timeout=60) as client:
        while not stop.is_set():
            start = time.perf_counter()
            assert upload(client, data).status_code == 200
            count += 1
            stop.wait(max(0, EVERY_SECONDS - (time.perf_counter() - start)))
    return count


def send_all(url: str, authorization: str, files: list[Path], began: Event, stop: Event, total: Count) -> None:
    """All uploaders, each with its file; sets how many uploads were stored."""
    counts: list[int] = []
    one = [Thread(target=lambda file=file: counts.append(send(url, authorization, file, stop))) for file in files]
    for thread in one:
        thread.start()
    began.set()
    for thread in one:
        thread.join()
    total.value = sum(counts)


@contextmanager
def uploading(server: Homeserver, files: list[Path]) -> Iterator[None]:
    """The uploaders, in a process of their own; prints how much processor time Synapse used for an upload."""
    of = multiprocessing.get_context("spawn")
    began, stop, total = of.Event(), of.Event(), of.Value("i")
    authorization = server.user("alice").headers["authorization"]
    process = of.Process(target=send_all, args=(server.url, authorization, files, began, stop, total))
    before = busy(server.process.pid)
    process.start()
    try:
        began.wait(60)
        time.sleep(1)  # until files are checked
        yield
    finally:
        stop.set()
        process.join()
        used = (busy(server.process.pid) - before) / max(1, total.value) * 1000
        print(f"  {total.value} uploads; {used:.0f} ms of Synapse's processor time for each, with other requests")


def latencies(server: Homeserver, seconds: float = MOST_SECONDS / 2) -> list[float]:
    """Milliseconds of requests, one after the other: `REQUESTS`, or as many as there are in so many seconds."""
    took = list[float]()
    client, end = server.user("bob"), time.perf_counter() + seconds
    while time.perf_counter() < end and len(took) < REQUESTS:
        start = time.perf_counter()
        assert client.get(f"/_matrix/client/{ASKED[len(took) % len(ASKED)]}").status_code == 200
        took.append((time.perf_counter() - start) * 1000)
        time.sleep(0.02)
    return took


def tell(what: str, took: list[float], *, target: bool = False) -> None:
    """Prints one line."""
    cuts = statistics.quantiles(took, n=100)
    text = f"{what:40} p50 {cuts[49]:6.1f} ms   p99 {cuts[98]:6.1f} ms   {len(took)} requests"
    print(f"{text}   target: p99 {TARGET_MS}" if target else text, flush=True)


def main() -> None:
    """Prints everything."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        numbers = Random(1)
        fill(folder / "gate", (random_pdq(numbers) for _ in range(ENTRIES)), ENTRIES)
        files = [folder / f"{number}.jpg" for number in range(UPLOADERS)]
        picture = photograph(*TWELVE_MEGAPIXELS)
        for number, file in enumerate(files):
            file.write_bytes(picture + bytes([number]))
        print(f"{UPLOADERS} uploaders of a {len(picture) / 1e6:.1f} MB JPEG, {os.cpu_count()} cores")
        with sidecar(folder / "gate") as address:
            checked = {"sidecar": address}
            with homeserver(folder / "idle", checked) as server:
                tell("idle", latencies(server))
            for module, name, changes, seconds in (
                (None, "not checked, without thumbnails", NO_THUMBNAILS, MOST_SECONDS / 2),
                (checked, "checked, without thumbnails", NO_THUMBNAILS, MOST_SECONDS),
                (checked, "checked, with thumbnails", {}, MOST_SECONDS / 2),
            ):
                with homeserver(folder / name, module, changes=changes) as server, uploading(server, files):
                    tell(f"uploads, {name}", latencies(server, seconds), target=seconds == MOST_SECONDS)


if __name__ == "__main__":
    main()
