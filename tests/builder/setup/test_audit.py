"""`build.py audit` finds known faults in both locks, and never takes a silent service for a pass.

The scanners are the real ones. The advisory services are played by a server of the test, since what the real ones know
changes every day.
"""

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, override

import pytest

ROOT: Final = Path(__file__).resolve().parents[3]
NPM: Final = "/-/npm/v1/security/advisories/bulk"
CLOSED: Final = "http://127.0.0.1:9"
"""The port of `discard`, on which nothing listens."""


class Advisories(ThreadingHTTPServer):
    """Knows faults of Python packages (`python`) and of JavaScript packages (`javascript`), by name."""

    def __init__(self, python: dict[str, Any], javascript: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.python, self.javascript = python, javascript
        self.asked = set[str]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Answers(BaseHTTPRequestHandler):
    server: Advisories

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked = json.loads(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
        if self.path == NPM:
            self.server.asked |= asked.keys()
            self._answer({name: found for name, found in self.server.javascript.items() if name in asked})
        else:
            name = asked["package"]["name"]
            self.server.asked.add(name)
            self._answer({"vulns": self.server.python.get(name, [])})

    def _answer(self, said: object) -> None:
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def advising(python: dict[str, Any] | None = None, javascript: dict[str, Any] | None = None) -> Iterator[Advisories]:
    """Runs such a server."""
    with Advisories(python or {}, javascript or {}) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def audit(python: str, javascript: str, cache: Path) -> subprocess.CompletedProcess[str]:
    """`build.py audit`, without making the environment, with these services."""
    services = {
        "PIP_AUDIT_VULNERABILITY_SERVICE": "osv",
        "PIP_AUDIT_OSV_URL": f"{python}/v1/query",
        "npm_config_registry": javascript,
        "npm_config_cache": str(cache),
        "PYTHONPATH": str(ROOT / "py"),
    }
    return subprocess.run(
        [sys.executable, "-m", "builder", "audit"],
        cwd=ROOT, env={**os.environ, **services}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_nothing_known_is_a_pass(tmp_path: Path) -> None:
    """Every locked package is checked, in Python, JavaScript and the browser's runtime; the status is 0."""
    with advising() as server:
        done = audit(server.url, server.url, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Python: " in done.stdout
    assert "JavaScript: " in done.stdout
    assert done.stdout.count("no known faults") == 2
    locked = {"pillow", "pytest", "faiss-cpu", "schemathesis", "augly", "libheif-js", "pyodide", "lighthouse"}
    assert locked <= server.asked


def test_a_known_fault_is_named(tmp_path: Path) -> None:
    """A fault is printed with its package, its id and the version that fixes it, and the status is 1."""
    python = {"id": "PYSEC-1", "aliases": ["CVE-1"], "summary": "bad", "affected": [
        {"package": {"name": "pillow", "ecosystem": "PyPI"},
         "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}]}]}  # fmt: skip
    javascript = {"id": 1, "url": "https://advisories.example/1", "title": "Reads too far", "severity": "high",
                  "vulnerable_versions": "<99.0.0", "cwe": [], "cvss": {"score": 8, "vectorString": None}}  # fmt: skip
    with advising({"pillow": [python]}, {"libheif-js": [javascript]}) as server:
        done = audit(server.url, server.url, tmp_path)
    assert done.returncode == 1
    assert "PYSEC-1, CVE-1; fixed in 99.0" in done.stdout
    assert "libheif-js <99.0.0: Reads too far (high), https://advisories.example/1" in done.stdout
    assert done.stdout.count("1 known faults") == 2


@pytest.mark.parametrize("silent", ["Python", "JavaScript"])
def test_a_service_that_does_not_answer_is_no_pass(tmp_path: Path, silent: str) -> None:
    """One line says which packages were not checked, the other service's findings are printed, and the status is 1."""
    with advising() as server:
        addresses = [CLOSED if one == silent else server.url for one in ("Python", "JavaScript")]
        done = audit(addresses[0], addresses[1], tmp_path)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("build.py: ")]
    assert f"the known faults of {silent} packages could not be asked for" in line
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stdout.count("no known faults") == 1
