"""NCMEC's Hash Sharing API, version 2, over the feed. The base URL for clients is `/ncmec`.

An entry is one image or video with one fingerprint, under the platform's id for it. A removed entry is a `deletedImage`
or `deletedVideo`. In a window of time `from` is exclusive and `to` inclusive, as clients expect.
"""

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from xml.etree import ElementTree as ET

from litestar import Response, get, put
from litestar.exceptions import HTTPException

from takeback.errors import InvalidMessage
from takeback.protocol import ENTRY_ID_PATTERN, PictureKind, Verdict
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
from takeback.registry.http.context import Ask, Services, basic_password
from takeback.registry.storage.change_feed import ChangeRecord
from takeback.registry.storage.platforms import Platform
from takeback.signals import SignalType
from takeback.times import moment

NAMESPACE: Final = "https://hashsharing.ncmec.org/hashsharing/v2"
REGISTRY: Final = "1"
"""The registry's id as a member. A platform sees only itself beside it."""
YOU: Final = "2"
"""The id as a member of the platform that makes the request."""
REASON: Final = "6b1f0c52-5d0e-4f0a-9d0c-6a6a2f7f1c01"
"""The id of the only reason for a negative vote, so that clients need not choose."""

_HOW: Final = "send HTTP Basic credentials with the platform's key as the password and any user name"
_TAGS: Final[Mapping[tuple[PictureKind, SignalType], str]] = {
    (PictureKind.IMAGE, SignalType.PDQ): "pdq",
    (PictureKind.IMAGE, SignalType.MD5): "md5",
    (PictureKind.VIDEO, SignalType.MD5): "md5",
}
"""The signals that this protocol has a name for; others are left out."""
_TYPES: Final = frozenset(tag.upper() for tag in _TAGS.values())


@get("/ncmec/v2/status")
async def status(request: Ask, services: Services) -> Response[bytes]:
    """The platform that makes the request. Its address is left out."""
    platform = await _platform(request, services)
    root = _root("status")
    ET.SubElement(root, "ipAddress")
    ET.SubElement(root, "username").text = platform.key_id
    _member(root, YOU, platform.name)
    return _answer(root)


@get("/ncmec/v2/members")
async def members(request: Ask, services: Services) -> Response[bytes]:
    """The registry, and the platform that makes the request."""
    platform = await _platform(request, services)
    root = _root("members")
    _member(root, REGISTRY, "Takeback")
    _member(root, YOU, platform.name)
    return _answer(root)


@get("/ncmec/v2/entries")
async def entries(request: Ask, services: Services) -> Response[bytes]:
    """A page of the entries that were added, removed or changed in a window of time."""
    platform = await _platform(request, services)
    since = _time(request, "from", "1970-01-01T00:00:00Z")
    until = _time(request, "to", moment(int(services.now())))
    size = _number(request, "size", PAGE_LINES, most=PAGE_LINES)
    if _number(request, "max", 0):
        head = await asyncio.to_thread(services.change_feed.head)
        # A later page: `max` is the end that the first one found, so that a window does not grow while it is read.
        start, end = _number(request, "start", 1), min(_number(request, "max", 0), head)
    else:
        start, end = await _window(services, platform, since, until)
    last = min(end, start + size - 1)
    changes = await asyncio.to_thread(services.change_feed.changes, start - 1, last, services.ids_of(platform))
    services.store.usage.count(platform.id, len(changes.records))
    root = _root("queryResult")
    for kind in PictureKind:
        _entries(root, kind, changes.records)
    if last < end:
        there = f"/v2/entries?from={moment(since)}&to={moment(until)}&start={last + 1}&size={size}&max={end}"
        ET.SubElement(ET.SubElement(root, "paging"), "next").text = there
    return _answer(root)


async def _window(services: Services, platform: Platform, since: int, until: int) -> tuple[int, int]:
    """The first and the last line of a window, once it is over and everything in it is written."""
    ahead = until - services.now()
    if ahead > MAX_CLOCK_SKEW_SECONDS:
        raise InvalidMessage("this time is in the future: set the client's clock, and its time zone to UTC", "to")
    # Times are whole seconds and `to` is inclusive, so its last second must be over.
    await asyncio.sleep(max(0.0, ahead + 1))
    await wait_for_writers(services)
    before = await asyncio.to_thread(services.change_feed.number_at, since)
    end = await asyncio.to_thread(services.change_feed.end_at, until)
    await keep_position(services, platform, before, end, min(until, int(services.now())))
    return before + 1, end


