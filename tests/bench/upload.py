"""Processor time of one upload at the gate, by the length of the list: `python3 build.py bench upload`.

A photograph of a megapixel that is not on the list is checked as `Gate.check` does it: read by the hashing process,
hashed, and looked up with all views and local hashes. `TAKEBACK_BENCH_PICTURES=100000` is the length of the list; every
picture on it has 7 PDQ entries and 16 local hashes, all of them random.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final

from takeback.gate import Action, Gate
from takeback.gate.feed.follow import Added, Changes, FeedPosition
from takeback.gate.feed.state import State
from takeback.gate.settings import GateSettings, save
from takeback.signals import MAX_PATCHES, Signal, SignalType, patches_value
from tests.bench._photographs import second_set
from tests.bench._sets import opened, saved
from tests.gate.feeds import KEY

PICTURES: Final = int(os.environ.get("TAKEBACK_BENCH_PICTURES", "100000"))
ENTRIES: Final = 7
LOT: Final = 5000
UPLOADS: Final = 40
MEGAPIXEL: Final = 1_000_000
REGISTRY: Final = "http://127.0.0.1:9"
TICKS: Final = os.sysconf("SC_CLK_TCK")


def signals(numbers: Random) -> Iterator[Signal]:
    """The signals of a picture on the list."""
    for _ in range(ENTRIES):
        yield Signal(SignalType.PDQ, f"{numbers.getrandbits(256):064x}", 100)
    yield Signal(SignalType.PATCHES, patches_value([{f"{numbers.getrandbits(64):016x}" for _ in range(MAX_PATCHES)}]))


def fill(home: Path, pictures: int) -> None:
    """Makes the folder of a gate that has read a feed of so many pictures."""
    save(home, GateSettings(REGISTRY, KEY))
    state, numbers, number, total = State(home, REGISTRY), Random(1), 0, pictures * (ENTRIES + 1)
    for first in range(0, pictures, LOT):
        before, steps = number, []
        for _ in range(min(LOT, pictures - first)):
            for signal in signals(numbers):
                number += 1
                steps.append(Added(number, f"{number:032x}", signal))
        after = FeedPosition(number, total)
        state.apply(Changes(FeedPosition(before, total if before else 0), after, tuple(steps)))
    state.reached_end(time.time())
    state.close()


def uploads() -> Iterator[bytes]:
    """Photographs of Debian packages, brought to a megapixel."""
    for photograph in second_set().photographs:
        if picture := opened(photograph.file.read_bytes()):
            scale = (MEGAPIXEL / (picture.width * picture.height)) ** 0.5
            yield saved(picture.resize((round(picture.width * scale), round(picture.height * scale))), 85)


def processor_seconds() -> float:
    """Processor time of this process and its children up to now."""
    children = " ".join(task.joinpath("children").read_text() for task in Path("/proc/self/task").iterdir())
    found = [os.getpid(), *map(int, children.split())]
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split() for pid in found]
    return sum(int(one[11]) + int(one[12]) for one in fields) / TICKS


def measure(home: Path, files: list[bytes]) -> None:
    """Prints the processor time of an upload, and how long it takes."""
    with Gate.open(home) as gate:
        gate.uses_rate_brake = False
        for data in files[:8]:
            gate.check(data)
        clocks, own = [], processor_seconds()
        for data in files:
            start = time.perf_counter()
            assert gate.check(data).action is Action.ALLOW
            clocks.append((time.perf_counter() - start) * 1000)
        spent = (processor_seconds() - own) / len(files) * 1000
    print(f"{PICTURES:9,} pictures: {spent:.1f} ms of processor, {statistics.median(clocks):.1f} ms until the decision")


def main() -> None:
    """Fills a list of `PICTURES` and measures."""
    files = list(islice(uploads(), UPLOADS))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "gate")
        fill(home, PICTURES)
        measure(home, files)


if __name__ == "__main__":
    main()
