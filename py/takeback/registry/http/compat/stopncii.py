"""StopNCII's API for platforms, over the feed: the base address of a client is `/stopncii/v1`.

A record is a hash and what holds of it now; it takes the place of the one before. Pages stand in the feed's order, so
that a hash which went and came back ends as `Active`.
"""

import asyncio
import re
from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from litestar import Response, get, post
from msgspec import Meta, Struct

from takeback import protocol
from takeback.errors import InvalidMessage
from takeback.protocol import MAX_FEEDBACK_EVENTS, PictureKind, SignalMessage, Verdict
from takeback.registry.http.compat.common import (
    MAX_AHEAD,
    PAGE,
    asking,
    came_to,
    everything_until_now,
    parameter,
    tell,
    vote,
)
from takeback.registry.http.context import JSON, Ask, Services
from takeback.registry.http.problems import problem
from takeback.registry.storage.change_feed import ChangePage, ChangeRecord
from takeback.registry.storage.platforms import Platform
from takeback.signals import HEX_DIGITS, SignalType

KEY: Final = "ocp-apim-subscription-key"
_HOW: Final = "send the platform's key as Ocp-Apim-Subscription-Key; x-functions-key is not looked at"
_TOKEN: Final = re.compile("([0-9]{1,18})-([0-9]{1,18})-([0-9]{1,18})-([0-9]{1,18})", re.ASCII)
_TYPES: Final[Mapping[tuple[PictureKind, SignalType], str]] = {
    (PictureKind.IMAGE, SignalType.PDQ): "ImagePDQ",
    (PictureKind.VIDEO, SignalType.MD5): "VideoMD5",
}
"""What of the feed has a name in this protocol; the rest is not told."""
_BY_DIGITS: Final = {HEX_DIGITS[one]: one for one in (SignalType.PDQ, SignalType.MD5)}


class FeedbackValue(StrEnum):
    """What a platform says of a hash."""

    UNKNOWN = "Unknown"
    NONE = "None"
    QUALITY_UNKNOWN = "QualityUnknown"
    PENDING_REVIEW = "PendingReview"
    BLOCKED = "Blocked"
    NOT_BLOCKED = "NotBlocked"
    WITHDRAWN = "Withdrawn"
    DELETED = "Deleted"


_VERDICTS: Final[Mapping[FeedbackValue, Verdict]] = {
    FeedbackValue.PENDING_REVIEW: Verdict.PENDING_REVIEW,
    FeedbackValue.BLOCKED: Verdict.BLOCKED,
    FeedbackValue.NOT_BLOCKED: Verdict.NOT_BLOCKED,
}
"""The others say nothing of an upload, and are not kept."""


class HashFeedback(Struct, frozen=True, forbid_unknown_fields=True):
    """What a platform says of one hash. `tags` are free words, which are not kept."""

    hashValue: Annotated[str, Meta(pattern=r"^([0-9a-f]{32}|[0-9a-f]{64})\Z")]  # noqa: N815 - the wire's name
    feedbackValue: FeedbackValue  # noqa: N815
    tags: list[str] = []


