import json
import os
import signal as signals
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from takeback.gate.settings import GateSettings, save
from takeback.hashing import hash_picture
from takeback.lookup import messages
from tests.gate.feeds import KEY, signal
from tests.gate.pictures import drawing, jpeg
from tests.gate.servers import Registry, running
from tests.lookup.services import add_site
from tests.registry.support import command

PDQ = hash_picture(jpeg(drawing(1))).signals[0]
QUESTION = {"signals": [{"type": "pdq", "value": PDQ.value, "quality": PDQ.quality}]}


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A registry whose feed is empty."""
    with running() as started:
        started.log.add(signal(1))
        yield started


@pytest.fixture
def home(registry: Registry, tmp_path: Path) -> Path:
    """A gate's folder that has never read the feed."""
    save(tmp_path / "gate", GateSettings(registry.url, KEY))
    return tmp_path / "gate"


@contextmanager
def served(home: Path, *options: str) -> Iterator[tuple[httpx.Client, "subprocess.Popen[str]"]]:
    """`takeback lookup serve` in a separate process, and the client of a site."""
    key = add_site(home)
    program = [
        sys.executable,
        "-c",
        "from takeback.cli import main; main()",
        "lookup",
        "serve",
        "--port",
        "0",
        *options,
    ]
    environ = {**os.environ, "TAKEBACK_GATE_HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(program, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[-1]
            headers = {"Authorization": f"Bearer {key}"}
            with httpx.Client(base_url=address, timeout=30, headers=headers) as client:
                yield client, process
        finally:
            process.terminate()  # so that its coverage is written
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def _until(client: httpx.Client, decision: str) -> None:
    end = time.monotonic() + 30
    while client.post(messages.CHECK, json=QUESTION).json()["decision"] != decision:
        assert time.monotonic() < end


def test_it_follows_the_feed_and_sends_feedback(registry: Registry, home: Path) -> None:
    """One command answers by the list as it is, follows it, sends feedback, and keeps nothing of what was asked."""
    with served(home, "--interval", "1") as (client, process):
        _until(client, "allow")
        entry = registry.log.add(PDQ)
        _until(client, "block")
        sealed = client.post(messages.CHECK, json=QUESTION).json()["id"]
        assert client.post(messages.FEEDBACK, json={"id": sealed, "verdict": "blocked"}).status_code == 202
        end = time.monotonic() + 30
        while not registry.feedback:
            assert time.monotonic() < end
            time.sleep(0.05)
        ((verdict, entries),) = registry.feedback.values()
        assert (verdict, entries) == ("blocked", [entry])
        registry.log.remove(entry)
        _until(client, "allow")
        process.send_signal(signals.SIGTERM)
        _, said = process.communicate(timeout=30)
        assert process.returncode in {0, -signals.SIGTERM}
    assert "1 added" in said
    assert PDQ.value not in said
    assert sealed not in said
    shown = command("lookup", "usage", "--home", home, "--json").stdout.splitlines()
    row = json.loads(shown[0])
    assert row["questions"] >= 4
    assert row["feedback"] == 1
    kept = {file.name for file in home.iterdir() if PDQ.value.encode() in file.read_bytes()}
    assert kept == set()


def test_it_tells_how_many_sites_it_serves(registry: Registry, home: Path) -> None:
    """The registry is told how many sites have asked, and no name; if they cannot be counted it is followed."""
    add_site(home, "second")

    def told() -> list[str | None]:
        feeds = [request for request in registry.requests if request.path == "/v1/feed"]
        return [request.headers.get("takeback-small-sites") for request in feeds]

    def until(sites: str | None) -> None:
        end = time.monotonic() + 30
        while told()[-1:] != [sites]:
            assert time.monotonic() < end
            time.sleep(0.05)

    with served(home, "--interval", "1") as (client, _):
        until("0")
        _until(client, "allow")
        until("1")
        (home / "lookup.sqlite").chmod(0o644)
        until(None)
    sent = [f"{request.path} {request.headers} {request.body!r}" for request in registry.requests]
    assert not any(name in text for text in sent for name in ("forum", "second"))


def test_connections_are_kept(home: Path) -> None:
    """Several requests use one connection, also after an error."""
    with served(home, "--no-follow") as (client, _):
        ports = set()
        for path in ("/healthz", "/v1/nothing", "/v1/sha256/xxxxx", "/healthz"):
            with client.stream("GET", path) as answer:
                answer.read()
                ports.add(answer.extensions["network_stream"].get_extra_info("client_addr")[1])
        assert len(ports) == 1


def test_a_folder_without_a_gate_ends_it(tmp_path: Path) -> None:
    """Without a gate in the folder the command ends with one line, and listens nowhere."""
    done = command("lookup", "serve", "--home", tmp_path, "--port", "0")
    assert done.returncode == 2
    assert "takeback gate init" in done.stderr
