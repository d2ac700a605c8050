"""`takeback verify` on a real registry that serves a page, whole and tampered with."""

import gzip
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import brotli
import pytest

from builder import DIST
from builder.site.assemble import manifest
from tests.registry.support import command, serving
from tests.verify.support import FILES, build, make_key, release, sign

EVIL: Final = FILES["index.html"] + b'<script type="module" src="/evil.js"></script>'
ANSWERS: Final = 3 * (len(FILES) + 2)
"""Each file, the manifest, and the first page by its other address, in three forms."""


@contextmanager
def registry(tmp_path: Path, dist: Path) -> Iterator[str]:
    """The address of a registry that serves the page in `dist`."""
    with serving(tmp_path / "var", "--page", dist) as server:
        yield server.address


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A release."""
    return release(tmp_path / "release", build(tmp_path / "dist"))


def test_a_site_that_serves_the_release(tmp_path: Path, folder: Path) -> None:
    """A site that serves what was released is said to, with the status 0 and how much was compared."""
    with registry(tmp_path, tmp_path / "dist") as address:
        done = command("verify", f"{address}/", "--release", folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{address} serves the release: {len(FILES) + 1} files, {ANSWERS} answers compared")


def test_the_signature_is_checked_first(tmp_path: Path, folder: Path) -> None:
    """With signers the release must be signed by one; the last line says that it was."""
    (tmp_path / "signers").write_text(make_key(tmp_path / "key"))
    with registry(tmp_path, tmp_path / "dist") as address:
        unsigned = command("verify", address, "--release", folder, "--signers", tmp_path / "signers")
        sign(folder, tmp_path / "key")
        signed = command("verify", address, "--release", folder, "--signers", tmp_path / "signers")
    assert unsigned.returncode == 2
    assert unsigned.stderr.startswith("Error: the signature cannot be checked")
    assert signed.returncode == 0, signed.stderr
    assert "serves the signed release" in signed.stdout


def changed_byte(dist: Path) -> None:
    """One byte of the sealed worker is another; the site's own manifest agrees with it."""
    build(dist, {**FILES, "worker.js": FILES["worker.js"].replace(b"ready", b"reedy", 1)})


def added_script(dist: Path) -> None:
    """The first page loads one script more."""
    build(dist, {**FILES, "index.html": EVIL, "evil.js": b"steal()"})


def missing_file(dist: Path) -> None:
    """A language is gone."""
    build(dist, {path: data for path, data in FILES.items() if path != "words/es.json"})


def wrong_brotli(dist: Path) -> None:
    """What browsers get by brotli is another script than the plain file."""
    (dist / "page.js.br").write_bytes(brotli.compress(b"steal();" * 500))


def broken_gzip(dist: Path) -> None:
    """What comes as gzip is none."""
    (dist / "page.js.gz").write_bytes(b"steal()")


def longer_gzip(dist: Path) -> None:
    """What comes as gzip goes on behind the end of the file."""
    (dist / "page.js.gz").write_bytes(gzip.compress(FILES["page.js"]) + gzip.compress(b"steal()"))


