"""The API as an OpenAPI 3.1 document, made from the messages of `protocol.py` and one table of operations.

The framework's own generator is not used, because it cannot express that a message refuses unknown fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import msgspec

from takeback import __version__, bulk, protocol
from takeback.signals import MAX_FRAMES, MAX_PATCH_FRAMES, MAX_PATCHES, PATCH_DIGITS

WORK_CHALLENGE: Final = "/v1/work"
CASES: Final = "/v1/cases"
CASE: Final = "/v1/cases/{number:str}"
PICTURES: Final = "/v1/cases/{number:str}/pictures"
WITHDRAW: Final = "/v1/cases/{number:str}/withdraw"
PLATFORMS: Final = "/v1/platforms"
FEED: Final = "/v1/feed"
TILE: Final = "/v1/feed/tiles/{tile:str}"
SNAPSHOT: Final = "/v1/feed/snapshot"
PARQUET: Final = "/v1/feed/snapshot.parquet"
PARQUET_MEDIA: Final = "application/vnd.apache.parquet"
FEED_KEYS: Final = "/v1/feed/keys"
FEEDBACK: Final = "/v1/feedback"
HEALTH: Final = "/healthz"
READY: Final = "/readyz"
FEED_HEAD: Final = "Takeback-Feed-Head"
DOCS: Final = "/docs"
DOCUMENT: Final = "/docs/openapi.json"
PIN: Final = "Takeback-Pin"
IDEMPOTENCY_KEY: Final = "Idempotency-Key"
WORK: Final = "Takeback-Work"
SIGNAL_TYPES: Final = protocol.SIGNAL_TYPES
SMALL_SITES: Final = protocol.SMALL_SITES

ERRORS: Final[Mapping[int, str]] = {
    400: "`invalid-message`: the message, a header or a parameter breaks the protocol; `field` says where",
    401: "`not-a-platform`: no valid platform key",
    404: "`case-not-found`: no such case, or a wrong PIN; or `not-found`: no such tile (yet)",
    409: "`key-reused`: the idempotency key was used with a different message before; or `case-closed`: the case has "
    "ended or is full",
    413: "`too-large`: the body is over 65,536 bytes",
    415: "`not-json`: the content type is not `application/json`",
    428: "`work-needed`: signals need proof of work first; `work` is the challenge",
    429: "`too-many-guesses`: too many wrong PINs for one number; or `too-many-cases`: too much from one network; "
    "or `too-many-requests`: too many requests from one address, as the reverse proxy reports",
    503: "`store-unavailable`: nothing was stored; send the same again",
}
_RETRY: Final = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 1}}}
_ERROR_HEADERS: Final[Mapping[int, Mapping[str, Any]]] = {
    401: {"WWW-Authenticate": {"description": "`Bearer`", "schema": {"type": "string", "const": "Bearer"}}},
    429: _RETRY,
    503: _RETRY,
}


class Health(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The registry can read and write its database."""

    status: str = "ok"


@dataclass(frozen=True, slots=True)
class Operation:
    """One route: its parameters and body, its answers, and its errors."""

    id: str
    method: str
    path: str
    summary: str
    answers: Mapping[int, tuple[type[msgspec.Struct] | None, str]]
    """The message and description of each status; `None` is bytes, or no body for 304."""
    errors: tuple[int, ...]
    parameters: tuple[str, ...] = ()
    body: type[msgspec.Struct] | None = None
    platform: bool = False
    signed: bool = False
    body_required: bool = True
    media: str = bulk.MEDIA_TYPE
    """The media type of an answer in bytes."""


