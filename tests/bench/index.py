"""Look-ups per second among PDQ codes, beside faiss and threatexchange, and among patches: `build.py bench index`.

One thread. Install the others with `.venv/bin/pip install --no-deps --require-hashes -r py/requirements-bench.lock`;
missing ones are reported. The rate per second of the process's own processor time is given as well, because on a busy
machine the wall clock also measures other programs. `TAKEBACK_BENCH_SIZES=100000,1000000` selects other sizes, and
`TAKEBACK_BENCH_PATCHES` other numbers of patches; an empty value leaves them out. 160 million patches take 10 GB of
memory. The tables and the plot are saved beside this file.
"""

import importlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from takeback.gate.index.chunking import plan
from takeback.gate.index.file import IndexMarks, load, save
from takeback.gate.index.native import Table, TablePlan, TableRows
from takeback.gate.index.patch_table import FRAME_BITS, PatchPlan, PatchRows, PatchTable
from takeback.signals import MAX_PATCHES
from takeback.signals import PDQ_MATCH_DISTANCE as RADIUS


def sizes(variable: str, default: str) -> list[int]:
    """The sizes to measure."""
    return [int(size) for size in os.environ.get(variable, default).split(",") if size]


SIZES: Final = sizes("TAKEBACK_BENCH_SIZES", "100000,1000000,10000000")
PATCHES: Final = sizes("TAKEBACK_BENCH_PATCHES", "1600000,16000000,160000000")
PATCHES_OF_AN_UPLOAD: Final = 200
SECONDS: Final = 3.0
"""Of look-ups, for each figure."""
SLOW: Final = 2_000_000
"""Codes beyond which threatexchange, which takes them as texts one by one, and faiss's multi-hash are left out."""
HERE: Final = Path(__file__).parent

type Codes = NDArray[np.uint8]
"""Shape (n, 32)."""
type Ask = Callable[[Codes], int]
"""Looks all of them up; gives how many hits there were."""


class Figure(NamedTuple):
    """What was measured of one index."""

    name: str
    size: int
    built: float
    opened: float
    bytes_each: float
    clock: float
    own: float
    hits: int


def random(count: int, numbers: np.random.Generator) -> Codes:
    return numbers.integers(0, 256, (count, 32), dtype=np.uint8)


def changed(codes: Codes, most: int, numbers: np.random.Generator) -> Codes:
    """Each code with up to so many bits changed."""
    bits = np.unpackbits(codes, axis=1)
    for row in bits:
        row[numbers.choice(256, numbers.integers(0, most + 1), replace=False)] ^= 1
    return np.packbits(bits, axis=1)


