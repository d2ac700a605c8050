"""Starts the proxy: one process, which hashes in others or asks a sidecar."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import httpx
import uvicorn

from takeback.connections import listen as open_listener
from takeback.connections import url_of
from takeback.gate.serve.log import start_logging, write_log
from takeback.integrations.checker import CheckerSettings
from takeback.integrations.proxy.app import Proxy, ProxyOptions
from takeback.integrations.proxy.judges import GateJudge, Judge, LookUpJudge, SidecarJudge
from takeback.integrations.proxy.tunnel import TunnelingProtocol, tunnel_to
from takeback.integrations.proxy.upstream import Upstream, UpstreamOptions
from takeback.lookup import RemoteGate

GRACE_SECONDS: Final = 10
"""Time for requests in progress to finish when the proxy stops."""


def open_judge(settings: CheckerSettings) -> Judge:
    """Opens the gate, or prepares connections to who is asked: a look-up service first, then a sidecar.

    Raises `SettingsError` or `GateError`.
    """
    if settings.lookup:
        return _look_up(settings)
    if not settings.sidecar:
        return GateJudge.open(settings.home)
    try:
        answered = httpx.get(f"{settings.sidecar}/readyz", timeout=5, trust_env=False).status_code
    except httpx.HTTPError as error:
        write_log(f"the sidecar cannot be reached yet ({type(error).__name__})")
    else:
        if answered != 200:
            write_log(f"the sidecar cannot decide yet: /readyz answers {answered}")
    return SidecarJudge(settings.sidecar, settings.token)


def _look_up(settings: CheckerSettings) -> Judge:
    remote = RemoteGate(settings.lookup, settings.key)
    trouble = remote.trouble()
    if trouble:
        write_log(trouble)
    return LookUpJudge(remote)


def run_proxy(
    at: tuple[str, int],
    options: ProxyOptions,
    upstream: UpstreamOptions,
    asked: CheckerSettings,
    announce: Callable[[str], None],
) -> None:
    """Serves at `at`, a host and a port, until SIGINT or SIGTERM. `announce` is called with the URL.

    Raises `SettingsError` if it cannot listen, or if the gate's folder cannot be used, and `GateError`.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    opened = open_judge(asked)
    with open_listener(*at) as listener:
        config = uvicorn.Config(
            Proxy(options, opened, Upstream(upstream)),
            access_log=False,
            date_header=False,  # the application's answers have one
            http=TunnelingProtocol,
            lifespan="on",
            log_config=None,
            loop="uvloop" if os.name == "posix" else "asyncio",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ws=tunnel_to(upstream),
        )
        start_logging()  # last, so that settings which cannot be used leave the caller's logging as it was
        announce(url_of(listener))
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])
