import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from takeback import protocol
from takeback.registry.http import app, feed_routes, openapi
from takeback.signals import MAX_FRAMES
from tests.registry.support import Platform, Server, md5

DOCUMENT = openapi.document()


def test_every_route_is_described() -> None:
    """The document describes each route of the API, by its method, and nothing else."""
    handlers = (
        app.work_challenge,
        app.new_case,
        app.case_status,
        app.add_pictures,
        app.withdraw,
        app.platforms,
        *feed_routes.ROUTES,
        app.feedback,
        app.health,
        app.ready,
    )
    routes = {
        (re.sub(r"\{(\w+):str\}", r"{\1}", path), method.lower())
        for handler in handlers
        for path in handler.paths
        for method in handler.http_methods
    }

    assert {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods} == routes


def test_every_error_of_the_protocol_is_told() -> None:
    """Each status that an operation may answer is in PROTOCOL.md's table, with the same code."""
    spec = Path(protocol.__file__).with_name("PROTOCOL.md").read_text()
    table = dict(re.findall(r"^\| (\d{3}) \| `([\w-]+)`", spec, re.MULTILINE)[::-1])

    for status, text in openapi.ERRORS.items():
        assert text.startswith(f"`{table[str(status)]}`")


def test_references_lead_somewhere() -> None:
    """Every reference in the document names an existing schema."""
    references = re.findall(r'"#/components/schemas/(\w+)"', json.dumps(DOCUMENT))

    assert set(references) <= DOCUMENT["components"]["schemas"].keys()
    assert {"NewCase", "CaseStatus", "FeedPage", "Feedback", "FeedbackReceipt", "Problem"} <= set(references)


def test_schemas_refuse_what_the_protocol_refuses() -> None:
    """Every message's schema forbids unknown fields."""
    structs = [s for s in DOCUMENT["components"]["schemas"].values() if s.get("type") == "object"]

    assert len(structs) >= 10
    assert all(schema["additionalProperties"] is False for schema in structs)


def test_each_signal_has_its_length() -> None:
    """The schema distinguishes types by the length of hex and by quality, as the registry does."""
    *one_of, vpdq, patches = DOCUMENT["components"]["schemas"]["SignalMessage"]["oneOf"]
    told = {o["properties"]["type"]["const"]: (o["properties"]["value"]["pattern"], o["required"]) for o in one_of}

    assert told == {
        "pdq": ("^[0-9a-f]{64}$", ["quality"]),
        "sha256": ("^[0-9a-f]{64}$", []),
        "md5": ("^[0-9a-f]{32}$", []),
        "phash": ("^[0-9a-f]{16}$", []),
    }
    assert vpdq["properties"]["type"] == {"const": "vpdq"}
    pattern = re.compile(vpdq["properties"]["value"]["pattern"])
    frame = f"0,100,{'a' * 64},0.000"
    assert pattern.match(";".join([frame] * MAX_FRAMES))
    assert not any(pattern.match(value) for value in ("", f"{frame};", ";".join([frame] * (MAX_FRAMES + 1))))
    assert patches["properties"]["type"] == {"const": "patches"}
    pattern = re.compile(patches["properties"]["value"]["pattern"])
    frame = ",".join(["a" * 16] * 16)
    assert pattern.match(";".join([frame] * 12))
    assert not any(pattern.match(value) for value in ("", f"{frame};", f"{frame},{'a' * 16}", ";".join([frame] * 13)))


def test_the_document_is_served(server: Server) -> None:
    """The document is served at its path as JSON."""
    answer = server.http.get("/docs/openapi.json")

    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == DOCUMENT


def test_people_can_read_it(server: Server) -> None:
    """The page at /docs names every operation, parameter, answer and message."""
    text = unescape(server.http.get("/docs").text)
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            assert f"{method.upper()} {path}" in text
            assert all(one["name"] in text for one in operation["parameters"])
    assert all(f'id="{name}"' in text for name in DOCUMENT["components"]["schemas"])


def test_answers_are_as_described(server: Server, platform: Platform) -> None:
    """Real answers have the status, content type and fields that the document promises."""
    number = server.submit([md5()]).json()["number"]
    answers = [
        ("/v1/work", "get", server.http.get("/v1/work", headers={"Idempotency-Key": "ab" * 16})),
        ("/v1/cases", "post", server.submit([md5()])),
        ("/v1/cases/{number}", "get", server.case(number)),
        ("/v1/cases/{number}", "get", server.case("0" * 10)),
        ("/v1/cases/{number}/withdraw", "post", server.withdraw(number)),
        ("/v1/platforms", "get", server.http.get("/v1/platforms")),
        ("/v1/platforms", "get", server.http.get("/v1/platforms?name=x")),
        ("/v1/feed", "get", server.http.get("/v1/feed?after=0", headers=platform.headers)),
        ("/v1/feed", "get", server.http.get("/v1/feed?after=0")),
        ("/v1/feed/keys", "get", server.http.get("/v1/feed/keys", headers=platform.headers)),
        ("/v1/feed/keys", "get", server.http.get("/v1/feed/keys")),
        ("/healthz", "get", server.http.get("/healthz")),
        ("/readyz", "get", server.http.get("/readyz")),
    ]
    for path, method, answer in answers:
        _is_described(DOCUMENT["paths"][path][method]["responses"], answer)


def _is_described(responses: Any, answer: httpx.Response) -> None:
    described = responses[str(answer.status_code)]
    (content_type,) = described["content"]
    assert answer.headers["content-type"] == content_type
    name = described["content"][content_type]["schema"]["$ref"].rsplit("/", 1)[1]
    schema = DOCUMENT["components"]["schemas"][name]
    assert set(schema.get("required", [])) <= answer.json().keys() <= schema["properties"].keys()
    assert all(header.lower() in answer.headers for header in described.get("headers", {}))


@pytest.mark.parametrize("path", ["/docs", "/docs/openapi.json"])
def test_docs_take_get_alone(server: Server, path: str) -> None:
    """The documentation accepts no POST."""
    assert server.http.post(path).status_code == 405