OPERATIONS: Final = (
    Operation(
        "workWanted",
        "get",
        "/v1/work",
        "Get the proof of work that a message with signals needs now",
        {200: (protocol.WorkAnswer, "The challenge; or none, if none is required or the message is a repeat")},
        (400, 429, 503),
        (IDEMPOTENCY_KEY, "pictures", "signals"),
    ),
    Operation(
        "newCase",
        "post",
        "/v1/cases",
        "Make a case from the signals of one or more pictures",
        {
            201: (protocol.CaseStatus, "The case is stored, and its signals enter the feed"),
            200: (protocol.CaseStatus, "A repeat of the message that made this case"),
        },
        (400, 409, 413, 415, 428, 429, 503),
        (PIN, IDEMPOTENCY_KEY, WORK),
        protocol.NewCase,
    ),
    Operation(
        "caseStatus",
        "get",
        "/v1/cases/{number}",
        "Get the status of a case",
        {200: (protocol.CaseStatus, "The state of the case, and what platforms did")},
        (400, 404, 429, 503),
        ("number", PIN),
    ),
    Operation(
        "addPictures",
        "post",
        "/v1/cases/{number}/pictures",
        "Add pictures to a case",
        {200: (protocol.CaseStatus, "The pictures are stored, by this message or the one that it repeats")},
        (400, 404, 409, 413, 415, 428, 429, 503),
        ("number", PIN, IDEMPOTENCY_KEY, WORK),
        protocol.NewCase,
    ),
    Operation(
        "withdraw",
        "post",
        "/v1/cases/{number}/withdraw",
        "Withdraw a case or some of its pictures; a repeat changes nothing",
        {200: (protocol.CaseStatus, "The case or the pictures are withdrawn")},
        (400, 404, 413, 415, 429, 503),
        ("number", PIN),
        protocol.Withdrawal,
        body_required=False,
    ),
    Operation(
        "platforms",
        "get",
        "/v1/platforms",
        "List the platforms that follow this registry",
        {200: (protocol.PlatformList, "Those that agreed to be named, and the number of the others")},
        (400, 429, 503),
    ),
    Operation(
        "feed",
        "get",
        "/v1/feed",
        "Read the feed after a cursor",
        {200: (protocol.FeedPage, "The lines after the cursor, in order and without gaps")},
        (400, 401, 503),
        ("after", "limit", "wait", SIGNAL_TYPES, SMALL_SITES, "If-None-Match"),
        platform=True,
        signed=True,
    ),
    Operation(
        "feedKeys",
        "get",
        "/v1/feed/keys",
        "Read the keys that sign the feed",
        {200: (protocol.FeedKeys, "Every key since the first, each signed by its predecessor")},
        (400, 401, 503),
        platform=True,
    ),
    Operation(
        "feedTile",
        "get",
        "/v1/feed/tiles/{tile}",
        "Read a tile of ten thousand lines of the feed",
        {200: (None, "The lines, in the binary form of PROTOCOL.md"), 304: (None, "The platform has them already")},
        (400, 401, 404, 503),
        ("tile", SIGNAL_TYPES, "If-None-Match"),
        platform=True,
    ),
    Operation(
        "feedSnapshot",
        "get",
        "/v1/feed/snapshot",
        "Read a snapshot of the feed",
        {200: (None, "Every active entry, in the binary form of PROTOCOL.md")},
        (400, 401, 503),
        (SIGNAL_TYPES,),
        platform=True,
    ),
    Operation(
        "feedParquet",
        "get",
        "/v1/feed/snapshot.parquet",
        "Read a snapshot of the feed as Parquet, if the registry can write it",
        {200: (None, "Every active entry that the platform sees, one in each row")},
        (400, 401, 404, 503),
        (SIGNAL_TYPES,),
        platform=True,
        media=PARQUET_MEDIA,
    ),
    Operation(
        "feedback",
        "post",
        "/v1/feedback",
        "Report verdicts on uploads that matched",
        {200: (protocol.FeedbackReceipt, "The number of these events that are recorded")},
        (400, 401, 413, 415, 503),
        body=protocol.Feedback,
        platform=True,
    ),
    Operation(
        "health",
        "get",
        "/healthz",
        "Check whether the registry works",
        {200: (Health, "It can read and write its database")},
        (400, 503),
    ),
    Operation(
        "ready",
        "get",
        "/readyz",
        "Check whether the registry accepts requests",
        {200: (Health, "It can read its database and is not stopping")},
        (400, 503),
    ),
)

_PARAMETERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "number": {
        "in": "path",
        "description": "The case number",
        "schema": {"type": "string", "pattern": protocol.published(protocol.CASE_NUMBER_PATTERN)},
        "example": "4829157306",
    },
    "tile": {
        "in": "path",
        "description": "The tile's number, from 0",
        "schema": {"type": "integer", "minimum": 0, "maximum": 2**48},
        "example": 0,
    },
    PIN: {
        "in": "header",
        "description": "The case's PIN, made by the page",
        "schema": {"type": "string", "pattern": protocol.published(protocol.PIN_PATTERN)},
        "example": "K7QM-2XRW-9DHF",
    },
    IDEMPOTENCY_KEY: {
        "in": "header",
        "description": "Random for each message; a repeat with the same key never makes a second case",
        "schema": {"type": "string", "pattern": protocol.published(protocol.IDEMPOTENCY_KEY_PATTERN)},
        "example": "3f2b8c1d4e5f60718293a4b5c6d7e8f9",
    },
    WORK: {
        "in": "header",
        "description": "The solution of the challenge: altcha's payload, JSON in base64",
        "schema": {"type": "string", "maxLength": 4096},
        "example": "",
    },
    "pictures": {
        "in": "query",
        "description": "The number of pictures in the message",
        "schema": {"type": "integer", "minimum": 1, "maximum": protocol.MAX_PICTURES, "default": 1},
        "example": 1,
    },
    "signals": {
        "in": "query",
        "description": "The number of signals in the message; each frame of a vpdq counts as one, "
        "and so do up to four hashes of patches",
        "schema": {"type": "integer", "minimum": 1, "maximum": protocol.MAX_ALL_SIGNALS, "default": 1},
        "example": 19,
    },
    "after": {
        "in": "query",
        "description": "The last number that the platform durably applied; 0 at the start",
        "schema": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
        "example": 0,
    },
    "limit": {
        "in": "query",
        "description": "The most lines to return",
        "schema": {
            "type": "integer",
            "minimum": 1,
            "maximum": protocol.MAX_FEED_ENTRIES,
            "default": protocol.MAX_FEED_ENTRIES,
        },
        "example": 1000,
    },
    "wait": {
        "in": "query",
        "description": "Seconds to wait for a line if there is none",
        "schema": {"type": "integer", "minimum": 0, "maximum": protocol.MAX_WAIT_SECONDS, "default": 0},
        "example": 0,
    },
    SIGNAL_TYPES: {
        "in": "header",
        "description": "The types of signals that the client knows besides pdq, sha256, md5, phash and vpdq, separated "
        "by commas; entries of other types come as erased",
        "schema": {"type": "string"},
        "example": "patches",
    },
    SMALL_SITES: {
        "in": "header",
        "description": "The number of small sites that a look-up service serves; it is ignored if it is not such a "
        "number, or the operator has not marked the platform as a look-up service",
        "schema": {"type": "integer", "minimum": 0, "maximum": protocol.MAX_SMALL_SITES},
        "example": 12,
    },
    "If-None-Match": {
        "in": "header",
        "description": "The `ETag` of an answer that the platform has cached",
        "schema": {"type": "string"},
        "example": 'W/"0"',
    },
}
_OPTIONAL: Final = frozenset({"limit", "wait", "If-None-Match", "pictures", "signals", WORK, SIGNAL_TYPES, SMALL_SITES})
_SIGNED: Final[Mapping[str, Any]] = {
    "ETag": {"description": "The body's SHA-256", "schema": {"type": "string", "pattern": '^W/"[0-9a-f]{64}"$'}},
    FEED_HEAD: {"description": "The signed head, a FeedHead", "schema": {"type": "string"}},
}


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Takeback registry", "version": __version__, "summary": "Cases, and the feed of signals"},
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"platformKey": {"type": "http", "scheme": "bearer", "bearerFormat": "tbk_..."}},
        },
    }


