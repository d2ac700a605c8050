"""The limits that both servers impose on callers, tested against the real servers."""

import os
import re
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Final

import httpx
import pytest

from takeback import limits
from takeback.gate.settings import GateSettings, save
from tests.gate.feeds import KEY

DESCRIPTORS: Final = 1024
"""Linux's default limit on descriptors, here also as the maximum that may be requested."""


@pytest.fixture(scope="module", params=["gate", "registry"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A sidecar, then a registry, as their commands start them, with a small machine's limit on descriptors."""
    home = tmp_path_factory.mktemp("limits")
    if request.param == "gate":
        save(home, GateSettings("http://127.0.0.1:9", KEY))
        command = ["gate", "serve", "--home", str(home), "--port", "0"]
    else:
        command = ["registry", "serve", "--data", str(home), "--port", "0"]
    program = [sys.executable, "-c", "from takeback.cli import main; main()", *command]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        program,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        assert process.stdout
        address = re.findall(r"http://\S+", process.stdout.readline())[0]
        try:
            with httpx.Client(base_url=address, timeout=30) as client:
                yield client
        finally:
            process.terminate()


def connect(client: httpx.Client) -> socket.socket:
    return socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=30)


def test_a_header_without_an_end(server: httpx.Client) -> None:
    """A header of 60 MB is refused as soon as it exceeds the limit, and others are answered meanwhile."""
    with closing(connect(server)) as caller:
        caller.sendall(b"GET /healthz HTTP/1.1\r\nHost: here\r\nX: ")
        sent = 0
        caller.setblocking(False)
        began = time.monotonic()
        while sent < 60_000_000 and time.monotonic() - began < 60:
            try:
                sent += caller.send(bytes(1_000_000).replace(b"\0", b"a"))
            except BlockingIOError:
                pass
            except (BrokenPipeError, ConnectionResetError):
                break
        caller.setblocking(True)
        assert server.get("/healthz").status_code == 200
        assert caller.recv(12) == b"HTTP/1.1 431"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"X: " + b"a" * 60_000, b"200"),
        (b"X: " + b"a" * 66_000, b"431"),
        (b"\r\n".join(b"X%d: a" % number for number in range(99)), b"200"),
        (b"\r\n".join(b"X%d: a" % number for number in range(100)), b"431"),
    ],
    ids=["60 KB", "66 KB", "100 fields", "101 fields"],
)
def test_the_limits_on_a_header(server: httpx.Client, head: bytes, status: bytes) -> None:
    """A header at the limits on bytes and fields is read; one beyond them is refused."""
    with closing(connect(server)) as caller:
        caller.sendall(b"GET /healthz HTTP/1.1\r\nHost: here\r\n" + head + b"\r\n\r\n")
        assert caller.recv(12) == b"HTTP/1.1 " + status


def test_a_long_address(server: httpx.Client) -> None:
    """An address over the limit is refused."""
    with closing(connect(server)) as caller:
        caller.sendall(b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: here\r\n\r\n")
        assert caller.recv(12) == b"HTTP/1.1 431"


def test_many_connections_without_a_request(server: httpx.Client) -> None:
    """While 1,100 callers have each begun a header and stopped, a good request on a new connection is answered."""
    with ExitStack() as stack:
        for _ in range(1100):
            caller = stack.enter_context(closing(connect(server)))
            caller.sendall(b"GET /healthz HTTP/1.1\r\nHost: h")
        with httpx.Client(base_url=server.base_url, timeout=30) as fresh:
            assert fresh.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "begun",
    [b"", b"GET /healthz HTTP/1.1\r\nHost: here\r\nX: a", b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\nGET /"],
    ids=["nothing", "half a header", "half a second request"],
)
def test_a_caller_that_drips(server: httpx.Client, begun: bytes) -> None:
    """A caller that sends a byte now and then is dropped if its header is not complete in time."""
    with closing(connect(server)) as caller:
        caller.sendall(begun)
        answers = dripping(caller, b"a" if begun else b"", limits.HEADER_SECONDS + 10)
    assert answers.rpartition(b"HTTP/1.1 ")[2].startswith(b"408")


def test_a_body_that_stops(server: httpx.Client) -> None:
    """A caller that stops in the middle of a body is dropped."""
    with closing(connect(server)) as caller:
        caller.sendall(b"POST /v1/feedback HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n\r\n{")
        caller.settimeout(limits.SILENT_SECONDS + 20)
        assert caller.recv(100)
        while caller.recv(65536):
            pass


def test_a_caller_that_does_not_read(server: httpx.Client) -> None:
    """A caller that sends many requests and reads no answer is dropped."""
    with closing(socket.socket()) as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.settimeout(limits.SILENT_SECONDS + 20)
        caller.connect((server.base_url.host, server.base_url.port))
        caller.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: here\r\n\r\n" * 500)
        with pytest.raises(ConnectionError):
            knock(caller, limits.SILENT_SECONDS + 20)


def knock(caller: socket.socket, seconds: float) -> None:
    """Sends a byte each second."""
    for _ in range(int(seconds)):
        time.sleep(1)
        caller.sendall(b"G")


def dripping(caller: socket.socket, drop: bytes, seconds: float) -> bytes:
    """Everything that is answered until the server closes, to a caller that sends a byte each half second."""
    answers = b""
    caller.settimeout(0.5)
    began = time.monotonic()
    while time.monotonic() - began < seconds + 20:
        try:
            part = caller.recv(65536)
        except TimeoutError:
            try:
                caller.sendall(drop)
            except OSError:
                return answers
        except OSError:
            return answers
        else:
            if not part:
                return answers
            answers += part
    raise AssertionError("never dropped")


def test_the_protocol_knows_its_limits() -> None:
    """A process holds fewer connections than it may open descriptors."""
    assert limits.most_connections() <= resource.getrlimit(resource.RLIMIT_NOFILE)[0] - limits.SPARE_DESCRIPTORS
