"""What the gate asks of the registry. The only HTTP.

The registry is not trusted to be well: every answer is limited in time and in size, and decoded strictly. No error
holds the key, nor anything an answer said beyond its own problem text.
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from types import TracebackType
from typing import Final, Self

import httpx

from takeback import __version__, chain
from takeback.bulk import Reader
from takeback.connections import unreadable_certificates, why
from takeback.errors import FeedBroken, GateError, InvalidMessage, KeyRefused, RegistryUnreachable, SettingsError
from takeback.gate.settings import GateSettings
from takeback.protocol import (
    MAX_BODY_BYTES,
    MAX_FEED_ENTRIES,
    MAX_VALUE_CHARACTERS,
    Feedback,
    FeedbackEvent,
    FeedbackReceipt,
    FeedHead,
    FeedKey,
    FeedKeys,
    FeedPage,
    Problem,
    decode,
    encode,
)

MAX_ANSWER: Final = MAX_FEED_ENTRIES * (MAX_VALUE_CHARACTERS + 512)
"""Bytes of an answer: a page of nothing but the longest videos, 24 MB. One of pictures has 260 bytes an entry."""
MAX_SECONDS: Final = 60.0
"""For a whole answer, so that one that trickles in ends too."""
MAX_SNAPSHOT: Final = 16 << 30
"""Bytes of a snapshot: some two hundred million pictures."""
MAX_SNAPSHOT_SECONDS: Final = 4 * 60 * 60
HEAD_HEADER: Final = "Takeback-Feed-Head"
_TIMEOUT: Final = httpx.Timeout(15.0, connect=5.0)
_MAX_TEXT: Final = 200
"""Characters of a problem's text that are passed on."""


@dataclass(frozen=True, slots=True)
class SignedPage:
    """A page of the feed with the head that was signed for it; whether the key is the right one is yet to be seen."""

    page: FeedPage
    head: FeedHead


@dataclass(frozen=True, slots=True)
class _Idle:
    """The last page, which had no entries: what was asked for, and the SHA-256 of its body, by which it is tagged."""

    asked: tuple[int, int]
    tag: str
    page: FeedPage


class Client:
    """A connection to one registry, kept open between calls. May be shared by threads."""

    def __init__(
        self, settings: GateSettings, *, timeout: httpx.Timeout = _TIMEOUT, seconds: float = MAX_SECONDS
    ) -> None:
        """`timeout` is for each step of a request, `seconds` for the whole."""
        self._seconds = seconds
        self._key_id = settings.key_id
        self._idle: _Idle | None = None
        headers = {
            "Authorization": f"Bearer {settings.key}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"takeback-gate/{__version__}",
        }
        try:
            self._http = httpx.Client(
                base_url=settings.registry, headers=headers, timeout=timeout, follow_redirects=False
            )
        except OSError as error:  # ssl's own errors are such too
            raise unreadable_certificates(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def feed(self, after: int, limit: int = MAX_FEED_ENTRIES, wait: int = 0) -> SignedPage:
        """The page after a cursor, and the head that was signed for it; the registry may `wait` for news so long.

        Raises `FeedBroken` naming the number of an entry that is malformed, and for an answer that was not signed.
        """
        params = {"after": after, "limit": limit} | ({"wait": wait} if wait else {})
        known = self._idle if self._idle and self._idle.asked == (after, limit) else None
        answer = self._ask("GET", "v1/feed", params=params, tag=known.tag if known else None, wait=wait)
        if answer.status_code == httpx.codes.NOT_MODIFIED and known:
            return SignedPage(known.page, self._head(answer, bytes.fromhex(known.tag)))
        try:
            page = decode(answer.content, FeedPage)
        except InvalidMessage as error:
            place = re.match(r"entries\[(\d+)\]", error.field)
            which = f"number {after + 1 + int(place[1])}" if place else f"the page after number {after}"
            raise FeedBroken(f"{which} breaks the protocol: {error} ({error.field or 'the whole answer'})") from error
        digest = sha256(answer.content)
        head = self._head(answer, digest.digest())
        self._idle = None if page.entries else _Idle((after, limit), digest.hexdigest(), page)
        return SignedPage(page, head)

    @contextmanager
    def snapshot(self) -> Iterator[Reader]:
        """What the feed adds up to, to be read within; then `signed` says what was signed for it."""
        request = self._http.build_request("GET", "v1/feed/snapshot")
        with _translated():
            answer = self._http.send(request, stream=True)
            try:
                if answer.status_code != httpx.codes.OK:
                    raise _refusal(answer.status_code, self._read(answer, self._seconds))
                yield Reader(_pieces(answer), snapshot=True)
            finally:
                answer.close()

    def signed(self, reader: Reader) -> FeedHead:
        """The head that was signed for what was read. Raises `FeedBroken`."""
        if reader.head is None:
            raise FeedBroken("rule 5: the registry did not sign its answer")
        chain.check_signature(reader.head, self._key_id, reader.digest)
        return reader.head

    def feed_keys(self) -> list[FeedKey]:
        """Every key that ever signed the feed."""
        try:
            return decode(self._ask("GET", "v1/feed/keys").content, FeedKeys).keys
        except InvalidMessage as error:
            raise FeedBroken(f"the registry's keys break the protocol: {error}") from error

    def _head(self, answer: httpx.Response, digest: bytes) -> FeedHead:
        """The head that was signed for this answer, whose body has this digest. Raises `FeedBroken`."""
        try:
            head = decode(answer.headers.get(HEAD_HEADER, "").encode(), FeedHead)
        except InvalidMessage as error:
            raise FeedBroken("rule 5: the registry did not sign its answer") from error
        chain.check_signature(head, self._key_id, digest)
        return head

    def feedback(self, events: Sequence[FeedbackEvent]) -> FeedbackReceipt:
        """Sends feedback and gives the registry's receipt, after which it is on record."""
        answer = self._ask("POST", "v1/feedback", content=encode(Feedback(list(events))))
        try:
            return decode(answer.content, FeedbackReceipt)
        except InvalidMessage as error:
            raise GateError(f"the registry's receipt for feedback breaks the protocol: {error}") from error

    def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, int] | None = None,
        content: bytes | None = None,
        tag: str | None = None,
        wait: int = 0,
    ) -> httpx.Response:
        """An answer 200, or 304 where a `tag` is known; anything else is one of our errors."""
        headers = {} if content is None else {"Content-Type": "application/json"}
        if tag:
            headers["If-None-Match"] = f'W/"{tag}"'
        request = self._http.build_request(method, path, params=params, content=content, headers=headers)
        if wait:
            request.extensions["timeout"]["read"] += wait
        with _translated():
            answer = self._http.send(request, stream=True)
            try:
                body = self._read(answer, self._seconds + wait)
            finally:
                answer.close()
        if answer.status_code != httpx.codes.OK and not (tag and answer.status_code == httpx.codes.NOT_MODIFIED):
            raise _refusal(answer.status_code, body)
        return httpx.Response(
            answer.status_code, headers={HEAD_HEADER: answer.headers.get(HEAD_HEADER, "")}, content=body
        )

    def _read(self, answer: httpx.Response, seconds: float) -> bytes:
        """The body as it is, within the limits on size and time."""
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise RegistryUnreachable("the registry sent a compressed answer that was not asked for")
        deadline = time.monotonic() + seconds
        body = bytearray()
        for part in answer.iter_raw():
            body += part
            if len(body) > MAX_ANSWER:
                raise RegistryUnreachable(f"the registry's answer is over the limit of {MAX_ANSWER} bytes")
            if time.monotonic() > deadline:
                raise RegistryUnreachable("the registry did not answer in time")
        return bytes(body)


