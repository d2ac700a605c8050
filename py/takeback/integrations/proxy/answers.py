"""What the proxy itself answers: as JSON if the caller accepts it, else as text."""

from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.types import Send

from takeback.errors import RequestRefused

RETRY_SECONDS: Final = 30
"""What `Retry-After` says while the gate cannot decide."""
_CLOSING: Final = frozenset({400, 408, 413, 501})
"""Statuses after which the rest of a request may still be on its way, so that its connection is closed."""
BLOCKED: Final = "blocked"
HELD: Final = "held"
AWAY: Final = "cannot-check"


BLOCKED_TEXT: Final = "This picture cannot be posted here."
AWAY_TEXT: Final = "Pictures cannot be posted at the moment. Please try again in a few minutes."


@dataclass(frozen=True, slots=True)
class Words:
    """What people read: the status and text of a refused upload, and the text if none can be checked."""

    status: int = 422
    blocked: str = BLOCKED_TEXT
    away: str = AWAY_TEXT

    def refusal(self, code: str) -> RequestRefused:
        """Returns the refusal with this code."""
        if code == AWAY:
            return RequestRefused(503, code, self.away)
        return RequestRefused(self.status, code, self.blocked)


async def answer(send: Send, refusal: RequestRefused, accept: str) -> None:
    """Sends a refusal; JSON is `{"error": TEXT, "code": CODE}`, whose `error` many clients show."""
    text = str(refusal)
    if "json" in accept.lower():
        body, kind = msgspec.json.encode({"error": text, "code": refusal.code}), b"application/json"
    else:
        body, kind = f"{text}\n".encode(), b"text/plain; charset=utf-8"
    fields = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    if refusal.status in _CLOSING:
        fields.append((b"connection", b"close"))
    if refusal.status == 503:
        fields.append((b"retry-after", str(RETRY_SECONDS).encode()))
    await send({"type": "http.response.start", "status": refusal.status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
