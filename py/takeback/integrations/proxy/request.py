"""A request as the proxy sees it: its header, how it was asked for, and its body as it arrives."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import suppress
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from takeback.errors import RequestRefused
from takeback.integrations.proxy.headers import HeaderFields
from takeback.integrations.proxy.routes import plain_path

_OVERRIDES: Final = ("x-http-method-override", "x-http-method", "x-method-override")
"""Fields by which an application may be told another method; tus has the first one."""


class CallerGone(Exception):
    """The caller disconnected."""


class ProxyRequest:
    """A request; `path` is its path in the form in which routes compare it, `target` as it was sent."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._body_is_over = asyncio.Event()
        self.method: str = scope["method"]
        self.fields: HeaderFields = scope["headers"]
        self.headers = Headers(raw=self.fields)
        self.scheme: str = scope["scheme"]
        self.caller: str = (scope.get("client") or ("",))[0]
        query: bytes = scope["query_string"]
        self.target: bytes = scope["raw_path"] + (b"?" + query if query else b"")
        self.path = plain_path(scope["raw_path"])

    @property
    def methods(self) -> frozenset[str]:
        """The methods as which an application may take the request."""
        told = (self.headers.get(name, "").strip().upper() for name in _OVERRIDES)
        return frozenset({self.method, *told} - {""})

    @property
    def has_body(self) -> bool:
        """Whether a body follows the header."""
        return self.headers.get("content-length", "0") != "0" or "transfer-encoding" in self.headers

    @property
    def asks_for_upgrade(self) -> bool:
        """Whether the request asks for another protocol on its connection."""
        tokens = ",".join(self.headers.getlist("connection")).lower().split(",")
        return "upgrade" in {token.strip() for token in tokens}

    def single(self, name: str) -> str:
        """Returns the value of a field, empty if there is none. Raises `RequestRefused` if it occurs twice."""
        values = self.headers.getlist(name)
        if len(values) > 1:
            raise RequestRefused(400, "malformed", f"The field {name} must occur once.")
        return values[0].strip() if values else ""

    async def body(self) -> AsyncGenerator[bytes]:
        """Yields the body as it arrives. Raises `CallerGone`."""
        try:
            while True:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    raise CallerGone
                if message["body"]:
                    yield message["body"]
                if not message["more_body"]:
                    return
        finally:
            self._body_is_over.set()

    async def limited_body(self, seconds: float) -> AsyncGenerator[bytes]:
        """Yields the body. Raises `RequestRefused` if it is not complete after so many seconds, and `CallerGone`."""
        until = asyncio.get_running_loop().time() + seconds
        body = self.body()
        with suppress(StopAsyncIteration):
            while True:
                try:
                    async with asyncio.timeout_at(until):
                        part = await anext(body)
                except TimeoutError as error:
                    raise RequestRefused(408, "too-slow", "The upload took too long.") from error
                yield part

    async def unless_gone[R](self, work: Coroutine[Any, Any, R]) -> R:
        """Waits for `work`, which is cancelled if the caller disconnects after its body. Raises `CallerGone` then."""
        doing = asyncio.ensure_future(work)
        gone = asyncio.ensure_future(self._wait_until_gone())
        try:
            await asyncio.wait((doing, gone), return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                doing.cancel()
                with suppress(asyncio.CancelledError):
                    await doing
                raise CallerGone
            return doing.result()
        finally:
            gone.cancel()
            doing.cancel()

    async def _wait_until_gone(self) -> None:
        await self._body_is_over.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
