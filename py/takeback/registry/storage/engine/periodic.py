"""A periodic task in its own thread, which continues after errors."""

from collections.abc import Callable
from threading import Event, Thread

from takeback.registry.logs import LOG


class PeriodicTask:
    """Calls `work` every `interval` seconds, and again at once while it returns true."""

    def __init__(self, work: Callable[[], bool], interval: float) -> None:
        self._work = work
        self._interval = interval
        self._stop = Event()
        self._thread = Thread(target=self._run, name="takeback-ticker", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Waits for a call in progress, and stops the thread."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        more = False
        while not self._stop.wait(0 if more else self._interval):
            try:
                more = self._work()
            except Exception as error:  # noqa: BLE001 - the database may be available again next time
                LOG.error("a periodic task failed; the registry tries again", exc_info=error)
                more = False
