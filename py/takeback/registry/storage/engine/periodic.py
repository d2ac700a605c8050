"""Does something again and again in a thread of its own, whatever goes wrong in between."""

from collections.abc import Callable
from threading import Event, Thread

from takeback.registry.logs import LOG


class PeriodicTask:
    """Calls `work` every `interval` seconds, and at once again while it says that there is more."""

    def __init__(self, work: Callable[[], bool], interval: float) -> None:
        self._work = work
        self._interval = interval
        self._stop = Event()
        self._thread = Thread(target=self._run, name="takeback-ticker", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finishes what is under way, then stops."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        more = False
        while not self._stop.wait(0 if more else self._interval):
            try:
                more = self._work()
            except Exception as error:  # noqa: BLE001 - a fault of the store passes, and the work must go on
                LOG.error("the registry could not do what was due; it tries again", exc_info=error)
                more = False
