"""The sidecar's routes. Each validates a request, asks the gate, and answers; errors are problem+json (RFC 9457)."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from hmac import compare_digest
from io import BytesIO
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from takeback.errors import GateError, InvalidMessage, PictureError, RequestRefused, SettingsError
from takeback.gate.processes.hashing_process import HashedFile
from takeback.gate.rules.decision import Decision
from takeback.gate.rules.policy import Action
from takeback.gate.serve import hma, openapi
from takeback.gate.serve.log import write_log
from takeback.gate.serve.messages import (
    MAX_BODY_BYTES,
    MAX_UPLOADER_CHARS,
    DecisionBatch,
    Hashes,
    Kept,
    Outcome,
    SidecarHealth,
)
from takeback.gate.serve.metrics import SidecarMetrics
from takeback.gate.serve.uploads import BodyBudget, Upload, read_body, read_upload
from takeback.gate.service import Gate
from takeback.gate.watch import error_location
from takeback.protocol import Problem, Verdict, decode

JSON_TYPE: Final = "application/json"
PROBLEM_TYPE: Final = "application/problem+json"
UPLOADER_HEADER: Final = "takeback-uploader"
"""Header that names the uploader, so that the rate brake counts people."""
REFRESH_SECONDS: Final = 0.05
"""Time between looks at the gate's state, and so the delay after which another process's sync takes effect."""
SMALL_BATCH_UPLOADS: Final = 16
"""Size up to which a batch is looked up in the event loop; a larger one runs in a thread, so that others don't wait."""

type Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class SidecarOptions:
    """How a sidecar serves, for each of its processes.

    `max_bytes` is the limit for one file; `places` the number of files decoded at once; `waiting` the limit in bytes
    for all files that arrive or wait; `threads` the number of threads for look-ups. With `report`, every blocked upload
    is reported to the registry. If `token` is set, requests must present it.
    """

    home: str
    max_bytes: int
    places: int
    threads: int
    waiting: int = 256 << 20
    report: bool = False
    token: str = ""


