"""The limits that both servers impose on callers, tested against the real servers."""

import os
import re
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from typing import Final

import httpx
import pytest

from takeback import limits
from takeback.gate.settings import GateSettings, save
from tests.gate.feeds import KEY

DESCRIPTORS: Final = 1024
"""Linux's default limit on descriptors, here also as the maximum that may be requested."""
DRIPPING: Final = {
    "nothing": b"",
    "half a header": b"GET /healthz HTTP/1.1\r\nHost: here\r\nX: a",
    "half a second request": b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\nGET /",
}
"""What a caller has sent before it drips."""


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


@pytest.fixture(scope="module")
def slow_callers(server: httpx.Client) -> dict[str, Future[bytes]]:
    """What became of callers that the server drops in time, by what they do; all of them call at once."""
    calls: dict[str, Callable[[], bytes]] = {
        **{name: partial(drip, server, begun) for name, begun in DRIPPING.items()},
        "stops in a body": partial(stop_in_a_body, server),
        "does not read": partial(read_nothing, server),
    }
    with ThreadPoolExecutor(len(calls)) as pool:
        return {name: pool.submit(call) for name, call in calls.items()}


@pytest.mark.parametrize("begun", DRIPPING)
def test_a_caller_that_drips(slow_callers: dict[str, Future[bytes]], begun: str) -> None:
    """A caller that sends a byte now and then is dropped if its header is not complete in time."""
    assert slow_callers[begun].result().rpartition(b"HTTP/1.1 ")[2].startswith(b"408")


def test_a_body_that_stops(slow_callers: dict[str, Future[bytes]]) -> None:
    """A caller that stops in the middle of a body is dropped."""
    assert slow_callers["stops in a body"].result()


def test_a_caller_that_does_not_read(slow_callers: dict[str, Future[bytes]]) -> None:
    """A caller that sends many requests and reads no answer is dropped."""
    assert slow_callers["does not read"].result() == b"dropped"


def drip(server: httpx.Client, begun: bytes) -> bytes:
    """What is answered to a caller that begins a request and then sends a byte now and then."""
    with closing(connect(server)) as caller:
        caller.sendall(begun)
        return dripping(caller, b"a" if begun else b"", limits.HEADER_SECONDS + 10)


def stop_in_a_body(server: httpx.Client) -> bytes:
    """What is answered, until the server closes, to a caller that stops in the middle of a body."""
    with closing(connect(server)) as caller:
        caller.sendall(b"POST /v1/feedback HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n\r\n{")
        caller.settimeout(limits.SILENT_SECONDS + 20)
        answers = b""
        while part := caller.recv(65536):
            answers += part
        return answers


def read_nothing(server: httpx.Client) -> bytes:
    """Reads none of many answers, and says how that ended."""
    with closing(socket.socket()) as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.settimeout(limits.SILENT_SECONDS + 20)
        caller.connect((server.base_url.host, server.base_url.port))
        caller.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: here\r\n\r\n" * 500)
        try:
            knock(caller, limits.SILENT_SECONDS + 20)
        except ConnectionError:
            return b"dropped"
    return b"never dropped"


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
