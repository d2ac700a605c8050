"""The service's routes. Each knows the site by its key, charges it, and answers in a size and a time that say nothing.

Errors are problem+json (RFC 9457), as the sidecar's. What a site asked goes into no log, no file and no error.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from takeback.errors import GateError, InvalidMessage, RequestRefused, SettingsError
from takeback.gate import Action, Gate
from takeback.gate.rules.votes import PatchProbe
from takeback.gate.serve.log import write_log
from takeback.gate.serve.uploads import read_body
from takeback.gate.service import Question
from takeback.gate.watch import error_location
from takeback.lookup import messages
from takeback.lookup.messages import (
    MAX_BODY_BYTES,
    MAX_FEEDBACK_BYTES,
    PREFIX_PATTERN,
    Accepted,
    LookUpHealth,
    RemoteAnswer,
    RemoteAnswers,
    RemoteBatch,
    RemoteOutcome,
    RemoteQuestion,
    padded,
)
from takeback.lookup.refusals import TooManyQuestions
from takeback.lookup.service import openapi
from takeback.lookup.service.exact import ExactLists
from takeback.lookup.service.probing import MAX_WAIT_SECONDS, ProbingBrake
from takeback.lookup.service.sealed_ids import SealedIds
from takeback.lookup.service.shares import SiteShares
from takeback.lookup.service.site_brakes import SiteBrakes
from takeback.lookup.service.sites import Charged, Credential, Sites
from takeback.protocol import Problem, decode_request

SLOT_SECONDS: Final = 0.01
"""An answer leaves at a multiple of this after its question: a match takes 0.1 ms longer, which then does not show.

