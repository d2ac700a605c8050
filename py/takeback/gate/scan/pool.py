"""Runs the chunks in processes on this machine. A chunk that kills its process is divided to find the row at fault."""

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import pyarrow as pa

from takeback.gate.processes.parent import end_with_parent
from takeback.gate.scan.sources import RowChunk, ScanChunk
from takeback.gate.scan.work import ADDRESS_COLUMN, KEY_COLUMN, MATCHES_SCHEMA, error_row, scan_batch
from takeback.gate.service import Gate

QUEUED_CHUNKS_PER_WORKER: Final = 2
"""Chunks that are submitted ahead for each worker."""
KILLED_REASON: Final = "killed-its-process"
"""Error code of a row that kills the process that works on it."""

type NumberedChunk = tuple[int, ScanChunk]
type ChunkResult = tuple[int, pa.RecordBatch]
type NumberedResult = tuple[int, int, pa.RecordBatch]
"""A chunk's number, its number of rows, and the rows that matched."""

_gate: Gate


def _open(snapshot: Path) -> None:
    """Initialises a process of the pool."""
    global _gate  # noqa: PLW0603 - each process of the pool opens the gate once, for all its chunks
    end_with_parent()
    _gate = Gate.open(snapshot)
    # The list is frozen, so its state never has news.
    _gate.refresh_seconds = float("inf")
    _gate.uses_rate_brake = False
    _gate.warm_up()


def _do(chunk: ScanChunk) -> ChunkResult:
    batch = chunk.load()
    return batch.num_rows, scan_batch(batch, _gate)


def run(chunks: Iterable[NumberedChunk], snapshot: Path, workers: int) -> Iterator[NumberedResult]:
    """Works on every chunk in `workers` processes, and yields results as they come, in any order."""
    todo = iter(chunks)
    while True:
        broken = yield from _until_broken(todo, snapshot, workers)
        if not broken:
            return
        # A broken pool does not say which chunk broke it, so each unfinished one is run in a process of its own.
        for number, chunk in broken:
            yield number, *_run_divided(chunk, snapshot)


def _pool(snapshot: Path, workers: int) -> ProcessPoolExecutor:
    # Spawned, because the caller may have threads, and a gate must not be carried through a fork.
    return ProcessPoolExecutor(workers, get_context("spawn"), _open, (snapshot,))


def _until_broken(
    todo: Iterator[NumberedChunk], snapshot: Path, workers: int
) -> Generator[NumberedResult, None, list[NumberedChunk]]:
    """Works on chunks until a process dies or there are none left; returns the chunks that were not finished."""
    with _pool(snapshot, workers) as pool:
        running: dict[Future[ChunkResult], NumberedChunk] = {}
        waiting: list[NumberedChunk] = []
        while True:
            done = set[Future[ChunkResult]]()
            try:
                waiting += islice(todo, workers * QUEUED_CHUNKS_PER_WORKER - len(running))
                while waiting:
                    running[pool.submit(_do, waiting[0][1])] = waiting[0]
                    waiting.pop(0)
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                answers = [(running[future][0], future.result()) for future in done]
            except BrokenProcessPool:
                return [*running.values(), *waiting]
            if not running:
                return []
            for future in done:
                del running[future]
            for number, answer in answers:
                yield number, *answer


def _run_divided(chunk: ScanChunk, snapshot: Path) -> ChunkResult:
    """Works on a chunk alone, and halves it if it kills its process, until the row at fault is found and reported."""
    try:
        with _pool(snapshot, 1) as pool:
            return pool.submit(_do, chunk).result()
    except BrokenProcessPool:
        batch = chunk.load()
    if batch.num_rows <= 1:
        row = batch.to_pylist()[0]
        key = row.get(ADDRESS_COLUMN, row.get(KEY_COLUMN))
        return 1, pa.RecordBatch.from_pylist(
            [error_row(None if key is None else str(key), KILLED_REASON)], schema=MATCHES_SCHEMA
        )
    half = batch.num_rows // 2
    halves = [_run_divided(RowChunk(part), snapshot) for part in (batch.slice(0, half), batch.slice(half))]
    return batch.num_rows, pa.concat_batches([found for _, found in halves])
