"""The routes. Each reads a strict request, asks the store, and answers; every error is problem+json."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from litestar import Litestar, Response, get, post
from litestar.di import Provide
from litestar.exceptions import HTTPException, MethodNotAllowedException
from litestar.handlers import HTTPRouteHandler
from sqlalchemy.exc import DBAPIError

from takeback import errors, protocol
from takeback.errors import InvalidMessage, RegistryError, StoreUnavailable, TakebackError, WorkNeeded
from takeback.registry.http import docs, feed_routes, openapi
from takeback.registry.http.context import (
    JSON,
    Ask,
    Services,
    answer,
    done,
    idempotency_key,
    known_under,
    number,
    owned,
    pin_of,
    platform_of,
    query,
    refuse_other_types,
    sender,
)
from takeback.registry.logs import LOG
from takeback.registry.rules import cases as rules
from takeback.registry.rules.cases import Case
from takeback.registry.security.credentials import PinKey
from takeback.registry.storage.case_store import Addition, Submission, Submitted, Withdrawn
from takeback.registry.storage.feedback_store import Report

PROBLEM: Final = "application/problem+json"
RETRY_AFTER: Final = 5
"""Seconds after which to send again what could not be kept."""


@get(openapi.WORK_WANTED)
async def work_wanted(request: Ask, services: Services) -> Response[bytes]:
    """The work that a message with this idempotency key takes now; none if it came before."""
    given = query(request, "pictures", "signals")
    pictures = number(given, "pictures", 1, protocol.MAX_PICTURES, usual=1)
    lots = rules.lots(pictures, number(given, "signals", 1, protocol.MAX_ALL_SIGNALS, usual=1))
    key = idempotency_key(request)
    known = await known_under(services, key)
    work = None if known else _work_of(services, _Sent(sender(request, services), lots), key)
    return answer(protocol.WorkAnswer(work))


@post(openapi.CASES)
async def new_case(request: Ask, services: Services) -> Response[bytes]:
    """Makes a case, or finds the one that the same message made before."""
    query(request)
    refuse_other_types(request)
    pin = pin_of(request)
    key = idempotency_key(request)
    case = protocol.decode_request(await request.body(), protocol.NewCase)
    pins = await _pins_for(services, key)
    digest = pins.message(pin, protocol.encode(case))
    submission = Submission(pins.pin(pin), pins.idempotency_key(key), digest, case)
    sent = await _admitted(request, services, key, case)
    submitted = await _kept(services, sent, services.store.cases.submit(submission))
    return answer(submitted.status, HTTPStatus.CREATED if submitted.created else HTTPStatus.OK)


async def _pins_for(services: Services, key: str) -> PinKey:
    """The PIN key for a message: the newest, or the one before where the message came under that."""
    return (await known_under(services, key) if services.pins.before else None) or services.pins


@dataclass(frozen=True, slots=True)
class _Sent:
    """What a message is counted by: the part of the network it came from, if that is known, and its lots."""

    network: str | None
    lots: int


def _price(services: Services, sent: _Sent) -> int:
    """What a message costs at this moment, in the work of one lot in a quiet hour."""
    return services.arrivals.demand(sent.network) * sent.lots


def _work_of(services: Services, sent: _Sent, key: str) -> protocol.Challenge | None:
    """The work for a message. Raises `TooManyCases`: nobody shall work in vain."""
    services.arrivals.check(sent.network)
    return services.work.ask(key, _price(services, sent))


async def _admitted(request: Ask, services: Services, key: str, new: protocol.NewCase) -> _Sent:
    """Counts a message with signals. Raises `TooManyCases`, `WorkNeeded`, but for one that came before."""
    sent = _Sent(sender(request, services), rules.lots_of(new))
    try:
        if not services.work.done(request.headers.get(openapi.WORK, ""), key, _price(services, sent)):
            raise WorkNeeded(_work_of(services, sent, key))
        services.arrivals.take(sent.network, sent.lots)
    except RegistryError:
        if not await known_under(services, key):
            raise
        return _Sent(None, 0)  # its answer was lost: it was paid for and counted then
    return sent


async def _kept(services: Services, sent: _Sent, kept: Future[Submitted]) -> Submitted:
    """What became of a message in the store; if nothing new was kept of it, its count is given back."""
    try:
        submitted = await done(kept)
    except Exception:
        services.arrivals.give_back(sent.network, sent.lots)
        raise
    if not submitted.created:
        services.arrivals.give_back(sent.network, sent.lots)
    return submitted


@get(openapi.CASE)
async def case_status(request: Ask, services: Services) -> Response[bytes]:
    """What became of a case."""
    query(request)
    case = await owned(request, services)
    return answer(await asyncio.to_thread(services.store.cases.status, case))


@post(openapi.PICTURES, status_code=HTTPStatus.OK)
async def add_pictures(request: Ask, services: Services) -> Response[bytes]:
    """Adds pictures to a case."""
    query(request)
    refuse_other_types(request)
    key = idempotency_key(request)
    case = await owned(request, services)
    more = protocol.decode_request(await request.body(), protocol.NewCase)
    pins = await _pins_for(services, key)
    digest = pins.message(pin_of(request), case.number.encode() + protocol.encode(more))
    addition = Addition(case.number, pins.idempotency_key(key), digest, more)
    sent = await _admitted(request, services, key, more)
    return answer((await _kept(services, sent, services.store.cases.add_pictures(addition))).status)


@post(openapi.WITHDRAW)
async def withdraw(request: Ask, services: Services) -> Response[bytes]:
    """Ends a case, or some pictures of it; signals that nobody else holds leave the feed."""
    query(request)
    case = await owned(request, services)
    positions = await _positions(request, services, case) if await request.body() else None
    status = await done(services.store.cases.withdraw(Withdrawn(case.number, positions)))
    return answer(status)


async def _positions(request: Ask, services: Services, case: Case) -> frozenset[int]:
    """The pictures that a withdrawal names. Raises `InvalidMessage` for one that the case does not have."""
    refuse_other_types(request)
    wanted = protocol.decode_request(await request.body(), protocol.Withdrawal).pictures
    there = await asyncio.to_thread(services.store.cases.picture_count, case.number)
    for place, position in enumerate(wanted):
        if position >= there:
            raise InvalidMessage("the case has no such picture", f"pictures[{place}]")
    return frozenset(wanted)


@post(openapi.FEEDBACK)
async def feedback(request: Ask, services: Services) -> Response[bytes]:
    """Records what a platform did with uploads."""
    platform = await platform_of(request, services)
    query(request)
    refuse_other_types(request)
    events = protocol.decode_request(await request.body(), protocol.Feedback).feedback
    services.store.usage.count(platform.id)
    receipt = await done(services.store.feedback.record(Report(platform.id, services.ids_of(platform), events)))
    return answer(receipt)


@get(openapi.HEALTH)
async def health(request: Ask, services: Services) -> Response[bytes]:
    """Whether the registry can read and write its store."""
    query(request)
    await done(services.store.probe())
    return answer(openapi.Health())


@get(openapi.READY)
async def ready(request: Ask, services: Services) -> Response[bytes]:
    """Whether the registry takes requests: it can read its store, and is not about to stop."""
    query(request)
    if services.heads.stopped:
        raise StoreUnavailable("the registry is about to stop")
    await asyncio.to_thread(services.store.feed.head)
    return answer(openapi.Health())


@get(openapi.DOCUMENT, sync_to_thread=False)
def openapi_document() -> Response[bytes]:
    """The OpenAPI document."""
    return Response(openapi.document_json(), media_type=JSON)


@get(openapi.DOCS, sync_to_thread=False)
def docs_page() -> Response[bytes]:
    """The same for people."""
    return Response(docs.page(), media_type="text/html")


def create_app(services: Services, more: Sequence[HTTPRouteHandler] = ()) -> Litestar:
    """The API, with `more` routes than its own. It closes the store when it stops."""

    @asynccontextmanager
    async def closing(_app: Litestar) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(services.store.close)
        LOG.info("the registry has stopped")

    return Litestar(
        [
            work_wanted,
            new_case,
            case_status,
            add_pictures,
            withdraw,
            *feed_routes.ROUTES,
            feedback,
            health,
            ready,
            openapi_document,
            docs_page,
            *more,
        ],
        dependencies={"services": Provide(lambda: services, sync_to_thread=False)},
        exception_handlers={
            TakebackError: _refused,
            DBAPIError: _cannot_read,
            HTTPException: _http_error,
            Exception: _crashed,
        },
        lifespan=[closing],
        logging_config=None,
        openapi_config=None,
        request_max_body_size=protocol.MAX_BODY,
        signature_types=[Services],
    )


# What goes wrong


_STATUS: Final[Mapping[type[TakebackError], tuple[HTTPStatus, str]]] = {
    errors.InvalidMessage: (HTTPStatus.BAD_REQUEST, "The message breaks the protocol"),
    errors.NotAPlatform: (HTTPStatus.UNAUTHORIZED, "No valid platform key"),
    errors.CaseNotFound: (HTTPStatus.NOT_FOUND, "No such case, or not this PIN"),
    errors.WorkNeeded: (HTTPStatus.PRECONDITION_REQUIRED, "This takes some work first"),
    errors.KeyReused: (HTTPStatus.CONFLICT, "The idempotency key is taken"),
    errors.CaseClosed: (HTTPStatus.CONFLICT, "The case takes no more pictures"),
    errors.TooManyGuesses: (HTTPStatus.TOO_MANY_REQUESTS, "Too many wrong PINs"),
    errors.TooManyCases: (HTTPStatus.TOO_MANY_REQUESTS, "Too much from one network"),
    errors.StoreUnavailable: (HTTPStatus.SERVICE_UNAVAILABLE, "The registry cannot keep this now"),
}
_HTTP: Final[Mapping[int, tuple[str, str]]] = {
    404: ("not-found", "There is nothing at this address"),
    405: ("method-not-allowed", "This address does not take this method"),
    413: ("too-large", "The message is too large"),
    415: ("not-json", "The message is not JSON"),
}


def problem(
    status: int,
    code: str,
    title: str,
    detail: str = "",
    *,
    more: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[bytes]:
    """An error as the protocol says it, with `more` of its members."""
    body = protocol.Problem(f"urn:takeback:problem:{code}", title, status, detail, **(more or {}))
    return Response(protocol.encode(body), status_code=status, media_type=PROBLEM, headers=headers)


def _refused(_request: Ask, error: TakebackError) -> Response[bytes]:
    if type(error) not in _STATUS:
        return _crashed(_request, error)
    status, title = _STATUS[type(error)]
    headers = {}
    if isinstance(error, errors.TryLater):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.StoreUnavailable):
        if error.__cause__:
            LOG.error("the store cannot take an event", exc_info=error.__cause__)
        headers["Retry-After"] = str(RETRY_AFTER)
    if isinstance(error, errors.NotAPlatform):
        headers["WWW-Authenticate"] = "Bearer"
    more = {name: getattr(error, name) for name in ("field", "work") if hasattr(error, name)}
    return problem(status, error.code, title, str(error), more=more, headers=headers)


def _cannot_read(request: Ask, error: DBAPIError) -> Response[bytes]:
    unavailable = errors.StoreUnavailable("the registry cannot read its store now; send the same again")
    unavailable.__cause__ = error
    return _refused(request, unavailable)


def _http_error(request: Ask, error: HTTPException) -> Response[bytes]:
    status = error.status_code
    if status not in _HTTP:
        return _crashed(request, error)
    if not isinstance(error, MethodNotAllowedException):
        return problem(status, *_HTTP[status])
    listed = {one.strip() for one in (error.headers or {}).get("allow", "").split(",")}  # Litestar writes it small
    allowed = ", ".join(sorted(listed | ({"HEAD"} if "GET" in listed else set())))
    return problem(status, *_HTTP[status], takes(allowed), headers={"Allow": allowed})


def takes(allowed: str) -> str:
    """The detail of a problem for a method that an address does not take."""
    return f"it takes {allowed}"


def _crashed(_request: Ask, error: Exception) -> Response[bytes]:
    LOG.error("an error that nobody foresaw", exc_info=error)
    return problem(500, "internal", "The registry made a mistake; it is noted", "nothing was kept; try again later")
