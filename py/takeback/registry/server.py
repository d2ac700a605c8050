"""Builds the registry from its rooms and serves it until it is told to stop."""

import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import override

import uvicorn

from takeback.connections import listen, url_of
from takeback.limits import server_config
from takeback.registry.data import open_data, open_pin_key
from takeback.registry.http.app import create_app
from takeback.registry.http.compat import ncmec, stopncii
from takeback.registry.http.context import Services
from takeback.registry.http.long_poll import LongPoll
from takeback.registry.http.metrics import RegistryMetrics
from takeback.registry.http.operator_page import operator_page
from takeback.registry.http.security_txt import security_txt
from takeback.registry.http.site import Site
from takeback.registry.http.static_files import Page
from takeback.registry.keys.feed_signing import Signer
from takeback.registry.logs import LOG, start_logging
from takeback.registry.rules.benign_list import BenignList
from takeback.registry.security.credentials import PinGuessLimit
from takeback.registry.security.proof_of_work import ProofOfWork
from takeback.registry.security.rate_limit import Proxies, RateLimit
from takeback.registry.settings import RegistrySettings
from takeback.registry.storage.change_feed import ChangeFeed
from takeback.registry.storage.engine.request_coalescing import RequestCoalescer
from takeback.registry.storage.platforms import Platforms
from takeback.registry.storage.store import Store

SHUTDOWN_GRACE_SECONDS = 10
"""The time that requests in progress have to finish when the server is told to stop."""


def build_site(settings: RegistrySettings, clock: Callable[[], float] = time.time) -> tuple[Site, Services]:
    """Builds the site and the services that its routes use; `clock` gives seconds since 1970.

    Raises `SettingsError` if a setting, a key or the database cannot be used.
    """
    page = Page(settings.page) if settings.page else None
    engine = open_data(settings)
    pins, signer = open_pin_key(engine, settings.pin_key), Signer(engine, settings.feed_key, clock)
    store = Store(engine, clock, settings.policy, BenignList.load(settings.well_known))
    long_poll = LongPoll(lambda: store.feed.head()[0])
    services = Services(
        store,
        Platforms(engine, clock),
        pins,
        PinGuessLimit(time.monotonic),
        Proxies(settings.proxies),
        RateLimit(settings.arrivals, time.monotonic),
        ProofOfWork(pins.work(), settings.work, clock),
        signer,
        long_poll,
        RequestCoalescer(store.feed.look),
        clock,
        ChangeFeed(engine),
    )
    more = [
        operator_page(engine, settings.operator_key, clock),
        *([security_txt(settings.security_contact, clock)] if settings.security_contact else ()),
        *(ncmec.ROUTES if settings.ncmec else ()),
        *(stopncii.ROUTES if settings.stopncii else ()),
    ]
    return Site(create_app(services, more), page, RegistryMetrics(store), tls=settings.tls), services


def serve(settings: RegistrySettings, announce: Callable[[str], None]) -> None:
    """Serves until SIGINT or SIGTERM, and then finishes requests in progress.

    `announce` is called with the site's URL. Raises `SettingsError` if the server cannot start.
    """
    start_logging()
    listener = listen(settings.host, settings.port)
    with listener:
        site, services = build_site(settings)
        config = server_config(site, SHUTDOWN_GRACE_SECONDS)
        announce(url_of(listener))
        LOG.info("the registry starts")
        if settings.tls and not settings.proxies:
            LOG.warning("TAKEBACK_PROXIES names no proxy, so cases cannot be counted by network")
        with suppress(KeyboardInterrupt):
            _Server(config, services.long_poll.stop).run(sockets=[listener])


class _Server(uvicorn.Server):
    """A server that announces that it is stopping before it waits for requests in progress."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    @override
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # First, because a long poll may wait for longer than the time that requests have to finish.
        self._stopping()
        super().handle_exit(sig, frame)