class _Direct:
    """A handler as an ASGI application, without Starlette's wrapper for functions: errors are handled already."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._handler(Request(scope, receive))
        await answer(scope, receive, send)


class Sidecar:
    """The routes over one gate."""

    def __init__(self, gate: Gate, options: SidecarOptions) -> None:
        self._gate = gate
        self._options = options
        self._metrics = SidecarMetrics()
        self._room = BodyBudget(max(options.waiting, 2 * options.max_bytes))
        self._threads = ThreadPoolExecutor(options.threads, "check")
        # Threads of their own, so that health and metrics wait for no upload.
        self._health = ThreadPoolExecutor(2, "health")
        self._counting = ThreadPoolExecutor(1, "metrics")

    def close(self) -> None:
        """Finishes requests in progress and closes the gate."""
        for threads in (self._threads, self._health, self._counting):
            threads.shutdown()
        self._gate.close()

    def routes(self) -> list[Route]:
        """Returns all routes, the busiest first."""
        table: tuple[tuple[str, str, Handler], ...] = (
            ("POST", openapi.CHECK_SIGNALS, self.check_signals),
            ("GET", openapi.HMA_LOOKUP, self.hma_lookup),
            ("POST", openapi.CHECK, self.check),
            ("POST", openapi.CHECK_BATCH, self.check_batch),
            ("POST", openapi.FEEDBACK, self.feedback),
            ("POST", openapi.HMA_LOOKUP, self.hma_lookup_file),
            ("POST", openapi.HMA_HASH, self.hma_hash),
            ("GET", openapi.HMA_RAW_LOOKUP, self.hma_raw_lookup),
            ("GET", openapi.HMA_INDEX, self.hma_index),
            ("POST", openapi.HMA_COMPARE, self.hma_compare),
            ("GET", openapi.HMA_STATUS, self.hma_status),
            ("GET", openapi.HMA_LIVE, self.hma_live),
            ("GET", openapi.METRICS, self.metrics),
            ("GET", openapi.HEALTH, self.health),
            ("GET", openapi.READY, self.ready),
            ("GET", openapi.DOCUMENT, self.document),
        )
        return [Route(path, _Direct(self._guarded(path, handler)), methods=[method]) for method, path, handler in table]

    def _guarded(self, path: str, handler: Handler) -> Handler:
        """Wraps a handler: counts the request, checks the token, and turns errors into the API's error format."""
        is_open = path in openapi.OPEN
        problem = hma.problem if path in openapi.AS_HMA else _problem

        async def guarded(request: Request) -> Response:
            start = time.perf_counter()
            try:
                if not is_open:
                    self._refuse_strangers(request)
                hma.query_of(request)  # every route refuses repeated parameters rather than use one of them
                answer = await handler(request)
            except Exception as error:  # noqa: BLE001 - the caller gets an answer for any error, without its text
                answer = problem(*_problem_fields(error))
            self._metrics.request(path, answer.status_code, time.perf_counter() - start)
            return answer

        return guarded

    def _refuse_strangers(self, request: Request) -> None:
        token = self._options.token
        # As bytes, because `compare_digest` refuses text beyond ASCII.
        if token and not compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {token}".encode()):
            raise RequestRefused(401, "not-allowed", "send the sidecar's token: Authorization: Bearer TOKEN")

    # Checking

    async def check(self, request: Request) -> Response:
        """Decides on a file. Like all handlers, it may raise; `_guarded` turns errors into answers."""
        report = self._wants_report(request)
        uploader = _uploader(request)
        async with self._reading(request) as (_, read):
            decision = await self._in_thread(lambda: self._gate.judge(read, uploader))
        return _json(await self._decided(decision, report))

    @asynccontextmanager
    async def _reading(self, request: Request) -> AsyncIterator[tuple[Upload, HashedFile]]:
        """Reads and hashes the file of a request; cancels the job if the caller disconnects.

        The file counts against the limit on waiting bytes until the block ends.
        """
        with self._room.share() as take:
            # The whole body first, so that a slow caller holds no hashing process.
            upload = await read_upload(request, self._options.max_bytes, take)
            self._metrics.upload(len(upload.data))
            job = self._gate.read(BytesIO(upload.data), upload.given)
            read, gone = asyncio.wrap_future(job.future), asyncio.ensure_future(_wait_for_disconnect(request))
            try:
                either: tuple[asyncio.Future[Any], ...] = (read, gone)
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if not read.done():
                    raise RequestRefused(408, "too-slow", "the caller went away")
            finally:
                gone.cancel()
                if not read.done():
                    job.cancel()
            yield upload, read.result()

    async def check_signals(self, request: Request) -> Response:
        """Decides on an upload that the caller hashed."""
        report = self._wants_report(request)
        decision = self._checked(decode(await read_body(request, MAX_BODY_BYTES), Hashes))
        return _json(await self._decided(decision, report))

    async def check_batch(self, request: Request) -> Response:
        """Decides on many uploads that the caller hashed."""
        report = self._wants_report(request)
        uploads = decode(await read_body(request, MAX_BODY_BYTES), DecisionBatch).uploads

        def decide_all() -> list[Decision]:
            return [self._checked(upload) for upload in uploads]

        decisions = decide_all() if len(uploads) <= SMALL_BATCH_UPLOADS else await self._in_thread(decide_all)
        return _json({"decisions": [await self._decided(decision, report) for decision in decisions]})

    def _checked(self, upload: Hashes) -> Decision:
        return self._gate.check_signals([s.signal() for s in upload.signals], uploader=upload.uploader)

    async def _decided(self, decision: Decision, report: bool) -> dict[str, object]:
        """Counts the decision, and queues feedback for the registry if `report` is set and it blocks."""
        self._metrics.decision(decision)
        if report and decision.action is Action.BLOCK:
            await self._in_thread(lambda: self._gate.feedback(decision, Verdict.BLOCKED))
        return decision.as_dict()

    def _wants_report(self, request: Request) -> bool:
        """Returns whether to report a blocked upload: by the request's parameter, else by the sidecar's option."""
        query = hma.query_of(request)
        if not query:
            return self._options.report
        if list(query) != ["report"] or query["report"] not in {"true", "false"}:
            raise InvalidMessage("the only parameter is report, which must be true or false", "report")
        return query["report"] == "true"

    async def feedback(self, request: Request) -> Response:
        """Queues feedback on disk; the next sync sends it to the registry."""
        outcome = decode(await read_body(request, MAX_BODY_BYTES), Outcome)

        def keep() -> int:
            gate, entries = self._gate, outcome.entries
            return gate.feedback(entries, outcome.verdict, upload=outcome.id, confirmed=outcome.confirmed)

        kept = await self._in_thread(keep)
        return _json(Kept(kept), 202)

    # As hasher-matcher-actioner

    async def hma_lookup(self, request: Request) -> Response:
        """Looks up a hash."""
        query = hma.query_of(request)
        return _json(hma.banks(self._looked_up(query).matches, query))

    async def hma_raw_lookup(self, request: Request) -> Response:
        """Looks up a hash in all banks."""
        query = hma.query_of(request)
        return _json(hma.raw(self._looked_up(query).matches, query))

    def _looked_up(self, query: Mapping[str, str]) -> Decision:
        decision = self._gate.check_signals([hma.signal_of(query)])
        self._metrics.decision(decision)
        return decision

    async def hma_lookup_file(self, request: Request) -> Response:
        """Hashes a file and looks up its hashes."""
        query = hma.query_of(request)
        async with self._reading(request) as (upload, read):
            hashed = hma.hashes(upload, read, query)
            decision = await self._in_thread(lambda: self._gate.judge(read))
        self._metrics.decision(decision)
        return _json(hma.banks_by_type(hashed, decision, query))

    async def hma_hash(self, request: Request) -> Response:
        """Hashes a file."""
        query = hma.query_of(request)
        async with self._reading(request) as (upload, read):
            return _json(hma.hashes(upload, read, query))

    async def hma_index(self, request: Request) -> Response:
        """Reports the size and age of the index."""
        query = hma.query_of(request)
        return _json(hma.index_status(await self._in_thread(self._gate.status), query))

    async def hma_compare(self, request: Request) -> Response:
        """Computes the distances of pairs of hashes."""
        return _json(hma.compare(await read_body(request, MAX_BODY_BYTES)))

    async def hma_status(self, _request: Request) -> Response:
        """Reports whether the index is loaded and fresh."""
        return hma.health(await self._in_thread(self._gate.freshness))

    async def hma_live(self, _request: Request) -> Response:
        """Reports that the process runs."""
        return hma.live()

    # Running it

    async def health(self, _request: Request) -> Response:
        """Reports that the process runs."""
        return _json(SidecarHealth("ok"))

    async def ready(self, _request: Request) -> Response:
        """Reports whether the gate can decide: its state is readable, and the feed was once read to its end."""
        try:
            age = await asyncio.get_running_loop().run_in_executor(self._health, self._gate.age)
        except GateError as error:
            return _json(SidecarHealth("unavailable", str(error)), 503)
        if age is None:
            return _json(SidecarHealth("unavailable", "this gate has never read the feed to its end"), 503)
        return _json(SidecarHealth("ok", f"the feed was read to its end {age:.0f} seconds ago"))

    async def metrics(self, _request: Request) -> Response:
        """Returns the metrics in Prometheus' text format."""
        text = await asyncio.get_running_loop().run_in_executor(self._counting, self._metrics.text, self._gate)
        return Response(text, media_type="text/plain; version=1.0.0; charset=utf-8")

    async def document(self, _request: Request) -> Response:
        """Returns the OpenAPI document."""
        return Response(openapi.document_json(), media_type=JSON_TYPE)

    async def _in_thread[R](self, work: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _uploader(request: Request) -> str | None:
    """Returns the uploader's name from the request's header. Raises `InvalidMessage`."""
    given = request.headers.getlist(UPLOADER_HEADER)
    if len(given) > 1 or len("".join(given)) > MAX_UPLOADER_CHARS:
        raise InvalidMessage(
            f"{UPLOADER_HEADER} must occur once, with at most {MAX_UPLOADER_CHARS} characters", UPLOADER_HEADER
        )
    return given[0] if given else None


def create_app(options: SidecarOptions) -> Starlette:
    """Makes the sidecar's application over the gate in `options.home`.

    Raises `SettingsError` or `GateError` if the gate cannot be opened.
    """
    gate = Gate.open(options.home)
    gate.refresh_seconds = REFRESH_SECONDS
    gate.policy = replace(gate.policy, processes=options.places)
    gate.warm_up()
    sidecar = Sidecar(gate, options)

    @asynccontextmanager
    async def closing(_app: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(sidecar.close)

    return Starlette(routes=sidecar.routes(), exception_handlers={HTTPException: _no_route}, lifespan=closing)


async def _wait_for_disconnect(request: Request) -> None:
    """Returns when the caller disconnects; the body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _json(message: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(message), status_code=status, media_type=JSON_TYPE)


def _problem_fields(error: Exception) -> tuple[int, str, str, str]:
    """Returns the HTTP status, the stable code, the text and the field for an error."""
    match error:
        case RequestRefused():
            return error.status, error.code, str(error), ""
        case InvalidMessage():
            return 400, error.code, str(error), error.field
        case SettingsError():
            return 400, "invalid-message", str(error), ""
        case PictureError():
            return 422, error.code, str(error), ""
        case GateError():
            write_log(f"a request could not be served: {error}")
            return 503, error.code, str(error), ""
        case _:
            write_log(f"unexpected error: {error_location(error)}")
            return 500, "internal", "the sidecar failed; its log says where", ""


def _problem(status: int, code: str, text: str, field: str) -> Response:
    title = "The upload cannot be decided on" if status == 422 else "The request is refused"
    body = Problem(f"urn:takeback:problem:{code}", title, status, text, field)
    return Response(msgspec.json.encode(body), status_code=status, media_type=PROBLEM_TYPE)


async def _no_route(request: Request, error: Exception) -> Response:
    """No such path, or method not allowed."""
    assert isinstance(error, HTTPException)
    code = "method-not-allowed" if error.status_code == 405 else "not-found"
    answer = _problem(error.status_code, code, "see /openapi.json for the paths", "")
    if error.status_code != 405:
        return answer
    routes = (route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE)
    allowed = ", ".join(sorted({method for route in routes for method in route.methods}))
    answer = _problem(405, code, f"this path takes {allowed}", "")
    answer.headers["Allow"] = allowed
    return answer
