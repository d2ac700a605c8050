"""The whole site as one ASGI application: the page's files, the API, and the response headers of both."""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from litestar import Litestar

from takeback import protocol
from takeback.registry.http.content_encoding import IDENTITY
from takeback.registry.http.metrics import MEDIA_TYPE, RegistryMetrics
from takeback.registry.http.metrics import PATH as METRICS
from takeback.registry.http.problems import allowed_methods
from takeback.registry.http.response_headers import Headers, ResponseKind, headers_for, kind_of
from takeback.registry.http.static_files import File, Page, read

type Scope = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
type Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
type RawHeaders = list[tuple[bytes, bytes]]


class Site:
    """Serves the API and, if given, `page`. `tls` says whether people reach the site over TLS."""

    def __init__(self, api: Litestar, page: Page | None, metrics: RegistryMetrics, *, tls: bool) -> None:
        self._api = api
        self._page = page
        self._metrics = metrics
        self._headers = {kind: _raw(headers_for(kind, tls=tls)) for kind in ResponseKind}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request, or passes start and stop on to the API."""
        if scope["type"] != "http":
            await self._api(scope, receive, send)  # type: ignore[arg-type]
            return
        extra = self._headers[kind_of(scope["path"])]
        started = time.monotonic()
        is_head = scope["method"] == "HEAD"
        if is_head:  # answered like GET, without the body
            scope = {**scope, "method": "GET"}

        async def with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self._metrics.answered(scope["method"], scope["path"], message["status"], started)
                # A route's own header wins, such as the Cache-Control of the feed's pages and tiles.
                own = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(one for one in extra if one[0] not in own)]
            elif is_head and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        file = self._page.find(scope["path"]) if self._page else None
        if file is None and scope["path"] != METRICS:
            await self._api(scope, receive, with_headers)  # type: ignore[arg-type]
        elif scope["method"] != "GET":
            await _send(with_headers, 405, *_NOT_ALLOWED)
        elif file:
            await _send_file(file, scope, with_headers)
        else:
            text = await asyncio.to_thread(self._metrics.text)
            await _send(with_headers, 200, [(b"content-type", MEDIA_TYPE.encode())], text)


async def _send_file(file: File, scope: Scope, send: Send) -> None:
    accepted = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding")
    encoding, path = file.best(accepted.decode("latin-1"))
    headers = [(b"content-type", file.content_type.encode()), (b"vary", b"accept-encoding")]
    if encoding != IDENTITY:
        headers.append((b"content-encoding", encoding.encode()))
    await _send(send, 200, headers, await read(path))


async def _send(send: Send, status: int, headers: RawHeaders, body: bytes) -> None:
    sized = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": sized})
    await send({"type": "http.response.body", "body": body})


def _raw(headers: Headers) -> RawHeaders:
    return [(name.encode(), value.encode()) for name, value in headers]


_NOT_ALLOWED: Final[tuple[RawHeaders, bytes]] = (
    [(b"content-type", b"application/problem+json"), (b"allow", b"GET, HEAD")],
    protocol.encode(
        protocol.Problem(
            "urn:takeback:problem:method-not-allowed", "Method not allowed", 405, allowed_methods("GET, HEAD")
        )
    ),
)
