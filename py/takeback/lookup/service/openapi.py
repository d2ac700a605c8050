"""The service's API as an OpenAPI 3.1 document, generated from `messages` and a table of operations."""

from functools import cache
from typing import Any, Final, NamedTuple

import msgspec

from takeback import __version__
from takeback.lookup import messages
from takeback.protocol import Problem, schemas

HEALTH: Final = "/healthz"
READY: Final = "/readyz"
DOCUMENT: Final = "/openapi.json"
OPEN: Final = frozenset({HEALTH, READY, DOCUMENT})
"""Paths that need no key."""
EXACT_ROUTE: Final = messages.EXACT + "{prefix}"
_ERRORS: Final = {
    400: "`invalid-message`: the request is malformed; `field` says where",
    401: "`not-allowed`: the key is missing, wrong, or was revoked",
    408: "`too-slow`: the body did not arrive in time",
    413: "`too-large`: the body is over the limit",
    429: "`quota`: none are left for today; `too-alike`: many questions are nearly alike. Retry-After says when",
    503: "the list cannot be used now, or `busy`: too many of your requests wait; try again",
}


class LookUpOperation(NamedTuple):
    """The description of one route; `answer` and `body` are message types."""

    id: str
    method: str
    path: str
    summary: str
    answer: type[msgspec.Struct] | None
    body: type[msgspec.Struct] | None = None
    status: int = 200


OPERATIONS: Final = (
    LookUpOperation(
        "checkSignals",
        "post",
        messages.CHECK,
        "Ask about an upload by its fingerprints",
        messages.RemoteAnswer,
        messages.RemoteQuestion,
    ),
    LookUpOperation(
        "checkBatch",
        "post",
        messages.CHECK_BATCH,
        "Ask about many uploads by their fingerprints",
        messages.RemoteAnswers,
        messages.RemoteBatch,
    ),
    LookUpOperation(
        "exact",
        "get",
        EXACT_ROUTE,
        "Get the listed SHA-256 that begin with five hex digits, among decoys, to compare by yourself",
        messages.ExactAnswer,
    ),
    LookUpOperation(
        "feedback",
        "post",
        messages.FEEDBACK,
        "Send feedback on an upload by the id of its answer; it is queued on disk and sent to the registry",
        messages.Accepted,
        messages.RemoteOutcome,
        202,
    ),
    LookUpOperation("health", "get", HEALTH, "Check that the process runs", messages.LookUpHealth),
    LookUpOperation("ready", "get", READY, "Check that the service can decide; 503 if not", messages.LookUpHealth),
    LookUpOperation("document", "get", DOCUMENT, "Get this document", None),
)


@cache
def document_json() -> bytes:
    """Returns the document in JSON."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    kinds = [kind for operation in OPERATIONS for kind in (operation.answer, operation.body) if kind is not None]
    info = {"title": "Takeback look-up", "version": __version__, "summary": "Answers questions about fingerprints"}
    components = {
        "schemas": schemas([*kinds, Problem]),
        "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
    }
    return msgspec.json.encode(
        {"openapi": "3.1.0", "info": info, "security": [{"key": []}], "paths": paths, "components": components}
    )


def _operation(operation: LookUpOperation) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "The answer"}
    if operation.answer is not None:
        answer["content"] = _json(operation.answer)
    errors = {str(status): _error(status) for status in _statuses(operation)}
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "responses": {str(operation.status): answer} | errors,
    }
    if operation.path == EXACT_ROUTE:
        schema = {"type": "string", "pattern": f"^{messages.PREFIX_PATTERN.pattern}$"}
        described["parameters"] = [{"name": "prefix", "in": "path", "required": True, "schema": schema}]
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _json(operation.body)}
    if operation.path in OPEN:
        described["security"] = []
    return described


def _statuses(operation: LookUpOperation) -> list[int]:
    """Returns the error statuses of an operation."""
    if operation.path in OPEN:
        return [503] if operation.path == READY else []
    return [400, 401, 429, 503, *([408, 413] if operation.body else [])]


def _json(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{kind.__name__}"}}}


def _error(status: int) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": _ERRORS[status], "content": content}
