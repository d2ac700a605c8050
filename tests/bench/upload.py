"""Processor time of one upload at the gate, by the length of the list: `python3 build.py bench upload`.

A photograph of a megapixel that is not on the list is checked as `Gate.check` does it: read by the hashing process,
hashed, and looked up with all views and local hashes. `TAKEBACK_BENCH_PICTURES=100000` is the length of the list; every
picture on it has 7 PDQ entries and 16 local hashes. They are random; beyond a million pictures local hashes are alike
in groups of eight, and the list is an index alone, because the gate's database would take an hour to fill. Ten million
pictures take 13 GB of memory and some minutes.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

import numpy as np

from takeback.gate import Action, Gate
from takeback.gate.index.file import IndexMarks, load, save
from takeback.gate.index.multi_index import MultiIndex, Reach
from takeback.gate.index.native import TablePlan, TableRows
from takeback.gate.index.patch_table import PatchPlan
from takeback.signals import MAX_PATCHES, Signal, SignalType, patches_value
from tests.bench._photographs import second_set
from tests.bench._sets import opened, saved
from tests.bench.index import patch_rows, random, some_patches
from tests.bench.serve import busy, fill, random_pdq

PICTURES: Final = int(os.environ.get("TAKEBACK_BENCH_PICTURES", "100000"))
MOST_IN_DATABASE: Final = 1_000_000
ENTRIES: Final = 7
UPLOADS: Final = 40
MEGAPIXEL: Final = 1_000_000


def signals(pictures: int) -> Iterator[Signal]:
    """The signals of so many pictures, one picture after the other."""
    numbers = Random(1)
    for _ in range(pictures):
        for _ in range(ENTRIES):
            yield random_pdq(numbers)
        hashes = {f"{numbers.getrandbits(64):016x}" for _ in range(MAX_PATCHES)}
        yield Signal(SignalType.PATCHES, patches_value([hashes]))


def uploads() -> Iterator[bytes]:
    """Photographs of Debian packages, brought to a megapixel."""
    for photograph in second_set().photographs:
        if picture := opened(photograph.file.read_bytes()):
            scale = (MEGAPIXEL / (picture.width * picture.height)) ** 0.5
            yield saved(picture.resize((round(picture.width * scale), round(picture.height * scale))), 85)


def processor_seconds() -> float:
    """Processor time of this process and its children up to now."""
    children = " ".join(task.joinpath("children").read_text() for task in Path("/proc/self/task").iterdir())
    return sum(busy(process) for process in (os.getpid(), *map(int, children.split())))


def index_file(path: Path, reach: Reach) -> None:
    """Writes the index of `PICTURES` pictures."""
    numbers = np.random.default_rng(1)
    local = patch_rows(some_patches(PICTURES * MAX_PATCHES, numbers), numbers)
    count = PICTURES * ENTRIES
    names = random(count, numbers)[:, :16].copy()
    whole = TableRows(random(count, numbers), names, np.full(count, 100, np.uint16), None, count)
    plans: dict[str, TablePlan | PatchPlan] = {
        "pdq": TablePlan(4, reach.pdq, 1, [whole]),
        "patches": PatchPlan(reach.patches, 1, [local]),
    }
    save(path, IndexMarks(1, 1, {}), plans)


def measure(home: Path, before: list[bytes], files: list[bytes]) -> None:
    """Prints the processor time of an upload, and how long it takes, once `before` were checked.

    A gate that has just opened a long list's index reads it from the disk page by page.
    """
    with Gate.open(home) as gate:
        gate.uses_rate_brake = False
        if PICTURES > MOST_IN_DATABASE:
            gate.check(files[0])
            index_file(home / "long.bin", gate.policy.reach)
            gate._index_handle.index = MultiIndex(gate.policy.reach, load(home / "long.bin")[1])
        for data in before:
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
    every = list(uploads())
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "gate")
        in_database = PICTURES if PICTURES <= MOST_IN_DATABASE else 1000
        fill(home, signals(in_database), in_database * (ENTRIES + 1))
        measure(home, every[UPLOADS:], every[:UPLOADS])


if __name__ == "__main__":
    main()
