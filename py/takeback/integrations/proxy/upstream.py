"""Passes requests on to the application, and its answers back, both as streams, over connections that are kept open."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Final, override

import httpx
from starlette.types import Send

from takeback.connections import why
from takeback.errors import RequestRefused
from takeback.gate.serve.log import write_log
from takeback.integrations.proxy.headers import HeaderFields, Peer, request_fields, response_fields
from takeback.integrations.proxy.request import ProxyRequest

CONNECT_SECONDS: Final = 5.0
IDLE_CONNECTIONS: Final = 64
"""Connections to the application that are kept open for further requests."""
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that may be sent again when the application has just closed a connection."""


class _Stream(httpx.AsyncByteStream):
    """A body as httpx takes it."""

    def __init__(self, parts: AsyncIterator[bytes]) -> None:
        self._parts = parts

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._parts:
            yield part


async def no_body() -> AsyncIterator[bytes]:
    """Yields nothing."""
    empty: tuple[bytes, ...] = ()
    for part in empty:
        yield part


@dataclass(frozen=True, slots=True)
class UpstreamOptions:
    """Where the application is, for how many seconds it may be silent, and which proxies in front are trusted."""

    url: str
    seconds: float
    trusted: tuple[IPv4Network | IPv6Network, ...]


class Upstream:
    """The application."""

    def __init__(self, options: UpstreamOptions) -> None:
        self._url = httpx.URL(options.url)
        self._trusted = options.trusted
        seconds = options.seconds
        self._timeout = {"connect": CONNECT_SECONDS, "read": seconds, "write": seconds, "pool": CONNECT_SECONDS}
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=IDLE_CONNECTIONS)
        # The transport alone: a client would add fields, follow redirects, keep cookies and unpack answers.
        self._transport = httpx.AsyncHTTPTransport(limits=limits)

    async def close(self) -> None:
        """Closes all connections."""
        await self._transport.aclose()

    def fields(self, request: ProxyRequest) -> HeaderFields:
        """Returns a request's fields for the application."""
        fields = request_fields(request.fields, Peer.of(request.caller, self._trusted), request.scheme)
        if "host" not in request.headers:  # HTTP/1.0 does without
            fields.append((b"host", self._url.netloc))
        return fields

    async def pass_on(self, request: ProxyRequest) -> httpx.Response:
        """Sends a request as it arrives, and returns the answer, whose body is still to be read.

        Raises `RequestRefused` if the application cannot be reached, and `CallerGone`.
        """
        fields = self.fields(request)
        if "transfer-encoding" in request.headers:
            fields = [(name, value) for name, value in fields if name.lower() != b"content-length"]
            fields.append((b"transfer-encoding", b"chunked"))
        async with aclosing(request.body()) as body:
            return await self._send(request.method, request.target, fields, body, again=not request.has_body)

    async def send_checked(
        self, request: ProxyRequest, body: AsyncIterator[bytes], size: int, added: HeaderFields
    ) -> httpx.Response:
        """Sends a request whose body of `size` bytes is known by now, with fields added. Raises as `pass_on`."""
        fields = [(name, value) for name, value in self.fields(request) if name.lower() != b"content-length"]
        fields += [(b"content-length", str(size).encode()), *added]
        return await self._send(request.method, request.target, fields, body)

    async def delete(self, request: ProxyRequest, target: bytes) -> None:
        """Has the application remove an upload (tus, Termination), with the caller's rights."""
        dropped = {b"content-length", b"content-type", b"upload-offset", b"upload-length", b"upload-checksum"}
        fields = [
            (name, value)
            for name, value in self.fields(request)
            if name.lower() not in dropped and b"override" not in name.lower()
        ]
        answer = await self._send("DELETE", target, fields, no_body())
        await answer.aclose()

    async def _send(
        self, method: str, target: bytes, fields: HeaderFields, body: AsyncIterator[bytes], *, again: bool = False
    ) -> httpx.Response:
        extensions = {"target": target, "timeout": self._timeout}
        request = httpx.Request(method, self._url, headers=fields, stream=_Stream(body), extensions=extensions)
        try:
            return await self._transport.handle_async_request(request)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as error:
            if again and method in _SAFE:
                return await self._send(method, target, fields, no_body())
            raise _away(error) from error
        except httpx.LocalProtocolError as error:
            raise RequestRefused(400, "malformed", "The request is malformed.") from error
        except httpx.TimeoutException as error:
            raise _away(error, 504) from error
        except httpx.TransportError as error:
            raise _away(error) from error


async def relay(answer: httpx.Response, send: Send, without: frozenset[bytes] = frozenset()) -> None:
    """Passes the application's answer on, without the value `without` in `Tus-Extension`.

    Raises `httpx.HTTPError` if it breaks off; the caller's connection must then be closed.
    """
    try:
        fields = response_fields(answer.headers.raw, answer.status_code)
        if without:
            fields = [_without(field, without) for field in fields]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": fields})
        async for part in answer.aiter_raw():
            await send({"type": "http.response.body", "body": part, "more_body": True})
    finally:
        await answer.aclose()
    await send({"type": "http.response.body", "body": b""})


def _without(field: tuple[bytes, bytes], values: frozenset[bytes]) -> tuple[bytes, bytes]:
    name, value = field
    if name.lower() != b"tus-extension":
        return field
    return name, b",".join(one.strip() for one in value.split(b",") if one.strip() not in values)


def _away(error: Exception, status: int = 502) -> RequestRefused:
    write_log(f"the application cannot be reached: {why(error)}")
    return RequestRefused(status, "upstream-away", "The site cannot be reached at the moment. Please try again.")
