"""The routes. Each parses a request strictly, calls the store, and answers; every error is problem+json."""

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
from takeback.registry.storage.case_store import Addition, CaseWithdrawal, Submission, Submitted
from takeback.registry.storage.feedback_store import Report


@get(openapi.WORK_CHALLENGE)
async def work_challenge(request: Ask, services: Services) -> Response[bytes]:
    """The proof of work that a message with this idempotency key needs now; none if it is a repeat."""
    given = query(request, "pictures", "signals")
    pictures = number(given, "pictures", 1, protocol.MAX_PICTURES, usual=1)
    lots = rules.lot_count(pictures, number(given, "signals", 1, protocol.MAX_ALL_SIGNALS, usual=1))
    key = idempotency_key(request)
    known = await known_under(services, key)
    work = None if known else _work_of(services, _Weight(sender(request, services), lots), key)
    return answer(protocol.WorkAnswer(work))


@post(openapi.CASES)
async def new_case(request: Ask, services: Services) -> Response[bytes]:
    """Makes a case, or returns the one that the same message made before."""
    query(request)
    refuse_other_types(request)
    pin = pin_of(request)
    key = idempotency_key(request)
    case = protocol.decode_request(await request.body(), protocol.NewCase)
    pins = await _pins_for(services, key)
    # Of the decoded message, so that the same one with other spaces or another order of fields is a repeat too.
    digest = pins.message(pin, protocol.encode(case))
    submission = Submission(pins.pin(pin), pins.idempotency_key(key), digest, case)
    sent = await _admitted(request, services, key, case)
    submitted = await _stored(services, sent, services.store.cases.submit(submission))
    return answer(submitted.status, HTTPStatus.CREATED if submitted.created else HTTPStatus.OK)


async def _pins_for(services: Services, key: str) -> PinKey:
    """The PIN key for a message: the newest, or for a repeat the one under which the message first came."""
    return (await known_under(services, key) if services.pins.before else None) or services.pins


@dataclass(frozen=True, slots=True)
class _Weight:
    """What the rate limit counts for a message: its network, or `None` if unknown, and its lots."""

    network: str | None
    lots: int


def _price(services: Services, sent: _Weight) -> int:
    """The present price of a message, as a multiple of that of one lot in a quiet hour."""
    return services.rate_limit.demand(sent.network) * sent.lots


def _work_of(services: Services, sent: _Weight, key: str) -> protocol.Challenge | None:
    """The challenge for a message. Raises `TooManyCases` if it would be refused in spite of the work."""
    services.rate_limit.check(sent.network)
    return services.work.ask(key, _price(services, sent))


async def _admitted(request: Ask, services: Services, key: str, new: protocol.NewCase) -> _Weight:
    """Counts a message with signals. Raises `TooManyCases` or `WorkNeeded`, except for a repeated message."""
    sent = _Weight(sender(request, services), rules.case_lot_count(new))
    try:
        # The work before the count: who has not done it takes nothing of its network's share.
        if not services.work.done(request.headers.get(openapi.WORK, ""), key, _price(services, sent)):
            raise WorkNeeded(_work_of(services, sent, key))
        services.rate_limit.take(sent.network, sent.lots)
    except RegistryError:
        if not await known_under(services, key):
            raise
        return _Weight(None, 0)  # a repeat was paid for and counted the first time
    return sent


async def _stored(services: Services, sent: _Weight, kept: Future[Submitted]) -> Submitted:
    """Waits until a message is stored; takes back its count if it fails or is a repeat."""
    try:
        submitted = await done(kept)
    except Exception:
        services.rate_limit.give_back(sent.network, sent.lots)
        raise
    if not submitted.created:
        services.rate_limit.give_back(sent.network, sent.lots)
    return submitted


@get(openapi.CASE)
async def case_status(request: Ask, services: Services) -> Response[bytes]:
    """The status of a case."""
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
    # With the case's number: the same key and pictures for another case are another message.
    digest = pins.message(pin_of(request), case.number.encode() + protocol.encode(more))
    addition = Addition(case.number, pins.idempotency_key(key), digest, more)
    sent = await _admitted(request, services, key, more)
    return answer((await _stored(services, sent, services.store.cases.add_pictures(addition))).status)


@post(openapi.WITHDRAW)
async def withdraw(request: Ask, services: Services) -> Response[bytes]:
    """Withdraws a case or some of its pictures; signals that no other case holds leave the feed."""
    query(request)
    case = await owned(request, services)
    positions = await _positions(request, services, case) if await request.body() else None
    status = await done(services.store.cases.withdraw(CaseWithdrawal(case.number, positions)))
    return answer(status)


async def _positions(request: Ask, services: Services, case: Case) -> frozenset[int]:
    """The positions in a withdrawal. Raises `InvalidMessage` for a picture that the case does not have."""
    refuse_other_types(request)
    wanted = protocol.decode_request(await request.body(), protocol.Withdrawal).pictures
    there = await asyncio.to_thread(services.store.cases.picture_count, case.number)
    for place, position in enumerate(wanted):
        if position >= there:
            raise InvalidMessage("the case has no such picture", f"pictures[{place}]")
    return frozenset(wanted)


@get(openapi.PLATFORMS)
async def platforms(request: Ask, services: Services) -> Response[bytes]:
    """The platforms that follow the registry, for everybody."""
    query(request)
    return answer(await asyncio.to_thread(services.platforms.public_list))


@post(openapi.FEEDBACK)
async def feedback(request: Ask, services: Services) -> Response[bytes]:
    """Records a platform's verdicts on uploads."""
    platform = await platform_of(request, services)
    query(request)
    refuse_other_types(request)
    events = protocol.decode_request(await request.body(), protocol.Feedback).feedback
    services.store.usage.count(platform.id)
    receipt = await done(services.store.feedback.record(Report(platform.id, services.ids_of(platform), events)))
    return answer(receipt)


@get(openapi.HEALTH)
async def health(request: Ask, services: Services) -> Response[bytes]:
    """Answers 200 if the registry can read and write its database."""
    query(request)
    await done(services.store.probe())
    return answer(openapi.Health())


@get(openapi.READY)
async def ready(request: Ask, services: Services) -> Response[bytes]:
    """Answers 200 if the registry accepts requests, that is, can read its database and is not stopping.

    Raises `StoreUnavailable` if it is stopping.
    """
    query(request)
    if services.long_poll.stopped:
        raise StoreUnavailable("the registry is stopping")
    await asyncio.to_thread(services.store.feed.head)
    return answer(openapi.Health())


@get(openapi.DOCUMENT, sync_to_thread=False)
def openapi_document() -> Response[bytes]:
    """The OpenAPI document."""
    return Response(openapi.document_json(), media_type=JSON)


@get(openapi.DOCS, sync_to_thread=False)
def docs_page() -> Response[bytes]:
    """The OpenAPI document as a page for people."""
    return Response(docs.page(), media_type="text/html")


def create_app(services: Services, more: Sequence[HTTPRouteHandler] = ()) -> Litestar:
    """Makes the API, with the routes in `more` added. The application closes the store when it stops."""

    @asynccontextmanager
    async def closing(_app: Litestar) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(services.store.close)
        LOG.info("the registry has stopped")

    return Litestar(
        [
            work_challenge,
            new_case,
            case_status,
            add_pictures,
            withdraw,
            platforms,
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