def clustered(count: int, numbers: np.random.Generator) -> Codes:
    """A third random, a third near-duplicates in clusters of twenty, a third of low quality: few bits, and alike."""
    third = count // 3
    centres = np.repeat(random(third // 20 + 1, numbers), 20, axis=0)[:third]
    noise = np.bitwise_and.reduce([random(third, numbers) for _ in range(4)])  # a bit in sixteen
    plain = np.repeat(random(64, numbers), third // 64 + 1, axis=0)[:third]
    sparse = np.bitwise_and.reduce([random(third, numbers) for _ in range(3)])
    return np.concatenate([random(count - 2 * third, numbers), centres ^ noise, plain ^ sparse])


def queries(codes: Codes, numbers: np.random.Generator) -> Codes:
    """As many of pictures that are there, changed by up to the radius, as of others."""
    found = changed(codes[numbers.integers(0, len(codes), 1000)], RADIUS, numbers)
    return numbers.permutation(np.concatenate([found, random(1000, numbers)]))


def measured(name: str, built: float, opened: float, size: tuple[int, float], ask: Ask, asked: Codes) -> Figure:
    """Asks in batches until the time is over; `size` is the codes and the bytes of all."""
    each = _time(lambda: ask(asked[:4])) / 4
    step = max(1, min(len(asked), int(0.2 / each)))
    done, clock, own = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - clock < SECONDS:
        ask(asked[done % len(asked) :][:step])
        done += len(asked[done % len(asked) :][:step])
    clock, own = time.perf_counter() - clock, time.process_time() - own
    hits = ask(asked[:200])
    count, total = size
    return Figure(name, count, built, opened, total / count, done / clock, done / own, hits)


def _time(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ours(name: str, codes: Codes, asked: Codes, folder: Path) -> Figure:
    """Built, written, opened and asked as the gate does it; the time of writing is not that of building."""
    path = folder / "index.bin"
    entries = random(len(codes), np.random.default_rng(3))[:, :16].copy()
    source = TableRows(codes, entries, np.full(len(codes), 100, np.uint16), None, len(codes))
    plan(len(codes), 256, RADIUS)
    built = _built(source)
    save(path, IndexMarks(1, 1, {}), {"pdq": TablePlan(4, RADIUS, 1, [source])})
    table = load(path)[1]["pdq"]  # as the process that wrote it, from the disk
    assert isinstance(table, Table)
    opened = _time(lambda: load(path))
    figure = measured(
        name,
        built,
        opened,
        (len(codes), path.stat().st_size),
        lambda q: len(table.query(q.tobytes(), len(q), RADIUS)),
        asked,
    )
    path.unlink()
    return figure


def _built(source: TableRows) -> float:
    """Processor seconds of building alone."""
    start = time.process_time()
    TablePlan(4, RADIUS, 1, [source]).table()
    return time.process_time() - start


def faiss_flat(codes: Codes, asked: Codes) -> Figure:
    faiss: Any = importlib.import_module("faiss")
    index = faiss.IndexBinaryFlat(256)
    built = _time(lambda: index.add(codes))
    size = len(codes), faiss.serialize_index_binary(index).nbytes
    return measured("faiss flat", built, 0, size, lambda q: len(index.range_search(q, RADIUS + 1)[1]), asked)


def faiss_multi(codes: Codes, asked: Codes) -> Figure:
    """16 hashes of 16 bits with one flip each: exact within 31."""
    faiss: Any = importlib.import_module("faiss")
    index = faiss.IndexBinaryMultiHash(256, 16, 16)
    index.nflip = 1
    built = _time(lambda: index.add(codes))
    size = len(codes), faiss.serialize_index_binary(index).nbytes
    return measured("faiss multi-hash", built, 0, size, lambda q: len(index.range_search(q, RADIUS + 1)[1]), asked)


def threatexchange(codes: Codes, asked: Codes) -> Figure:
    module: Any = importlib.import_module("threatexchange.signal_type.pdq.pdq_index")
    named = [(code.tobytes().hex(), place) for place, code in enumerate(codes)]
    made: list[Any] = []
    built = _time(lambda: made.append(module.PDQIndex.build(named)))
    index = made[0]

    def ask(several: Codes) -> int:
        return sum(len(index.query(code.tobytes().hex())) for code in several)

    return measured("threatexchange", built, 0, (len(codes), float("nan")), ask, asked)


def figures(size: int, folder: Path) -> Iterator[Figure]:
    numbers = np.random.default_rng(1)
    codes = random(size, numbers)
    asked = queries(codes, numbers)
    yield ours("takeback", codes, asked, folder)
    for other in (faiss_flat, faiss_multi, threatexchange):
        if other is not faiss_flat and size > SLOW:
            continue
        try:
            yield other(codes, asked)
        except ImportError as error:
            print(f"{other.__name__}: not installed ({error.name})")
    crowd = clustered(size, numbers)
    yield ours("takeback, clustered", crowd, queries(crowd, numbers), folder)


def some_patches(count: int, numbers: np.random.Generator) -> NDArray[np.uint64]:
    """Codes as of many pictures with like parts: about eight of each base, which differ from it by up to four bits."""
    bases = numbers.integers(0, 2**64, count // 8, dtype=np.uint64)
    codes = bases[numbers.integers(0, len(bases), count)]
    for _ in range(4):
        flipped = numbers.random(count, np.float32) < 0.6
        codes[flipped] ^= np.uint64(1) << numbers.integers(0, 64, int(flipped.sum()), dtype=np.uint64)
    return codes


def uploads(codes: NDArray[np.uint64], numbers: np.random.Generator) -> NDArray[np.uint64]:
    """The patches of 200 uploads, of which a tenth are on the list."""
    count = 200 * PATCHES_OF_AN_UPLOAD
    listed = codes[numbers.integers(0, len(codes), count // 10)]
    others = numbers.integers(0, 2**64, count - len(listed), dtype=np.uint64)
    return numbers.permutation(np.concatenate([listed, others]))


def patch_rows(codes: NDArray[np.uint64], numbers: np.random.Generator) -> PatchRows:
    """Pictures with sixteen of the codes each, one after the other, under random ids."""
    refs = (np.arange(len(codes)) // MAX_PATCHES << FRAME_BITS).astype(np.uint32)
    return PatchRows.of(codes, refs, random(len(codes) // MAX_PATCHES, numbers)[:, :16].copy())


def patches(size: int, distance: int, folder: Path) -> str:
    """Builds, writes, opens and asks as the gate does it; a line of the table."""
    numbers = np.random.default_rng(1)
    codes = some_patches(size, numbers)
    asked = uploads(codes, numbers)
    source = patch_rows(codes, numbers)
    path, start = folder / "index.bin", time.process_time()
    save(path, IndexMarks(1, 1, {}), {"patches": PatchPlan(distance, 1, [source])})
    built = time.process_time() - start
    del codes, source
    table = load(path)[1]["patches"]
    assert isinstance(table, PatchTable)
    opened = _time(lambda: load(path))
    batches = asked.reshape(-1, PATCHES_OF_AN_UPLOAD)
    hits = sum(len(table.query(batch.tobytes(), len(batch), distance).rows) for batch in batches[:100])
    done, clock, own = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - clock < SECONDS:
        table.query(batches[done % len(batches)].tobytes(), PATCHES_OF_AN_UPLOAD, distance)
        done += 1
    clock, own = (time.perf_counter() - clock) / done * 1000, (time.process_time() - own) / done * 1000
    each = path.stat().st_size / size
    path.unlink()
    rate = PATCHES_OF_AN_UPLOAD / own * 1000
    times = f"{clock:9.2f} {own:9.2f} {rate:10.0f} {built:8.1f} {opened:7.2f}"
    return f"{size:10} {distance:9} {times} {each:7.1f} {hits / 100:7.1f}"


HEADS: Final = (
    *(("patches", 10), ("distance", 9), ("ms/200", 9), ("own time", 9), ("a second", 10), ("build s", 8)),
    *(("open s", 7), ("B/patch", 7), ("hits", 7)),
)


def main() -> None:
    """Measures PDQ codes, then patches."""
    with tempfile.TemporaryDirectory(dir=HERE) as folder:
        if SIZES:
            measure_codes(Path(folder))
        lines = [" ".join(f"{head:>{width}}" for head, width in HEADS)]
        print(lines[0])
        for size in PATCHES:
            for distance in (6, 8):
                lines.append(patches(size, distance, Path(folder)))
                print(lines[-1], flush=True)
                (HERE / "index-patches.txt").write_text("\n".join(lines) + "\n")


def measure_codes(folder: Path) -> None:
    """Prints a line for each figure, and draws the plot."""
    try:
        importlib.import_module("faiss").omp_set_num_threads(1)
    except ImportError:
        print("faiss is not installed: see above how")
    found: list[Figure] = []
    heads = ("codes", 10), ("a second", 10), ("own time", 10), ("build s", 8), ("open s", 7), ("B/code", 7), ("hits", 6)
    lines = [" " * 20 + "".join(f" {head:>{width}}" for head, width in heads)]
    print(lines[0])
    for size in SIZES:
        for one in figures(size, folder):
            found.append(one)
            times = f"{one.clock:10.0f} {one.own:10.0f} {one.built:8.2f} {one.opened:7.2f}"
            lines.append(f"{one.name:20} {one.size:10} {times} {one.bytes_each:7.1f} {one.hits:6}")
            print(lines[-1], flush=True)
            (HERE / "index.txt").write_text("\n".join(lines) + "\n")
            draw(found)


def draw(found: list[Figure]) -> None:
    """Look-ups a second over the number of codes, for each index."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for name in dict.fromkeys(one.name for one in found):
        points = [one for one in found if one.name == name]
        axes.plot([p.size for p in points], [p.own for p in points], marker="o", label=name)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="PDQ codes",
        ylabel="look-ups a second, one core",
        title="Exact within 31 bits",
    )
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(HERE / "index.png", dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