@get("/ncmec/v2/feedback/{fingerprint:str}/reasons")
async def reasons(request: Ask, services: Services) -> Response[bytes]:
    """The reasons for a negative vote, of which there is one."""
    await _platform(request, services)
    _fingerprint(request)
    root = _root("feedbackReasons")
    ET.SubElement(ET.SubElement(root, "availableFeedbackReasons"), "reason", guid=REASON, name="Not to be stopped")
    return _answer(root)


@put("/ncmec/v2/entries/{member:str}/{entry:str}/{fingerprint:str}/feedback")
async def feedback(request: Ask, services: Services) -> Response[bytes]:
    """A vote on an entry: affirmative counts as `blocked` and negative as `not_blocked`, each once.

    Raises `HTTPException` with status 404 if the platform does not know the entry.
    """
    platform = await _platform(request, services)
    _fingerprint(request)
    entry = request.path_params["entry"]
    verdict = _verdict(await request.body())
    named = request.path_params["member"] == REGISTRY and re.fullmatch(ENTRY_ID_PATTERN, entry)
    if (
        not named
        or (
            await record_feedback(services, platform, [feedback_event(f"ncmec {entry}", verdict, [entry])])
        ).unknown_entries
    ):
        raise HTTPException(status_code=HTTPStatus.NOT_FOUND)
    return _answer(_root("feedbackResult"))


ROUTES: Final = (status, members, entries, reasons, feedback)


async def _platform(request: Ask, services: Services) -> Platform:
    return await platform_with_key(services, basic_password(request), _HOW)


def _time(request: Ask, name: str, default: str) -> int:
    """A time in the query, in seconds since 1970."""
    try:
        given = datetime.fromisoformat(query_parameter(request, name, default))
        return max(0, int(given.replace(tzinfo=given.tzinfo or UTC).timestamp()))
    except (ValueError, OverflowError) as error:
        raise InvalidMessage("this must be a time such as 2026-11-23T10:00:00Z", name) from error


def _number(request: Ask, name: str, default: int, most: int = 2**63 - 1) -> int:
    given = query_parameter(request, name, str(default))
    if not re.fullmatch("[0-9]{1,19}", given, re.ASCII) or not min(default, 1) <= int(given) <= most:
        raise InvalidMessage("this must be a whole number", name)
    return int(given)


def _fingerprint(request: Ask) -> None:
    if request.path_params["fingerprint"] not in _TYPES:
        raise InvalidMessage(f"this must be one of {', '.join(sorted(_TYPES))}", "type")


def _verdict(body: bytes) -> Verdict:
    """The verdict in a vote. Declarations are refused before parsing, so that a document cannot define entities."""
    try:
        text = body.decode()
        if "<!" in text:
            raise InvalidMessage("the body must not contain declarations")
        root = ET.fromstring(text)  # noqa: S314 - without declarations no entity can expand
    except (ET.ParseError, UnicodeDecodeError, ValueError) as error:
        raise InvalidMessage("the body is not XML") from error
    if root.find(f"{{{NAMESPACE}}}affirmative") is not None:
        return Verdict.BLOCKED
    if root.findtext(f"{{{NAMESPACE}}}negative/{{{NAMESPACE}}}reasonIds/{{{NAMESPACE}}}guid") == REASON:
        return Verdict.NOT_BLOCKED
    raise InvalidMessage("a vote must be affirmative, or negative with a known reason")


def _root(name: str) -> ET.Element:
    return ET.Element(name, xmlns=NAMESPACE)


def _member(parent: ET.Element, number: str, name: str) -> None:
    ET.SubElement(parent, "member", id=number).text = name


def _entries(root: ET.Element, kind: PictureKind, records: tuple[ChangeRecord, ...]) -> None:
    """Adds the images or the videos. A removed entry without a signal may have been either, and is in both."""
    told = [r for r in records if (r.kind is kind and (kind, r.type) in _TAGS) or r.type is None]
    if not told:
        return
    newest = moment(max(record.at for record in told))
    group = ET.SubElement(root, f"{kind}s", count=str(len(told)), maxTimestamp=newest)
    for record in told:
        one = ET.SubElement(group, kind if record.there else f"deleted{kind.capitalize()}")
        _member(one, REGISTRY, "Takeback")
        ET.SubElement(one, "id").text = record.id
        ET.SubElement(one, "timestamp").text = moment(record.at)
        if record.there and record.type:
            tag = _TAGS[kind, record.type]
            ET.SubElement(ET.SubElement(one, "fingerprints"), tag).text = record.value


def _answer(root: ET.Element) -> Response[bytes]:
    return Response(ET.tostring(root, "utf-8", xml_declaration=True), media_type="application/xml")
