"""The wire between browser and registry, as a reverse proxy that keeps every request and can lose answers.

Whatever a browser sends to the product's address arrives here first: HTTP, the opening of a WebSocket, datagrams of
QUIC or STUN. A test reads `requests` and `datagrams`; nothing that the browser says of itself is trusted.
"""

import http.client
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, override

HOST: Final = "127.0.0.1"
UPSTREAM_TIMEOUT: Final = 30
"""Seconds that the registry may take for one answer."""
HOP_BY_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding"})


@dataclass(frozen=True)
class Answer:
    """What came back: headers with names in lower case, body as it was sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Request:
    """What arrived: headers with names in lower case. `answer` is `None` if the wire lost it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    answer: Answer | None

    @property
    def text(self) -> bytes:
        """Everything the browser said, in one piece."""
        head = "\n".join((f"{self.method} {self.path}", *(f"{k}: {v}" for k, v in self.headers.items())))
        return head.encode("utf-8", "surrogateescape") + b"\n\n" + self.body


class Recorder:
    """A reverse proxy in front of the server at `port`, on a free port of its own; `url` is its address."""

    def __init__(self, port: int) -> None:
        self.requests: list[Request] = []
        self.datagrams: list[bytes] = []
        self.extra: dict[str, Answer] = {}
        """Answers for paths that the product does not have: a test's own files on the product's origin."""
        self._upstream = port
        self._down = False
        self._losses: list[tuple[str, str]] = []
        self._server, self._datagram_socket = self._bind()
        self.url = f"http://{HOST}:{self._server.server_port}"
        for work in (self._server.serve_forever, self._count_datagrams):
            threading.Thread(target=work, daemon=True).start()

    def cut(self) -> None:
        """From now on nothing gets through and nothing is answered."""
        self._down = True

    def mend(self) -> None:
        """The wire works again."""
        self._down = False

    def lose_next_answer(self, method: str, path: str) -> None:
        """The next such request reaches the registry, and its answer gets lost on the way back."""
        self._losses.append((method, path))

    def reset(self) -> None:
        """Forget everything; the wire works again."""
        self.mend()
        self._losses.clear()
        self.extra.clear()
        self.requests.clear()
        self.datagrams.clear()

    def to(self, method: str, path: str) -> list[Request]:
        """The requests of this method whose path starts so."""
        return [r for r in list(self.requests) if r.method == method and r.path.startswith(path)]

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._datagram_socket.close()

    def carry(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """Record one request, take it to the registry and bring the answer, unless the wire is to lose it."""
        own = self.extra.get(path.partition("?")[0])
        answer = None if self._down else own or self._ask(method, path, headers, body)
        if answer and (method, path) in self._losses:
            self._losses.remove((method, path))
            answer = None
        self.requests.append(Request(method, path, headers, body, answer))
        return answer

    def _ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """The registry's answer, or `None` if it is not there."""
        connection = http.client.HTTPConnection(HOST, self._upstream, timeout=UPSTREAM_TIMEOUT)
        try:
            passed = {k: v for k, v in headers.items() if k not in HOP_BY_HOP}
            connection.request(method, path, body=body or None, headers=passed)
            response = connection.getresponse()
            kept = {k.lower(): v for k, v in response.getheaders() if k.lower() not in HOP_BY_HOP}
            return Answer(response.status, kept, response.read())
        except OSError:
            return None
        finally:
            connection.close()

    def _bind(self) -> tuple[ThreadingHTTPServer, socket.socket]:
        """One port, for TCP and for UDP."""
        server = _Server((HOST, 0), _handler_for(self.carry))
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind((HOST, server.server_port))
        return server, datagrams

    def _count_datagrams(self) -> None:
        while True:
            try:
                self.datagrams.append(self._datagram_socket.recv(65536))
            except OSError:
                return


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that hangs up in the middle is no error of the test's."""


def _handler_for(carry: Callable[[str, str, Mapping[str, str], bytes], Answer | None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            headers = {k.lower(): v for k, v in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            answer = carry(self.command, self.path, headers, body)
            if answer is None:
                self.close_connection = True
                return
            self.send_response_only(answer.status)
            for name, value in {**answer.headers, "content-length": str(len(answer.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body if self.command != "HEAD" else b"")

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = _handle

        @override
        def log_message(self, format: str, *args: object) -> None:
            """The record is the log."""

    return Handler
