"""The proxy: passes every request on, and checks the uploads of named routes first."""

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final, Literal

import httpx
from starlette.types import Receive, Scope, Send

from takeback.errors import RequestRefused
from takeback.gate.rules.policy import Action
from takeback.gate.serve.log import write_log
from takeback.integrations.proxy.answers import AWAY, BLOCKED, HELD, Words, answer
from takeback.integrations.proxy.forms import FormReader
from takeback.integrations.proxy.headers import DECISION_HEADER, HeaderFields
from takeback.integrations.proxy.judges import Judge, Judgement, Undecided
from takeback.integrations.proxy.request import CallerGone, ProxyRequest
from takeback.integrations.proxy.routes import CheckedRoute, RouteKind
from takeback.integrations.proxy.spool import Spool, SpoolBudget, spooled
from takeback.integrations.proxy.tus import Tus, TusLimits, forward_options
from takeback.integrations.proxy.upstream import Upstream, relay
from takeback.protocol import Verdict

UNCHECKED: Final = "unchecked"
"""What the application is told of an upload that was let through because the gate could not decide."""
_WORST_FIRST: Final = (Action.BLOCK, Action.REVIEW, Action.ALLOW)


@dataclass(frozen=True, slots=True)
class ProxyOptions:
    """What is checked, and what follows from it.

    `max_bytes` is the limit for the body of a checked request, and for a tus upload; `spool_bytes` the one for all that
    are kept at once; `body_seconds` the time that a body may take.
    """

    routes: tuple[CheckedRoute, ...]
    max_bytes: int = 100_000_000
    spool_bytes: int = 4_000_000_000
    body_seconds: float = 3600
    review: Literal["pass", "hold"] = "pass"
    when_away: Literal["pass", "refuse"] = "refuse"
    report: bool = False
    words: Words = field(default_factory=Words)


