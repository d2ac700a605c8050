"""Starts the service, and a thread that follows the feed."""

import signal
from collections.abc import Callable
from contextlib import closing, nullcontext, suppress
from pathlib import Path
from typing import Final, NamedTuple

import uvicorn
from starlette.applications import Starlette

from takeback.connections import listen, url_of
from takeback.errors import GateError, SettingsError
from takeback.gate import Gate
from takeback.gate.serve.log import start_logging, write_log
from takeback.gate.service import Synced
from takeback.gate.watch import following
from takeback.limits import server_config
from takeback.lookup.service.app import create_app
from takeback.lookup.service.sites import Sites
from takeback.protocol import MAX_SMALL_SITES

GRACE_SECONDS: Final = 12
"""Time for requests in progress to finish when the service stops: the longest that an answer is held back, and more."""


class LookUpOptions(NamedTuple):
    """Where to listen, the gate's folder, and whether to follow the feed, at an `interval` in seconds."""

    home: str
    host: str
    port: int
    follow: bool
    interval: float


def serve(options: LookUpOptions, announce: Callable[[str], None]) -> None:
    """Serves until SIGINT or SIGTERM, then finishes requests in progress. `announce` is called with the URL.

    It is one process: quotas, and what is noticed of probing, are counted in its memory. Raises `SettingsError` if it
    cannot listen, and `GateError`.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # uvicorn raises the signal again after its shutdown
    Gate.open(options.home).close()  # an unusable folder must be reported before anything starts
    Sites(Path(options.home)).close()

    def make() -> Starlette:
        start_logging()
        return create_app(options.home)

    def sync(gate: Gate) -> Synced:
        return gate.sync(small_sites=_small_sites(options.home))

    follow = following(lambda: Gate.open(options.home), write_log, options.interval, sync)
    with listen(options.host, options.port) as listener, follow if options.follow else nullcontext():
        config = server_config(make, GRACE_SECONDS, factory=True)
        announce(url_of(listener))
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


def _small_sites(home: str) -> int | None:
    """Returns how many sites asked of late, as the registry is told; `None` if that cannot be counted now."""
    try:
        with closing(Sites(Path(home))) as sites:
            return min(sites.active(), MAX_SMALL_SITES)
    except (GateError, SettingsError):  # the feed is followed all the same, as withdrawals must go on arriving
        return None
