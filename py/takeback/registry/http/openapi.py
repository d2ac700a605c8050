"""The API as an OpenAPI 3.1 document, made from the messages of `protocol.py` and one table of operations.

The framework's own generator is not used: it cannot say that a message refuses what it does not know.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import msgspec

from takeback import __version__, bulk, protocol
from takeback.signals import MAX_FRAMES

WORK_WANTED: Final = "/v1/work"
CASES: Final = "/v1/cases"
CASE: Final = "/v1/cases/{number:str}"
PICTURES: Final = "/v1/cases/{number:str}/pictures"
WITHDRAW: Final = "/v1/cases/{number:str}/withdraw"
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

ERRORS: Final[Mapping[int, str]] = {
    400: "`invalid-message`: the message, a header or a parameter breaks the protocol; `field` says where",
    401: "`not-a-platform`: no valid platform key",
    404: "`case-not-found`: no such case, or not this PIN; or `not-found`: there is no such tile (yet)",
    409: "`key-reused`: the idempotency key came with another message before; or `case-closed`: the case takes no more "
    "pictures",
    413: "`too-large`: the body is over 65,536 bytes",
    415: "`not-json`: the content type is not `application/json`",
    428: "`work-needed`: signals take some work first; `work` says which",
    429: "`too-many-guesses`: too many wrong PINs for one number; or `too-many-cases`: very much from one network",
    503: "`store-unavailable`: nothing was kept; send the same again",
}
_RETRY: Final = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 1}}}
_ERROR_HEADERS: Final[Mapping[int, Mapping[str, Any]]] = {
    401: {"WWW-Authenticate": {"description": "`Bearer`", "schema": {"type": "string", "const": "Bearer"}}},
    429: _RETRY,
    503: _RETRY,
}


class Health(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The registry can read and write its store."""

    status: str = "ok"


@dataclass(frozen=True, slots=True)
class Operation:
    """One route: what it takes, what it answers, and which errors it may give."""

    id: str
    method: str
    path: str
    summary: str
    answers: Mapping[int, tuple[type[msgspec.Struct] | None, str]]
    """Each with its message; `None` is bytes, or nothing at all with 304."""
    errors: tuple[int, ...]
    parameters: tuple[str, ...] = ()
    body: type[msgspec.Struct] | None = None
    platform: bool = False
    signed: bool = False
    body_required: bool = True
    media: str = bulk.MEDIA_TYPE
    """Of an answer in bytes."""


