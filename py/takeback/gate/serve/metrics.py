"""The sidecar's metrics for Prometheus. No label contains a hash, an entry or a caller.

With several processes, each writes its own files in `PROMETHEUS_MULTIPROC_DIR`, and the one that is scraped adds them
up. The gauges are read from the gate's state at each scrape.
"""

import os
from collections.abc import Iterator
from typing import Final, override

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from takeback.gate.rules.decision import Decision
from takeback.gate.service import Gate, Status

FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_BUCKET_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Histogram buckets, from a look-up to a picture of 120 megapixels."""


class SidecarMetrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._routes: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._requests = Counter(
            "takeback_gate_requests", "Requests by route and HTTP status.", ("route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "takeback_gate_request_seconds",
            "Seconds from a request's header to its answer.",
            ("route",),
            buckets=_BUCKET_SECONDS,
            registry=self._registry,
        )
        self._decisions = Counter("takeback_gate_decisions", "Decisions.", ("action",), registry=self._registry)
        self._matches = Counter(
            "takeback_gate_matches", "Uploads that matched, by type of signal.", ("type",), registry=self._registry
        )
        self._bytes = Counter("takeback_gate_upload_bytes", "Bytes of checked files.", registry=self._registry)

    def request(self, route: str, status: int, seconds: float) -> None:
        """Counts one answered request."""
        counter, histogram = self._routes.get((route, status)) or self._route(route, status)
        counter.inc()
        histogram.observe(seconds)

    def _route(self, route: str, status: int) -> tuple[Counter, Histogram]:
        """Returns the counter and histogram of a route and status; finding them uncached costs as much as a look-up."""
        found = (self._requests.labels(route, str(status)), self._seconds.labels(route))
        self._routes[route, status] = found
        return found

    def decision(self, decision: Decision) -> None:
        """Counts one decision, and the types of signal by which it matched."""
        self._decisions.labels(decision.action.value).inc()
        for kind in {match.type for match in decision.matches}:
            self._matches.labels(kind.value).inc()

    def upload(self, size: int) -> None:
        """Counts the bytes of one file."""
        self._bytes.inc(size)

    def text(self, gate: Gate) -> bytes:
        """Returns the metrics of all processes of this sidecar in Prometheus' text format. Raises `GateError`."""
        registry = self._registry
        if FOLDER_VARIABLE in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        gauges = CollectorRegistry()
        gauges.register(_StatusGauges(gate.status()))
        return generate_latest(registry) + generate_latest(gauges)


class _StatusGauges(Collector):
    """The gate's status as gauges."""

    def __init__(self, status: Status) -> None:
        self._status = status

    @override
    def collect(self) -> Iterator[GaugeMetricFamily]:
        now = self._status
        age = float("inf") if now.age is None else now.age
        for name, text, value in (
            ("feed_age_seconds", "Seconds since the feed was read to its end.", age),
            ("feed_checkpoint", "Last feed number that is applied.", now.checkpoint),
            ("feed_head", "Newest feed number that the registry has announced.", now.head),
            ("entries_paused", "Active entries that the registry paused.", now.paused),
            ("feedback_waiting", "Feedback events that are not acknowledged yet.", now.feedback_waiting),
            ("feed_alarm", "1 while the feed is not followed because it broke a rule.", now.alarm is not None),
        ):
            yield GaugeMetricFamily(f"takeback_gate_{name}", text, value=value)
        entries = GaugeMetricFamily("takeback_gate_entries", "Active entries by type of signal.", labels=["type"])
        for kind, count in now.entries.items():
            entries.add_metric([kind.value], count)
        yield entries
