"""Limits that an HTTP server needs before a request is complete: header bytes, fields, time and connections.

With its fast parser, httptools, uvicorn enforces none of them; with h11, only header bytes. So the registry and the
sidecar use the fast parser with the protocol class below, which adds them.
"""

import asyncio
import json
import os
import socket
import sys
from collections import OrderedDict
from contextlib import suppress
from functools import cache
from typing import Any, Final, cast, override

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_HEADER_BYTES: Final = 64 * 1024
"""Bytes of a request line, header and trailer: browsers send under 4 KB."""
MAX_HEADER_FIELDS: Final = 100
"""Header fields of a request: browsers send about 20."""
HEADER_SECONDS: Final = 10.0
"""From the connection, or from the first byte of a further request on it, to the end of the header."""
SILENT_SECONDS: Final = 20.0
"""Between two bytes of a body that the server reads, or of an answer that the caller reads (Linux)."""
TICK_SECONDS: Final = 1.0
"""Seconds between two checks of a connection."""
LINGER_SECONDS: Final = 1.0
"""Seconds before a refused connection is closed, so that the caller reads the answer instead of a reset."""
MAX_CONNECTIONS: Final = 4096
"""Connections of a process; beyond it, the one that has waited longest without a request is closed."""
SPARE_DESCRIPTORS: Final = 128
"""File descriptors reserved for everything else: files, the database, processes."""
_REFUSALS: Final = {
    408: (b"Request Timeout", "too-slow", "the request did not arrive in time"),
    431: (b"Request Header Fields Too Large", "header-too-large", "a header may have at most 64 KB and 100 fields"),
    503: (b"Service Unavailable", "busy", "there are too many connections; try again in a moment"),
}


class _TooLarge(Exception):
    """Raised inside the parser when a header exceeds a limit."""


class LimitedProtocol(HttpToolsProtocol):
    """A connection with the limits above. Pass it to uvicorn as `http`."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head = self._fields = self._unparsed = 0
        self._awaits = "head"
        """`head`, then `body`, then the next `request`, which uvicorn itself limits in time."""
        self._is_refused = self._is_too_large = False
        self._since = self.loop.time()
        self._ticking: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._drop_if_unread()
        _waiting[self] = None
        self._ticking = self.loop.call_later(TICK_SECONDS, self._tick)
        if len(self.connections) > most_connections():
            self._make_room()

    def _drop_if_unread(self) -> None:
        """Makes the kernel close a connection whose caller stops reading an answer (RFC 5482)."""
        connection = self.transport.get_extra_info("socket")
        # A Unix socket has no options of TCP, and other systems lack this one.
        if sys.platform == "linux" and connection.family in {socket.AF_INET, socket.AF_INET6}:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(SILENT_SECONDS * 1000))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        _waiting.pop(self, None)
        if self._ticking:
            self._ticking.cancel()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        if self._awaits == "request":
            self._awaits, self._since = "head", self.loop.time()
        elif self._awaits == "body":
            self._since = self.loop.time()
        self._unparsed += len(data)
        super().data_received(data)
        # The parser reports a field once it is complete, so one that never ends shows only in the bytes received.
        if self._awaits == "head" and self._unparsed > MAX_HEADER_BYTES:
            self.refuse(431)

    @override
    def on_message_begin(self) -> None:
        self._head = self._fields = 0
        super().on_message_begin()

    @override
    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += 1
        self._count(len(name) + len(value))
        super().on_header(name, value)

    @override
    def on_headers_complete(self) -> None:
        self._awaits, self._since = "body", self.loop.time()
        _waiting.pop(self, None)
        super().on_headers_complete()

    @override
    def on_message_complete(self) -> None:
        self._awaits, self._unparsed = "request", 0
        super().on_message_complete()

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing():
            _waiting[self] = None

    @override
    def send_400_response(self, msg: str) -> None:
        """Called when the parser stops: a header exceeds a limit, or the bytes are not HTTP."""
        if self._is_too_large:
            self.refuse(431)
        else:
            super().send_400_response(msg)

    def refuse(self, status: int) -> None:
        """Answers with `status`, if no answer has begun, and closes once the caller has had time to read it."""
        self._is_refused = True
        _waiting.pop(self, None)
        if self.transport.is_closing():
            return
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first request
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(_refusal(status))
        if cycle is not None and not cycle.response_complete:
            # Wakes the application, which may be waiting for the rest of the body.
            cycle.disconnected = True
            cycle.message_event.set()
        self.flow.resume_reading()  # to discard what is still sent
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _make_room(self) -> None:
        """Closes the connection that has waited longest; this one, if all others have requests."""
        oldest, _ = _waiting.popitem(last=False)
        if oldest is self:
            self.refuse(503)
        else:
            # `close` would first wait for the caller to read what is buffered.
            oldest.transport.abort()

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > MAX_HEADER_BYTES or self._fields > MAX_HEADER_FIELDS:
            self._is_too_large = True
            raise _TooLarge

    def _tick(self) -> None:
        """Checks how long the caller has been silent, and schedules the next check."""
        self._ticking = self.loop.call_later(TICK_SECONDS, self._tick)
        silent = self.loop.time() - self._since
        # While the server does not read, the silence is its own.
        reads = not self.flow.read_paused
        if (self._awaits == "head" and silent > HEADER_SECONDS) or (
            self._awaits == "body" and reads and silent > SILENT_SECONDS
        ):
            self._ticking.cancel()
            self.refuse(408)


_waiting: Final["OrderedDict[LimitedProtocol, None]"] = OrderedDict()
"""Connections without a request, the longest waiting first."""


@cache
def server_config(application: Any, grace_seconds: int, *, factory: bool = False, workers: int = 1) -> uvicorn.Config:
    """Returns how the registry, the sidecar and the look-up service are served: with the limits above, and no log.

    `grace_seconds` is the time that requests in progress have to finish when the server stops. With `factory`,
    `application` makes it in each serving process.
    """
    return uvicorn.Config(
        application,
        factory=factory,
        workers=workers,
        access_log=False,
        date_header=True,
        http=LimitedProtocol,
        lifespan="on",
        log_config=None,
        loop="uvloop" if os.name == "posix" else "asyncio",
        proxy_headers=False,  # each decides itself who is believed about a caller's address, or believes nobody
        server_header=False,
        timeout_graceful_shutdown=grace_seconds,
        ws="none",
    )


def most_connections() -> int:
    """Returns how many connections a process may hold, after raising its descriptor limit as far as needed."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return MAX_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + 2 * SPARE_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MAX_CONNECTIONS if soft == resource.RLIM_INFINITY else max(1, min(MAX_CONNECTIONS, soft - SPARE_DESCRIPTORS))


def _refusal(status: int) -> bytes:
    """An answer as bytes, with a problem document as in the servers' other errors."""
    reason, code, text = _REFUSALS[status]
    problem = {
        "type": f"urn:takeback:problem:{code}",
        "title": "The request is refused",
        "status": status,
        "detail": text,
    }
    body = json.dumps(problem).encode()
    head = (
        b"HTTP/1.1 %d %s\r\ncontent-type: application/problem+json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
    )
    return head % (status, reason, len(body)) + body
