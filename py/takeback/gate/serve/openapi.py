"""The sidecar's API as an OpenAPI 3.1 document, generated from `messages` and a table of operations."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import msgspec

from takeback import __version__
from takeback.gate.serve import messages
from takeback.protocol import Problem, schemas

CHECK: Final = "/v1/check"
CHECK_SIGNALS: Final = "/v1/check/signals"
CHECK_BATCH: Final = "/v1/check/batch"
FEEDBACK: Final = "/v1/feedback"
HMA_LOOKUP: Final = "/m/lookup"
HMA_HASH: Final = "/h/hash"
HMA_RAW_LOOKUP: Final = "/m/raw_lookup"
HMA_INDEX: Final = "/m/index/status"
HMA_COMPARE: Final = "/m/compare"
HMA_STATUS: Final = "/status"
HMA_LIVE: Final = "/status/live"
AS_HMA: Final = frozenset({HMA_LOOKUP, HMA_HASH, HMA_RAW_LOOKUP, HMA_INDEX, HMA_COMPARE, HMA_STATUS, HMA_LIVE})
HEALTH: Final = "/healthz"
READY: Final = "/readyz"
OPEN: Final = frozenset({HEALTH, READY, HMA_STATUS, HMA_LIVE})
"""Paths that need no token."""
METRICS: Final = "/metrics"
DOCUMENT: Final = "/openapi.json"

FILE: Final = "file"
"""Body of an operation: an uploaded file."""
HASHES: Final = "hashes"
"""Body of an operation: pairs of hashes by type."""
_ERRORS: Final = {
    400: "`invalid-message`: the request is malformed; `field` says where",
    401: "`not-allowed`: the sidecar's token is missing or wrong",
    408: "`too-slow`: the body did not arrive in time",
    413: "`too-large`: the body is over the limit",
    503: "the gate's state cannot be used now, or `busy`: too many uploads are waiting; try again",
}


@dataclass(frozen=True, slots=True)
class SidecarOperation:
    """The description of one route. `answer` is a message type, or None for text or JSON without a schema."""

    id: str
    method: str
    path: str
    summary: str
    answer: type[msgspec.Struct] | None
    body: type[msgspec.Struct] | str | None = None
    query: tuple[str, ...] = ()
    status: int = 200


OPERATIONS: Final = (
    SidecarOperation("check", "post", CHECK, "Decide on a file", messages.DecisionAnswer, FILE, ("report",)),
    SidecarOperation(
        "checkSignals",
        "post",
        CHECK_SIGNALS,
        "Decide on an upload that you hashed",
        messages.DecisionAnswer,
        messages.Hashes,
        ("report",),
    ),
    SidecarOperation(
        "checkBatch",
        "post",
        CHECK_BATCH,
        "Decide on many uploads that you hashed",
        messages.BatchAnswer,
        messages.DecisionBatch,
        ("report",),
    ),
    SidecarOperation(
        "feedback",
        "post",
        FEEDBACK,
        "Send feedback on an upload; it is queued on disk and sent with the next sync",
        messages.Kept,
        messages.Outcome,
        status=202,
    ),
    SidecarOperation(
        "hmaLookup",
        "get",
        HMA_LOOKUP,
        "Look up a hash, as in hasher-matcher-actioner",
        None,
        query=("signal", "signal_type", "banks"),
    ),
    SidecarOperation(
        "hmaLookupFile",
        "post",
        HMA_LOOKUP,
        "Hash a file and look it up, as in hasher-matcher-actioner",
        None,
        FILE,
        ("types", "banks"),
    ),
    SidecarOperation(
        "hmaRawLookup",
        "get",
        HMA_RAW_LOOKUP,
        "Look up a hash in all banks",
        None,
        query=("signal", "signal_type", "banks", "include_distance"),
    ),
    SidecarOperation("hmaIndex", "get", HMA_INDEX, "Get the size and age of the index", None, query=("index",)),
    SidecarOperation("hmaCompare", "post", HMA_COMPARE, "Compute the distances of pairs of hashes", None, HASHES),
    SidecarOperation("hmaStatus", "get", HMA_STATUS, "Check that the index is loaded and fresh; 503 if not", None),
    SidecarOperation("hmaLive", "get", HMA_LIVE, "Check that the process runs", None),
    SidecarOperation("hmaHash", "post", HMA_HASH, "Hash a file, as in hasher-matcher-actioner", None, FILE, ("types",)),
    SidecarOperation("health", "get", HEALTH, "Check that the process runs", messages.SidecarHealth),
    SidecarOperation("ready", "get", READY, "Check that the gate can decide; 503 if not", messages.SidecarHealth),
    SidecarOperation("metrics", "get", METRICS, "Get the metrics in Prometheus' text format", None),
    SidecarOperation("document", "get", DOCUMENT, "Get this document", None),
)

_QUERY: Final[dict[str, dict[str, Any]]] = {
    "report": {
        "description": "Whether to report the upload to the registry if it is blocked; default: the sidecar's --report",
        "required": False,
        "schema": {"type": "boolean"},
    },
    "signal": {"description": "The hash", "required": True, "schema": {"type": "string"}},
    "signal_type": {
        "description": "Its type",
        "required": True,
        "schema": {"type": "string", "enum": ["pdq", "sha256", "md5", "video_md5"]},
    },
    "index": {
        "name": "signal_type",
        "description": "A type; default: all",
        "required": False,
        "schema": {"type": "string", "enum": ["pdq", "sha256", "md5", "video_md5"]},
    },
    "banks": {
        "description": "Banks, separated by commas; default: all",
        "required": False,
        "schema": {"type": "string"},
    },
    "include_distance": {
        "description": "Whether to include the distance of each match",
        "required": False,
        "schema": {"type": "boolean"},
    },
    "types": {
        "description": "Types of hashes, separated by commas; default: all",
        "required": False,
        "schema": {"type": "string"},
    },
}
_UPLOADER: Final[dict[str, Any]] = {
    "name": "Takeback-Uploader",
    "in": "header",
    "description": "Any name that you have for the uploading person, so that the rate brake counts people",
    "required": False,
    "schema": {"type": "string", "maxLength": messages.MAX_UPLOADER_CHARS},
}


@cache
def document_json() -> bytes:
    """Returns the document in JSON."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "Takeback gate", "version": __version__, "summary": "Decides on uploads"},
            "security": [{}, {"token": []}],
            "paths": paths,
            "components": {
                "schemas": _schemas(),
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            },
        }
    )


