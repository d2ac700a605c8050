"""The routes. Each reads a strict request, asks the store, and answers; every error is problem+json."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

from litestar import Litestar, Response, get, post
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler

from takeback import protocol
from takeback.errors import InvalidMessage, RegistryError, StoreUnavailable, WorkNeeded
from takeback.registry.http import docs, feed_routes, openapi, problems
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
        exception_handlers=dict(problems.HANDLERS),
        lifespan=[closing],
        logging_config=None,
        openapi_config=None,
        request_max_body_size=protocol.MAX_BODY_BYTES,
        signature_types=[Services],
    )