def _pieces(answer: httpx.Response) -> Iterator[bytes]:
    """A long body as it comes, within limits that are far off."""
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise RegistryUnreachable("the registry sent a compressed answer that was not asked for")
    deadline, size = time.monotonic() + MAX_SNAPSHOT_SECONDS, 0
    for piece in answer.iter_raw():
        size += len(piece)
        if size > MAX_SNAPSHOT or time.monotonic() > deadline:
            raise RegistryUnreachable("the registry's snapshot takes too long, or is over the limit")
        yield piece


@contextmanager
def _translated() -> Iterator[None]:
    """Foreign exceptions become ours."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise RegistryUnreachable("the registry did not answer in time") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise RegistryUnreachable(f"the registry cannot be reached: {why(error)}") from error


def batch(events: Sequence[FeedbackEvent]) -> list[FeedbackEvent]:
    """As many of `events`, from the first on, as one message may hold."""
    room = MAX_BODY_BYTES - len(encode(Feedback([])))
    taken: list[FeedbackEvent] = []
    for event in events:
        room -= len(encode(event)) + 1
        if room < 0:
            break
        taken.append(event)
    return taken


def _refusal(status: int, body: bytes) -> GateError | SettingsError:
    """The error that stands for an answer other than 200."""
    if status in {401, 403}:
        return KeyRefused("the registry refuses the platform key: get a new one and run `takeback gate init` again")
    if status == 429 or status >= 500:
        return RegistryUnreachable(f"the registry cannot answer now (status {status}){_problem(body)}")
    if 300 <= status < 400:
        return SettingsError(f"the registry's address leads elsewhere (status {status}): set the final address")
    if status == 404:
        return SettingsError("there is no registry at this address (status 404): correct it")
    return GateError(f"the registry refused the request (status {status}){_problem(body)}")


def _problem(body: bytes) -> str:
    """What the registry said of it, if it said so as the protocol has it."""
    try:
        problem = decode(body, Problem)
    except InvalidMessage:
        return ""
    said = f"{problem.title} {problem.detail}".strip()[:_MAX_TEXT]
    return ": " + "".join(letter if letter.isprintable() else "?" for letter in said)
