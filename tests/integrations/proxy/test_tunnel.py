import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integrations.proxies import proxying

ASK = (
    b"GET /socket?a=1 HTTP/1.1\r\nHost: forum\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n"
)
SMUGGLED = b"POST /upload HTTP/1.1\r\nHost: forum\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Plain:
    """A server that answers each connection's header with `answer`, and then echoes."""

    answer: bytes
    heads: list[bytes] = field(default_factory=list)
    behind: list[bytes] = field(default_factory=list)
    port: int = 0

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(30)
                head = b""
                while b"\r\n\r\n" not in head:
                    head += connection.recv(4096)
                self.heads.append(head)
                connection.sendall(self.answer)
                while data := connection.recv(65536):
                    self.behind.append(data)
                    connection.sendall(data)


@contextmanager
def server(answer: bytes) -> Iterator[Plain]:
    plain = Plain(answer)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        plain.port = listener.getsockname()[1]
        thread = threading.Thread(target=plain.serve, args=(listener,))
        thread.start()
        yield plain
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


@contextmanager
def caller(plain: Plain) -> Iterator[socket.socket]:
    options = ("--route", "POST /upload raw", "--sidecar", "http://127.0.0.1:9")
    with proxying(f"http://127.0.0.1:{plain.port}", *options, TAKEBACK_GATE_HOME="") as (client, _):
        at = (client.base_url.host, client.base_url.port or 0)
        with socket.create_connection(at, timeout=30) as made:
            yield made


def until(connection: socket.socket, end: bytes) -> bytes:
    got = b""
    while not got.endswith(end):
        data = connection.recv(65536)
        assert data, got
        got += data
    return got


def rest(connection: socket.socket) -> bytes:
    got = b""
    while data := connection.recv(65536):
        got += data
    return got


def test_a_websocket_is_passed_on() -> None:
    """After the application's 101 all bytes pass in both directions; the request has its fields and X-Forwarded-For."""
    agreed = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    with server(agreed) as plain, caller(plain) as connection:
        connection.sendall(ASK + b"\r\n")
        assert until(connection, b"\r\n\r\n") == agreed
        for data in (b"\x81\x05hello", bytes(300_000) + b"end"):
            connection.sendall(data)
            assert until(connection, data[-3:]) == data
        connection.close()
        (head,) = plain.heads
        assert head.startswith(b"GET /socket?a=1 HTTP/1.1\r\n")
        fields = dict(line.split(b": ", 1) for line in head.strip().split(b"\r\n")[1:])
        assert fields[b"host"] == b"forum"
        assert fields[b"upgrade"] == b"websocket"
        assert fields[b"sec-websocket-key"] == b"k"
        assert fields[b"x-forwarded-for"] == b"127.0.0.1"


def test_nothing_hides_behind_a_request_that_is_not_agreed_to() -> None:
    """If the application does not agree, its status is passed on, and what follows the request never reaches it."""
    with server(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") as plain, caller(plain) as connection:
        connection.sendall(ASK + b"\r\n")
        connection.sendall(SMUGGLED)
        assert rest(connection).startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert plain.behind == []
    assert len(plain.heads) == 1


@pytest.mark.parametrize("method", [b"POST", b"PUT"])
def test_a_body_with_an_upgrade_is_refused(method: bytes) -> None:
    """A request that brings a body and asks for another protocol is refused, and nothing of it arrives."""
    with server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") as plain:
        with caller(plain) as connection:
            ask = ASK.replace(b"GET /socket", method + b" /upload").replace(b"?a=1", b"")
            connection.sendall(ask + b"X-HTTP-Method-Override: POST\r\nContent-Length: 3\r\n\r\nabc")
            assert rest(connection).startswith(b"HTTP/1.1 501 ")
        assert plain.heads == []


def test_the_application_is_away(tmp_path: Path) -> None:
    """If nothing listens, a WebSocket is answered with 502."""
    assert tmp_path.is_dir()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with caller(Plain(b"", port=unused.getsockname()[1])) as connection:
            connection.sendall(ASK + b"\r\n")
            assert rest(connection).startswith(b"HTTP/1.1 502 ")