class Proxy:
    """The ASGI application."""

    def __init__(self, options: ProxyOptions, judge: Judge, upstream: Upstream) -> None:
        self._options = options
        self._judge = judge
        self._upstream = upstream
        self._budget = SpoolBudget(options.spool_bytes)
        self._tus = Tus(upstream, self._check_one, self._budget, TusLimits(options.max_bytes, options.body_seconds))

    async def close(self) -> None:
        """Closes the judge, all connections and all uploads that are kept."""
        self._tus.close()
        await self._judge.close()
        await self._upstream.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, as ASGI has it."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        request = ProxyRequest(scope, receive)
        try:
            await self._handle(request, send)
        except RequestRefused as refused:
            await answer(send, refused, request.headers.get("accept", ""))
        except CallerGone:
            pass
        except httpx.HTTPError as error:
            # An answer that broke off is not completed, so that the server closes the connection.
            write_log(f"an answer of the application broke off ({type(error).__name__})")

    async def _live(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _handle(self, request: ProxyRequest, send: Send) -> None:
        if request.has_body and request.asks_for_upgrade:
            # The parser takes no body with such a request, and would take it for the next one.
            raise RequestRefused(501, "not-supported", "A request with a body cannot change the protocol.")
        for route in self._options.routes:
            if route.takes(request.methods, request.path):
                _refuse_encoded(request)
                await self._checked(request, route, send)
                return
            if route.kind is RouteKind.TUS and route.is_below(request.path):
                _refuse_encoded(request)
                await self._tus.go_on(request, route, send)
                return
            if route.kind is RouteKind.TUS and request.method == "OPTIONS" and route.takes_path(request.path):
                await forward_options(request, self._upstream, send)
                return
        await request.unless_gone(self._pass_on(request, send))

    async def _pass_on(self, request: ProxyRequest, send: Send) -> None:
        await relay(await self._upstream.pass_on(request), send)

    async def _checked(self, request: ProxyRequest, route: CheckedRoute, send: Send) -> None:
        if route.kind is RouteKind.TUS:
            await self._tus.create(request, route, send)
            return
        given = request.single("content-type")
        if route.kind is RouteKind.FORM and not given.lower().startswith("multipart/"):
            await request.unless_gone(self._pass_on(request, send))  # a form without files
            return
        with ExitStack() as stack:

            def make() -> Spool:
                return stack.enter_context(spooled(self._budget, self._options.max_bytes))

            body = make()
            form = FormReader(given, route.wants, make) if route.kind is RouteKind.FORM else None
            await self._take_in(request, body, form)
            files = [(one.spool, one.given) for one in form.files] if form else [(body, given)] * (body.size > 0)
            added = await request.unless_gone(self._check(route, files))
            await request.unless_gone(self._pass_checked(request, body, added, send))

    async def _take_in(self, request: ProxyRequest, body: Spool, form: FormReader | None) -> None:
        """Reads the body of a request, and takes the files out of it if it is a form."""
        announced = request.single("content-length")
        if announced.isdecimal() and int(announced) > self._options.max_bytes:
            raise body.over_limit()
        async for part in request.limited_body(self._options.body_seconds):
            await body.write(part)
            if form:
                await form.feed(part)
        if form:
            form.finish()

    async def _pass_checked(self, request: ProxyRequest, body: Spool, added: HeaderFields, send: Send) -> None:
        await relay(await self._upstream.send_checked(request, body.read(), body.size, added), send)

    async def _check_one(self, route: CheckedRoute, upload: Spool, given: str) -> HeaderFields:
        return await self._check(route, [(upload, given)])

    async def _check(self, route: CheckedRoute, files: list[tuple[Spool, str]]) -> HeaderFields:
        """Decides on all files of a request: returns the fields for the application, or raises `RequestRefused`."""
        if not files:
            return []
        outcomes = await asyncio.gather(*(self._judged(*file) for file in files))
        judgements = [one for one in outcomes if isinstance(one, Judgement)]
        unknown = next((one for one in outcomes if isinstance(one, Undecided)), None)
        found = {judgement.action for judgement in judgements}
        action = next((one for one in _WORST_FIRST if one in found), Action.ALLOW)
        if action is not Action.ALLOW:
            await self._tell(route, judgements, action)
        if action is Action.BLOCK:
            raise self._options.words.refusal(BLOCKED)
        if unknown and self._options.when_away == "refuse":
            write_log(f"{route}: refused, because the gate cannot decide: {unknown}")
            raise self._options.words.refusal(AWAY)
        if action is Action.REVIEW and self._options.review == "hold":
            raise self._options.words.refusal(HELD)
        if unknown:
            write_log(f"{route}: let through unchecked, because the gate cannot decide: {unknown}")
        return [(DECISION_HEADER, _told(action, judgements, unknown).encode("ascii"))]

    async def _judged(self, upload: Spool, given: str) -> Judgement | Undecided:
        try:
            return await self._judge.judge(upload, given)
        except Undecided as undecided:
            return undecided

    async def _tell(self, route: CheckedRoute, judgements: list[Judgement], action: Action) -> None:
        """Logs what is blocked or for review, and reports it to the registry if that is asked for."""
        for judgement in judgements:
            if judgement.action is Action.ALLOW:
                continue
            write_log(f"{route}: {judgement.action}, decision {judgement.id}")
            is_block = judgement.action is Action.BLOCK
            verdict = Verdict.BLOCKED if is_block else Verdict.PENDING_REVIEW
            # What is refused along with a blocked file, or held, is pending nowhere.
            goes_on = action is Action.REVIEW and self._options.review == "pass"
            if self._options.report and (is_block or goes_on) and judgement.has_match:
                try:
                    await self._judge.report(judgement, verdict)
                except Undecided as error:
                    write_log(f"feedback could not be queued: {error}")


def _told(action: Action, judgements: list[Judgement], unknown: Undecided | None) -> str:
    """Returns what the application is told: the decision, and the ids of those that need a review."""
    ids = [judgement.id for judgement in judgements if judgement.action is Action.REVIEW]
    return "; id=".join([UNCHECKED if unknown and action is Action.ALLOW else action.value, *ids])


def _refuse_encoded(request: ProxyRequest) -> None:
    """Raises `RequestRefused` for a body that the application would have to unpack before it finds the upload."""
    encoding = request.single("content-encoding").lower()
    if encoding not in {"", "identity"}:
        raise RequestRefused(415, "encoded", "Send the upload without Content-Encoding.")
