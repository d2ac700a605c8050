"""Checks resumable uploads by tus 1.0 (https://tus.io): parts are passed on, the last one once the whole was checked.

The application gets the parts of an upload as they come, and this process keeps a copy. The request that completes the
upload waits for the decision. If it is refused, the application is asked to remove the upload. Of an upload that
the proxy has not followed from its first byte nothing is passed on: the client is told 404, and begins anew.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import httpx
from starlette.types import Send

from takeback.errors import RequestRefused
from takeback.gate.serve.log import write_log
from takeback.integrations.proxy.headers import HeaderFields
from takeback.integrations.proxy.request import CallerGone, ProxyRequest
from takeback.integrations.proxy.routes import CheckedRoute
from takeback.integrations.proxy.spool import Spool, SpoolBudget, too_large
from takeback.integrations.proxy.tus_uploads import TusUpload, TusUploads, key_of, key_of_location, media_type
from takeback.integrations.proxy.upstream import Upstream, relay

type Check = Callable[[CheckedRoute, Spool, str], Awaitable[HeaderFields]]
"""Decides on an upload with a media type: returns the fields for the application, or raises `RequestRefused`."""

_UNCHECKABLE: Final = frozenset({b"concatenation", b"concatenation-unfinished"})
"""Extensions by which an application puts an upload together from others, which nobody has checked as a whole."""
_TRY_AGAIN: Final = frozenset({503})
"""Statuses of refusals after which the client may send the same part again."""


@dataclass(frozen=True, slots=True)
class TusLimits:
    """The largest upload in bytes, and the seconds that a request's body may take."""

    bytes: int
    seconds: float


