"""Starts the webhook, and the threads that work the queue off."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Final

import uvicorn

from takeback.connections import listen as open_listener
from takeback.connections import url_of
from takeback.errors import GateError
from takeback.gate.serve.log import start_logging, write_log
from takeback.gate.watch import error_location
from takeback.integrations.bucket.app import create_app
from takeback.integrations.bucket.inspector import Inspector, InspectorOptions, NotDecided
from takeback.integrations.bucket.notice_queue import NoticeQueue, Waiting
from takeback.integrations.bucket.store import ObjectChanged, ObjectStore, StoreOptions
from takeback.integrations.bucket.sweep import Swept, sweep
from takeback.integrations.callers import require_token
from takeback.integrations.checker import CheckerSettings, open_checker
from takeback.limits import server_config

TOKEN_VARIABLE: Final = "TAKEBACK_BUCKET_TOKEN"  # noqa: S105 - its name
GRACE_SECONDS: Final = 10
"""Time for objects in progress to be decided on when the service stops; others are decided on after the next start."""
LOOK_SECONDS: Final = 0.5
"""Between looks for notices that became due."""
AWAY_SECONDS: Final = 5.0
"""Between questions whether somebody can decide again."""
MAX_BACK_OFF_SECONDS: Final = 3600
"""Most between two tries with one object."""


@dataclass(frozen=True, slots=True)
class BucketService:
    """What runs: who is asked, which store, what follows, and how many objects are checked at once."""

    checker: CheckerSettings
    store: StoreOptions
    options: InspectorOptions
    workers: int = 2

    @contextmanager
    def inspector(self) -> Iterator[tuple[Inspector, ObjectStore]]:
        """Opens who is asked and the store. Raises `SettingsError` or `GateError`."""
        with ExitStack() as stack:
            checker = open_checker(self.checker)
            stack.callback(checker.close)
            store = ObjectStore(self.store)
            stack.callback(store.close)
            trouble = checker.trouble()
            if trouble:
                write_log(trouble)
            yield Inspector(self.options, checker, store), store


def run_webhook(
    service: BucketService, at: tuple[str, int], queue_file: Path, token: str, announce: Callable[[str], None]
) -> None:
    """Serves at `at`, a host and a port, until SIGINT or SIGTERM. `announce` is called with the URL.

    Raises `SettingsError` if it cannot listen or use its settings, and `GateError`.
    """
    require_token(at[0], token, TOKEN_VARIABLE, "have every object of your buckets fetched again")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        queue = NoticeQueue(queue_file)
        stack.callback(queue.close)
        inspector, _ = stack.enter_context(service.inspector())
        listener = stack.enter_context(open_listener(*at))
        server = uvicorn.Server(server_config(create_app(service.options, queue, token), GRACE_SECONDS))
        start_logging()
        announce(url_of(listener))
        with _working(inspector, queue, service.workers), suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


def run_sweep(service: BucketService, prefix: str, *, everything: bool) -> Swept:
    """Checks what is in the buckets and has no tag, or everything. Raises `SettingsError` and `GateError`."""
    with service.inspector() as (inspector, store):
        start_logging()
        return sweep(inspector, store, prefix, everything=everything, workers=service.workers)


@contextmanager
def _working(inspector: Inspector, queue: NoticeQueue, workers: int) -> Iterator[None]:
    """Works the queue off in threads. What they do not finish in time stays in the queue."""
    stop = Event()
    # Daemons, so that an object that takes long does not keep the process from ending.
    threads = [Thread(target=_work, args=(inspector, queue, stop), daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(GRACE_SECONDS)


def _work(inspector: Inspector, queue: NoticeQueue, stop: Event) -> None:
    while not stop.is_set():
        if inspector.is_away.is_set():
            stop.wait(LOOK_SECONDS)  # one question at a time, however many notices wait
        try:
            waiting = queue.take(LOOK_SECONDS)
            if waiting:
                _handle(inspector, queue, waiting)
        except Exception as error:  # noqa: BLE001 - a fault with one object must not end the others' checks
            write_log(f"a notification could not be worked on: {error_location(error)}")
            stop.wait(AWAY_SECONDS)


def _handle(inspector: Inspector, queue: NoticeQueue, waiting: Waiting) -> None:
    """Decides on the object of a notice, or has it tried again later; it stays until it is decided."""
    notice = waiting.notice
    was_away = inspector.is_away.is_set()
    seconds = float(min(2 << min(waiting.tries, 20), MAX_BACK_OFF_SECONDS))
    try:
        inspector.inspect(notice.bucket, notice.key, notice.version, waiting.event)
    except NotDecided as error:
        is_away = inspector.is_away.is_set()
        if not (was_away and is_away):
            write_log(f"event {waiting.event}: unchecked, because nobody can decide: {error}")
        queue.postpone(waiting, AWAY_SECONDS if is_away else seconds)
    except ObjectChanged:
        queue.postpone(waiting, seconds if waiting.tries else 0)
    except GateError as error:
        write_log(f"event {waiting.event}: to be tried again in {seconds:.0f} s: {error}")
        queue.postpone(waiting, seconds)
    except BaseException:
        queue.postpone(waiting, seconds)
        raise
    else:
        queue.done(waiting)
    if was_away and not inspector.is_away.is_set():
        write_log("decisions are possible again")
        queue.hurry()
