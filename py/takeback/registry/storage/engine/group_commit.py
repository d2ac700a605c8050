"""Group commit: one thread writes, and events that arrive during a transaction share the next one."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import groupby
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from takeback.errors import RegistryError, StoreUnavailable
from takeback.registry.storage.engine.database import WRITES

MAX_GROUP_EVENTS: Final = 256
"""Events in one transaction, at most: enough for a busy registry, and few enough that none waits long."""

MAX_TRIES: Final = 5
"""Attempts at a transaction that conflicts with others."""
RETRYABLE_SQLSTATES: Final = frozenset({"40001", "40P01"})
"""PostgreSQL's codes for errors after which a transaction is tried again: serialization failure and deadlock."""

type GroupHandler[I, R] = Callable[[Connection, Sequence[I]], Sequence[R | RegistryError]]
"""Writes events of one kind, and returns for each its result or the error for which it is refused.

It must be idempotent: a group that fails may be tried again, also event by event. It must write nothing for a refused
event.
"""


@dataclass(frozen=True, slots=True)
class _Job:
    batch: GroupHandler[Any, Any]
    item: object
    future: Future[Any]


class GroupCommit:
    """Makes all writes of a process, in one thread. `begin` runs first in each transaction."""

    def __init__(self, engine: Engine, begin: Callable[[Connection], None]) -> None:
        self._connect = engine.execution_options(**WRITES)
        self._begin = begin
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="takeback-writer", daemon=True)
        self._thread.start()

    def submit[I, R](self, batch: GroupHandler[I, R], item: I) -> Future[R]:
        """Queues `item` for the handler `batch`; the future completes when it is durable.

        The future raises the handler's error, or `StoreUnavailable` if the database cannot store it.
        """
        future: Future[R] = Future()
        future.set_running_or_notify_cancel()  # not cancelled when a client disconnects: the event is stored
        self._queue.put(_Job(batch, item, future))
        return future

    def close(self) -> None:
        """Writes what is queued, and stops the thread."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            group = [job]
            self._gather(group)
            self._commit(group)

    def _gather(self, group: list[_Job]) -> None:
        """Adds the jobs that are queued now."""
        while len(group) < MAX_GROUP_EVENTS:
            try:
                job = self._queue.get_nowait()
            except Empty:
                return
            if job is None:  # `close` was called: leave that for `_run`
                self._queue.put(None)
                return
            group.append(job)

    def _commit(self, group: list[_Job], *, alone: bool = False) -> None:
        try:
            results = self._try(group, alone=alone)
        except Exception as error:  # noqa: BLE001 - the callers must get every error
            if len(group) > 1 and not isinstance(error, OperationalError):  # one event is bad: find it
                for job in group:
                    self._commit([job], alone=True)
                return
            # `_apply` adds to this list the events that it takes along, so that the failure reaches them too.
            for job in group:
                job.future.set_exception(_ours(error))
            return
        # After the commit: nobody may hear of an event that is not durable.
        for job, result in results:
            if isinstance(result, RegistryError):
                job.future.set_exception(result)
            else:
                job.future.set_result(result)

    def _try(self, group: list[_Job], *, alone: bool) -> list[tuple[_Job, object]]:
        """Runs one transaction, and tries again while it conflicts with others."""
        for _ in range(MAX_TRIES - 1):
            try:
                return self._apply(group, alone=alone)
            except OperationalError as error:
                if getattr(error.orig, "sqlstate", None) not in RETRYABLE_SQLSTATES:
                    raise
        return self._apply(group, alone=alone)

    def _apply(self, group: list[_Job], *, alone: bool) -> list[tuple[_Job, object]]:
        """Runs one transaction. Events of one kind are handled together; the order of kinds does not matter."""
        results: list[tuple[_Job, object]] = []
        with self._connect.begin() as connection:
            self._begin(connection)
            if not alone:
                # More came while another process held the lock. With it, several processes on PostgreSQL keep half as
                # many cases again a second.
                self._gather(group)
            for _, same in groupby(sorted(group, key=_kind), key=_kind):
                jobs = list(same)
                outcome = jobs[0].batch(connection, [job.item for job in jobs])
                results.extend(zip(jobs, outcome, strict=True))
        return results


def _kind(job: _Job) -> str:
    return job.batch.__name__


def _ours(error: Exception) -> Exception:
    if not isinstance(error, DBAPIError):
        return error
    unavailable = StoreUnavailable("the registry cannot store this now; nothing was stored, send the same again")
    unavailable.__cause__ = error
    return unavailable
