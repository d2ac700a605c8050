"""The sidecar's API as an OpenAPI 3.1 document, made from `messages` and one table of operations."""

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
"""What answers without the token."""
METRICS: Final = "/metrics"
DOCUMENT: Final = "/openapi.json"

FILE: Final = "file"
"""Stands for an upload where an operation names the body it takes."""
HASHES: Final = "hashes"
"""Stands for pairs of hashes by their types."""
_ERRORS: Final = {
    400: "`invalid-message`: the request is malformed; `field` says where",
    401: "`not-allowed`: the sidecar's token is missing or wrong",
    408: "`too-slow`: the body did not arrive in time",
    413: "`too-large`: the body is over the limit",
    503: "the gate's state cannot be used now, or `busy`: too many uploads wait; ask again",
}


@dataclass(frozen=True, slots=True)
class SidecarOperation:
    """One route: what it takes and answers. `answer` is a message, or None for text or JSON without a schema."""

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
        "Decide on an upload that you have hashed",
        messages.DecisionAnswer,
        messages.Hashes,
        ("report",),
    ),
    SidecarOperation(
        "checkBatch",
        "post",
        CHECK_BATCH,
        "Decide on many uploads that you have hashed",
        messages.BatchAnswer,
        messages.DecisionBatch,
        ("report",),
    ),
    SidecarOperation(
        "feedback",
        "post",
        FEEDBACK,
        "Tell what became of an upload; kept on disk, sent with the next sync",
        messages.Kept,
        messages.Outcome,
        status=202,
    ),
    SidecarOperation(
        "hmaLookup",
        "get",
        HMA_LOOKUP,
        "Look a hash up, as hasher-matcher-actioner does",
        None,
        query=("signal", "signal_type", "banks"),
    ),
    SidecarOperation(
        "hmaLookupFile",
        "post",
        HMA_LOOKUP,
        "Hash a file and look it up, as hasher-matcher-actioner does",
        None,
        FILE,
        ("types", "banks"),
    ),
    SidecarOperation(
        "hmaRawLookup",
        "get",
        HMA_RAW_LOOKUP,
        "Look a hash up, whatever bank it is in",
        None,
        query=("signal", "signal_type", "banks", "include_distance"),
    ),
    SidecarOperation("hmaIndex", "get", HMA_INDEX, "Ask how large the index is, and how new", None, query=("index",)),
    SidecarOperation("hmaCompare", "post", HMA_COMPARE, "Ask how far pairs of hashes are apart", None, HASHES),
    SidecarOperation("hmaStatus", "get", HMA_STATUS, "Ask whether look-ups are worth anything; 503 while not", None),
    SidecarOperation("hmaLive", "get", HMA_LIVE, "Ask whether the process answers", None),
    SidecarOperation(
        "hmaHash", "post", HMA_HASH, "Hash a file, as hasher-matcher-actioner does", None, FILE, ("types",)
    ),
    SidecarOperation("health", "get", HEALTH, "Ask whether the process answers", messages.SidecarHealth),
    SidecarOperation(
        "ready", "get", READY, "Ask whether the gate can decide; 503 while it cannot", messages.SidecarHealth
    ),
    SidecarOperation("metrics", "get", METRICS, "Read the counters, in Prometheus' text format", None),
    SidecarOperation("document", "get", DOCUMENT, "Read this document", None),
)

_QUERY: Final[dict[str, dict[str, Any]]] = {
    "report": {
        "description": "Whether to tell the registry if the upload is blocked; else as the sidecar was started",
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
        "description": "A type; all without it",
        "required": False,
        "schema": {"type": "string", "enum": ["pdq", "sha256", "md5", "video_md5"]},
    },
    "banks": {
        "description": "Which banks, separated by commas; all without it",
        "required": False,
        "schema": {"type": "string"},
    },
    "include_distance": {
        "description": "Whether to tell how far each match is",
        "required": False,
        "schema": {"type": "boolean"},
    },
    "types": {
        "description": "Which hashes, separated by commas; all without it",
        "required": False,
        "schema": {"type": "string"},
    },
}
_UPLOADER: Final[dict[str, Any]] = {
    "name": "Takeback-Uploader",
    "in": "header",
    "description": "Any name that you have for who uploads, so that the flood brake counts people",
    "required": False,
    "schema": {"type": "string", "maxLength": messages.MAX_UPLOADER_CHARS},
}


@cache
def document_json() -> bytes:
    """The document as it is served."""
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
    """The errors that an operation may answer."""
    if operation.path in OPEN:
        return [503] if operation.path in {READY, HMA_STATUS} else []
    return [400, 401, 503, *([408, 413] if operation.body else [])]


def _json(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{kind.__name__}"}}}


def _error(status: int) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": _ERRORS[status], "content": content}
