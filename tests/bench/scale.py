"""Whether a feed of ten million entries costs more than one of a hundred thousand: `python3 build.py bench scale`.

On SQLite, on the disk of the folder for temporary files (about 6 GB). Costs are medians of many: a page of a thousand
lines from a random place in the feed, and a durable new case of one picture with three signals. `TAKEBACK_BENCH_SIZES`
selects other sizes. Making ten million entries takes about ten minutes.
"""

import os
import random
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from takeback.protocol import EntryStatus, NewCase, Picture, SignalMessage
from takeback.registry.security.entry_ids import EntryIds
from takeback.registry.storage.case_store import Submission
from takeback.registry.storage.engine.database import open_database
from takeback.registry.storage.status_queries import list_entries, overview
from takeback.registry.storage.store import Store
from takeback.signals import SignalType
from tests.bench.feed import fill
from tests.registry.support import telling

SIZES = [int(size) for size in os.environ.get("TAKEBACK_BENCH_SIZES", "100000,10000000").split(",")]
TIMES = 400
IDS = EntryIds(bytes(32))


def new_case() -> Submission:
    """A case of one picture."""
    signals = [
        SignalMessage(SignalType.PDQ, telling(), 100),
        SignalMessage(SignalType.SHA256, secrets.token_hex(32)),
        SignalMessage(SignalType.MD5, secrets.token_hex(16)),
    ]
    return Submission(bytes(32), secrets.token_bytes(32), bytes(32), NewCase([Picture(signals)]))


def median(work: Callable[[], object]) -> float:
    """Milliseconds, after as many times more: a store that was just opened has read nothing yet."""
    took = []
    for _ in range(2 * TIMES):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return statistics.median(took[TIMES:]) * 1000


def operator_look(store: Store, path: Path) -> str:
    """How long the counts for Prometheus and for the operator take, once."""
    engine = open_database(path)
    start = time.perf_counter()
    store.totals()
    counted = time.perf_counter()
    with engine.begin() as connection:
        overview(connection, int(time.time()))
        list_entries(connection, [EntryStatus.REVIEW, EntryStatus.PAUSED], 100)
    engine.dispose()
    return f"the totals {counted - start:.2f} s, the operator's look {time.perf_counter() - counted:.2f} s"


def main() -> None:
    """Prints both costs for each size, and how they compare."""
    choice, before, costs = random.Random(1), 0, list[tuple[float, float]]()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "registry.sqlite")
        for size in SIZES:
            fill(path, before, size)
            store = Store(open_database(path), time.time)
            page = median(lambda: store.feed.page(choice.randrange(size - 1000), 1000, IDS))  # noqa: B023 - used at once
            case = median(lambda: store.cases.submit(new_case()).result())  # noqa: B023 - used at once
            look = operator_look(store, path)
            before = store.feed.head()[0]
            store.close()
            costs.append((page, case))
            print(
                f"{size} entries, {path.stat().st_size / 1e9:.2f} GB: a page {page:.1f} ms, a case {case:.2f} ms,", look
            )
    (page, case), (last_page, last_case) = costs[0], costs[-1]
    print(f"the largest against the first: a page {last_page / page:.2f} times, a case {last_case / case:.2f} times")


if __name__ == "__main__":
    main()