OPERATIONS: Final = (
    Operation(
        "workWanted",
        "get",
        "/v1/work",
        "Ask which work a message with signals takes now",
        {200: (protocol.WorkAnswer, "The work, or none: none is wanted, or the message came before")},
        (400, 429, 503),
        (IDEMPOTENCY_KEY, "pictures", "signals"),
    ),
    Operation(
        "newCase",
        "post",
        "/v1/cases",
        "Make a case of the signals of one or more pictures",
        {
            201: (protocol.CaseStatus, "The case is kept and its signals are in the feed"),
            200: (protocol.CaseStatus, "The same message had made this case before"),
        },
        (400, 409, 413, 415, 428, 429, 503),
        (PIN, IDEMPOTENCY_KEY, WORK),
        protocol.NewCase,
    ),
    Operation(
        "caseStatus",
        "get",
        "/v1/cases/{number}",
        "See what became of a case",
        {200: (protocol.CaseStatus, "Where the case stands, and what platforms did")},
        (400, 404, 429, 503),
        ("number", PIN),
    ),
    Operation(
        "addPictures",
        "post",
        "/v1/cases/{number}/pictures",
        "Add pictures to a case",
        {200: (protocol.CaseStatus, "The pictures are kept, now or when the same message came before")},
        (400, 404, 409, 413, 415, 428, 429, 503),
        ("number", PIN, IDEMPOTENCY_KEY, WORK),
        protocol.NewCase,
    ),
    Operation(
        "withdraw",
        "post",
        "/v1/cases/{number}/withdraw",
        "Withdraw a case, or some pictures of it; doing so again changes nothing",
        {200: (protocol.CaseStatus, "The case, or its pictures, are withdrawn")},
        (400, 404, 413, 415, 429, 503),
        ("number", PIN),
        protocol.Withdrawal,
        body_required=False,
    ),
    Operation(
        "feed",
        "get",
        "/v1/feed",
        "Read the feed after a cursor",
        {200: (protocol.FeedPage, "The entries after the cursor, in order and without gaps")},
        (400, 401, 503),
        ("after", "limit", "wait", "If-None-Match"),
        platform=True,
        signed=True,
    ),
    Operation(
        "feedKeys",
        "get",
        "/v1/feed/keys",
        "Read the keys that sign the feed",
        {200: (protocol.FeedKeys, "Every key that ever signed it, each signed by the one before")},
        (400, 401, 503),
        platform=True,
    ),
    Operation(
        "feedTile",
        "get",
        "/v1/feed/tiles/{tile}",
        "Read ten thousand lines of the feed in one piece",
        {200: (None, "The lines, in the binary form of PROTOCOL.md"), 304: (None, "The platform has them already")},
        (400, 401, 404, 503),
        ("tile", "If-None-Match"),
        platform=True,
    ),
    Operation(
        "feedSnapshot",
        "get",
        "/v1/feed/snapshot",
        "Read what the feed adds up to",
        {200: (None, "Every active entry, in the binary form of PROTOCOL.md")},
        (400, 401, 503),
        platform=True,
    ),
    Operation(
        "feedParquet",
        "get",
        "/v1/feed/snapshot.parquet",
        "Read the same as Parquet, where the registry can write it",
        {200: (None, "Every active entry that the platform is told, a row each")},
        (400, 401, 404, 503),
        platform=True,
        media=PARQUET_MEDIA,
    ),
    Operation(
        "feedback",
        "post",
        "/v1/feedback",
        "Report what happened to uploads that matched",
        {200: (protocol.FeedbackReceipt, "How many events are on record now")},
        (400, 401, 413, 415, 503),
        body=protocol.Feedback,
        platform=True,
    ),
    Operation(
        "health",
        "get",
        "/healthz",
        "Ask whether the registry works",
        {200: (Health, "It can read and write its store")},
        (400, 503),
    ),
    Operation(
        "ready",
        "get",
        "/readyz",
        "Ask whether the registry takes requests",
        {200: (Health, "It can read its store, and is not about to stop")},
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
        "description": "The tile's place, from 0",
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
        "description": "Made for each message at random; the same again never makes a second case",
        "schema": {"type": "string", "pattern": protocol.published(protocol.IDEMPOTENCY_KEY_PATTERN)},
        "example": "3f2b8c1d4e5f60718293a4b5c6d7e8f9",
    },
    WORK: {
        "in": "header",
        "description": "The work that was asked for: a payload of altcha, JSON in base64",
        "schema": {"type": "string", "maxLength": 4096},
        "example": "",
    },
    "pictures": {
        "in": "query",
        "description": "How many pictures the message brings",
        "schema": {"type": "integer", "minimum": 1, "maximum": protocol.MAX_PICTURES, "default": 1},
        "example": 1,
    },
    "signals": {
        "in": "query",
        "description": "How many signals it brings, each frame of a vpdq counting as one",
        "schema": {"type": "integer", "minimum": 1, "maximum": protocol.MAX_ALL_SIGNALS, "default": 1},
        "example": 19,
    },
    "after": {
        "in": "query",
        "description": "The last number durably applied; 0 at the start",
        "schema": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
        "example": 0,
    },
    "limit": {
        "in": "query",
        "description": "How many entries at most",
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
        "description": "Seconds to wait for an entry where there is none",
        "schema": {"type": "integer", "minimum": 0, "maximum": protocol.MAX_WAIT_SECONDS, "default": 0},
        "example": 0,
    },
    "If-None-Match": {
        "in": "header",
        "description": "The `ETag` of an answer that is still there",
        "schema": {"type": "string"},
        "example": 'W/"0"',
    },
}
_OPTIONAL: Final = frozenset({"limit", "wait", "If-None-Match", "pictures", "signals", WORK})
_SIGNED: Final[Mapping[str, Any]] = {
    "ETag": {"description": "The body's SHA-256", "schema": {"type": "string", "pattern": '^W/"[0-9a-f]{64}"$'}},
    FEED_HEAD: {"description": "What the registry signs, a FeedHead", "schema": {"type": "string"}},
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
    """The document as it is served."""
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
    """Every message's schema, with the length of hex by type, which the types of Python cannot say."""
    schemas = protocol.schemas(_messages())
    schemas["SignalMessage"]["oneOf"] = [
        _signal("pdq", 64, {"quality": {"type": "integer", "minimum": 0, "maximum": 100}}, ["quality"]),
        _signal("sha256", 64, {"quality": {"type": "null"}}, []),
        _signal("md5", 32, {"quality": {"type": "null"}}, []),
        _signal("phash", 16, {"quality": {"type": "null"}}, []),
        _vpdq(),
    ]
    return schemas


def _signal(name: str, digits: int, quality: Mapping[str, Any], required: list[str]) -> dict[str, Any]:
    value = {"type": "string", "pattern": f"^[0-9a-f]{{{digits}}}$"}
    return {"properties": {"type": {"const": name}, "value": value, **quality}, "required": required}


def _vpdq() -> dict[str, Any]:
    frame = r"(0|[1-9][0-9]{0,8}),(0|[1-9][0-9]?|100),[0-9a-f]{64},(0|[1-9][0-9]{0,6})\.[0-9]{3}"
    value = {"type": "string", "pattern": f"^{frame}(;{frame}){{0,{MAX_FRAMES - 1}}}$"}
    return {"properties": {"type": {"const": "vpdq"}, "value": value, "quality": {"type": "null"}}, "required": []}


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
