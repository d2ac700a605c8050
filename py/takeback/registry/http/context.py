"""What all routes share: the services, the checks of requests, and the making of answers."""

import asyncio
import re
from base64 import b64decode
from binascii import Error
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from litestar import Request, Response
from litestar.exceptions import HTTPException
from msgspec import Struct

from takeback import protocol
from takeback.errors import CaseNotFound, InvalidMessage
from takeback.registry.http import openapi
from takeback.registry.http.long_poll import LongPoll
from takeback.registry.keys.feed_signing import Signer
from takeback.registry.rules.cases import Case
from takeback.registry.security.credentials import PIN_BYTES, PinGuessLimit, PinKey, PlatformKey
from takeback.registry.security.entry_ids import EntryIds
from takeback.registry.security.proof_of_work import ProofOfWork
from takeback.registry.security.rate_limit import Proxies, RateLimit
from takeback.registry.storage.change_feed import ChangeFeed
from takeback.registry.storage.engine.request_coalescing import RequestCoalescer
from takeback.registry.storage.feed_store import Look
from takeback.registry.storage.platforms import Platform, Platforms
from takeback.registry.storage.row_mapping import Types
from takeback.registry.storage.store import Store
from takeback.signals import SignalType

JSON: Final = "application/json"
FORWARDED: Final = "X-Forwarded-For"
_BASIC: Final = re.compile(r"basic +([A-Za-z0-9+/=]+)", re.ASCII | re.IGNORECASE)

type Ask = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Services:
    """The objects that routes use. `now` gives seconds since 1970."""

    store: Store
    platforms: Platforms
    pins: PinKey
    guesses: PinGuessLimit
    proxies: Proxies
    rate_limit: RateLimit
    work: ProofOfWork
    signer: Signer
    long_poll: LongPoll
    feed_looks: RequestCoalescer[PlatformKey, Look]
    now: Callable[[], float]
    change_feed: ChangeFeed

    def ids_of(self, platform: Platform) -> EntryIds:
        """The ids under which a platform sees entries."""
        return self.pins.entry_ids(platform.id, platform.own_ids_after)


async def done[R](future: Future[R]) -> R:
    """Waits for a write of the store and returns its result. Raises the future's error."""
    return await asyncio.wrap_future(future)


def answer(message: Struct, status: HTTPStatus = HTTPStatus.OK) -> Response[bytes]:
    """An answer with a message as JSON."""
    return Response(protocol.encode(message), status_code=status, media_type=JSON)


# Checks of requests


def refuse_other_types(request: Ask) -> None:
    """Raises `HTTPException` with status 415 unless the content type is JSON."""
    media, _, parameter = request.headers.get("content-type", "").lower().partition(";")
    if media.strip() != JSON or parameter.replace('"', "").strip() not in {"", "charset=utf-8"}:
        raise HTTPException(status_code=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


def _header(request: Ask, name: str, pattern: str, form: str) -> str:
    values = request.headers.getall(name, [])
    if len(values) != 1:
        raise InvalidMessage("this header is required exactly once", name)
    if not re.fullmatch(pattern, values[0]):
        raise InvalidMessage(f"this header must be {form}", name)
    return str(values[0])


def pin_of(request: Ask) -> str:
    """The PIN in the request's header. Raises `InvalidMessage` if it is missing or malformed."""
    return _header(request, openapi.PIN, protocol.PIN_PATTERN, "a PIN such as K7QM-2XRW-9DHF")


def idempotency_key(request: Ask) -> str:
    """The request's idempotency key. Raises `InvalidMessage` if it is missing or malformed."""
    return _header(request, openapi.IDEMPOTENCY_KEY, protocol.IDEMPOTENCY_KEY_PATTERN, "32 lowercase hex digits")


def query(request: Ask, *allowed: str) -> Mapping[str, str]:
    """The query's parameters. Raises `InvalidMessage` for one that is not `allowed` or is repeated."""
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in allowed:
            raise InvalidMessage("there is no such parameter", name)
        if name in given:
            raise InvalidMessage("this parameter is repeated", name)
        given[name] = value
    return given


def number(given: Mapping[str, str], name: str, least: int, most: int, usual: int | None = None) -> int:
    """The number in the parameter `name`; without it `usual`, or `most` if that is `None`.

    Raises `InvalidMessage` unless it is a whole number from `least` to `most`.
    """
    value = given.get(name, str(most if usual is None else usual))
    if not re.fullmatch("0|[1-9][0-9]{0,18}", value) or not least <= int(value) <= most:
        raise InvalidMessage(f"a whole number from {least} to {most}", name)
    return int(value)


async def owned(request: Ask, services: Services) -> Case:
    """The case in the request's path, after a check of its PIN.

    Raises `CaseNotFound` if there is no such case or the PIN is wrong, `TooManyGuesses` after too many wrong PINs, and
    `InvalidMessage` for a malformed number or PIN.
    """
    number = request.path_params["number"]
    if not re.fullmatch(protocol.CASE_NUMBER_PATTERN, number):
        raise InvalidMessage("a case number is 10 digits", "number")
    pin = pin_of(request)
    case = await asyncio.to_thread(services.store.cases.case, number)
    # Without a case the PIN is compared with zeros, so that the time an answer takes does not tell which was wrong.
    if not services.pins.opens(case.pin if case else bytes(PIN_BYTES), pin) or case is None:
        services.guesses.count(number, sender(request, services))
        raise CaseNotFound("there is no case with this number and this PIN")
    return case


async def known_under(services: Services, key: str) -> PinKey | None:
    """The PIN key under which a message with this idempotency key was stored, or `None`."""
    for pins in services.pins.all():
        if await asyncio.to_thread(services.store.cases.knows, pins.idempotency_key(key)):
            return pins
    return None


def sender(request: Ask, services: Services) -> str | None:
    """The network that a request comes from, or `None` if it is unknown."""
    peer = request.client.host if request.client else ""
    return services.proxies.sender(peer, request.headers.getall(FORWARDED, []))


def types_known(request: Ask) -> Types:
    """The types of signals that a platform's client knows: those of the first version, and those that it names."""
    named = {one.strip() for one in ",".join(request.headers.getall(openapi.SIGNAL_TYPES, [])).split(",")}
    return frozenset(kind for kind in SignalType if kind not in protocol.LATER_TYPES or kind in named)


def basic_password(request: Ask) -> str:
    """The password in the request's HTTP Basic credentials (RFC 7617), or an empty string."""
    basic = _BASIC.fullmatch(request.headers.get("authorization", ""))
    try:
        return b64decode(basic[1] if basic else "").decode().partition(":")[2]
    except (Error, UnicodeDecodeError):
        return ""


def platform_key(request: Ask) -> PlatformKey:
    """The platform key in the request. Raises `NotAPlatform` if it has none."""
    values = request.headers.getall("authorization", [])
    return PlatformKey.from_header(values[0] if len(values) == 1 else "")


async def platform_of(request: Ask, services: Services) -> Platform:
    """The platform that makes the request. Raises `NotAPlatform` if its key is missing, unknown or revoked."""
    return await asyncio.to_thread(services.platforms.check, platform_key(request))
