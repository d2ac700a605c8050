"""Runs a scan from start to end: plans it, works on unfinished chunks, stores each result, and writes the report.

All its state is in the folder of results, so that a scan that was stopped in any way can resume: `plan.json` describes
the scan, `list/` is the frozen list, and `parts/` holds a file for each finished chunk, with the names of its sources.
The plan is written first, into an empty folder, so that all other files in the folder are known to belong to the scan.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet

from takeback.errors import SettingsError
from takeback.gate.scan import cluster, pool, snapshot
from takeback.gate.scan.pool import NumberedResult
from takeback.gate.scan.report import Summary, write_report
from takeback.gate.scan.sources import ScanChunk, chunks, count

PLAN_FILE: Final = "plan.json"
LIST_FOLDER: Final = "list"
PARTS_FOLDER: Final = "parts"
_ROWS: Final = b"takeback_rows"
_SOURCES: Final = b"takeback_sources"


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """The input of a scan. Entries up to the feed number `newer_than` are left out."""

    inputs: Sequence[str]
    columns: Mapping[str, str] = field(default_factory=dict)
    table: str | None = None
    newer_than: int = 0


@dataclass(frozen=True, slots=True)
class ScanResources:
    """Where a scan runs: the number of processes on this machine, or of cores of the Ray cluster at `ray`."""

    workers: int
    ray: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a scan: finished chunks, the total number of chunks if known, and rows in finished chunks."""

    done: int
    chunks: int | None
    rows: int


class _FinishedChunks:
    """The finished chunks by number, with their sources and the present places of these in the input."""

    def __init__(self, out: Path) -> None:
        self._folder = out / PARTS_FOLDER
        self.rows: dict[int, int] = {}
        self._places: dict[int, int] = {}
        self._owners: dict[str, list[int]] = {}
        for file in sorted(self._folder.glob("*.parquet")):
            about = pa.parquet.read_schema(file).metadata
            self.rows[int(file.stem)] = int(about[_ROWS])
            for source in json.loads(about.get(_SOURCES, b"[]")):
                self._owners.setdefault(source, []).append(int(file.stem))

    def remaining(self, chunks: Iterable[ScanChunk]) -> Iterator[pool.NumberedChunk]:
        """Yields what is unfinished of `chunks` under new numbers, and records the places of the finished ones."""
        owners = {source: list(numbers) for source, numbers in self._owners.items()}
        number = max(self.rows, default=-1)
        for place, chunk in enumerate(chunks):
            left = []
            for source in chunk.sources:
                if held := owners.get(source):
                    self._places.setdefault(held.pop(), place)
                else:
                    left.append(source)
            if left:
                number += 1
                self._places[number] = place
                yield number, chunk.only(left)

    def keep(self, number: int, chunk: ScanChunk, rows: int, found: pa.RecordBatch) -> None:
        """Stores the result of a chunk atomically."""
        about = {_ROWS: str(rows).encode(), _SOURCES: json.dumps(chunk.sources).encode()}
        sink = pa.BufferOutputStream()
        pa.parquet.write_table(pa.Table.from_batches([found]).replace_schema_metadata(about), sink)
        _write(self._folder / f"{number:09}.parquet", bytes(sink.getvalue()))
        self.rows[number] = rows

    def of_the_input(self) -> list[Path]:
        """Returns the result files of chunks that are still in the input, in its order."""
        there = sorted((place, number) for number, place in self._places.items())
        self.rows = {number: self.rows[number] for _, number in there}
        return [self._folder / f"{number:09}.parquet" for _, number in there]


