"""The sidecar, or another application, in this process on a free loopback port."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn
from starlette.types import ASGIApp

from takeback.gate.serve.app import SidecarOptions, create_app


@contextmanager
def serving(home: Path, **changes: object) -> Iterator[httpx.Client]:
    """A sidecar over the gate in `home`, and a client for it; `changes` are options."""
    values: dict[str, object] = {"max_bytes": 1 << 20, "places": 2, "threads": 2, **changes}
    with answering(create_app(SidecarOptions(str(home), **values))) as client:  # type: ignore[arg-type]
        yield client


@contextmanager
def answering(app: ASGIApp) -> Iterator[httpx.Client]:
    """A server for an application on a free port, and a client for it."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False, ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