class Feedbacks(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `SubmitFeedback`."""

    count: int
    hashFeedbacks: Annotated[list[HashFeedback], Meta(max_length=MAX_FEEDBACK_EVENTS)]  # noqa: N815


@get("/stopncii/v1/FetchHashes")
async def fetch_hashes(request: Ask, services: Services) -> Response[bytes]:
    """The records from a second on, that second included, a page at a time."""
    platform = await _platform(request, services)
    since = _number(request, "startTimestamp", 0, 2**53)
    size = _number(request, "pageSize", 1, PAGE)
    if parameter(request, "nextPageToken", ""):
        first, after, end, now = _token(request)
    else:
        now = await everything_until_now(services)
        if since > now + MAX_AHEAD:
            raise InvalidMessage("this time is yet to come: set the client's clock", "startTimestamp")
        first = after = await asyncio.to_thread(services.records.number_at, since - 1)
        end = await asyncio.to_thread(services.records.head)
        await came_to(services, platform, first, end, now)
    last = min(end, after + size)
    stretch = await asyncio.to_thread(services.records.stretch, after, last, services.ids_of(platform))
    if stretch.lost and first:
        return _too_old()
    more = last < end
    services.store.usage.count(platform.id, len(stretch.records))
    told = [_record(record) for record in stretch.records if (record.kind, record.type) in _TYPES]
    return _answer(
        {
            "count": len(told),
            "nextPageToken": f"{first}-{last}-{end}-{now}" if more else None,
            "nextSetTimestamp": _next(stretch, since) if more else max(since, now),
            "hasMoreRecords": more,
            "hashRecords": told,
        }
    )


@post("/stopncii/v1/SubmitFeedback", status_code=HTTPStatus.OK)
async def submit_feedback(request: Ask, services: Services) -> Response[bytes]:
    """What a platform says of hashes; the same said again counts once."""
    platform = await _platform(request, services)
    told = protocol.decode_request(await request.body(), Feedbacks).hashFeedbacks
    signals = [_signal(value) for value in dict.fromkeys(one.hashValue for one in told)]
    entries = await asyncio.to_thread(services.records.named, signals, services.ids_of(platform))
    events = {
        (one.hashValue, verdict): vote(f"stopncii {one.hashValue}", verdict, entries[one.hashValue])
        for one in told
        if one.hashValue in entries and (verdict := _VERDICTS.get(one.feedbackValue))
    }
    recorded = (await tell(services, platform, list(events.values()))).recorded if events else 0
    return _answer({"count": recorded})


ROUTES: Final = (fetch_hashes, submit_feedback)


async def _platform(request: Ask, services: Services) -> Platform:
    return await asking(services, request.headers.get(KEY, ""), _HOW)


def _number(request: Ask, name: str, least: int, most: int) -> int:
    given = parameter(request, name, str(min(800, most)) if least else "0")
    if not re.fullmatch("[0-9]{1,16}", given, re.ASCII) or not least <= int(given) <= most:
        raise InvalidMessage(f"a whole number from {least} to {most}", name)
    return int(given)


def _token(request: Ask) -> tuple[int, int, int, int]:
    """Where the fetch began, where it has come to, where it ends, and when it began."""
    token = _TOKEN.fullmatch(parameter(request, "nextPageToken", ""))
    if not token:
        raise InvalidMessage("this is no token of ours", "nextPageToken")
    first, after, end, now = map(int, token.groups())
    return first, after, end, now


def _next(stretch: ChangePage, since: int) -> int:
    """From when to go on if a fetch is broken off here: nothing is stepped over."""
    return max(since, stretch.at or 0)


def _record(record: ChangeRecord) -> dict[str, object]:
    assert record.type is not None
    status = "Active" if record.there else "Withdrawn"
    return {
        "lastModtimestamp": record.at,
        "signalType": _TYPES[record.kind, record.type],
        "hashValue": record.value,
        "hashStatus": status,
        "caseNumbers": {record.id: status},
        "CSPFeedbacks": [],
    }


def _signal(value: str) -> SignalMessage:
    kind = _BY_DIGITS[len(value)]
    return SignalMessage(kind, value, 0 if kind is SignalType.PDQ else None)


def _too_old() -> Response[bytes]:
    """A hash went and is erased, so that nobody can be told which: only a fetch from the beginning is right again."""
    text = "hashes were withdrawn and erased since: drop what you hold and fetch with startTimestamp=0"
    return problem(HTTPStatus.GONE, "too-old", "This start lies too far back", text, more={"field": "startTimestamp"})


def _answer(body: Mapping[str, object]) -> Response[bytes]:
    return Response(msgspec.json.encode(body), media_type=JSON)