def run_scan(home: Path, out: Path, plan: ScanPlan, means: ScanResources, tell: Callable[[Progress], None]) -> Summary:
    """Runs or resumes a scan and returns its counts; `tell` is called with the progress.

    A resumed scan includes what was added to the input since, and leaves out what is no longer in it, except pictures
    of a chunk that has others still. Raises `SettingsError` if the input, the folder or the cluster cannot be used, and
    `GateError` if the gate cannot.
    """
    checkpoint = _begin(home, out, plan)
    done = _FinishedChunks(out)
    left = count(chunk for _, chunk in done.remaining(chunks(plan.inputs, plan.columns, plan.table)))
    total = None if left is None else len(done.rows) + left
    running: dict[int, ScanChunk] = {}

    def todo() -> Iterator[pool.NumberedChunk]:
        for number, chunk in done.remaining(chunks(plan.inputs, plan.columns, plan.table)):
            running[number] = chunk
            yield number, chunk

    tell(Progress(len(done.rows), total, sum(done.rows.values())))
    for number, rows, found in _run(todo(), out, means):
        done.keep(number, running.pop(number), rows, found)
        tell(Progress(len(done.rows), total, sum(done.rows.values())))
    files = done.of_the_input()
    summary = write_report(out, files, sum(done.rows.values()), checkpoint)
    # Before the parts: without its list a scan counts as finished, and is never resumed with parts missing.
    shutil.rmtree(out / LIST_FOLDER)
    for file in (out / PARTS_FOLDER).glob("*.parquet"):
        file.unlink()
    with suppress(OSError):  # files that are not the scan's stay there
        (out / PARTS_FOLDER).rmdir()
    return summary


def _begin(home: Path, out: Path, plan: ScanPlan) -> int:
    """Creates the folder, or checks that it belongs to the same scan; returns the list's checkpoint."""
    wanted = {**asdict(plan), "inputs": list(plan.inputs), "checkpoint": None}
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (out / PLAN_FILE).exists():
            return _begin_anew(home, out, wanted)
        known = json.loads((out / PLAN_FILE).read_bytes())
        if not isinstance(known, dict) or {**known, "checkpoint": None} != wanted:
            raise SettingsError(f"{out} holds another scan: use another folder, or remove it")
        if known["checkpoint"] is None:
            return _freeze(home, out, wanted)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{out} cannot be used: {error}") from error
    if not (out / LIST_FOLDER).is_dir():
        raise SettingsError(f"the scan in {out} is finished: use another folder, or remove it")
    return int(known["checkpoint"])


def _begin_anew(home: Path, out: Path, wanted: dict[str, Any]) -> int:
    """Starts a scan in an empty folder; leaves it empty if that fails."""
    path, plan = out / PLAN_FILE, json.dumps(wanted).encode()
    for file in sorted(out.iterdir()):
        # A run that was stopped may have left a part of the plan's draft; anything else is not a scan's.
        if file != path.with_suffix(".new") or not plan.startswith(file.read_bytes()):
            raise SettingsError(f"{out} holds {file.name}, which does not belong to a scan: use an empty folder")
    _write(path, plan)
    try:
        return _freeze(home, out, wanted)
    except BaseException:
        path.unlink()
        raise


def _freeze(home: Path, out: Path, wanted: dict[str, Any]) -> int:
    """Freezes the list in the folder, replacing an unfinished one, and returns its checkpoint."""
    for left in (out / LIST_FOLDER, snapshot.draft_of(out / LIST_FOLDER)):
        if left.exists():
            shutil.rmtree(left)
    checkpoint = snapshot.freeze(home, out / LIST_FOLDER, wanted["newer_than"])
    (out / PARTS_FOLDER).mkdir(exist_ok=True)
    # Last: a plan with a checkpoint says that the list is whole.
    _write(out / PLAN_FILE, json.dumps({**wanted, "checkpoint": checkpoint}).encode())
    return checkpoint


def _run(todo: Iterable[pool.NumberedChunk], out: Path, means: ScanResources) -> Iterator[NumberedResult]:
    if means.ray is None:
        return pool.run(todo, out / LIST_FOLDER, means.workers)
    return cluster.run(todo, snapshot.pack(out / LIST_FOLDER), means.ray, means.workers)


def _write(path: Path, data: bytes) -> None:
    draft = path.with_suffix(".new")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        # Before the rename, or a power cut could leave the name with a file that is not whole.
        os.fsync(file.fileno())
    draft.replace(path)
