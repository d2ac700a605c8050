"""A scan from start to end: plans, runs what is not done yet, keeps each part as it is done, and reports.

Everything is in the folder of results, so that a scan that was stopped, by whatever, goes on when it is called again:
`plan.json` says of what it is, `list/` is the frozen list, `parts/` holds a file for each part that is done, with the
names of what it was of. The plan is written first, into an empty folder: what stands beside it is a scan's own.
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
    """What a scan is of. `newer_than` leaves out entries up to a number of the feed."""

    inputs: Sequence[str]
    columns: Mapping[str, str] = field(default_factory=dict)
    table: str | None = None
    newer_than: int = 0


@dataclass(frozen=True, slots=True)
class ScanResources:
    """What a scan is run with: processes here, or cores of the cluster at `ray`."""

    workers: int
    ray: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a scan is: parts that are done, of how many, if that is known before the end, and rows in them."""

    done: int
    chunks: int | None
    rows: int


class _FinishedChunks:
    """The parts that are done, by number: what they were of, and where in the input that stands now."""

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
        """What is not done of `chunks`, with numbers that are free; notes where what is done stands among them."""
        owners = {source: list(numbers) for source, numbers in self._owners.items()}
        number = max(self.rows, default=-1)
        for place, part in enumerate(chunks):
            left = []
            for source in part.sources:
                if held := owners.get(source):
                    self._places.setdefault(held.pop(), place)
                else:
                    left.append(source)
            if left:
                number += 1
                self._places[number] = place
                yield number, part.only(left)

    def keep(self, number: int, part: ScanChunk, rows: int, found: pa.RecordBatch) -> None:
        """Writes what a part found, whole or not at all."""
        about = {_ROWS: str(rows).encode(), _SOURCES: json.dumps(part.sources).encode()}
        sink = pa.BufferOutputStream()
        pa.parquet.write_table(pa.Table.from_batches([found]).replace_schema_metadata(about), sink)
        _write(self._folder / f"{number:09}.parquet", bytes(sink.getvalue()))
        self.rows[number] = rows

    def of_the_input(self) -> list[Path]:
        """The files of the parts that the input still has, in its order."""
        there = sorted((place, number) for number, place in self._places.items())
        self.rows = {number: self.rows[number] for _, number in there}
        return [self._folder / f"{number:09}.parquet" for _, number in there]


def run_scan(home: Path, out: Path, plan: ScanPlan, means: ScanResources, tell: Callable[[Progress], None]) -> Summary:
    """Scans, or goes on with a scan, and returns what it found. Raises `SettingsError`, `GateError`.

    What came into the input since it was stopped is scanned too; rows that are not in it any more are left out, but
    for pictures of a part that has others still.
    """
    checkpoint = _begin(home, out, plan)
    done = _FinishedChunks(out)
    left = count(part for _, part in done.remaining(chunks(plan.inputs, plan.columns, plan.table)))
    total = None if left is None else len(done.rows) + left
    flying: dict[int, ScanChunk] = {}

    def todo() -> Iterator[pool.NumberedChunk]:
        for number, part in done.remaining(chunks(plan.inputs, plan.columns, plan.table)):
            flying[number] = part
            yield number, part

    tell(Progress(len(done.rows), total, sum(done.rows.values())))
    for number, rows, found in _run(todo(), out, means):
        done.keep(number, flying.pop(number), rows, found)
        tell(Progress(len(done.rows), total, sum(done.rows.values())))
    files = done.of_the_input()
    summary = write_report(out, files, sum(done.rows.values()), checkpoint)
    shutil.rmtree(out / LIST_FOLDER)
    for file in (out / PARTS_FOLDER).glob("*.parquet"):
        file.unlink()
    with suppress(OSError):  # what somebody else put there stays
        (out / PARTS_FOLDER).rmdir()
    return summary


def _begin(home: Path, out: Path, plan: ScanPlan) -> int:
    """Makes the folder, or checks that the one that is there is of the same scan; the number the list reaches."""
    wanted = {**asdict(plan), "inputs": list(plan.inputs), "checkpoint": None}
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (out / PLAN_FILE).exists():
            return _begin_anew(home, out, wanted)
        known = json.loads((out / PLAN_FILE).read_bytes())
        if not isinstance(known, dict) or {**known, "checkpoint": None} != wanted:
            raise SettingsError(f"{out} holds another scan: take another folder, or remove it")
        if known["checkpoint"] is None:
            return _freeze(home, out, wanted)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{out} cannot be used: {error}") from error
    if not (out / LIST_FOLDER).is_dir():
        raise SettingsError(f"the scan in {out} is done: take another folder, or remove it")
    return int(known["checkpoint"])


def _begin_anew(home: Path, out: Path, wanted: dict[str, Any]) -> int:
    """Makes an empty folder that of a scan; it is empty again if that fails."""
    path, plan = out / PLAN_FILE, json.dumps(wanted).encode()
    for file in sorted(out.iterdir()):
        if file != path.with_suffix(".new") or not plan.startswith(file.read_bytes()):
            raise SettingsError(f"{out} holds {file.name}, which is not of a scan: take an empty folder")
    _write(path, plan)
    try:
        return _freeze(home, out, wanted)
    except BaseException:
        path.unlink()
        raise


def _freeze(home: Path, out: Path, wanted: dict[str, Any]) -> int:
    """Makes the list in a folder that is a scan's by its plan; what is there was left by one that was stopped."""
    for left in (out / LIST_FOLDER, snapshot.draft_of(out / LIST_FOLDER)):
        if left.exists():
            shutil.rmtree(left)
    checkpoint = snapshot.freeze(home, out / LIST_FOLDER, wanted["newer_than"])
    (out / PARTS_FOLDER).mkdir(exist_ok=True)
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
        os.fsync(file.fileno())
    draft.replace(path)