For a batch it is this for each ten uploads.
"""
REFRESH_SECONDS: Final = 0.05
"""Time between looks at the gate's state, as the sidecar's."""
WRITE_SECONDS: Final = 2.0
"""Time between writes of the usage: what a kill -9 loses of the counts."""
LIGHT_PATCHES: Final = 16
"""Patches up to which a question is looked up in the event loop; more take milliseconds, so others would wait."""
_BEARER: Final = "Bearer "

type SiteHandler = Callable[[Request, Credential], Awaitable[Response]]
type OpenHandler = Callable[[Request], Awaitable[Response]]


class _Endpoint:
    """A handler as an ASGI application; `handler` answers every error itself."""

    def __init__(self, handler: OpenHandler) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._handler(Request(scope, receive))
        await answer(scope, receive, send)


class LookUpService:
    """The routes over one gate and the sites that may ask."""

    def __init__(self, gate: Gate, sites: Sites) -> None:
        self._gate = gate
        self._sites = sites
        self._ids = SealedIds(sites.secret)
        self._exact = ExactLists(gate, sites.secret, self._ids.seal)
        self._probing = ProbingBrake()
        self._brakes = SiteBrakes(gate.policy)
        self._shares = SiteShares()
        self._threads = ThreadPoolExecutor(1, "look-up")
        self._health = ThreadPoolExecutor(1, "health")

    def close(self) -> None:
        """Finishes requests in progress, writes the usage, and closes the gate."""
        for threads in (self._threads, self._health):
            threads.shutdown()
        self._sites.close()
        self._gate.close()

    async def write_usage(self) -> None:
        """Writes the usage again and again, until cancelled; a full disk does not end the service."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            try:
                await asyncio.to_thread(self._sites.write_usage)
            except GateError as error:
                write_log(f"the usage is not written: {error}")

    def routes(self) -> list[Route]:
        """Returns all routes, the busiest first."""
        table: tuple[tuple[str, str, OpenHandler], ...] = (
            ("POST", messages.CHECK, self._keyed(self.check)),
            ("GET", openapi.EXACT_ROUTE, self._keyed(self.exact)),
            ("POST", messages.CHECK_BATCH, self._keyed(self.check_batch)),
            ("POST", messages.FEEDBACK, self._keyed(self.feedback)),
            ("GET", openapi.HEALTH, self.health),
            ("GET", openapi.READY, self.ready),
            ("GET", openapi.DOCUMENT, self.document),
        )
        return [Route(path, _Endpoint(handler), methods=[method]) for method, path, handler in table]

    def _keyed(self, handler: SiteHandler) -> OpenHandler:
        """Wraps a handler: knows the site, turns errors into answers, and waits for the end of the time slot."""

        async def guarded(request: Request) -> Response:
            start = time.perf_counter()
            try:
                if request.url.query:
                    raise InvalidMessage("there are no parameters")  # noqa: TRY301 - refused as every other error is
                answer = await handler(request, self._credential(request))
            except Exception as error:  # noqa: BLE001 - the caller gets an answer for any error, without its text
                answer = _refusal(error)
            await _end_of_slot(start)
            return answer

        return guarded

    def _credential(self, request: Request) -> Credential:
        given = request.headers.getlist("authorization")
        key = given[0].removeprefix(_BEARER) if len(given) == 1 else ""
        known = self._sites.credential(key) if messages.KEY_PATTERN.fullmatch(key) else None
        if known is None:
            raise RequestRefused(401, "not-allowed", "send your site's key: Authorization: Bearer KEY")
        return known

    # Questions

    async def check(self, request: Request, of: Credential) -> Response:
        """Answers a question about one upload."""
        with self._shares.of(of.site).room.share() as take:
            question = decode_request(await read_body(request, MAX_BODY_BYTES, take), RemoteQuestion)
            question.check()
            self._charge(of, question.cost())
            await self._wait(of.site, [question])
            return _json(padded((await self._answers(of.site, [question]))[0]))

    async def check_batch(self, request: Request, of: Credential) -> Response:
        """Answers questions about many uploads."""
        start = time.perf_counter()
        with self._shares.of(of.site).room.share() as take:
            uploads = decode_request(await read_body(request, MAX_BODY_BYTES, take), RemoteBatch).uploads
            for question in uploads:
                question.check()
            self._charge(of, sum(question.cost() for question in uploads))
            await self._wait(of.site, uploads)
            answers = await self._answers(of.site, uploads)
        await _end_of_slot(start, max(1.0, len(uploads) / 10))
        return _json(padded(RemoteAnswers(answers)))

    def _charge(self, of: Credential, count: int, what: Charged = "questions") -> None:
        if seconds := self._sites.charge(of, count, what):
            raise TooManyQuestions("quota", f"the quota of {of.quota} {what} for today is used up", seconds)

    async def _wait(self, site: str, questions: Sequence[RemoteQuestion]) -> None:
        """Waits if many questions are nearly alike. Raises `TooManyQuestions` if the wait would be too long."""
        seconds = max([self._probing.wait(site, question) for question in questions])
        if not seconds:
            return
        self._sites.count(site, slowed=len(questions))
        if seconds > MAX_WAIT_SECONDS:
            text = "many of your questions are nearly alike; other uploads are answered as always"
            raise TooManyQuestions("too-alike", text, math.ceil(seconds))
        await asyncio.sleep(seconds)

    async def _answers(self, site: str, questions: Sequence[RemoteQuestion]) -> list[RemoteAnswer]:
        def decide() -> list[RemoteAnswer]:
            return [self._answer(site, question) for question in questions]

        is_light = len(questions) == 1 and len(questions[0].patches) <= LIGHT_PATCHES and questions[0].cost() == 1
        if is_light:
            return decide()
        async with self._shares.of(site).places:
            return await asyncio.get_running_loop().run_in_executor(self._threads, decide)

    def _answer(self, site: str, question: RemoteQuestion) -> RemoteAnswer:
        patches = [PatchProbe(value, turn, spot) for value, turn, spot in question.patches]
        asked = Question([one.signal() for one in question.signals], question.dihedral, patches)
        decision = self._gate.check_question(asked, self._brakes.of(site), question.uploader)
        if decision.action is not Action.ALLOW:
            self._sites.count(site, stopped=1)
        matched = [match.entry for match in decision.matches]
        return RemoteAnswer(decision.action, self._ids.seal(site, decision.id, matched))

    async def exact(self, request: Request, of: Credential) -> Response:
        """Returns the listed SHA-256 that begin with a prefix, among decoys."""
        prefix = request.path_params["prefix"]
        if not PREFIX_PATTERN.fullmatch(prefix):
            raise InvalidMessage(f"send the first {messages.PREFIX_DIGITS} hex digits, in lowercase", "prefix")
        self._charge(of, 1)
        return _json(padded(self._exact.answer(of.site, prefix)))

    async def feedback(self, request: Request, of: Credential) -> Response:
        """Queues feedback on disk; the next sync sends it to the registry."""
        outcome = decode_request(await read_body(request, MAX_FEEDBACK_BYTES), RemoteOutcome)
        upload = self._ids.open(of.site, outcome.id)
        self._charge(of, 1, "feedback")

        def keep() -> None:
            self._brakes.of(of.site).note(upload.entries, outcome.verdict, confirmed=outcome.confirmed)
            event = self._ids.event(of.site, upload, outcome.verdict)
            self._gate.queue_feedback(event, outcome.verdict, upload.entries)

        # Nothing is queued for a decoy, or for an upload that matched nothing, and the answer does not say so.
        async with self._shares.of(of.site).places:
            await asyncio.get_running_loop().run_in_executor(self._threads, keep)
        return _json(msgspec.json.encode(Accepted()), 202)

    # Running it

    async def health(self, _request: Request) -> Response:
        """Reports that the process runs."""
        return _json(msgspec.json.encode(LookUpHealth("ok")))

    async def ready(self, _request: Request) -> Response:
        """Reports whether the service can decide: its list is readable, and the feed was once read to its end."""
        try:
            age = await asyncio.get_running_loop().run_in_executor(self._health, self._gate.age)
        except GateError as error:
            return _json(msgspec.json.encode(LookUpHealth("unavailable", str(error))), 503)
        if age is None:
            return _json(msgspec.json.encode(LookUpHealth("unavailable", "the feed was never read to its end")), 503)
        return _json(msgspec.json.encode(LookUpHealth("ok")))

    async def document(self, _request: Request) -> Response:
        """Returns the OpenAPI document."""
        return _json(openapi.document_json())


