"""Metrics for Prometheus: requests, latencies and totals. No label contains anything about a person."""

import math
import re
import time
from collections.abc import Iterator, Mapping
from typing import Final, override

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from takeback.registry.http.openapi import OPERATIONS
from takeback.registry.storage.store import Store

PATH: Final = "/metrics"
MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_LATENCY_BUCKETS_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
COUNT_INTERVAL_SECONDS: Final = 30.0
"""The age up to which totals are reused, because counting millions of rows takes a while."""
_OTHER: Final = "other"
"""The label for requests that are not an operation: the page's files, and unknown paths."""
_ROUTES: Final = tuple(
    (operation.method.upper(), re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(operation.path))), operation.id)
    for operation in OPERATIONS
)


class RegistryMetrics:
    """The counters of one process, and the totals of the store."""

    def __init__(self, store: Store) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Totals(store))
        self._requests = Counter(
            "takeback_registry_requests",
            "Requests by operation and status.",
            ("operation", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "takeback_registry_request_seconds",
            "Seconds from a request's header to its answer's.",
            ("operation",),
            buckets=_LATENCY_BUCKETS_SECONDS,
            registry=self._registry,
        )

    def answered(self, method: str, path: str, status: int, started: float) -> None:
        """Counts an answered request that began at `started`, in seconds of the monotonic clock."""
        operation = operation_of(method, path)
        self._requests.labels(operation, str(status)).inc()
        self._seconds.labels(operation).observe(time.monotonic() - started)

    def text(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self._registry)


def operation_of(method: str, path: str) -> str:
    """The id of the operation that a request calls, or `other`; it contains nothing from the path."""
    return next((id_ for verb, form, id_ in _ROUTES if verb == method and form.fullmatch(path)), _OTHER)


class _Totals(Collector):
    """Totals of the store, read when Prometheus asks."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._totals: Mapping[str, int] = {}
        self._looked = -math.inf

    @override
    def collect(self) -> Iterator[GaugeMetricFamily]:
        now = time.monotonic()
        if now - self._looked >= COUNT_INTERVAL_SECONDS:
            self._totals, self._looked = self._store.totals(), now
        for name, value in self._totals.items():
            yield GaugeMetricFamily(f"takeback_registry_{name}", _TOTALS[name], value)


_TOTALS: Final = {
    "feed_head": "The newest number of the feed.",
    "cases_open": "Cases that are neither withdrawn nor expired.",
    "entries_active": "Entries that are in the feed.",
    "entries_due": "Entries that are waiting to join or leave the feed.",
    "entries_flooding": "Entries at review because they match too many uploads.",
    "feedback": "Recorded events of feedback.",
    "platforms": "Platforms with a valid key.",
    "platform_lag": "Lines of the feed that the slowest platform has not applied.",
}
