"""Questions per second that the look-up service answers, one process on one core: `build.py bench lookup`.

The service has one core and the callers another. The list has TAKEBACK_BENCH_PICTURES pictures (a million) as the page
sends them: TAKEBACK_BENCH_VIEWS PDQ hashes (8), local hashes and a SHA-256 of each. The last lines compare how long
answers take that match and that do not, which should not be told apart.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Final

import httpx

from takeback.lookup import messages
from takeback.lookup.service.sites import MAX_QUOTA, Sites
from takeback.signals import PATCH_DIGITS, Signal, SignalType, patches_value
from tests.bench.serve import fill, measure, random_pdq

PICTURES: Final = int(os.environ.get("TAKEBACK_BENCH_PICTURES", "1000000"))
VIEWS: Final = int(os.environ.get("TAKEBACK_BENCH_VIEWS", "8"))
CALLERS: Final = 32
QUESTIONS: Final = 500
PATCHES: Final = 16
ASKED_PATCHES: Final = 250
ROUNDS: Final = 600


def listed(numbers: Random) -> Iterator[Signal]:
    """The signals of all pictures."""
    for _ in range(PICTURES):
        yield from (random_pdq(numbers) for _ in range(VIEWS))
        yield Signal(SignalType.SHA256, f"{numbers.getrandbits(256):064x}")
        yield Signal(SignalType.PATCHES, patches_value([[patch(numbers) for _ in range(PATCHES)]]))


def patch(numbers: Random) -> str:
    """A local hash of chance."""
    return f"{numbers.getrandbits(64):0{PATCH_DIGITS}x}"


@contextmanager
def service(home: Path) -> Iterator[tuple[int, int]]:
    """The service on the first core; its port and process."""
    program = [sys.executable, "-c", "from takeback.cli import main; main()", "lookup", "serve", "--home", str(home)]
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    cores = set(range(os.cpu_count() or 1))
    with subprocess.Popen([*program, "--port", "0", "--no-follow"], stdout=subprocess.PIPE, text=True) as process:
        os.sched_setaffinity(0, {max(cores)})
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline().rstrip("/\n").rpartition(":")[2]), process.pid
        finally:
            os.sched_setaffinity(0, cores)
            process.terminate()
            process.wait()


def request(key: str, method: str, path: str, message: object = None) -> bytes:
    """A request as it stands on the wire."""
    body = b"" if message is None else json.dumps(message).encode()
    lines = ("Host: lookup", f"Authorization: Bearer {key}", f"Content-Length: {len(body)}", "\r\n")
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines]).encode() + body


def question(pdq: Signal, numbers: Random | None = None) -> dict[str, object]:
    """A question about an upload, with its patches if there are `numbers`."""
    asked: dict[str, object] = {"signals": [{"type": "pdq", "value": pdq.value, "quality": pdq.quality}]}
    if numbers:
        asked["patches"] = [[patch(numbers), 0, place % 256] for place in range(ASKED_PATCHES)]
    return asked


def compare(port: int, key: str, matching: Sequence[Signal], others: Sequence[Signal]) -> None:
    """Prints how long one caller waits for answers that match and that do not, in turns."""
    took: tuple[list[float], list[float]] = ([], [])
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {key}"}) as client:
        for place in range(ROUNDS):
            for kind, signals in enumerate((matching, others)):
                start = time.perf_counter()
                answer = client.post(messages.CHECK, json=question(signals[place % len(signals)]))
                took[kind].append((time.perf_counter() - start) * 1000)
                assert answer.status_code == 200, answer.text
    for name, times in zip(("match", "no match"), took, strict=True):
        quartiles = " ".join(f"{value:.2f}" for value in statistics.quantiles(times))
        print(f"{name:34} quartiles {quartiles} ms, {ROUNDS} answers")


def main() -> None:
    """Prints everything."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "gate"
        fill(home, listed(Random(1)), PICTURES * (VIEWS + 2))
        with closing(Sites(home)) as sites:
            key = sites.add("bench", MAX_QUOTA)
        numbers, again = Random(2), Random(1)
        others = [random_pdq(numbers) for _ in range(QUESTIONS)]
        matching = [one for one, _ in zip(listed(again), range(50), strict=False) if one.type is SignalType.PDQ]
        plain = [request(key, "POST", messages.CHECK, question(one)) for one in others]
        parts = [request(key, "POST", messages.CHECK, question(one, numbers)) for one in others]
        exact = [request(key, "GET", f"{messages.EXACT}{numbers.getrandbits(20):05x}") for _ in range(QUESTIONS)]
        batches = [
            request(key, "POST", messages.CHECK_BATCH, {"uploads": [question(one) for one in others[at : at + 100]]})
            for at in range(0, QUESTIONS, 100)
        ]
        with service(home) as running:
            print(f"one process on one core, {PICTURES} pictures with {VIEWS} PDQ each")
            measure("question: POST /v1/check/signals", running, plain, CALLERS)
            measure("with 250 patches", running, parts, CALLERS)
            measure("in batches of 100", running, batches, 4, 100)
            measure("prefix: GET /v1/sha256/PREFIX", running, exact, CALLERS)
            asyncio.run(asyncio.sleep(1))
            compare(running[0], key, matching, others)


if __name__ == "__main__":
    main()
