"""The routes. Each reads a strict request, asks the store, and answers; every error is problem+json."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hmac import compare_digest
from http import HTTPStatus
from typing import Any, Final

from litestar import Litestar, Request, Response, get, post
from litestar.di import Provide
from litestar.exceptions import HTTPException, MethodNotAllowedException
from msgspec import Struct
from sqlalchemy.exc import DBAPIError

from takeback import errors, protocol
from takeback.errors import CaseNotFound, InvalidMessage, TakebackError
from takeback.registry import docs, openapi
from takeback.registry.auth import Guesses, PinKey, PlatformKey
from takeback.registry.cases import Case
from takeback.registry.logs import LOG
from takeback.registry.platforms import Platform, Platforms
from takeback.registry.store import Addition, Position, Report, Store, Submission, Withdrawn

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
RETRY_AFTER: Final = 5
"""Seconds after which to send again what could not be kept."""
SEEN_EVERY: Final = 60
"""Seconds. A platform that polls in vain is noted this often at most, so that an idle poll writes nothing."""

type Ask = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes need. `now` gives seconds since 1970."""

    store: Store
    platforms: Platforms
    pins: PinKey
    guesses: Guesses
    now: Callable[[], float]


@post(openapi.CASES)
async def new_case(request: Ask, services: Services) -> Response[bytes]:
    """Makes a case, or finds the one that the same message made before."""
    _query(request)
    _refuse_other_types(request)
    pin = _pin(request)
    key = _idempotency_key(request)
    case = protocol.decode_request(await request.body(), protocol.NewCase)
    digest = services.pins.message(pin, protocol.encode(case))
    submission = Submission(services.pins.pin(pin), services.pins.idempotency_key(key), digest, case)
    submitted = await _done(services.store.submit(submission))
    return _answer(submitted.status, HTTPStatus.CREATED if submitted.created else HTTPStatus.OK)


@get(openapi.CASE)
async def case_status(request: Ask, services: Services) -> Response[bytes]:
    """What became of a case."""
    _query(request)
    case = await _owned(request, services)
    return _answer(await asyncio.to_thread(services.store.status, case))


@post(openapi.PICTURES, status_code=HTTPStatus.OK)
async def add_pictures(request: Ask, services: Services) -> Response[bytes]:
    """Adds pictures to a case."""
    _query(request)
    _refuse_other_types(request)
    key = _idempotency_key(request)
    case = await _owned(request, services)
    more = protocol.decode_request(await request.body(), protocol.NewCase)
    digest = services.pins.message(_pin(request), case.number.encode() + protocol.encode(more))
    addition = Addition(case.number, services.pins.idempotency_key(key), digest, more)
    status = await _done(services.store.add_pictures(addition))
    return _answer(status)


@post(openapi.WITHDRAW)
async def withdraw(request: Ask, services: Services) -> Response[bytes]:
    """Ends a case, or some pictures of it; signals that nobody else holds leave the feed."""
    _query(request)
    case = await _owned(request, services)
    positions = await _positions(request, services, case) if await request.body() else None
    status = await _done(services.store.withdraw(Withdrawn(case.number, positions)))
    return _answer(status)


async def _positions(request: Ask, services: Services, case: Case) -> frozenset[int]:
    """The pictures that a withdrawal names. Raises `InvalidMessage` for one that the case does not have."""
    _refuse_other_types(request)
    wanted = protocol.decode_request(await request.body(), protocol.Withdrawal).pictures
    there = await asyncio.to_thread(services.store.picture_count, case.number)
    for place, position in enumerate(wanted):
        if position >= there:
            raise InvalidMessage("the case has no such picture", f"pictures[{place}]")
    return frozenset(wanted)


