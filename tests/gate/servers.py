"""A small HTTP server on loopback that stands in for a registry: an honest one with a `Log`, or one that lies."""

import time
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any, override
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import structs

from takeback import bulk, chain, protocol
from takeback.gate import Gate
from takeback.gate.feed.client import HEAD_HEADER
from takeback.gate.settings import GateSettings, save
from takeback.protocol import (
    SIGNAL_TYPES,
    Feedback,
    FeedbackReceipt,
    FeedHead,
    FeedKey,
    FeedKeys,
    FeedPage,
    Problem,
    decode,
    encode,
)
from takeback.signals import SignalType
from tests.gate.feeds import KEY, Log


@dataclass(frozen=True)
class Request:
    """A request that arrived."""

    method: str
    path: str
    query: dict[str, int]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """An answer: its body in parts, with `pause` seconds after each."""

    body: bytes | list[bytes] = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pause: float = 0
    promised: int | None = None
    """The length that is announced, if not the true one."""


def types_of(request: Request) -> set[str]:
    """The types of signals that the client knows."""
    named = {one.strip() for one in request.headers.get(SIGNAL_TYPES.lower(), "").split(",")}
    return set(SignalType) - protocol.LATER_TYPES | named


def problem(status: int, detail: str = "") -> Answer:
    """An error as the registry answers it."""
    return Answer(encode(Problem("urn:takeback:problem:x", "It is refused", status, detail)), status)


@dataclass
class Registry:
    """A server at `url`; `answer` may be replaced while it runs. `requests` are the requests in order."""

    log: Log = field(default_factory=Log)
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    feedback: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    keys: list[Ed25519PrivateKey] = field(default_factory=lambda: [Ed25519PrivateKey.from_private_bytes(bytes(32))])
    """The keys that sign the feed; the last one does now."""
    answer: Callable[[Request], Answer] = field(init=False)

    def __post_init__(self) -> None:
        self.answer = self.honest

    def honest(self, request: Request) -> Answer:
        """The answer of a real registry."""
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return problem(401)
        if request.path == "/v1/feed/keys":
            return Answer(encode(self.feed_keys()))
        if request.path == "/v1/feed/snapshot":
            return self.snapshot(types_of(request))
        if request.path == "/v1/feed":
            page = self.log.page(request.query["after"], request.query["limit"], types_of(request))
            return self.signed(page, request)
        events = decode(request.body, Feedback).feedback
        for event in events:
            self.feedback.setdefault(event.id, (event.verdict, event.entries))
        return Answer(encode(FeedbackReceipt(len(events), [])))

    def snapshot(self, types: AbstractSet[str] = frozenset(SignalType)) -> Answer:
        """The snapshot of the feed, for a client that knows these types."""
        lines = (structs.replace(line, salt=None) for line in self.log.snapshot(types))
        body = bulk.MAGIC[True] + b"".join(map(bulk.write_line, lines))
        number = len(self.log.lines)
        head = FeedHead(number, self.log.link(number).hex(), number, moment(time.time()), "0" * 64)
        signed = chain.sign(self.keys[-1], head, KEY.split("_")[1], sha256(body).digest())
        return Answer(body + bulk.encode_end(encode(signed)))

    def feed_keys(self) -> FeedKeys:
        """The chain of keys."""
        later = [chain.sign_successor(old, new) for old, new in pairwise(self.keys)]
        return FeedKeys([FeedKey(chain.public_hex(self.keys[0])), *later])

    def signed(self, page: FeedPage, request: Request, at: float | None = None) -> Answer:
        """A page with its signed head."""
        number = page.entries[-1].number if page.entries else page.head
        body = encode(page)
        head = FeedHead(number, self.log.link(number).hex(), page.head, moment(at or time.time()), "0" * 64)
        signed = chain.sign(self.keys[-1], head, KEY.split("_")[1], sha256(body).digest())
        tag = f'W/"{sha256(body).hexdigest()}"'
        headers = {HEAD_HEADER: encode(signed).decode(), "ETag": tag}
        known = request.headers.get("if-none-match") == tag
        return Answer(b"", 304, headers) if known else Answer(body, headers=headers)


def moment(at: float) -> str:
    """A time in the protocol's format."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def running(log: Log | None = None) -> Iterator[Registry]:
    """A registry that runs until the block ends."""
    registry = Registry(log or Log())
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(registry)) as server:
        registry.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield registry
        finally:
            server.shutdown()
            thread.join()


def _handler(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = urlsplit(self.path)
            query = {name: int(values[0]) for name, values in parse_qs(parts.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, parts.path, query, headers, body)
            registry.requests.append(request)
            try:
                self._give(registry.answer(request))
            except ConnectionError:
                self.close_connection = True

        do_POST = do_GET

        def _give(self, answer: Answer) -> None:
            parts = answer.body if isinstance(answer.body, list) else [answer.body]
            self.send_response(answer.status)
            length = sum(map(len, parts)) if answer.promised is None else answer.promised
            for name, value in {"Content-Length": str(length), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            for part in parts:
                self.wfile.write(part)
                self.wfile.flush()
                time.sleep(answer.pause)
            self.close_connection = answer.promised is not None

        @override
        def log_message(self, *_: Any) -> None:
            """Logs nothing."""

    return Handler


def followed(registry: Registry, home: Path) -> Path:
    """A gate's folder that has followed the registry's feed."""
    save(home, GateSettings(registry.url, KEY))
    with Gate.open(home) as gate:
        gate.sync()
    return home