@cache
def document_json() -> bytes:
    """The OpenAPI document as JSON."""
    return msgspec.json.encode(document())


def _messages() -> list[type[msgspec.Struct]]:
    answered = [kind for operation in OPERATIONS for kind, _ in operation.answers.values() if kind]
    taken = [operation.body for operation in OPERATIONS if operation.body]
    return list(dict.fromkeys([*taken, *answered, protocol.FeedHead, protocol.Problem]))


def _content(status: int, kind: type[msgspec.Struct] | None, media: str) -> dict[str, Any]:
    if status == 304:
        return {}
    if kind is None:
        return {"content": {media: {"schema": {"type": "string", "format": "binary"}}}}
    return {"content": {"application/json": {"schema": _ref(kind)}}}


def _ref(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _schemas() -> dict[str, Any]:
    """The schema of every message, with the length of hex by type, which Python's types cannot express."""
    schemas = protocol.schemas(_messages())
    schemas["SignalMessage"]["oneOf"] = [
        _signal("pdq", 64, {"quality": {"type": "integer", "minimum": 0, "maximum": 100}}, ["quality"]),
        _signal("sha256", 64, {"quality": {"type": "null"}}, []),
        _signal("md5", 32, {"quality": {"type": "null"}}, []),
        _signal("phash", 16, {"quality": {"type": "null"}}, []),
        _vpdq(),
        _patches(),
    ]
    return schemas


def _signal(name: str, digits: int, quality: Mapping[str, Any], required: list[str]) -> dict[str, Any]:
    # `$` as in ECMA 262, in whose words schemas are written; patterns in Python end with `\Z`.
    value = {"type": "string", "pattern": f"^[0-9a-f]{{{digits}}}$"}
    return {"properties": {"type": {"const": name}, "value": value, **quality}, "required": required}


def _vpdq() -> dict[str, Any]:
    frame = r"(0|[1-9][0-9]{0,8}),(0|[1-9][0-9]?|100),[0-9a-f]{64},(0|[1-9][0-9]{0,6})\.[0-9]{3}"
    value = {"type": "string", "pattern": f"^{frame}(;{frame}){{0,{MAX_FRAMES - 1}}}$"}
    return {"properties": {"type": {"const": "vpdq"}, "value": value, "quality": {"type": "null"}}, "required": []}


def _patches() -> dict[str, Any]:
    patch = f"[0-9a-f]{{{PATCH_DIGITS}}}"
    frame = f"{patch}(,{patch}){{0,{MAX_PATCHES - 1}}}"
    value = {"type": "string", "pattern": f"^{frame}(;{frame}){{0,{MAX_PATCH_FRAMES - 1}}}$"}
    properties = {"type": {"const": "patches"}, "value": value, "quality": {"type": "null"}}
    return {"properties": {**properties, "variant": {"const": "whole"}}, "required": []}


def _operation(operation: Operation) -> dict[str, Any]:
    answers: dict[str, dict[str, Any]] = {
        str(status): {"description": text} | _content(status, kind, operation.media)
        for status, (kind, text) in operation.answers.items()
    }
    if operation.signed:
        for told in answers.values():
            told["headers"] = _SIGNED
        answers["304"] = {"description": "The platform has this answer already", "headers": _SIGNED}
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": [
            {"name": name, "required": name not in _OPTIONAL, **_PARAMETERS[name]} for name in operation.parameters
        ],
        "responses": answers | {str(status): _error(status) for status in operation.errors},
    }
    if operation.body:
        content = {"application/json": {"schema": _ref(operation.body)}}
        described["requestBody"] = {"required": operation.body_required, "content": content}
    if operation.platform:
        described["security"] = [{"platformKey": []}]
    return described


def _error(status: int) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": _ref(protocol.Problem)}}
    error: dict[str, Any] = {"description": ERRORS[status], "content": content}
    if status in _ERROR_HEADERS:
        error["headers"] = _ERROR_HEADERS[status]
    return error
