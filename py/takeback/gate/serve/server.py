"""Starts the sidecar's processes, and with `follow` a thread that follows the feed."""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Final

import uvicorn
from starlette.applications import Starlette
from uvicorn.supervisors import Multiprocess

from takeback.connections import is_loopback, url_of
from takeback.connections import listen as open_listener
from takeback.errors import SettingsError
from takeback.gate.processes.parent import end_with_parent
from takeback.gate.serve.app import SidecarOptions, create_app
from takeback.gate.serve.log import start_logging, write_log
from takeback.gate.serve.metrics import FOLDER_VARIABLE
from takeback.gate.service import Gate
from takeback.gate.watch import following
from takeback.limits import server_config

GRACE_SECONDS: Final = 10
"""Time for requests in progress to finish when the sidecar stops."""
TOKEN_VARIABLE: Final = "TAKEBACK_GATE_TOKEN"  # noqa: S105 - its name


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen, the number of processes, and whether to follow the feed, at an `interval` in seconds."""

    host: str
    port: int
    processes: int
    follow: bool
    interval: float


@dataclass(frozen=True, slots=True)
class _Factory:
    """Makes the application in each serving process."""

    options: SidecarOptions

    def __call__(self) -> Starlette:
        end_with_parent()
        start_logging()
        return create_app(self.options)


def serve(listen: Listen, options: SidecarOptions, announce: Callable[[str], None]) -> None:
    """Serves until SIGINT or SIGTERM, then finishes requests in progress. `announce` is called with the URL.

    Raises `SettingsError` if it cannot listen, or would be open to other machines without a token, and `GateError`.
    """
    if not options.token and not is_loopback(listen.host):
        raise SettingsError(
            f"anyone who reaches {listen.host} could probe the list: set {TOKEN_VARIABLE}, which callers must then send"
        )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # uvicorn raises the signal again after its shutdown
    Gate.open(options.home).close()  # an unusable folder must be reported before anything starts
    with (
        open_listener(listen.host, listen.port) as listener,
        _metrics_folder(listen.processes),
        _following(listen, options),
    ):
        config = server_config(_Factory(options), GRACE_SECONDS, factory=True, workers=listen.processes)
        announce(url_of(listener))
        with suppress(KeyboardInterrupt):
            if listen.processes == 1:
                uvicorn.Server(config).run(sockets=[listener])
            else:
                Multiprocess(config, [listener]).run()


@contextmanager
def _metrics_folder(processes: int) -> Iterator[None]:
    """Makes the temporary folder in which several processes share their metrics."""
    if processes == 1:
        yield
        return
    folder = tempfile.mkdtemp(prefix="takeback-gate-")
    # Before the processes start: prometheus_client reads it when it is imported there.
    os.environ[FOLDER_VARIABLE] = folder
    try:
        yield
    finally:
        del os.environ[FOLDER_VARIABLE]
        shutil.rmtree(folder, ignore_errors=True)


def _following(listen: Listen, options: SidecarOptions) -> AbstractContextManager[None]:
    """Follows the feed in a thread if `listen.follow` is set."""
    return following(lambda: Gate.open(options.home), write_log, listen.interval) if listen.follow else nullcontext()