@get(openapi.FEED)
async def feed(request: Ask, services: Services) -> Response[bytes]:
    """A page of the feed; `after` says what the platform has taken over."""
    platform = await _platform(request, services)
    query = _query(request, "after", "limit")
    if "after" not in query:
        raise InvalidMessage("say after which number", "after")
    after = _number(query, "after", 0, 2**63 - 1)
    limit = _number(query, "limit", 1, protocol.MAX_FEED_LIMIT)
    ids = services.pins.entry_ids(platform.id, platform.own_ids_after)
    page = await asyncio.to_thread(services.store.feed, after, limit, ids)
    seen = services.now() - (platform.seen_at or 0) < SEEN_EVERY
    if after <= page.head and not (seen and platform.cursor == after):
        await _done(services.store.move(Position(platform.id, after)))
    return _answer(page)


@post(openapi.FEEDBACK)
async def feedback(request: Ask, services: Services) -> Response[bytes]:
    """Records what a platform did with uploads."""
    platform = await _platform(request, services)
    _query(request)
    _refuse_other_types(request)
    events = protocol.decode_request(await request.body(), protocol.Feedback).feedback
    ids = services.pins.entry_ids(platform.id, platform.own_ids_after)
    receipt = await _done(services.store.record(Report(platform.id, ids, events)))
    return _answer(receipt)


@get(openapi.HEALTH)
async def health(request: Ask, services: Services) -> Response[bytes]:
    """Whether the registry can read and write its store."""
    _query(request)
    await _done(services.store.probe())
    return _answer(openapi.Health())


@get(openapi.DOCUMENT, sync_to_thread=False)
def openapi_document() -> Response[bytes]:
    """The OpenAPI document."""
    return Response(openapi.document_json(), media_type=JSON)


@get(openapi.DOCS, sync_to_thread=False)
def docs_page() -> Response[bytes]:
    """The same for people."""
    return Response(docs.page(), media_type="text/html")


