"""Whether a feed of ten million entries costs more than one of a hundred thousand: `python3 build.py bench scale`.

On SQLite, on the disk of the folder for temporary files (some 6 GB). Costs are medians of many: a page of a thousand
lines from anywhere in the feed, and a new case of one picture with three signals, durable. `TAKEBACK_BENCH_SIZES` takes
other sizes. Making three million took more than six minutes on two slow cores: the ten million take their time.
"""

import os
import random
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from takeback.protocol import AgeBand, NewCase, Picture, PictureKind, SignalMessage
from takeback.registry import queries
from takeback.registry.cases import Entry
from takeback.registry.database import WRITES, open_database
from takeback.registry.entry_ids import EntryIds
from takeback.registry.store import Store, Submission
from takeback.signals import SignalType

SIZES = [int(size) for size in os.environ.get("TAKEBACK_BENCH_SIZES", "100000,10000000").split(",")]
LOT = 20_000
TIMES = 400
IDS = EntryIds(bytes(32))


def fill(path: Path, start: int, end: int) -> None:
    """Brings entries into the feed until there are `end`."""
    engine = open_database(path)
    for first in range(start, end, LOT):
        numbers = range(first + 1, min(first + LOT, end) + 1)
        entries = [
            Entry(n, SignalMessage(SignalType.PDQ, secrets.token_hex(32), 90), PictureKind.IMAGE, False, AgeBand.MINOR)
            for n in numbers
        ]
        with engine.execution_options(**WRITES).begin() as connection:
            queries.publish(connection, entries, list(numbers), 1_800_000_000)
    engine.dispose()


def new_case() -> Submission:
    """A case of one picture."""
    signals = [
        SignalMessage(SignalType.PDQ, secrets.token_hex(32), 100),
        SignalMessage(SignalType.SHA256, secrets.token_hex(32)),
        SignalMessage(SignalType.MD5, secrets.token_hex(16)),
    ]
    return Submission(bytes(32), secrets.token_bytes(32), bytes(32), NewCase([Picture(signals)]))


def median(work: Callable[[], object]) -> float:
    """Milliseconds."""
    took = []
    for _ in range(TIMES):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return statistics.median(took) * 1000


def main() -> None:
    """Prints both costs for each size, and how they compare."""
    choice, before, costs = random.Random(1), 0, list[tuple[float, float]]()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "registry.sqlite")
        for size in SIZES:
            fill(path, before, size)
            store = Store(open_database(path), time.time)
            page = median(lambda: store.feed(choice.randrange(size - 1000), 1000, IDS))  # noqa: B023 - used at once
            case = median(lambda: store.submit(new_case()).result())  # noqa: B023 - used at once
            before = store.head()[0]
            store.close()
            costs.append((page, case))
            print(f"{size} entries, {path.stat().st_size / 1e9:.2f} GB: a page {page:.1f} ms, a case {case:.2f} ms")
    (page, case), (last_page, last_case) = costs[0], costs[-1]
    print(f"the largest against the first: a page {last_page / page:.2f} times, a case {last_case / case:.2f} times")


if __name__ == "__main__":
    main()
