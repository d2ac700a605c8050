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
from click.testing import CliRunner

from takeback.cli import main
from takeback.gate.settings import Settings, save
from tests.gate.feeds import KEY
from tests.gate.pictures import drawing, jpeg, sent
from tests.gate.servers import Registry, problem, running

PICTURE = drawing(1)
COPY = jpeg(PICTURE.resize((400, 300)), 70)


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A registry that publishes PICTURE."""
    with running() as started:
        for one in sent(jpeg(PICTURE)):
            started.log.add(one)
        yield started


@pytest.fixture
def home(registry: Registry, tmp_path: Path) -> Path:
    """A gate's folder that has never read the feed."""
    save(tmp_path / "gate", Settings(registry.url, KEY))
    return tmp_path / "gate"


@contextmanager
def sidecar(home: Path, *options: str) -> Iterator[tuple[httpx.Client, "subprocess.Popen[str]"]]:
    """`takeback gate serve` in a process of its own, and a client of it that makes a new connection each time."""
    program = [sys.executable, "-c", "from takeback.cli import main; main()", "gate", "serve", "--port", "0", *options]
    environ = {**os.environ, "TAKEBACK_GATE_HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(program, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[-1]
            limits = httpx.Limits(max_keepalive_connections=0)
            with httpx.Client(base_url=address, timeout=30, limits=limits) as client:
                yield client, process
        finally:
            process.kill()


def until(client: httpx.Client, decision: str) -> None:
    """Checks COPY until the decision is this one."""
    for _ in range(300):
        if client.post("/v1/check", content=COPY).json()["decision"] == decision:
            return
        time.sleep(0.05)
    raise AssertionError(f"never {decision}")


def test_one_process_follows_and_answers(home: Path, registry: Registry) -> None:
    """With `--follow` one command reads the feed, blocks, lets a withdrawn picture pass, sends feedback, and ends."""
    with sidecar(home, "--follow", "--interval", "1", "--report") as (client, process):
        until(client, "block")
        for entry in list(registry.log.active):
            registry.log.remove(entry)
        until(client, "allow")
        for _ in range(300):
            if registry.feedback:
                break
            time.sleep(0.05)
        assert {verdict for verdict, _ in registry.feedback.values()} == {"blocked"}
        process.send_signal(signals.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert "at number 6 of 6" in errors


def test_several_processes_decide_alike(home: Path, registry: Registry) -> None:
    """Several processes answer at one address, are counted together, and a killed one is replaced."""
    with sidecar(home, "--follow", "--processes", "2") as (client, process):
        until(client, "block")
        for _ in range(20):
            assert client.post("/v1/check", content=COPY).json()["decision"] == "block"
        text = client.get("/metrics").text
        counted = next(
            line for line in text.splitlines() if line.startswith('takeback_gate_decisions_total{action="block')
        )
        assert float(counted.split()[-1]) >= 21
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[-1]), signals.SIGKILL)
        for _ in range(20):
            time.sleep(0.1)
            try:
                answer = client.post("/v1/check", content=COPY)
            except httpx.TransportError:
                continue  # it was in the hands of the one that was killed
            assert answer.json()["decision"] == "block"
        process.send_signal(signals.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 0
    assert registry.requests


def test_trouble_with_the_registry_is_told_and_harms_nothing(home: Path, registry: Registry) -> None:
    """A key that is refused raises an alarm in the log while the sidecar goes on answering."""
    registry.answer = lambda _: problem(401)
    with sidecar(home, "--follow") as (client, process):
        until(client, "review")
        assert process.stderr is not None
        assert "ALARM: the feed is not followed: the registry refuses the platform key" in process.stderr.readline()
        assert client.get("/healthz").status_code == 200
        process.send_signal(signals.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_a_port_beyond_this_machine_needs_a_token(home: Path) -> None:
    """Listening for others without a token is refused in one line that names the variable."""
    result = CliRunner().invoke(main, ["gate", "serve", "--home", str(home), "--host", "0.0.0.0", "--port", "0"])
    assert result.exit_code == 2
    assert "TAKEBACK_GATE_TOKEN" in result.output
    assert result.output.count("\n") == 1
