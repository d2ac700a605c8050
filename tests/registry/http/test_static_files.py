import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import brotli
import pytest

from takeback.errors import SettingsError
from takeback.registry.http.static_files import Page
from tests.registry.support import Server, problem, serving

FILES = {
    "index.html": b"<!doctype html><title>page</title>",
    "worker.js": b"postMessage('ready')",
    "styles.css": b"body{}",
    "icon.svg": b"<svg/>",
    "page/app.js": b"export {}",
    "runtime/python.wasm": b"\0asm" * 100,
    "runtime/stdlib.zip": b"PK",
    "runtime/lock.json": b"{}",
    "notices.txt": b"thanks",
}


def make_page(folder: Path) -> Path:
    """A built page with compressed files, and a file that its manifest does not list."""
    for name, data in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(data, mtime=0))
        path.with_name(path.name + ".br").write_bytes(brotli.compress(data))
    listed = [{"path": name, "size": len(data), "sha256": "0" * 64} for name, data in FILES.items()]
    (folder / "manifest.json").write_text(json.dumps({"files": listed}))
    (folder / "secret.txt").write_text("not listed")
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry that serves a page too."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "secret.txt").write_text("outside")
    with serving(folder / "var", "--page", make_page(folder / "dist")) as server:
        yield server


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/index.html", "text/html; charset=utf-8"),
        ("/worker.js", "text/javascript; charset=utf-8"),
        ("/page/app.js", "text/javascript; charset=utf-8"),
        ("/styles.css", "text/css; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
        ("/runtime/python.wasm", "application/wasm"),
        ("/runtime/stdlib.zip", "application/zip"),
        ("/runtime/lock.json", "application/json"),
        ("/notices.txt", "text/plain; charset=utf-8"),
        ("/manifest.json", "application/json"),
    ],
)
def test_every_file_has_its_type(site: Server, path: str, content_type: str) -> None:
    """Every file in the manifest is served unchanged, with its content type, to GET and HEAD."""
    answer = site.http.get(path, headers={"Accept-Encoding": "identity"})
    head = site.http.head(path, headers={"Accept-Encoding": "identity"})

    assert (answer.status_code, head.status_code) == (200, 200)
    assert answer.headers["content-type"] == content_type
    assert answer.content == FILES.get(path.lstrip("/") or "index.html", answer.content)
    assert head.content == b""
    assert {**head.headers, "date": ""} == {**answer.headers, "date": ""}


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("GZIP;q=0.5, BR;q=0.1", "gzip"),
        ("GZIP;q=0.1, BR;q=0.5", "br"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0.000, gzip; q=1.0", "gzip"),
        ("deflate", None),
        ("", None),
    ],
)
def test_the_best_encoding_is_sent(site: Server, accepted: str, encoding: str | None) -> None:
    """A browser that takes brotli gets it, otherwise gzip, otherwise the file itself."""
    with site.http.stream("GET", "/page/app.js", headers={"Accept-Encoding": accepted}) as answer:
        body = b"".join(answer.iter_raw())

    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["content-length"] == str(len(body))
    assert answer.headers["vary"] == "accept-encoding"
    plain = FILES["page/app.js"]
    assert body == {"br": brotli.compress(plain), "gzip": gzip.compress(plain, mtime=0), None: plain}[encoding]


@pytest.mark.parametrize(
    "path",
    [
        "/secret.txt",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/page/../secret.txt",
        "/page/%2e%2e%2fsecret.txt",
        "/page/..%5csecret.txt",
        "/page",
        "/page/",
        "/index.html/",
        "/index.html.br",
        "/index.html%00",
        "/etc/passwd",
    ],
)
def test_nothing_else_can_be_reached(site: Server, path: str) -> None:
    """A file that the manifest does not list is not served under any spelling of its path."""
    problem(site.http.get(path), 404, "not-found")


def test_files_take_no_other_method(site: Server) -> None:
    """A file's path accepts no POST."""
    answer = site.http.post("/index.html", content=b"x")
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, HEAD"


def test_the_api_is_beside_the_page(site: Server) -> None:
    """With a page the API works as without."""
    assert site.http.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize(
    "manifest",
    [
        None,
        "{",
        "[]",
        '{"files": []}',
        '{"files": [{"path": "index.html", "size": 1}]}',
        '{"files": [{"path": "gone.js", "size": 1}]}',
        '{"files": [{"path": "../secret.txt", "size": 7}]}',
    ],
)
def test_a_page_that_is_not_whole_is_not_served(tmp_path: Path, manifest: str | None) -> None:
    """A folder whose manifest is missing, invalid or does not match its files is refused, with what to do."""
    folder = make_page(tmp_path / "dist")
    (tmp_path / "secret.txt").write_text("outside")
    (folder / "manifest.json").unlink()
    if manifest is not None:
        (folder / "manifest.json").write_text(manifest)

    with pytest.raises(SettingsError, match=r"build\.py build"):
        Page(folder)
