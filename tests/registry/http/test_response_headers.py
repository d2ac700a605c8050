import re
from collections.abc import Iterator

import httpx
import pytest

from takeback.registry.http.response_headers import HSTS, ResponseKind, headers_for
from tests.registry.http.test_static_files import make_page
from tests.registry.support import Server, serving

ADDRESSES = {
    "/": ResponseKind.PAGE,
    "/index.html": ResponseKind.PAGE,
    "/worker.js": ResponseKind.WORKER,
    "/video.js": ResponseKind.WORKER,
    "/keeper.js": ResponseKind.KEEPER,
    "/leave.txt": ResponseKind.LEAVE,
    "/page/app.js": ResponseKind.STATIC,
    "/runtime/python.wasm": ResponseKind.STATIC,
    "/nothing.html": ResponseKind.STATIC,
    "/.well-known/security.txt": ResponseKind.STATIC,
    "/healthz": ResponseKind.API,
    "/v1/feed": ResponseKind.API,
    "/v1/platforms": ResponseKind.API,
    "/v1/nothing": ResponseKind.API,
    "/docs/openapi.json": ResponseKind.API,
    "/docs": ResponseKind.DOCS,
}

CONTACT = ("--security-contact", "security@takeback.example")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry that serves a page too, behind TLS."""
    folder = tmp_path_factory.mktemp("site")
    with serving(folder / "var", "--page", make_page(folder / "dist"), "--tls", *CONTACT) as server:
        yield server


def policy(answer: httpx.Response) -> dict[str, list[str]]:
    """The content security policy of an answer, by directive."""
    parts = answer.headers["content-security-policy"].split("; ")
    return {name: sources for name, *sources in map(str.split, parts)}


@pytest.mark.parametrize(("path", "kind"), ADDRESSES.items())
def test_every_answer_carries_the_headers_of_its_kind(site: Server, path: str, kind: ResponseKind) -> None:
    """Every answer, including errors, has exactly the headers of the table, each once."""
    answer = site.http.get(path)
    for name, value in headers_for(kind, tls=True):
        assert answer.headers.get_list(name) == [value]
    assert "server" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"


def test_hsts_is_sent_only_behind_tls() -> None:
    """Without TLS no answer has HSTS."""
    assert HSTS in headers_for(ResponseKind.PAGE, tls=True)
    assert HSTS not in headers_for(ResponseKind.PAGE, tls=False)


def test_the_sealed_worker_may_only_compile(site: Server) -> None:
    """The worker's own policy allows WebAssembly and nothing else: no connection, no script, no worker."""
    assert policy(site.http.get("/worker.js")) == {"default-src": ["'none'"], "script-src": ["'wasm-unsafe-eval'"]}


def test_the_page_loads_only_from_its_own_place(site: Server) -> None:
    """The page's policy starts from nothing, allows its own origin where needed, and no inline code or eval at all."""
    rules = policy(site.http.get("/"))

    assert rules.pop("default-src") == ["'none'"]
    assert rules.pop("trusted-types") == ["takeback"]
    assert rules.pop("require-trusted-types-for") == ["'script'"]
    assert rules.pop("script-src") == ["'self'", "'wasm-unsafe-eval'"]
    assert {source for sources in rules.values() for source in sources} == {"'self'", "'none'"}
    assert rules["frame-ancestors"] == rules["form-action"] == rules["base-uri"] == ["'none'"]
    assert site.http.get("/").headers["integrity-policy"] == "blocked-destinations=(script)"


def test_no_feature_of_the_phone_is_open(site: Server) -> None:
    """Camera, microphone, geolocation and the rest are off; only writing to the clipboard is allowed."""
    features = dict(part.split("=") for part in site.http.get("/").headers["permissions-policy"].split(", "))

    assert {name for name, who in features.items() if who != "()"} == {"clipboard-write"}
    assert {"camera", "microphone", "geolocation", "payment", "usb", "web-share"} <= features.keys()


def test_the_docs_need_no_script(site: Server) -> None:
    """The documentation has no script, and its policy allows exactly its one style."""
    answer = site.http.get("/docs")

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<script" not in answer.text
    assert not re.search(r"""\s(style|on\w+)=|src=|href="(?!#|/docs)""", answer.text)
    assert "script-src" not in policy(answer)
    assert answer.text.count("<style>") == 1
