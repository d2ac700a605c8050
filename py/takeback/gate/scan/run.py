"""A scan from start to end: plans, runs what is not done yet, keeps each part as it is done, and reports.

Everything is in the folder of results, so that a scan that was stopped, by whatever, goes on when it is called again:
`plan.json` says of what it is, `list/` is the frozen list, `parts/` holds a file for each part that is done.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet

from takeback.errors import SettingsError
from takeback.gate.scan import cluster, pool, snapshot
from takeback.gate.scan.pool import Done
from takeback.gate.scan.report import Summary, write_report
from takeback.gate.scan.sources import count, parts

PLAN: Final = "plan.json"
LIST: Final = "list"
PARTS: Final = "parts"
_ROWS: Final = b"takeback_rows"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a scan is of. `newer_than` leaves out entries up to a number of the feed."""

    inputs: Sequence[str]
    columns: Mapping[str, str] = field(default_factory=dict)
    table: str | None = None
    newer_than: int = 0


@dataclass(frozen=True, slots=True)
class Means:
    """What a scan is run with: processes here, or cores of the cluster at `ray`."""

    workers: int
    ray: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a scan is: parts that are done, of how many, if that is known before the end, and rows in them."""

    done: int
    parts: int | None
    rows: int


def run_scan(home: Path, out: Path, plan: Plan, means: Means, tell: Callable[[Progress], None]) -> Summary:
    """Scans, or goes on with a scan, and returns what it found. Raises `SettingsError`, `GateError`."""
    checkpoint = _begin(home, out, plan)
    rows = {number: _rows_of(file) for number, file in _kept(out).items()}
    total = count(plan.inputs, plan.columns, plan.table)
    seen = 0

    def todo() -> Iterator[pool.Numbered]:
        nonlocal seen
        for number, part in enumerate(parts(plan.inputs, plan.columns, plan.table)):
            seen = number + 1
            if number not in rows:
                yield number, part

    scanned = sum(rows.values())
    tell(Progress(len(rows), total, scanned))
    for number, several, found in _run(todo(), out, means):
        _keep(out, number, several, found)
        rows[number] = several
        scanned += several
        tell(Progress(len(rows), total, scanned))
    kept = _kept(out)
    if len(kept) != seen:
        raise SettingsError(f"{out} holds parts of another input: scan into another folder")
    summary = write_report(out, [kept[number] for number in sorted(kept)], scanned, checkpoint)
    shutil.rmtree(out / LIST)
    shutil.rmtree(out / PARTS)
    return summary


def _begin(home: Path, out: Path, plan: Plan) -> int:
    """Makes the folder, or checks that the one that is there is of the same scan; the number the list reaches."""
    path = out / PLAN
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            if any(out.iterdir()):
                _clear_drafts(out)
            checkpoint = snapshot.freeze(home, out / LIST, plan.newer_than)
            (out / PARTS).mkdir(exist_ok=True)
            _write(path, json.dumps({**asdict(plan), "inputs": list(plan.inputs), "checkpoint": checkpoint}).encode())
            return checkpoint
        known: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{out} cannot be used: {error}") from error
    checkpoint = known.pop("checkpoint")
    if known != {**asdict(plan), "inputs": list(plan.inputs)}:
        raise SettingsError(f"{out} holds another scan: take another folder, or remove it")
    if not (out / LIST).is_dir():
        raise SettingsError(f"the scan in {out} is done: take another folder, or remove it")
    return int(checkpoint)


def _clear_drafts(out: Path) -> None:
    """Removes what a scan left that was stopped before it began; refuses a folder with anything else in it."""
    if foreign := [file.name for file in out.iterdir() if file.name not in {LIST, PARTS} and file.name[0] != "."]:
        raise SettingsError(f"{out} holds {foreign[0]}, which is not of a scan: take an empty folder")
    for file in out.iterdir():
        shutil.rmtree(file)


def _run(todo: Iterable[pool.Numbered], out: Path, means: Means) -> Iterator[Done]:
    if means.ray is None:
        return pool.run(todo, out / LIST, means.workers)
    return cluster.run(todo, snapshot.pack(out / LIST), means.ray, means.workers)


def _keep(out: Path, number: int, count: int, found: pa.RecordBatch) -> None:
    """Writes what a part found, whole or not at all."""
    table = pa.Table.from_batches([found]).replace_schema_metadata({_ROWS: str(count).encode()})
    sink = pa.BufferOutputStream()
    pa.parquet.write_table(table, sink)
    _write(out / PARTS / f"{number:09}.parquet", bytes(sink.getvalue()))


def _write(path: Path, data: bytes) -> None:
    draft = path.with_suffix(".new")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _kept(out: Path) -> dict[int, Path]:
    """The parts that are done, by number."""
    return {int(file.stem): file for file in (out / PARTS).glob("*.parquet")}


def _rows_of(file: Path) -> int:
    """How many rows a part had."""
    return int(pa.parquet.read_schema(file).metadata[_ROWS])
