"""Starts the service: one process, which asks in threads."""

import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import uvicorn

from takeback.connections import listen as open_listener
from takeback.connections import url_of
from takeback.gate.serve.log import start_logging, write_log
from takeback.integrations.callers import require_token
from takeback.integrations.checker import CheckerSettings, open_checker
from takeback.integrations.pict_rs.app import PictRsOptions, create_app
from takeback.limits import server_config

TOKEN_VARIABLE: Final = "TAKEBACK_PICTRS_TOKEN"  # noqa: S105 - its name
GRACE_SECONDS: Final = 10
"""Time for requests in progress to finish when the service stops."""


def run_pict_rs(
    at: tuple[str, int], options: PictRsOptions, settings: CheckerSettings, token: str, announce: Callable[[str], None]
) -> None:
    """Serves at `at`, a host and a port, until SIGINT or SIGTERM. `announce` is called with the URL.

    Raises `SettingsError` if it cannot listen or use its settings, and `GateError`.
    """
    require_token(at[0], token, TOKEN_VARIABLE, "probe the list")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with open_listener(*at) as listener:
        checker = open_checker(settings)
        trouble = checker.trouble()
        if trouble:
            write_log(trouble)
        server = uvicorn.Server(server_config(create_app(options, checker, token), GRACE_SECONDS))
        start_logging()
        announce(url_of(listener))
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
