"""Ten files made to stall a sidecar, sent at once beside a good upload: `python3 build.py bench bombs`.

Eight GIFs of 15 frames of 64 megapixels in under a kilobyte, a WebP and an AVIF of one colour with 119 megapixels; two
cores, one sidecar, and the callers on the same cores. With TAKEBACK_BOMBS_FOLDER, the smallest GIF of that folder eight
times, and each of its WebPs and AVIFs. Measured meanwhile: how long a good 1-megapixel upload takes, how long readiness
takes, asked by a separate process, and the memory of all processes together. The delay with which that process wakes
from its pauses shows how late the machine itself is.
"""

import io
import json
import os
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import httpx
from PIL import Image

from takeback.gate.settings import GateSettings, save
from tests.bench.hashing import photograph
from tests.gate.feeds import KEY

CORES: Final = 2
REACH: Final = {"upload": 3.0, "readyz": 0.2, "megabytes": 1536.0}
"""Seconds, seconds, and memory of all processes, at worst."""
PAUSE: Final = 0.03
"""Seconds between two questions whether the sidecar is ready."""
FOLDER: Final = os.environ.get("TAKEBACK_BOMBS_FOLDER")


def gif(side: int = 8000, frames: int = 15) -> bytes:
    """Frames that are one pixel each on a canvas of `side` x `side`."""
    head = b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = (
        b"\x21\xf9\x04\x00\x64\x00\x00\x00" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    )
    return head + frame * frames + b"\x3b"


def plain(kind: str, size: tuple[int, int], **options: object) -> bytes:
    """A picture of one colour."""
    out = io.BytesIO()
    Image.new("RGB", size, (90, 120, 60)).save(out, kind, **options)
    return out.getvalue()


def bombs() -> list[bytes]:
    """All that are sent at once."""
    if FOLDER:
        small = min(Path(FOLDER).glob("*.gif"), key=lambda path: path.stat().st_size)
        others = sorted(path for kind in ("webp", "avif") for path in Path(FOLDER).glob(f"*.{kind}"))
        return [path.read_bytes() for path in [small] * 8 + others]
    webp = plain("WEBP", (16383, 7300), lossless=True, method=0, quality=0)
    avif = plain("AVIF", (10900, 11000), speed=10, quality=10)
    return [gif()] * 8 + [webp, avif]


def memory(process: int) -> float:
    """Megabytes that a process and its children hold, what they share counted once (PSS)."""
    total = 0.0
    todo = [process]
    while todo:
        number = todo.pop()
        try:
            lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
            for task in Path(f"/proc/{number}/task").iterdir():
                todo += map(int, (task / "children").read_text().split())
        except (OSError, StopIteration):
            continue
    return total


def main() -> None:
    """Prints what each file got, and the three figures beside what is to be reached."""
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:CORES]))
    files, good = bombs(), photograph(1155, 866)
    print(f"files of {', '.join(f'{len(data):,}' for data in files)} bytes")
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder), GateSettings("http://127.0.0.1:9", KEY))
        program = [sys.executable, "-c", "from takeback.cli import main; main()", "gate", "serve", "--home", folder]
        with subprocess.Popen([*program, "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            address = process.stdout.readline().split()[-1]
            try:
                measure(address, process.pid, files, good)
            finally:
                process.send_signal(signal.SIGTERM)


def measure(address: str, process: int, files: list[bytes], good: bytes) -> None:
    """Sends them, and asks again and again meanwhile."""
    took: dict[str, list[float]] = {"upload": [], "megabytes": []}
    told: list[str] = []

    def send(data: bytes) -> None:
        answer = httpx.post(f"{address}v1/check", content=data, timeout=300).json()
        told.append(json.dumps({"kind": answer["kind"], "notes": answer["notes"][:1]}))

    senders = [threading.Thread(target=send, args=(data,)) for data in files]
    with httpx.Client(base_url=address, timeout=60) as client:
        for _ in range(4):
            client.post("v1/check", content=good)
        begun = time.monotonic()
        for sender in senders:
            sender.start()
        with readiness(address, took):
            while any(sender.is_alive() for sender in senders):
                took["upload"].append(timed(lambda: client.post("v1/check", content=good)))
                took["megabytes"].append(memory(process))
    print(
        f"all {len(files)} answered in {time.monotonic() - begun:.1f} s; load of the machine {os.getloadavg()[0]:.1f}"
    )
    print("\n".join(sorted(told)))
    for name, numbers in took.items():
        middle, worst = statistics.median(numbers), max(numbers)
        reach = f", to reach {REACH[name]}" if name in REACH else ""
        print(f"{name:10} median {middle:8.3f}  worst {worst:8.3f} of {len(numbers)}{reach}")


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    start = time.monotonic()
    work()
    return time.monotonic() - start


@contextmanager
def readiness(address: str, took: dict[str, list[float]]) -> Iterator[None]:
    """Asks for readiness in a process of its own for as long as what is inside lasts."""
    with ProcessPoolExecutor(1, get_context("spawn")) as other, get_context("spawn").Manager() as manager:
        done = manager.Event()
        asking = other.submit(ask_for_readiness, address, done)
        try:
            yield
        finally:
            done.set()
        took["readyz"], took["late"] = asking.result()


def ask_for_readiness(address: str, done: threading.Event) -> tuple[list[float], list[float]]:
    """Seconds that each answer took, and by which each pause was too long."""
    answers, late = [], []
    with httpx.Client(base_url=address, timeout=60) as client:
        client.get("readyz")
        while not done.is_set():
            answers.append(timed(lambda: client.get("readyz")))
            late.append(timed(lambda: time.sleep(PAUSE)) - PAUSE)
    return answers, late


if __name__ == "__main__":
    main()