def create_app(home: str) -> Starlette:
    """Makes the application over the gate in the folder `home`. Raises `SettingsError` or `GateError`."""
    sites = Sites(Path(home))
    try:
        gate = Gate.open(home)
    except BaseException:
        sites.close()
        raise
    gate.refresh_seconds = REFRESH_SECONDS
    gate.freshness()
    service = LookUpService(gate, sites)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        writing = asyncio.create_task(service.write_usage())
        yield
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        await asyncio.to_thread(service.close)

    return Starlette(routes=service.routes(), exception_handlers={HTTPException: _no_route}, lifespan=lifespan)


async def _end_of_slot(start: float, slots: float = 1.0) -> None:
    """Waits until a multiple of so many `SLOT_SECONDS` has passed since `start`."""
    passed, slot = time.perf_counter() - start, SLOT_SECONDS * slots
    await asyncio.sleep(math.ceil(passed / slot) * slot - passed)


def _json(body: bytes, status: int = 200) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(body, status_code=status, media_type="application/json", headers=headers)


def _refusal(error: Exception) -> Response:
    """Returns the answer for an error, without what the caller sent."""
    headers = {"Cache-Control": "no-store"}
    match error:
        case TooManyQuestions():
            headers["Retry-After"] = str(error.retry_after)
            return _problem(429, error.code, str(error), headers=headers)
        case RequestRefused():
            return _problem(error.status, error.code, str(error), headers=headers)
        case InvalidMessage():
            return _problem(400, error.code, str(error), error.field, headers)
        case SettingsError():
            return _problem(400, "invalid-message", str(error), headers=headers)
        case GateError():
            write_log(f"a request could not be served: {error}")
            return _problem(503, error.code, "the list cannot be used now; try again", headers=headers)
        case _:
            write_log(f"unexpected error: {error_location(error)}")
            return _problem(500, "internal", "the service failed; its log says where", headers=headers)


def _problem(status: int, code: str, text: str, field: str = "", headers: dict[str, str] | None = None) -> Response:
    body = Problem(f"urn:takeback:problem:{code}", "The request is refused", status, text, field)
    kind = "application/problem+json"
    return Response(msgspec.json.encode(body), status_code=status, media_type=kind, headers=headers)


async def _no_route(request: Request, error: Exception) -> Response:
    """No such path, or method not allowed."""
    assert isinstance(error, HTTPException)
    if error.status_code != 405:
        return _problem(error.status_code, "not-found", "see /openapi.json for the paths")
    routes = (route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE)
    allowed = ", ".join(sorted({method for route in routes for method in route.methods}))
    return _problem(405, "method-not-allowed", f"this path takes {allowed}", headers={"Allow": allowed})