def _schemas() -> dict[str, Any]:
    kinds = [kind for operation in OPERATIONS for kind in (operation.answer, operation.body)]
    structs = [kind for kind in kinds if kind is not None and not isinstance(kind, str)]
    return schemas([*structs, Problem])


def _operation(operation: SidecarOperation) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "The answer"}
    if operation.answer is not None:
        answer["content"] = _json(operation.answer)
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": [{"name": name, "in": "query"} | _QUERY[name] for name in operation.query]
        + ([_UPLOADER] if operation.path == CHECK else []),
        "responses": {str(operation.status): answer} | {str(status): _error(status) for status in _statuses(operation)},
    }
    if operation.body == FILE:
        binary = {"type": "string", "format": "binary"}
        form = {"type": "object", "properties": {"photo": binary, "video": binary}}
        content: dict[str, Any] = {"application/octet-stream": {}, "multipart/form-data": {"schema": form}}
        described["requestBody"] = {"required": True, "content": content}
    elif operation.body == HASHES:
        pair = {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2}
        content = {"application/json": {"schema": {"type": "object", "additionalProperties": pair}}}
        described["requestBody"] = {"required": True, "content": content}
    elif operation.body is not None and not isinstance(operation.body, str):
        described["requestBody"] = {"required": True, "content": _json(operation.body)}
    if operation.path in OPEN:
        described["security"] = []
    return described


def _statuses(operation: SidecarOperation) -> list[int]:
    """Returns the error statuses of an operation."""
    if operation.path in OPEN:
        return [503] if operation.path in {READY, HMA_STATUS} else []
    return [400, 401, 503, *([408, 413] if operation.body else [])]


def _json(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{kind.__name__}"}}}


def _error(status: int) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": _ERRORS[status], "content": content}
