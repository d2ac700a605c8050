"""The API of Meta's hasher-matcher-actioner (HMA), so that its callers only have to change the address.

Differences: a file's hashes include all types that the gate knows except local hashes, `url` is refused because the
sidecar never fetches anything, and look-ups are never sampled at random.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from takeback.errors import InvalidMessage, InvalidSignal, UnknownFormat
from takeback.gate.index.multi_index import usable
from takeback.gate.processes.hashing_process import HashedFile
from takeback.gate.rules.decision import Decision, Feed, Match
from takeback.gate.rules.media import MediaKind
from takeback.gate.rules.policy import Action
from takeback.gate.serve.uploads import Upload
from takeback.gate.service import Status
from takeback.hashing.video import SNIFF_BYTES, video_format
from takeback.protocol import LATER_TYPES
from takeback.signals import PDQ_MATCH_DISTANCE, Signal, SignalType, Variant

PHOTO: Final = "photo"
VIDEO: Final = "video"
"""`PHOTO` and `VIDEO` are the field names that a form's file may have."""
BANK: Final = "TAKEBACK"
"""Bank of entries that block."""
REVIEW_BANK: Final = "TAKEBACK_REVIEW"
"""Bank of entries that ask for a review."""
ASSUMED_QUALITY: Final = 100
"""Quality of a hash that is looked up: HMA's requests carry none, because its callers drop weak hashes themselves."""
_TYPES: Final = {
    "pdq": SignalType.PDQ,
    "sha256": SignalType.SHA256,
    "md5": SignalType.MD5,
    "video_md5": SignalType.MD5,
}
_ID_HEX_DIGITS: Final = 13
"""Hex digits of an entry's id that make its number: 52 bits, which every JSON parser represents exactly."""

type Banks = dict[str, list[dict[str, object]]]


def signal_of(query: Mapping[str, str]) -> Signal:
    """Returns the signal that a GET request looks up. Raises `InvalidMessage`."""
    if "url" in query:
        raise InvalidMessage("the sidecar fetches nothing: send the file by POST", "url")
    return _signal(query.get("signal_type", ""), query.get("signal", ""))


def _signal(name: str, value: str) -> Signal:
    if name not in _TYPES:
        raise InvalidMessage(f"signal_type must be one of {', '.join(_TYPES)}", "signal_type")
    kind = _TYPES[name]
    try:
        return Signal(kind, value, ASSUMED_QUALITY if kind is SignalType.PDQ else None)
    except InvalidSignal as error:
        raise InvalidMessage(str(error), "signal") from error


def hashes(upload: Upload, read: HashedFile, query: Mapping[str, str]) -> dict[str, str]:
    """Returns the hashes of a file by type; the parameter `types` selects some. A PDQ below the quality floor is "".

    A video has `video_md5` (HMA's name) even if its frames cannot be hashed. Raises `PictureError` for a photo that
    cannot be hashed, and `InvalidMessage` for an unknown field or type.
    """
    if upload.field not in {"", PHOTO, VIDEO}:
        raise InvalidMessage(
            f"no such content_type: {upload.field[:20]!r}; a form's file is {PHOTO} or {VIDEO}", "file"
        )
    found = {
        signal.type.value: signal.value if usable(signal) else ""
        for signal in read.signals
        if signal.variant is Variant.WHOLE and signal.type not in LATER_TYPES
    }
    if upload.field == VIDEO or video_format(upload.data[:SNIFF_BYTES]) is not None:
        found = {"video_md5": found[SignalType.MD5], **found}
    elif read.why:
        raise read.why
    elif read.kind is MediaKind.NOT_MEDIA:
        raise UnknownFormat("the file is neither a picture nor a video")
    if "types" not in query:
        return found
    wanted = [name.strip() for name in query["types"].split(",") if name.strip()]
    if unknown := [name for name in wanted if name not in found]:
        raise InvalidMessage(f"unknown signal type {unknown[0][:20]!r}; known are {', '.join(found)}", "types")
    if not wanted:
        raise InvalidMessage("empty signal type selection", "types")
    return {name: found[name] for name in wanted}