def unlisted_file(dist: Path) -> None:
    """The site lists a file that the release does not have, and all others are as released."""
    (dist / "evil.js").write_bytes(b"steal()")
    (dist / "manifest.json").write_bytes(manifest({**FILES, "evil.js": b"steal()"}))
    for form in (".br", ".gz"):
        (dist / f"manifest.json{form}").unlink()


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (changed_byte, {"/worker.js", "/worker.js (br)", "/worker.js (gzip)"}),
        (
            added_script,
            {*(f"{path}{form}" for path in ("/", "/index.html") for form in ("", " (br)", " (gzip)")), "/evil.js"},
        ),
        (missing_file, {"/words/es.json", "/words/es.json (br)", "/words/es.json (gzip)"}),
        (wrong_brotli, {"/page.js (br)"}),
        (broken_gzip, {"/page.js (gzip)"}),
        (longer_gzip, {"/page.js (gzip)"}),
        (unlisted_file, {"/evil.js"}),
    ],
)
def test_a_site_that_was_tampered_with(
    tmp_path: Path, folder: Path, tamper: Callable[[Path], None], told: set[str]
) -> None:
    """Every file that differs, is missing or extra is named, in the form in which it does, and the status is 2."""
    shutil.copytree(tmp_path / "dist", tmp_path / "tampered")
    tamper(tmp_path / "tampered")
    with registry(tmp_path, tmp_path / "tampered") as address:
        done = command("verify", address, "--release", folder)
    lines = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    by_manifest = {"/manifest.json", "/manifest.json (br)", "/manifest.json (gzip)"}
    assert lines.keys() - by_manifest == told
    assert all(fault.startswith(("differs: ", "missing", "extra: ")) for fault in lines.values())
    assert done.returncode == 2
    answers = ANSWERS + ("/evil.js" in lines)
    assert done.stderr.startswith(f"{address} does not serve the release: {len(lines)} of {answers} answers differ")


def test_a_site_is_compared_with_itself(tmp_path: Path) -> None:
    """Without a release, a site's files are compared with its own manifest, and it is said how little that means."""
    dist = build(tmp_path / "dist")
    with registry(tmp_path, dist) as address:
        whole = command("verify", address)
        wrong_brotli(dist)
        torn = command("verify", address)
    assert whole.returncode == 0, whole.stderr
    assert f"{address} serves its own manifest" in whole.stdout
    assert whole.stdout.endswith("; compare that with a release by --release)\n")
    assert torn.returncode == 2
    assert torn.stdout.startswith("/page.js (br): differs: ")


@pytest.mark.timeout(300)
def test_the_built_page_is_what_a_registry_serves(tmp_path: Path) -> None:
    """The page that the build made is served by the registry as it was built, in every form."""
    if not (DIST / "manifest.json").is_file():
        pytest.skip("needs dist/: run `python3 build.py build` first")
    with registry(tmp_path, DIST) as address:
        done = command("verify", address, "--release", DIST)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " files, " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["http://example.org"], "the site's address must start with https://"),
        (["http://127.0.0.1:9"], "http://127.0.0.1:9 cannot be reached: the connection is refused"),
        (["https://localhost", "--release", "nowhere"], "nowhere is not there"),
        (["https://localhost", "--signers", "file"], "--signers needs --release"),
    ],
)
def test_what_cannot_be_compared_is_told_in_a_line(arguments: list[str], told: str) -> None:
    """What stands in the way is told without a traceback, with status 2."""
    done = command("verify", *arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_registry_without_a_page_is_no_site(tmp_path: Path) -> None:
    """A registry that serves the API alone is said to serve no manifest."""
    with serving(tmp_path / "var") as server:
        done = command("verify", server.address)
    assert done.returncode == 2
    assert "serves no manifest.json (status 404); is it a Takeback site?" in done.stderr


class _Elsewhere(BaseHTTPRequestHandler):
    """Sends everybody to another address."""

    def do_GET(self) -> None:
        self.send_response(301)
        self.send_header("Location", "https://www.example.org/")
        self.end_headers()


def test_a_site_at_another_address(folder: Path) -> None:
    """A site that redirects is not compared file by file, and the line says what to do."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        answers = [command("verify", address), command("verify", address, "--release", folder)]
        server.shutdown()
    for done in answers:
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"Error: {address} redirects elsewhere (status 301): give the address that it leads to\n"


def test_certificates_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    """A file of certificates that is none is named, before anything is asked."""
    (tmp_path / "ca.pem").write_text("none")
    done = command("verify", "https://localhost", environ={**os.environ, "SSL_CERT_FILE": str(tmp_path / "ca.pem")})
    assert done.returncode == 2
    assert "SSL_CERT_FILE" in done.stderr
    assert "Traceback" not in done.stderr