class Tus:
    """The tus routes."""

    def __init__(self, upstream: Upstream, check: Check, budget: SpoolBudget, limits: TusLimits) -> None:
        self._upstream = upstream
        self._check = check
        self._budget = budget
        self._limits = limits
        self._uploads = TusUploads()
        budget.make_room = self._uploads.drop_idle

    def close(self) -> None:
        """Gives all uploads up."""
        self._uploads.close()

    async def create(self, request: ProxyRequest, route: CheckedRoute, send: Send) -> None:
        """Passes the creation of an upload on, with its bytes if it brings any (Creation With Upload)."""
        if "upload-concat" in request.headers:
            raise RequestRefused(400, "not-supported", "Uploads cannot be put together from others here.")
        length = _number(request, "upload-length")
        if length is not None and length > self._limits.bytes:
            raise too_large(self._limits.bytes)
        spool = Spool(self._budget, self._limits.bytes if length is None else length)
        upload = TusUpload("", spool, length, media_type(request.headers.get("upload-metadata", "")))
        try:
            await self._take_in(request, spool)
            added = await self._decided(request, route, upload) if spool.size and upload.is_complete else []
            answer = await request.unless_gone(self._upstream.send_checked(request, spool.read(), spool.size, added))
            self._follow(request, route, upload, answer)
        except BaseException:
            spool.close()
            raise
        await relay(answer, send)

    def _follow(self, request: ProxyRequest, route: CheckedRoute, upload: TusUpload, answer: httpx.Response) -> None:
        """Follows the upload that the application has created, unless it took other bytes than were sent."""
        path, upload.key = key_of_location(answer.headers.get("location", ""), request.path)
        took = answer.headers.get("upload-offset", "0")
        if took == "0":  # it does not take bytes with the creation
            upload.spool.cut(0)
        if answer.status_code != 201 or took != str(upload.spool.size):
            upload.spool.close()
        elif not route.is_below(path):
            write_log(f"an upload of {route} is at an address that is not below that path, so it will be refused")
            upload.spool.close()
        elif upload.is_complete:
            upload.spool.close()
            self._uploads.finish(upload.key)
        else:
            self._uploads.add(upload)

    async def go_on(self, request: ProxyRequest, route: CheckedRoute, send: Send) -> None:
        """Handles a request to an upload's own address."""
        key = key_of(request.target)
        if "PATCH" in request.methods:
            upload = self._uploads.find(key)
            if upload is None:
                raise _unknown()
            if upload.lock.locked():
                raise RequestRefused(423, "locked", "Another request is sending to this upload.")
            async with upload.lock:
                await self._append(request, route, upload, send)
            return
        if request.method == "HEAD" and self._uploads.find(key) is None and not self._uploads.is_finished(key):
            raise _unknown()
        answer = await self._upstream.pass_on(request)
        if "DELETE" in request.methods and answer.is_success:
            self._uploads.drop(key)
        await request.unless_gone(relay(answer, send))

    async def _append(self, request: ProxyRequest, route: CheckedRoute, upload: TusUpload, send: Send) -> None:
        """Takes a part in and passes it on; the last one once the whole was checked."""
        spool, start = upload.spool, upload.spool.size
        if _number(request, "upload-offset") != start:
            raise RequestRefused(409, "wrong-offset", f"This upload goes on at {start}.")
        known = upload.length
        upload.length = self._agreed_length(request, known)
        is_cut = False
        try:
            await self._take_in(request, spool, upload.length)
        except CallerGone:
            # What has arrived is passed on all the same, so that the client can go on from there.
            if upload.is_complete or spool.size == start or "upload-checksum" in request.headers:
                _take_back(upload, start, known)
                raise
            is_cut = True
        except BaseException:
            _take_back(upload, start, known)
            raise
        answer = await self._pass_part(request, route, upload, (start, known))
        if is_cut:
            await answer.aclose()
            raise CallerGone
        await relay(answer, send)

    def _agreed_length(self, request: ProxyRequest, known: int | None) -> int | None:
        """Returns the upload's length, which a request may give if it was not known. Raises `RequestRefused`."""
        told = _number(request, "upload-length")
        # Two lengths, of which the application took another one than this proxy, would hide which part is the last.
        if None not in {told, known} and told != known:
            raise RequestRefused(400, "wrong-length", "The length of this upload was given before.")
        if told is not None and told > self._limits.bytes:
            raise too_large(self._limits.bytes)
        return told if known is None else known

    async def _pass_part(
        self, request: ProxyRequest, route: CheckedRoute, upload: TusUpload, before: tuple[int, int | None]
    ) -> httpx.Response:
        """Passes a part on; `before` is the upload's size and length without it."""
        spool, (start, known) = upload.spool, before
        try:
            added = await self._decided(request, route, upload) if upload.is_complete else []
        except RequestRefused as refused:
            if refused.status in _TRY_AGAIN:
                _take_back(upload, start, known)
            else:
                self._uploads.drop(upload.key)
                with suppress(RequestRefused):  # the upload stays incomplete, whether or not it can be removed
                    await self._upstream.delete(request, request.target)
            raise
        except BaseException:
            _take_back(upload, start, known)
            raise
        try:
            parts = spool.read(start)
            answer = await self._upstream.send_checked(request, parts, spool.size - start, added)
        except BaseException:
            self._uploads.drop(upload.key)  # nobody knows what the application has
            raise
        # Kept or given up, by what the application says that it has.
        took_all = answer.is_success and answer.headers.get("upload-offset") == str(spool.size)
        if took_all and upload.is_complete:
            self._uploads.finish(upload.key)
        elif answer.is_client_error and answer.status_code != 409:
            _take_back(upload, start, known)
        elif not took_all:
            self._uploads.drop(upload.key)
        return answer

    async def _decided(self, request: ProxyRequest, route: CheckedRoute, upload: TusUpload) -> HeaderFields:
        return await request.unless_gone(_coroutine(self._check(route, upload.spool, upload.given)))

    async def _take_in(self, request: ProxyRequest, spool: Spool, length: int | None = None) -> None:
        """Reads a request's body into the spool. Raises `RequestRefused` beyond `length`, and `CallerGone`."""
        async for part in request.limited_body(self._limits.seconds):
            if length is not None and spool.size + len(part) > length:
                raise RequestRefused(413, "too-large", "The upload is larger than was announced.")
            await spool.write(part)


async def forward_options(request: ProxyRequest, upstream: Upstream, send: Send) -> None:
    """Passes a question for the server's abilities on, and takes those out of the answer that cannot be checked."""
    answer = await upstream.pass_on(request)
    await request.unless_gone(relay(answer, send, without=_UNCHECKABLE))


def _take_back(upload: TusUpload, size: int, length: int | None) -> None:
    """Sets an upload back to what it was before a part."""
    upload.spool.cut(size)
    upload.length = length


async def _coroutine[R](work: Awaitable[R]) -> R:
    return await work


def _number(request: ProxyRequest, name: str) -> int | None:
    """Returns the number in a field, None if there is none. Raises `RequestRefused` if it is not a number."""
    text = request.single(name)
    if text and not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise RequestRefused(400, "malformed", f"The field {name} must be a number.")
    return int(text) if text else None


def _unknown() -> RequestRefused:
    return RequestRefused(404, "unknown-upload", "This upload is not known here: begin it again.")