def banks(matches: Iterable[Match], query: Mapping[str, str]) -> Banks:
    """Returns the matches by bank, for all banks or those in the parameter `banks`."""
    found: Banks = defaultdict(list)
    for match in matches:
        found[BANK if match.action is Action.BLOCK else REVIEW_BANK].append(
            {
                "bank_content_id": int(match.entry[:_ID_HEX_DIGITS], 16),
                "distance": str(match.distance),
                "entry": match.entry,
            }
        )
    wanted = query.get("banks", "").split(",") if query.get("banks") else list(found)
    return {name: found[name] for name in wanted if name in found}


def banks_by_type(hashed: Iterable[str], decision: Decision, query: Mapping[str, str]) -> dict[str, Banks]:
    """Returns the matches of a file by signal type and bank."""
    kinds = {name: _TYPES.get(name, name) for name in hashed}
    return {name: banks((m for m in decision.matches if m.type == kind), query) for name, kind in kinds.items()}


def raw(matches: Iterable[Match], query: Mapping[str, str]) -> dict[str, object]:
    """Returns the matches of a look-up without banks: content ids, and distances too with `include_distance`."""
    found = [match for bank in banks(matches, query).values() for match in bank]
    if not _is_true(query, "include_distance"):
        return {"matches": [match["bank_content_id"] for match in found]}
    return {"matches": [{name: match[name] for name in ("bank_content_id", "distance")} for match in found]}


def _is_true(query: Mapping[str, str], name: str) -> bool:
    value = query.get(name, "false").lower()
    if value not in {"true", "1", "false", "0"}:
        raise InvalidMessage("invalid boolean parameter - prefer true/false", name)
    return value in {"true", "1"}


def index_status(now: Status, query: Mapping[str, str]) -> dict[str, dict[str, object]]:
    """Returns the size of the index by type, and when the feed was read, in seconds since 1970.

    Raises `InvalidMessage` for an unknown `signal_type`.
    """
    chosen = query.get("signal_type")
    if chosen is not None and chosen not in _TYPES:
        raise InvalidMessage(f"No such signal type {chosen[:20]!r}", "signal_type")
    there = now.age is not None
    built = int(time.time() - (now.age or 0)) if there else -1
    return {
        name: {"present": there, "built_to": built, "size": now.entries.get(kind, 0)}
        for name, kind in _TYPES.items()
        if chosen in {None, name}
    }


def compare(body: bytes) -> dict[str, list[object]]:
    """Returns for each pair of hashes whether they match in HMA, and their distance. Raises `InvalidMessage`."""
    try:
        pairs = msgspec.json.decode(body, type=dict[str, tuple[str, str]])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidMessage("send an object of signal types, each with a list of exactly two hashes") from error
    return {name: _compared(*(_signal(name, value) for value in pair)) for name, pair in pairs.items()}


def _compared(left: Signal, right: Signal) -> list[object]:
    if left.type is not SignalType.PDQ:
        return [left.value == right.value, {"distance": int(left.value != right.value)}]
    distance = (int(left.value, 16) ^ int(right.value, 16)).bit_count()
    return [distance <= PDQ_MATCH_DISTANCE, {"distance": distance}]


def health(feed: Feed) -> Response:
    """Answers whether the index is loaded and fresh, in HMA's words."""
    if feed.age is None:
        return Response("INDEX-NOT-LOADED", 503, media_type="text/html")
    return Response("INDEX-STALE", 503, media_type="text/html") if feed.is_stale else live()


def live() -> Response:
    """Answers that the process runs."""
    return Response("I-AM-ALIVE", media_type="text/html")


def query_of(request: Request) -> dict[str, str]:
    """Returns the parameters of a request. Raises `InvalidMessage` if one is repeated."""
    query = dict[str, str]()
    for name, value in request.query_params.multi_items():
        if name in query:
            raise InvalidMessage("a parameter is repeated", name)
        query[name] = value
    return query


def problem(status: int, _code: str, text: str, _field: str) -> Response:
    """Returns an error in HMA's format, in which a file that cannot be read is a bad request (400)."""
    return Response(
        msgspec.json.encode({"message": text}),
        status_code=400 if status == 422 else status,
        media_type="application/json",
    )
