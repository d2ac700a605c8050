"""Passes WebSockets on: the request as it came, and once the application has agreed, all bytes in both directions.

Until the application has answered 101 nothing that follows the request is passed on, so that no second request, with an
upload in it, can hide behind the first one.
"""

import asyncio
import ssl
from typing import Any, Final, cast, override

import httpx
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.utils import get_remote_addr

from takeback.connections import why
from takeback.gate.serve.log import write_log
from takeback.integrations.proxy.headers import Peer, request_fields
from takeback.integrations.proxy.upstream import CONNECT_SECONDS, UpstreamOptions
from takeback.limits import LimitedProtocol

MAX_HEAD_BYTES: Final = 64 * 1024
ANSWER_SECONDS: Final = 30.0
"""From the connection to the application to its answer."""
_CHUNK_BYTES: Final = 64 * 1024


class TunnelingProtocol(LimitedProtocol):
    """A connection that becomes a tunnel if a GET asks for a WebSocket."""

    @override
    def _should_upgrade(self) -> bool:
        # Other methods could carry an upload past the routes.
        return self.scope["method"] == "GET" and super()._should_upgrade()

    @override
    def handle_websocket_upgrade(self) -> None:
        if self._ticking:
            self._ticking.cancel()  # a WebSocket may be silent
        super().handle_websocket_upgrade()


def tunnel_to(options: UpstreamOptions) -> type[asyncio.Protocol]:
    """Returns the protocol that uvicorn hands a connection to when a WebSocket is asked for."""

    class _To(Tunnel):
        def __init__(self, **_named: Any) -> None:
            super().__init__(options)

    return _To


class Tunnel(asyncio.Protocol):
    """The caller's side of a tunnel."""

    def __init__(self, options: UpstreamOptions) -> None:
        self._options = options
        self._url = httpx.URL(options.url)
        self._early = bytearray()
        self._is_open = False
        self._upstream: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._flow = FlowControl(self._transport)

    @override
    def data_received(self, data: bytes) -> None:
        """Called first with the request's header, then with what the caller sends."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._run(data))
        elif self._is_open and self._upstream:
            self._upstream.write(data)
            if self._upstream.transport.get_write_buffer_size() > _CHUNK_BYTES:
                self._flow.pause_reading()
                asyncio.ensure_future(self._drain())  # noqa: RUF006 - `_run` outlives it
        else:
            self._early += data
            if len(self._early) > MAX_HEAD_BYTES:
                self._transport.abort()

    async def _drain(self) -> None:
        try:
            if self._upstream:
                await self._upstream.drain()
        except OSError:
            self._transport.close()
        self._flow.resume_reading()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._flow.resume_writing()
        if self._task:
            self._task.cancel()

    @override
    def pause_writing(self) -> None:
        self._flow.pause_writing()

    @override
    def resume_writing(self) -> None:
        self._flow.resume_writing()

    async def _run(self, request: bytes) -> None:
        try:
            reader, self._upstream = await self._connect()
            self._upstream.write(self._rewritten(request))
            async with asyncio.timeout(ANSWER_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            await self._answer(head, reader)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            if not self._is_open:
                write_log(f"the application cannot be reached: {why(error)}")
                self._transport.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        finally:
            self._transport.close()
            if self._upstream:
                self._upstream.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        is_tls = self._url.scheme == "https"
        port = self._url.port or (443 if is_tls else 80)
        context = ssl.create_default_context() if is_tls else None
        async with asyncio.timeout(CONNECT_SECONDS):
            return await asyncio.open_connection(self._url.host, port, ssl=context, limit=MAX_HEAD_BYTES)

    def _rewritten(self, request: bytes) -> bytes:
        """Returns the request with its fields as the application gets them."""
        line, *lines = request.split(b"\r\n\r\n", 1)[0].split(b"\r\n")
        fields = [(name, value.strip()) for name, _, value in (one.partition(b":") for one in lines)]
        # A body behind the header would be a second request to an application that does not know of WebSockets.
        kept = [(name, value) for name, value in fields if name.lower() != b"content-length"]
        peer = Peer.of((get_remote_addr(self._transport) or ("", 0))[0], self._options.trusted)
        passed = request_fields(kept, peer, "http")
        passed = [(name, value) for name, value in passed if name.lower() != b"content-length"]
        passed += [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
        return b"\r\n".join([line, *(name + b": " + value for name, value in passed), b"", b""])

    async def _answer(self, head: bytes, reader: asyncio.StreamReader) -> None:
        """Passes the application's answer on, and if it agrees, opens the tunnel."""
        line = head.partition(b"\r\n")[0]
        if line.split(b" ")[1:2] != [b"101"]:
            self._transport.write(line + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            return
        self._transport.write(head)
        self._is_open = True
        if self._upstream:
            self._upstream.write(bytes(self._early))
        while data := await reader.read(_CHUNK_BYTES):
            self._transport.write(data)
            await self._flow.drain()
