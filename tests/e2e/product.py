"""The real product, started as its users start it: the registry with the page, and a platform's gate."""

import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from takeback.gate import Gate
from takeback.protocol import Verdict
from tests.e2e.recorder import HOST, Recorder

ROOT: Final = Path(__file__).parents[2]
DIST: Final = ROOT / "dist"
TAKEBACK: Final = Path(sys.executable).with_name("takeback")
UNTRACED: Final = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
"""Without coverage, which takes a fifth of a journey's processor time: the other tests cover the same code."""
START_WITHIN: Final = 60
"""Seconds for the registry to answer; the first start also makes its database."""
COMMAND_WITHIN: Final = 60
DATABASE: Final = "registry.sqlite"
KEY: Final = re.compile(r"tbk_[0-9a-f]{16}_[0-9a-f]{64}")


@dataclass(frozen=True)
class Registry:
    """A running registry. `url` leads through the recorder, `direct` past it; `data` is its folder."""

    url: str
    direct: str
    data: Path
    recorder: Recorder

    def cases(self) -> int:
        """How many cases the registry keeps, by its own database."""
        with closing(sqlite3.connect(f"file:{self.data / DATABASE}?mode=ro", uri=True)) as database:
            return int(database.execute("SELECT count(*) FROM cases").fetchone()[0])

    def files(self) -> set[str]:
        """The paths that a browser may ask for."""
        manifest = json.loads((DIST / "manifest.json").read_text())
        return {"/", "/manifest.json", *(f"/{entry['path'].lstrip('/')}" for entry in manifest["files"])}


@dataclass(frozen=True)
class Outcome:
    """What a command printed and how it ended."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Platform:
    """A platform that follows the registry by its gate, whose folder is `home`."""

    home: Path

    @classmethod
    def start(cls, registry: Registry, key: str, home: Path) -> Self:
        """Make the gate's folder, as a platform's engineer does."""
        where = ("--home", home, "--registry", registry.direct)
        done = takeback("gate", "init", *where, "--key-file", "-", "--trust-first-feed-key", stdin=key)
        assert done.status == 0, done
        return cls(home)

    def sync(self) -> None:
        """Follow the feed to its end, and deliver feedback."""
        done = takeback("gate", "sync", "--home", self.home)
        assert done.status == 0, done

    def check(self, *uploads: Path) -> Outcome:
        """What the gate decides on each upload, by its command: a line for each."""
        return takeback("gate", "check", "--home", self.home, *uploads)

    def report(self, upload: Path, verdict: Verdict) -> None:
        """Check an upload with the Python library and tell the registry what became of it."""
        with Gate.open(self.home) as gate:
            gate.feedback(gate.check(upload), verdict)
            gate.send_feedback()


def takeback(*arguments: str | Path, stdin: str = "") -> Outcome:
    """Run the `takeback` command."""
    command = [TAKEBACK, *arguments]
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=COMMAND_WITHIN, check=False, env=UNTRACED
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@contextmanager
def running_registry(data: Path) -> Iterator[Registry]:
    """The registry on a free port, serving the built page, with a recorder in front of it."""
    port = _free_port()
    command: list[str | Path] = [
        TAKEBACK,
        "registry",
        "serve",
        "--data",
        data,
        "--page",
        DIST,
        "--host",
        HOST,
        "--port",
        str(port),
        "--mix",
        "0",
    ]
    log = (data.parent / f"{data.name}.log").open("w+")
    server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=UNTRACED)
    recorder = Recorder(port)
    try:
        _wait_until_healthy(server, port)
        yield Registry(recorder.url, f"http://{HOST}:{port}", data, recorder)
    finally:
        recorder.close()
        server.terminate()
        server.wait(START_WITHIN)
        log.close()


def add_platform(registry: Registry, name: str, *options: str) -> str:
    """A new platform's key."""
    done = takeback("platform", "add", name, *options, "--data", registry.data)
    found = KEY.search(done.out)
    assert done.status == 0, done
    assert found is not None, done
    return found[0]


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        return int(probe.getsockname()[1])


def _wait_until_healthy(server: subprocess.Popen[bytes], port: int) -> None:
    """Wait until `/healthz` answers."""
    end = time.monotonic() + START_WITHIN
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/healthz", timeout=5):
                return
        except OSError:  # not there yet, or too busy to answer within the time-out
            time.sleep(0.05)
    raise AssertionError(f"the registry did not start (exit status {server.poll()})")
