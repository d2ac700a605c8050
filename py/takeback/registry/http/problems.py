"""Errors in the protocol's form: every refusal and every failure becomes problem+json (RFC 9457)."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from litestar import Response
from litestar.exceptions import HTTPException, MethodNotAllowedException
from sqlalchemy.exc import DBAPIError

from takeback import errors, protocol
from takeback.errors import TakebackError
from takeback.registry.http.context import Ask
from takeback.registry.logs import LOG

PROBLEM: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 5
"""Seconds after which a client may retry what could not be stored."""

_STATUS: Final[Mapping[type[TakebackError], tuple[HTTPStatus, str]]] = {
    errors.InvalidMessage: (HTTPStatus.BAD_REQUEST, "The message breaks the protocol"),
    errors.NotAPlatform: (HTTPStatus.UNAUTHORIZED, "No valid platform key"),
    errors.CaseNotFound: (HTTPStatus.NOT_FOUND, "No such case, or not this PIN"),
    errors.WorkNeeded: (HTTPStatus.PRECONDITION_REQUIRED, "Proof of work is required"),
    errors.KeyReused: (HTTPStatus.CONFLICT, "The idempotency key was used before"),
    errors.CaseClosed: (HTTPStatus.CONFLICT, "The case takes no more pictures"),
    errors.TooManyGuesses: (HTTPStatus.TOO_MANY_REQUESTS, "Too many wrong PINs"),
    errors.TooManyCases: (HTTPStatus.TOO_MANY_REQUESTS, "Too much from one network"),
    errors.StoreUnavailable: (HTTPStatus.SERVICE_UNAVAILABLE, "The registry cannot store this now"),
}
_HTTP: Final[Mapping[int, tuple[str, str]]] = {
    404: ("not-found", "No such path"),
    405: ("method-not-allowed", "Method not allowed"),
    413: ("too-large", "The message is too large"),
    415: ("not-json", "The message is not JSON"),
}


def problem(
    status: int,
    code: str,
    title: str,
    detail: str = "",
    *,
    more: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[bytes]:
    """An answer with an error in the protocol's form; `more` has further members of `Problem`."""
    body = protocol.Problem(f"urn:takeback:problem:{code}", title, status, detail, **(more or {}))
    return Response(protocol.encode(body), status_code=status, media_type=PROBLEM, headers=headers)


def _refused(_request: Ask, error: TakebackError) -> Response[bytes]:
    if type(error) not in _STATUS:
        return _crashed(_request, error)
    status, title = _STATUS[type(error)]
    headers = {}
    if isinstance(error, errors.TryLater):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.StoreUnavailable):
        if error.__cause__:
            LOG.error("the database cannot store an event", exc_info=error.__cause__)
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if isinstance(error, errors.NotAPlatform):
        headers["WWW-Authenticate"] = "Bearer"
    more = {name: getattr(error, name) for name in ("field", "work") if hasattr(error, name)}
    return problem(status, error.code, title, str(error), more=more, headers=headers)


def _cannot_read(request: Ask, error: DBAPIError) -> Response[bytes]:
    unavailable = errors.StoreUnavailable("the registry cannot read its database now; send the same again")
    unavailable.__cause__ = error
    return _refused(request, unavailable)


def _http_error(request: Ask, error: HTTPException) -> Response[bytes]:
    status = error.status_code
    if status not in _HTTP:
        return _crashed(request, error)
    if not isinstance(error, MethodNotAllowedException):
        return problem(status, *_HTTP[status])
    listed = {
        one.strip() for one in (error.headers or {}).get("allow", "").split(",")
    }  # Litestar names it in lower case
    allowed = ", ".join(sorted(listed | ({"HEAD"} if "GET" in listed else set())))
    return problem(status, *_HTTP[status], allowed_methods(allowed), headers={"Allow": allowed})


def allowed_methods(allowed: str) -> str:
    """The detail of a problem with an unsupported method."""
    return f"allowed: {allowed}"


def _crashed(_request: Ask, error: Exception) -> Response[bytes]:
    LOG.error("an unexpected error", exc_info=error)
    return problem(500, "internal", "Internal error; it is logged", "nothing was stored; try again later")


HANDLERS: Final[Mapping[int | type[Exception], Callable[[Ask, Any], Response[bytes]]]] = MappingProxyType(
    {TakebackError: _refused, DBAPIError: _cannot_read, HTTPException: _http_error, Exception: _crashed}
)
"""The function that makes the answer, by kind of exception."""
