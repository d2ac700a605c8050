"""The registry's metrics, and that they contain nothing about a person."""

import re

import pytest

from takeback.registry.http.metrics import operation_of
from tests.registry.support import Platform, Server, md5, secret_headers


def counted(server: Server) -> dict[str, float]:
    """The values of all metrics by name and labels."""
    answer = server.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        name: float(value) for name, value in re.findall(r"^([a-z_]+(?:\{.*\})?) (\S+)$", answer.text, re.MULTILINE)
    }


def test_requests_are_counted_by_operation(server: Server, platform: Platform) -> None:
    """Each answer is counted under its operation and status, with nothing about the request's contents."""
    before = counted(server)
    signal = md5()
    number = server.submit([signal]).json()["number"]
    server.case(number)
    server.case("0" * 10)
    server.http.post("/v1/cases", content=b"x", headers=secret_headers())
    server.http.get(f"/holiday/{number}.jpg")
    platform.page()
    after = counted(server)
    assert after["takeback_registry_feed_head"] >= 0
    grown = {
        re.sub(".*requests_total", "", name): after[name] - before.get(name, 0)
        for name in after
        if "requests_total" in name
    }
    assert {name: count for name, count in grown.items() if count} == {
        '{operation="newCase",status="201"}': 1,
        '{operation="newCase",status="415"}': 1,
        '{operation="caseStatus",status="200"}': 1,
        '{operation="caseStatus",status="404"}': 1,
        '{operation="feed",status="200"}': 1,
        '{operation="other",status="404"}': 1,
        '{operation="other",status="200"}': 1,
    }
    text = server.http.get("/metrics").text
    assert not any(secret in text for secret in (number, signal["value"], "holiday", "Example"))


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("GET", "/v1/cases/1234567890", "caseStatus"),
        ("GET", "/v1/feed", "feed"),
        ("GET", "/v1/platforms", "platforms"),
        ("GET", "/v1/feed/tiles/7", "feedTile"),
        ("POST", "/v1/cases/1/withdraw", "withdraw"),
        ("DELETE", "/v1/feed", "other"),
        ("GET", "/v1/feed/x/y", "other"),
        ("GET", "/", "other"),
    ],
)
def test_operations(method: str, path: str, operation: str) -> None:
    """A request is labelled only with its operation."""
    assert operation_of(method, path) == operation
