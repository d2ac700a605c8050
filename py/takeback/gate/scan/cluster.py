"""Runs the chunks on an existing Ray cluster.

The list is sent to each node once, shared by its workers, and removed when they have ended. If a node is lost, Ray runs
its chunks on another one; the result is the same, because the work is pure.
"""

import logging
import pickle
import socket
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

import numpy as np
import pyarrow as pa

from takeback.errors import SettingsError
from takeback.gate.scan.pool import NumberedChunk, NumberedResult
from takeback.gate.scan.shared import unpack
from takeback.gate.scan.sources import RowChunk
from takeback.gate.scan.work import scan_batch
from takeback.gate.service import Gate

CONNECT_SECONDS: Final = 10
WAVE_CHUNKS: Final = 10_000
"""Chunks that are submitted to the cluster together."""
WAVE_ROWS: Final = 4_000_000
"""Rows that the chunks of a wave carry with them at most: a few hundred megabytes."""


class ScanWorker:
    """A Ray actor that opens the node's copy of the list and works on chunks."""

    def __init__(self, held: list[Any]) -> None:
        import ray

        self._gate = Gate.open(unpack(memoryview(ray.get(held[0]))))
        self._gate.refresh_seconds = float("inf")
        self._gate.uses_rate_brake = False
        self._gate.warm_up()

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Works on the chunks of a Ray batch, a dictionary of arrays of equal length."""
        done = [self._do(pickle.loads(chunk)) for chunk in batch["chunk"]]  # noqa: S301 - our own, by Ray's own way
        return {
            "number": batch["number"],
            "rows": np.array([rows for rows, _ in done]),
            "found": np.array([found for _, found in done], dtype=object),
        }

    def _do(self, chunk: Any) -> tuple[int, bytes]:
        batch = chunk.load()
        return batch.num_rows, _as_bytes(scan_batch(batch, self._gate))


def run(chunks: Iterable[NumberedChunk], packed: bytes, address: str, workers: int) -> Iterator[NumberedResult]:
    """Works on every chunk on at most `workers` cores of the cluster at `address`, and yields results as they come.

    `packed` is the snapshot from `pack`. Raises `SettingsError` if there is no cluster.
    """
    import ray

    try:
        _check_reachable(address)
        ray.init(address, ignore_reinit_error=True, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        raise SettingsError(f"there is no Ray cluster at {address}: {type(error).__name__}") from error
    try:
        held = [ray.put(np.frombuffer(packed, np.uint8))]  # in a list, so that Ray passes on the reference
        todo = iter(chunks)
        while wave := _next_wave(todo):
            yield from _wave(wave, held, workers)
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raises `OSError` at once if nothing listens there, because Ray would retry for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()


def _next_wave(todo: Iterator[NumberedChunk]) -> list[NumberedChunk]:
    """Returns the chunks of the next wave."""
    wave: list[NumberedChunk] = []
    rows = 0
    for number, chunk in islice(todo, WAVE_CHUNKS):
        wave.append((number, chunk))
        rows += chunk.batch.num_rows if isinstance(chunk, RowChunk) else 0
        if rows >= WAVE_ROWS:
            break
    return wave


def _wave(wave: list[NumberedChunk], held: list[Any], workers: int) -> Iterator[NumberedResult]:
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    items = [{"number": number, "chunk": pickle.dumps(chunk)} for number, chunk in wave]
    given = ray.data.from_items(items, override_num_blocks=len(items))
    done = given.map_batches(
        ScanWorker, fn_constructor_args=(held,), batch_size=1, concurrency=workers, num_cpus=1, batch_format="numpy"
    )
    for row in done.iter_rows():
        with pa.ipc.open_stream(row["found"]) as reader:
            yield int(row["number"]), int(row["rows"]), reader.read_next_batch()


def _as_bytes(batch: pa.RecordBatch) -> bytes:
    """Serialises the batch with its schema."""
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(out.getvalue())
