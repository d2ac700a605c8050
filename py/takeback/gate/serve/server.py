"""Starts the sidecar's processes, and with `follow` keeps the gate's folder up to date beside them."""

import errno
import os
import random
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import uvicorn
from starlette.applications import Starlette
from uvicorn.supervisors import Multiprocess

from takeback.connections import is_loopback
from takeback.errors import SettingsError
from takeback.gate.processes.parent import end_with_parent
from takeback.gate.serve.app import SidecarOptions, create_app
from takeback.gate.serve.log import say, start_logging
from takeback.gate.serve.metrics import FOLDER_VARIABLE
from takeback.gate.service import Gate
from takeback.gate.watch import rounds, watch
from takeback.limits import LimitedProtocol

BACKLOG: Final = 2048
GRACE: Final = 10
"""Seconds that requests under way may take when the sidecar is told to stop."""
TOKEN_VARIABLE: Final = "TAKEBACK_GATE_TOKEN"  # noqa: S105 - its name


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen, with how many processes, and whether to follow the feed too; `interval` in seconds."""

    host: str
    port: int
    processes: int
    follow: bool
    interval: float


@dataclass(frozen=True, slots=True)
class _Factory:
    """Makes the application in the process that is to serve it."""

    options: SidecarOptions

    def __call__(self) -> Starlette:
        end_with_parent()
        start_logging()
        return create_app(self.options)


def serve(listen: Listen, options: SidecarOptions, announce: Callable[[str], None]) -> None:
    """Serves until SIGINT or SIGTERM; requests under way are finished. Raises `SettingsError` if it cannot start."""
    if not options.token and not is_loopback(listen.host):
        raise SettingsError(
            f"others could read the list through {listen.host}: set {TOKEN_VARIABLE}, which callers then have to show"
        )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the server passes it on when it has ended
    Gate.open(options.home).close()  # a folder that cannot be used is told before anything starts
    with (
        _listener(listen.host, listen.port) as listener,
        _metrics_folder(listen.processes),
        _following(listen, options),
    ):
        config = uvicorn.Config(
            _Factory(options),
            factory=True,
            workers=listen.processes,
            access_log=False,
            date_header=True,
            http=LimitedProtocol,
            lifespan="on",
            log_config=None,
            loop="uvloop" if os.name == "posix" else "asyncio",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE,
            ws="none",
        )
        host, port = listener.getsockname()[:2]
        announce(f"http://{f'[{host}]' if ':' in host else host}:{port}/")
        with suppress(KeyboardInterrupt):
            if listen.processes == 1:
                uvicorn.Server(config).run(sockets=[listener])
            else:
                Multiprocess(config, [listener]).run()


def _listener(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises `SettingsError`."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(f"port {port} is in use; choose another with --port") from error
        raise SettingsError(f"cannot listen on {host} port {port}: {error.strerror or error}") from error
    except UnicodeError as error:
        raise SettingsError(f"cannot listen on {host}: it is not a name of the network") from error


@contextmanager
def _metrics_folder(processes: int) -> Iterator[None]:
    """Where several processes write their counters, for as long as they run."""
    if processes == 1:
        yield
        return
    folder = tempfile.mkdtemp(prefix="takeback-gate-")
    os.environ[FOLDER_VARIABLE] = folder
    try:
        yield
    finally:
        del os.environ[FOLDER_VARIABLE]
        shutil.rmtree(folder, ignore_errors=True)


class _Stopped(BaseException):
    """The sidecar ends."""


@contextmanager
def _following(listen: Listen, options: SidecarOptions) -> Iterator[None]:
    """Follows the feed in a thread, if asked to. Trouble never stops the sidecar: it decides by what is known."""
    stop = threading.Event()

    def wait(seconds: float) -> None:
        if stop.wait(seconds):
            raise _Stopped

    def follow() -> None:
        with suppress(_Stopped), rounds(lambda: Gate.open(options.home), Gate.sync) as sync:
            watch(sync, wait, say, random.random, listen.interval)

    thread = threading.Thread(target=follow, name="follow", daemon=True)
    if listen.follow:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if listen.follow:
            thread.join(GRACE)
