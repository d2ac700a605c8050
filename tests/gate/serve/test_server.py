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
from takeback.gate import Gate
from takeback.gate.settings import GateSettings, save
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
    save(tmp_path / "gate", GateSettings(registry.url, KEY))
    return tmp_path / "gate"


@contextmanager
def sidecar(home: Path, *options: str) -> Iterator[tuple[httpx.Client, "subprocess.Popen[str]"]]:
    """`takeback gate serve` in a separate process, and a client that makes a new connection for each request."""
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
    """With `--follow` one command reads the feed, blocks, honours a withdrawal and sends feedback."""
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
    """Several processes answer at one address, are counted together, and are replaced if killed."""
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
                continue  # the killed process had the request
            assert answer.json()["decision"] == "block"
        process.send_signal(signals.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 0
    assert registry.requests


def test_trouble_with_the_registry_is_logged(home: Path, registry: Registry) -> None:
    """A refused key raises an alarm in the log, and the sidecar goes on."""
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
    """Listening for other machines without a token is refused, naming the variable."""
    result = CliRunner().invoke(main, ["gate", "serve", "--home", str(home), "--host", "0.0.0.0", "--port", "0"])
    assert result.exit_code == 2
    assert "TAKEBACK_GATE_TOKEN" in result.output
    assert result.output.count("\n") == 1


def ended(pids: list[str]) -> bool:
    """Whether all of these processes have ended."""
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.mark.skipif(sys.platform != "linux", reason="it looks for processes in /proc")
def test_its_processes_end_with_it(home: Path) -> None:
    """If the sidecar is killed its processes end too, so that its port is free for the next one."""
    with sidecar(home, "--processes", "2") as (client, process):
        until(client, "review")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) >= 2
        process.kill()
        process.wait()
        while not ended(children):
            time.sleep(0.02)  # the test's timeout ends this


@pytest.mark.skipif(sys.platform != "linux", reason="it looks for processes in /proc")
def test_the_processes_of_a_scan_end_with_it(home: Path, tmp_path: Path) -> None:
    """If a scan is killed its workers end too."""
    with Gate.open(home) as gate:
        gate.sync()
    (tmp_path / "stored").mkdir()
    for number in range(200):
        (tmp_path / "stored" / f"{number}.jpg").write_bytes(COPY)
    program = [sys.executable, "-c", "from takeback.cli import main; main()", "gate", "scan", str(tmp_path / "stored")]
    options = ["--home", str(home), "--out", str(tmp_path / "out"), "--workers", "2"]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([*program, *options], env=environ, stderr=subprocess.DEVNULL) as process:
        while not list((tmp_path / "out" / "parts").glob("*.parquet")):
            assert process.poll() is None
            time.sleep(0.02)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) >= 2
        process.kill()
    while not ended(children):
        time.sleep(0.02)  # the test's timeout ends this


def test_following_goes_on_when_the_state_cannot_be_used(home: Path, registry: Registry) -> None:
    """A damaged state is reported, and once moved away followed again."""
    with sidecar(home, "--follow", "--interval", "1") as (client, process):
        until(client, "block")
        with (home / "state.sqlite").open("r+b") as file:
            file.write(b"no database" * 400)
        registry.log.add(sent(jpeg(drawing(9)))[0])
        assert process.stderr is not None
        while "ALARM" not in process.stderr.readline():
            pass
        assert client.get("/healthz").status_code == 200