def create_app(services: Services) -> Litestar:
    """The API. It closes the store when it stops."""

    @asynccontextmanager
    async def closing(_app: Litestar) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(services.store.close)
        LOG.info("the registry has stopped")

    return Litestar(
        [new_case, case_status, add_pictures, withdraw, feed, feedback, health, openapi_document, docs_page],
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


async def _done[R](future: Future[R]) -> R:
    return await asyncio.wrap_future(future)


def _answer(message: Struct, status: HTTPStatus = HTTPStatus.OK) -> Response[bytes]:
    return Response(protocol.encode(message), status_code=status, media_type=JSON)


# What a request must carry


def _refuse_other_types(request: Ask) -> None:
    media, _, parameter = request.headers.get("content-type", "").lower().partition(";")
    if media.strip() != JSON or parameter.replace('"', "").strip() not in {"", "charset=utf-8"}:
        raise HTTPException(status_code=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


def _header(request: Ask, name: str, pattern: str, form: str) -> str:
    values = request.headers.getall(name, [])
    if len(values) != 1:
        raise InvalidMessage("this header is needed, once", name)
    if not re.fullmatch(pattern, values[0]):
        raise InvalidMessage(f"this header must be {form}", name)
    return str(values[0])


def _pin(request: Ask) -> str:
    return _header(request, openapi.PIN, protocol.PIN_PATTERN, "a PIN such as K7QM-2XRW-9DHF")


def _idempotency_key(request: Ask) -> str:
    return _header(request, openapi.IDEMPOTENCY_KEY, protocol.IDEMPOTENCY_KEY_PATTERN, "32 lowercase hex digits")


def _query(request: Ask, *allowed: str) -> Mapping[str, str]:
    """The query's parameters. Raises `InvalidMessage` for one that is unknown or stands twice."""
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in allowed:
            raise InvalidMessage("there is no such parameter", name)
        if name in given:
            raise InvalidMessage("this parameter stands twice", name)
        given[name] = value
    return given


def _number(query: Mapping[str, str], name: str, least: int, most: int) -> int:
    value = query.get(name, str(most))
    if not re.fullmatch("0|[1-9][0-9]{0,18}", value) or not least <= int(value) <= most:
        raise InvalidMessage(f"a whole number from {least} to {most}", name)
    return int(value)


async def _owned(request: Ask, services: Services) -> Case:
    """The case of the path, once its PIN has been shown."""
    number = request.path_params["number"]
    if not re.fullmatch(protocol.CASE_NUMBER_PATTERN, number):
        raise InvalidMessage("a case number is 10 digits", "number")
    pin = services.pins.pin(_pin(request))
    services.guesses.take(number)
    try:
        case = await asyncio.to_thread(services.store.case, number)
    except BaseException:
        services.guesses.give_back(number)
        raise
    if not compare_digest(case.pin if case else bytes(32), pin) or case is None:
        raise CaseNotFound("there is no case with this number and this PIN")
    services.guesses.give_back(number)
    return case


async def _platform(request: Ask, services: Services) -> Platform:
    values = request.headers.getall("authorization", [])
    key = PlatformKey.from_header(values[0] if len(values) == 1 else "")
    return await asyncio.to_thread(services.platforms.check, key)


# What goes wrong


_STATUS: Final[Mapping[type[TakebackError], tuple[HTTPStatus, str]]] = {
    errors.InvalidMessage: (HTTPStatus.BAD_REQUEST, "The message breaks the protocol"),
    errors.NotAPlatform: (HTTPStatus.UNAUTHORIZED, "No valid platform key"),
    errors.CaseNotFound: (HTTPStatus.NOT_FOUND, "No such case, or not this PIN"),
    errors.KeyReused: (HTTPStatus.CONFLICT, "The idempotency key is taken"),
    errors.CaseClosed: (HTTPStatus.CONFLICT, "The case takes no more pictures"),
    errors.TooManyGuesses: (HTTPStatus.TOO_MANY_REQUESTS, "Too many wrong PINs"),
    errors.StoreUnavailable: (HTTPStatus.SERVICE_UNAVAILABLE, "The registry cannot keep this now"),
}
_HTTP: Final[Mapping[int, tuple[str, str]]] = {
    404: ("not-found", "There is nothing at this address"),
    405: ("method-not-allowed", "This address does not take this method"),
    413: ("too-large", "The message is too large"),
    415: ("not-json", "The message is not JSON"),
}


def problem(status: int, code: str, title: str, detail: str = "", field: str = "", **headers: str) -> Response[bytes]:
    """An error as the protocol says it."""
    body = protocol.Problem(f"urn:takeback:problem:{code}", title, status, detail, field)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(protocol.encode(body), status_code=status, media_type=PROBLEM, headers=named)


def _refused(_request: Ask, error: TakebackError) -> Response[bytes]:
    if type(error) not in _STATUS:
        return _crashed(_request, error)
    status, title = _STATUS[type(error)]
    headers = {}
    if isinstance(error, errors.TooManyGuesses):
        headers["retry_after"] = str(error.retry_after)
    if isinstance(error, errors.StoreUnavailable):
        LOG.error("the store cannot take an event", exc_info=error.__cause__)
        headers["retry_after"] = str(RETRY_AFTER)
    if isinstance(error, errors.NotAPlatform):
        headers["www_authenticate"] = "Bearer"
    return problem(status, error.code, title, str(error), getattr(error, "field", ""), **headers)


def _cannot_read(request: Ask, error: DBAPIError) -> Response[bytes]:
    unavailable = errors.StoreUnavailable("the registry cannot read its store now; send the same again")
    unavailable.__cause__ = error
    return _refused(request, unavailable)


def _http_error(request: Ask, error: HTTPException) -> Response[bytes]:
    status = error.status_code
    if status not in _HTTP:
        return _crashed(request, error)
    headers = {"allow": (error.headers or {}).get("Allow", "")} if isinstance(error, MethodNotAllowedException) else {}
    return problem(status, *_HTTP[status], **headers)


def _crashed(_request: Ask, error: Exception) -> Response[bytes]:
    LOG.error("an error that nobody foresaw", exc_info=error)
    return problem(500, "internal", "The registry made a mistake; it is noted", "nothing was kept; try again later")
