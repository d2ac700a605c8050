"""StopNCII's API for platforms, over the feed. The base URL for clients is `/stopncii/v1`.

A record is a hash and its present state, which replaces an earlier record. Pages are in the feed's order, so that a
hash that was removed and added again ends as `Active`.
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
    MAX_CLOCK_SKEW_SECONDS,
    PAGE_LINES,
    feedback_event,
    keep_position,
    platform_with_key,
    query_parameter,
    record_feedback,
    wait_for_writers,
)
from takeback.registry.http.context import JSON, Ask, Services
from takeback.registry.http.problems import problem
from takeback.registry.storage.change_feed import ChangePage, ChangeRecord
from takeback.registry.storage.platforms import Platform
from takeback.signals import HEX_DIGITS, SignalType

KEY: Final = "ocp-apim-subscription-key"
_HOW: Final = "send the platform's key as Ocp-Apim-Subscription-Key; x-functions-key is ignored"
_TOKEN: Final = re.compile("([0-9]{1,18})-([0-9]{1,18})-([0-9]{1,18})-([0-9]{1,18})", re.ASCII)
_TYPES: Final[Mapping[tuple[PictureKind, SignalType], str]] = {
    (PictureKind.IMAGE, SignalType.PDQ): "ImagePDQ",
    (PictureKind.VIDEO, SignalType.MD5): "VideoMD5",
}
"""The signals that this protocol has a name for; others are left out."""
_BY_DIGITS: Final = {HEX_DIGITS[one]: one for one in (SignalType.PDQ, SignalType.MD5)}


class FeedbackValue(StrEnum):
    """A platform's feedback on a hash."""

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
"""Other values say nothing about an upload, and are not stored."""


class HashFeedback(Struct, frozen=True, forbid_unknown_fields=True):
    """A platform's feedback on one hash. `tags` are free text and are not stored."""

    hashValue: Annotated[str, Meta(pattern=r"^([0-9a-f]{32}|[0-9a-f]{64})\Z")]  # noqa: N815 - the wire's name
    feedbackValue: FeedbackValue  # noqa: N815
    tags: list[str] = []


class Feedbacks(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `SubmitFeedback`."""

    count: int
    hashFeedbacks: Annotated[list[HashFeedback], Meta(max_length=MAX_FEEDBACK_EVENTS)]  # noqa: N815


@get("/stopncii/v1/FetchHashes")
async def fetch_hashes(request: Ask, services: Services) -> Response[bytes]:
    """A page of the records that changed at or after a time. Raises `InvalidMessage` if the time is in the future."""
    platform = await _platform(request, services)
    since = _number(request, "startTimestamp", 0, 2**53)
    size = _number(request, "pageSize", 1, PAGE_LINES)
    if query_parameter(request, "nextPageToken", ""):
        first, after, end, now = _token(request)
    else:
        now = await wait_for_writers(services)
        if since > now + MAX_CLOCK_SKEW_SECONDS:
            raise InvalidMessage("this time is in the future: set the client's clock", "startTimestamp")
        # From the second before: times are whole seconds, and more may have come in the one that the client names.
        first = after = await asyncio.to_thread(services.change_feed.number_at, since - 1)
        end = await asyncio.to_thread(services.change_feed.head)
        await keep_position(services, platform, first, end, now)
    last = min(end, after + size)
    changes = await asyncio.to_thread(services.change_feed.changes, after, last, services.ids_of(platform))
    # A fetch from the start (0) replaces the client's whole copy, so an erased hash cannot stay in it.
    if changes.lost and first:
        return _too_old()
    more = last < end
    services.store.usage.count(platform.id, len(changes.records))
    told = [_record(record) for record in changes.records if (record.kind, record.type) in _TYPES]
    return _answer(
        {
            "count": len(told),
            "nextPageToken": f"{first}-{last}-{end}-{now}" if more else None,
            "nextSetTimestamp": _next(changes, since) if more else max(since, now),
            "hasMoreRecords": more,
            "hashRecords": told,
        }
    )


@post("/stopncii/v1/SubmitFeedback", status_code=HTTPStatus.OK)
async def submit_feedback(request: Ask, services: Services) -> Response[bytes]:
    """Records a platform's feedback on hashes; a repeat counts once."""
    platform = await _platform(request, services)
    told = protocol.decode_request(await request.body(), Feedbacks).hashFeedbacks
    signals = [_signal(value) for value in dict.fromkeys(one.hashValue for one in told)]
    entries = await asyncio.to_thread(services.change_feed.named, signals, services.ids_of(platform))
    events = {
        (one.hashValue, verdict): feedback_event(f"stopncii {one.hashValue}", verdict, entries[one.hashValue])
        for one in told
        if one.hashValue in entries and (verdict := _VERDICTS.get(one.feedbackValue))
    }
    recorded = (await record_feedback(services, platform, list(events.values()))).recorded if events else 0
    return _answer({"count": recorded})


ROUTES: Final = (fetch_hashes, submit_feedback)


async def _platform(request: Ask, services: Services) -> Platform:
    return await platform_with_key(services, request.headers.get(KEY, ""), _HOW)


def _number(request: Ask, name: str, least: int, most: int) -> int:
    given = query_parameter(request, name, str(min(800, most)) if least else "0")
    if not re.fullmatch("[0-9]{1,16}", given, re.ASCII) or not least <= int(given) <= most:
        raise InvalidMessage(f"a whole number from {least} to {most}", name)
    return int(given)


def _token(request: Ask) -> tuple[int, int, int, int]:
    """The numbers at which the fetch began, has arrived and ends, and the time when it began."""
    token = _TOKEN.fullmatch(query_parameter(request, "nextPageToken", ""))
    if not token:
        raise InvalidMessage("this is not a token of this registry", "nextPageToken")
    first, after, end, now = map(int, token.groups())
    return first, after, end, now


def _next(changes: ChangePage, since: int) -> int:
    """The time from which a client can continue if it ends the fetch here, without skipping anything."""
    return max(since, changes.at or 0)


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
    """The answer if a removed hash has been erased since and cannot be named: the client must fetch from the start."""
    text = "hashes were withdrawn and erased since then: delete your copy and fetch with startTimestamp=0"
    return problem(HTTPStatus.GONE, "too-old", "This start is too long ago", text, more={"field": "startTimestamp"})


def _answer(body: Mapping[str, object]) -> Response[bytes]:
    return Response(msgspec.json.encode(body), media_type=JSON)
