"""`HEAD` is allowed wherever `GET` is, and `405` names the allowed methods."""

import pytest

from takeback.registry.http.openapi import OPERATIONS
from tests.registry.support import Platform, Server, md5, problem, secret_headers

PATHS = sorted({operation.path for operation in OPERATIONS})


def _path(path: str) -> str:
    return path.replace("{number}", "1234567890").replace("{tile}", "0")


@pytest.mark.parametrize("path", [*PATHS, "/metrics", "/operator"])
def test_a_method_that_is_not_taken_is_answered_with_those_that_are(server: Server, path: str) -> None:
    """`405` names the path's methods in `Allow` and in its text, including `HEAD` with `GET`."""
    answer = server.http.request("PATCH", _path(path))
    said = problem(answer, 405, "method-not-allowed")
    named = set(answer.headers["allow"].split(", "))
    there = {operation.method.upper() for operation in OPERATIONS if operation.path == path} or {"GET"}
    assert there <= named <= there | {"HEAD", "OPTIONS"}
    assert ("HEAD" in named) == ("GET" in there)
    assert said.detail == f"allowed: {answer.headers['allow']}"
    other = "POST" if "POST" not in there else "GET"
    assert server.http.request(other, _path(path)).status_code == 405


@pytest.mark.parametrize(
    "path", [path for path in PATHS if any(one.path == path and one.method == "get" for one in OPERATIONS)]
)
def test_head_is_get_without_a_body(server: Server, platform: Platform, path: str) -> None:
    """`HEAD` has the status and headers of `GET`, with a key and without, except for the framing of streams."""
    number = server.submit([md5()]).json()["number"]
    path = path.replace("{number}", number).replace("{tile}", "0")
    query = "?after=0&limit=1" if path == "/v1/feed" else ""
    for headers in ({}, {**platform.headers, **secret_headers()}):
        got = server.http.get(path + query, headers=headers)
        head = server.http.head(path + query, headers=headers)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers.keys() == got.headers.keys() - {"transfer-encoding"}
        assert head.headers["content-type"] == got.headers["content-type"]


def test_head_of_what_is_counted(server: Server) -> None:
    """`/metrics` answers `HEAD`, and a `HEAD` request is counted under its operation."""
    server.http.head("/healthz")
    assert server.http.head("/metrics").status_code == 200
    assert 'operation="health",status="200"' in server.http.get("/metrics").text


def test_head_of_a_page_that_only_takes_post(server: Server) -> None:
    """`HEAD` is refused where `GET` is."""
    answer = server.http.head("/v1/feedback")
    assert (answer.status_code, answer.content) == (405, b"")
    assert "POST" in answer.headers["allow"]
