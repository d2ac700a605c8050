"""What may leave a person's device, as a rule: everything else is a complaint.

A browser may ask for the files of the manifest, and the page may send the messages of PROTOCOL.md; no more.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from takeback.errors import InvalidMessage
from takeback.protocol import IDEMPOTENCY_KEY_PATTERN, PIN_PATTERN, Challenge, SignalMessage, decode, signal_count
from tests.e2e.recorder import Request

BROWSERS_OWN: Final = frozenset(
    (
        *("host", "connection", "user-agent", "accept", "accept-encoding", "accept-language", "cache-control"),
        *("pragma", "priority", "te", "dnt", "sec-gpc", "upgrade-insecure-requests", "if-none-match"),
        *("if-modified-since", "sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform", "sec-fetch-dest"),
        *("sec-fetch-mode", "sec-fetch-site", "sec-fetch-user", "sec-purpose"),
    )
)
"""Headers that browsers add by themselves and that say nothing of the person's work. No cookie, no referrer."""
CASE_PATH: Final = re.compile(r"/v1/cases/[0-9]{10}")
WITHDRAW_PATH: Final = re.compile(r"/v1/cases/[0-9]{10}/withdraw")
PIECE: Final = 12
"""Bytes in a row that cannot be the same by chance in a picture and in a message."""


def complaints(requests: Iterable[Request], files: set[str], message: bytes) -> list[str]:
    """What in `requests` goes beyond the files of the manifest and the messages; `message` opens the case."""
    return [f"{r.method} {r.path}: {fault}" for r in requests for fault in _faults(r, files, message)]


def leaks(requests: Iterable[Request], pictures: Sequence[Path], secrets: Iterable[str]) -> list[str]:
    """Pieces of the pictures' bytes and secret words that stand in what was sent, in any usual encoding."""
    said = b"\n".join(request.text for request in requests)
    pieces = {said[at : at + PIECE] for at in range(len(said) - PIECE + 1)}
    found = [f"bytes of {p.name}: {piece!r}" for p in pictures for piece in _shared(pieces, p.read_bytes())]
    return found + [f"the words {s!r}" for s in secrets for form in _forms(s) if form in said]


def _faults(request: Request, files: set[str], message: bytes) -> list[str]:
    """Each request is of one of six kinds, and each kind has its own headers and body."""
    pin = {"takeback-pin": PIN_PATTERN}
    if request.method == "GET" and (request.path in files or request.path == "/v1/platforms"):
        return _headers(request, {}) + _body(request, b"")
    if request.method == "GET" and request.path == f"/v1/work?{_amount(message)}":
        return _headers(request, {"idempotency-key": IDEMPOTENCY_KEY_PATTERN}) + _body(request, b"")
    if request.method == "POST" and request.path == "/v1/cases":
        own = {"content-type": "^application/json$", "idempotency-key": IDEMPOTENCY_KEY_PATTERN}
        work = {"takeback-work": "^[A-Za-z0-9+/]+=*$"} if "takeback-work" in request.headers else {}
        return _headers(request, {**pin, **own, **work}) + _work(request) + _body(request, message)
    if request.method == "GET" and CASE_PATH.fullmatch(request.path):
        return _headers(request, pin) + _body(request, b"")
    if request.method == "POST" and WITHDRAW_PATH.fullmatch(request.path):
        return _headers(request, pin) + _body(request, b"")
    return ["no such request is expected"]


def _headers(request: Request, own: dict[str, str]) -> list[str]:
    """The headers that the page adds must be all there and as the protocol says; the browser's add nothing."""
    expected = dict(own)
    if request.method == "POST":
        expected["content-length"] = f"^{len(request.body)}$"
    wrong = [name for name, pattern in expected.items() if not re.match(pattern, request.headers.get(name, ""))]
    origin = request.headers.get("origin", "null")
    if origin not in {"null", f"http://{request.headers['host']}"}:
        wrong.append("origin")
    more = set(request.headers) - BROWSERS_OWN - set(expected) - {"origin"}
    return [f"the header {name} = {request.headers.get(name)!r}" for name in [*wrong, *sorted(more)]]


def _amount(message: bytes) -> str:
    """How many pictures and signals the message brings, as the registry counts them, which is told before it."""
    pictures = json.loads(message)["pictures"]
    signals = [signal for picture in pictures for signal in picture["signals"]]
    return f"pictures={len(pictures)}&signals={signal_count(msgspec.convert(signals, list[SignalMessage]))}"


def _work(request: Request) -> list[str]:
    """The work shown with a new case must be the registry's own challenge, and a number and a hash that solve it."""
    if "takeback-work" not in request.headers:
        return []
    shown = json.loads(base64.b64decode(request.headers["takeback-work"]))
    solution = shown.pop("solution", {})
    right = shown.keys() == {"challenge"} and solution.keys() == {"counter", "derivedKey"}
    try:
        challenge = decode(json.dumps(shown.get("challenge")).encode(), Challenge)
    except InvalidMessage:
        return ["the work holds more than its challenge"]
    data = challenge.parameters.data
    key = data.get("key") == hashlib.sha256(request.headers["idempotency-key"].encode()).hexdigest()
    ours = key and data.keys() == {"key", "tries"} and data["tries"].isdigit()
    number = isinstance(solution.get("counter"), int)
    ok = right and number and ours and re.fullmatch("[0-9a-f]{64}", solution["derivedKey"])
    return [] if ok else [f"the work {shown!r}, {solution!r}"]


def _body(request: Request, expected: bytes) -> list[str]:
    return [] if request.body == expected else [f"the body {request.body!r} instead of {expected!r}"]


def _shared(pieces: set[bytes], data: bytes) -> list[bytes]:
    """The pieces that stand in `data`."""
    return [data[at : at + PIECE] for at in range(len(data) - PIECE + 1) if data[at : at + PIECE] in pieces]


def _forms(secret: str) -> list[bytes]:
    """A secret as it is, in a URL, in hex and in base64 at each of the three places where it may begin."""
    plain = secret.encode()
    padded = (base64.b64encode(b"\0" * shift + plain)[4:-4] for shift in range(3))
    return [plain, quote(secret).encode(), plain.hex().encode(), *padded]
