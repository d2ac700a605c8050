"""Puts the registry together and serves it until it is told to stop."""

import errno
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import uvicorn
from sqlalchemy import Engine

from takeback.errors import SettingsError
from takeback.registry.app import Services, create_app
from takeback.registry.auth import Guesses, PinKey, load_pin_key
from takeback.registry.database import WRITES, open_database
from takeback.registry.logs import LOG, start_logging
from takeback.registry.pages import Page
from takeback.registry.platforms import Platforms
from takeback.registry.queries import keep_pin_key_mark, pin_key_mark
from takeback.registry.settings import Settings
from takeback.registry.site import Site
from takeback.registry.store import Store

BACKLOG = 2048
GRACE = 10
"""Seconds that requests under way may take when the server is told to stop."""


def open_data(settings: Settings) -> Engine:
    """The database in the data folder, both made if they are not there. Raises `SettingsError`."""
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(settings.data, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise SettingsError(f"cannot write in the data folder {settings.data}: {error.strerror}") from error
    return open_database(settings.store)


def open_pin_key(engine: Engine, path: Path) -> PinKey:
    """The PIN key that belongs to the database; at the very first start they are tied together."""
    with engine.execution_options(**WRITES).begin() as connection:
        mark = pin_key_mark(connection)
        key = load_pin_key(path, mark)
        if mark is None:
            keep_pin_key_mark(connection, key.mark())
    return key


def build_site(settings: Settings) -> Site:
    """The site over the data folder. Raises `SettingsError`."""
    page = Page(settings.page) if settings.page else None
    engine = open_data(settings)
    services = Services(
        Store(engine, time.time, settings.policy),
        Platforms(engine),
        open_pin_key(engine, settings.pin_key),
        Guesses(time.monotonic),
        time.time,
    )
    return Site(create_app(services), page, tls=settings.tls)


def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serves until SIGINT or SIGTERM; requests under way are finished. Raises `SettingsError` if it cannot start."""
    start_logging()
    listener = listen(settings.host, settings.port)
    with listener:
        site = build_site(settings)
        config = uvicorn.Config(
            site,
            access_log=False,
            date_header=True,
            http="httptools",
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
        LOG.info("the registry starts")
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises `SettingsError`."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(f"port {port} is in use; choose another with --port") from error
        raise SettingsError(f"cannot listen on {host} port {port}: {error.strerror or error}") from error
