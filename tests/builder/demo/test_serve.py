"""`build.py serve`, as a newcomer uses it: the page's address, three commands to copy, Ctrl-C."""

import json
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import pytest

from builder.commands import make_site
from takeback.protocol import WorkAnswer, decode
from tests.registry.support import solved

ROOT: Final = Path(__file__).resolve().parents[3]
WITHIN: Final = 90
"""Seconds for the page to respond, and for a command to print something, on a busy machine."""


@contextmanager
def serving(data: Path, port: int, *more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`serve` in a process group of its own, as in a terminal, and its output until it was ready."""
    command = [sys.executable, str(ROOT / "build.py"), "serve", "--data", str(data), "--port", str(port), *more]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            yield process, read_until(process.stdout, "Ctrl-C stops.")
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def read_until(stream: IO[str], end: str) -> str:
    """A program's output up to the line with `end`; fails if that does not come in time."""
    said, deadline = "", time.monotonic() + WITHIN
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while end not in said:
            assert selector.select(deadline - time.monotonic()), f"silent after {said!r}"
            line = os.read(stream.fileno(), 4096).decode()
            assert line, f"ended after {said!r}"
            said += line
    return said


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def copied(command: str) -> subprocess.CompletedProcess[str]:
    """A command as printed, run in a shell."""
    return subprocess.run(command, cwd=ROOT, shell=True, capture_output=True, text=True, check=False, timeout=WITHIN)


def send(address: str, picture: Path) -> None:
    """Sends the signals of `picture`, as the page does."""
    said = copied(f".venv/bin/takeback hash --json {picture}").stdout
    hashed = json.loads(said)
    pdq = {"type": "pdq", "value": hashed["signals"]["pdq"], "quality": hashed["quality"]}
    body = json.dumps({"pictures": [{"signals": [pdq]}]}).encode()
    key = {"Idempotency-Key": "0" * 32}
    with urllib.request.urlopen(urllib.request.Request(f"{address}v1/work", headers=key), timeout=WITHIN) as answer:
        work = {"Takeback-Work": solved(decode(answer.read(), WorkAnswer).work)}
    headers = {"Content-Type": "application/json", "Takeback-Pin": "K7QM-2XRW-9DHF", **key, **work}
    request = urllib.request.Request(f"{address}v1/cases", body, headers, method="POST")
    with urllib.request.urlopen(request, timeout=WITHIN) as answer:
        assert answer.status == 201


@pytest.fixture(scope="module", autouse=True)
def site() -> None:
    """What is served is built before, so that the tests only wait for serving."""
    make_site()


@pytest.mark.timeout(300)
def test_a_newcomer_sees_a_picture_blocked(tmp_path: Path) -> None:
    """The page opens, the printed commands work when copied, a sent picture's copy is blocked, Ctrl-C stops all."""
    port = free_port()
    with serving(tmp_path / "data", port) as (process, said):
        address = re.findall(r"http://\S+", said)[0]
        with urllib.request.urlopen(address, timeout=WITHIN) as page:
            assert b"<title>" in page.read()
        commands = [line.strip() for line in said.splitlines() if "takeback gate" in line]
        assert [command.split()[2] for command in commands] == ["sync", "check", "watch"]
        sync, check, watch = commands
        assert copied(sync).returncode == 0
        assert copied(check).stdout.startswith("ALLOW")
        send(address, tmp_path / "data" / "demo-pictures" / "picture.jpg")
        with subprocess.Popen(watch.split(), cwd=ROOT, stdout=subprocess.PIPE, text=True) as watching:
            assert watching.stdout is not None
            read_until(watching.stdout, "1 added")
            watching.terminate()
        blocked = copied(check)
        assert blocked.stdout.startswith("BLOCK")
        assert blocked.returncode == 1
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(WITHIN) == 0
    with socket.create_server(("127.0.0.1", port)):
        pass


@pytest.mark.timeout(300)
def test_what_was_sent_is_there_the_next_time(tmp_path: Path) -> None:
    """Served again at another port, the registry has its cases and the demo platform follows it there."""
    with serving(tmp_path / "data", free_port()) as (process, said):
        send(re.findall(r"http://\S+", said)[0], tmp_path / "data" / "demo-pictures" / "picture.jpg")
        process.terminate()
        assert process.wait(WITHIN) == 0
    with serving(tmp_path / "data", free_port()) as (process, said):
        sync = next(line.strip() for line in said.splitlines() if "gate sync" in line)
        assert "1 added" in copied(sync).stdout
        process.terminate()
        assert process.wait(WITHIN) == 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("host", "told"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_phones_are_said_to_need_https(tmp_path: Path, host: str, *, told: bool) -> None:
    """Only where other devices can reach the page, `serve` says that they cannot send without HTTPS, and what helps."""
    with serving(tmp_path / "data", free_port(), "--host", host) as (process, said):
        assert ("Phones and other computers can open the page but not send" in said) == told
        assert ("openssl req -x509" in said) == told
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(WITHIN) == 0
