"""The gate's HTTP client for the registry.

The registry is not trusted: every answer is limited in time and size, and decoded strictly. No error message contains
the key, or anything from an answer except the text of its problem document.
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType, TracebackType
from typing import Final, Self

import httpx

from takeback import __version__, chain
from takeback.bulk import Reader
from takeback.connections import unreadable_certificates, why
from takeback.errors import FeedBroken, GateError, InvalidMessage, KeyRefused, RegistryUnreachable, SettingsError
from takeback.gate.settings import GateSettings
from takeback.protocol import (
    LATER_TYPES,
    MAX_BODY_BYTES,
    MAX_FEED_ENTRIES,
    MAX_VALUE_CHARACTERS,
    SIGNAL_TYPES,
    SMALL_SITES,
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
from takeback.signals import SignalType

MAX_ANSWER_BYTES: Final = MAX_FEED_ENTRIES * (MAX_VALUE_CHARACTERS + 512)
"""A page that holds only the longest videos, 24 MB. A picture's entry takes 260 bytes."""
MAX_ANSWER_SECONDS: Final = 60.0
"""Time for a whole answer, so that one that trickles in is cut off too."""
MAX_SNAPSHOT_BYTES: Final = 16 << 30
"""A snapshot of about two hundred million pictures."""
MAX_SNAPSHOT_SECONDS: Final = 4 * 60 * 60
HEAD_HEADER: Final = "Takeback-Feed-Head"
_IF_NONE_MATCH: Final = "If-None-Match"
_TIMEOUT: Final = httpx.Timeout(15.0, connect=5.0)
_MAX_PROBLEM_CHARS: Final = 200
"""Length to which a problem's text is cut in error messages."""


@dataclass(frozen=True, slots=True)
class SignedPage:
    """A page of the feed with its signed head. The signature is valid; whether the key is trusted is still to check."""

    page: FeedPage
    head: FeedHead


@dataclass(frozen=True, slots=True)
class _EmptyPage:
    """The last page, if it had no entries: its cursor and limit, and its ETag, the SHA-256 of its body in hex."""

    asked: tuple[int, int]
    tag: str
    page: FeedPage


class Client:
    """An HTTP client for one registry, which keeps its connection open between calls. Thread-safe.

    Methods raise `RegistryUnreachable`, `KeyRefused`, `SettingsError` (wrong address) or `GateError` (request refused).
    """

    def __init__(
        self,
        settings: GateSettings,
        *,
        timeout: httpx.Timeout = _TIMEOUT,
        seconds: float = MAX_ANSWER_SECONDS,
        types: AbstractSet[SignalType] | None = None,
    ) -> None:
        """`timeout` applies to each step of a request, `seconds` to the whole of it.

        `types` are those of the `LATER_TYPES` that are asked for, by default all.
        Raises `SettingsError` if the certificates in SSL_CERT_FILE or SSL_CERT_DIR cannot be read.
        """
        self._seconds = seconds
        self._key_id = settings.key_id
        self._empty_page: _EmptyPage | None = None
        headers = {
            "Authorization": f"Bearer {settings.key}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # the signature covers the plain body, and a small answer must not inflate
            "User-Agent": f"takeback-gate/{__version__}",
            SIGNAL_TYPES: ", ".join(sorted(LATER_TYPES if types is None else types)),
        }
        try:
            self._http = httpx.Client(
                base_url=settings.registry, headers=headers, timeout=timeout, follow_redirects=False
            )
        except OSError as error:  # includes ssl.SSLError
            raise unreadable_certificates(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def feed(
        self, after: int, limit: int = MAX_FEED_ENTRIES, wait: int = 0, small_sites: int | None = None
    ) -> SignedPage:
        """Requests the page after number `after`; the registry may hold the request for `wait` seconds (long poll).

        A look-up service tells how many `small_sites` it serves.
        Raises `FeedBroken` naming the number of an entry that is malformed, and if the answer is not signed.
        """
        params = {"after": after, "limit": limit} | ({"wait": wait} if wait else {})
        known = self._empty_page if self._empty_page and self._empty_page.asked == (after, limit) else None
        headers = {} if small_sites is None else {SMALL_SITES: str(small_sites)}
        if known:
            headers[_IF_NONE_MATCH] = f'W/"{known.tag}"'
        answer = self._request("GET", "v1/feed", params=params, headers=headers, wait=wait)
        if answer.status_code == httpx.codes.NOT_MODIFIED and known:
            # The signature of a 304 covers the body that is not sent (PROTOCOL.md).
            return SignedPage(known.page, self._head(answer, bytes.fromhex(known.tag)))
        try:
            page = decode(answer.content, FeedPage)
        except InvalidMessage as error:
            place = re.match(r"entries\[(\d+)\]", error.field)
            which = f"number {after + 1 + int(place[1])}" if place else f"the page after number {after}"
            raise FeedBroken(f"{which} breaks the protocol: {error} ({error.field or 'the whole answer'})") from error
        digest = sha256(answer.content)
        head = self._head(answer, digest.digest())
        self._empty_page = None if page.entries else _EmptyPage((after, limit), digest.hexdigest(), page)
        return SignedPage(page, head)

    @contextmanager
    def snapshot(self) -> Iterator[Reader]:
        """Opens the feed's snapshot for reading; once it is read, `signed` returns its signed head.

        Raises `RegistryUnreachable` if it is over the limits on size or time.
        """
        request = self._http.build_request("GET", "v1/feed/snapshot")
        with _translated():
            answer = self._http.send(request, stream=True)
            try:
                if answer.status_code != httpx.codes.OK:
                    raise _refusal(answer.status_code, self._read(answer, self._seconds))
                yield Reader(_body_chunks(answer), snapshot=True)
            finally:
                answer.close()

    def signed(self, reader: Reader) -> FeedHead:
        """Returns the signed head of a snapshot that was read. Raises `FeedBroken` if it is missing or wrong."""
        if reader.head is None:
            raise FeedBroken("rule 5: the registry did not sign its answer")
        chain.check_signature(reader.head, self._key_id, reader.digest)
        return reader.head

    def feed_keys(self) -> list[FeedKey]:
        """Returns all keys that have signed the feed, oldest first. Raises `FeedBroken` if the answer is malformed."""
        try:
            return decode(self._request("GET", "v1/feed/keys").content, FeedKeys).keys
        except InvalidMessage as error:
            raise FeedBroken(f"the registry's keys break the protocol: {error}") from error

    def _head(self, answer: httpx.Response, digest: bytes) -> FeedHead:
        """Checks and returns the signed head of an answer whose body has this digest. Raises `FeedBroken`."""
        try:
            head = decode(answer.headers.get(HEAD_HEADER, "").encode(), FeedHead)
        except InvalidMessage as error:
            raise FeedBroken("rule 5: the registry did not sign its answer") from error
        chain.check_signature(head, self._key_id, digest)
        return head

    def feedback(self, events: Sequence[FeedbackEvent]) -> FeedbackReceipt:
        """Sends feedback and returns the receipt, which says that the registry has stored it.

        Raises `GateError` if the receipt is malformed.
        """
        answer = self._request("POST", "v1/feedback", content=encode(Feedback(list(events))))
        try:
            return decode(answer.content, FeedbackReceipt)
        except InvalidMessage as error:
            raise GateError(f"the registry's receipt for feedback breaks the protocol: {error}") from error

    def _request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, int] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        wait: int = 0,
    ) -> httpx.Response:
        """Returns an answer with status 200, or 304 if that is asked for; raises one of our errors for any other."""
        if content is not None:
            headers = {"Content-Type": "application/json", **headers}
        request = self._http.build_request(method, path, params=params, content=content, headers=headers)
        if wait:  # a long poll sends nothing for up to that long
            request.extensions["timeout"]["read"] += wait
        with _translated():
            answer = self._http.send(request, stream=True)
            try:
                body = self._read(answer, self._seconds + wait)
            finally:
                answer.close()
        is_unchanged = _IF_NONE_MATCH in headers and answer.status_code == httpx.codes.NOT_MODIFIED
        if answer.status_code != httpx.codes.OK and not is_unchanged:
            raise _refusal(answer.status_code, body)
        return httpx.Response(
            answer.status_code, headers={HEAD_HEADER: answer.headers.get(HEAD_HEADER, "")}, content=body
        )

    def _read(self, answer: httpx.Response, seconds: float) -> bytes:
        """Reads the body within the limits on size and time."""
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise RegistryUnreachable("the registry sent a compressed answer that was not asked for")
        deadline = time.monotonic() + seconds
        body = bytearray()
        for part in answer.iter_raw():
            body += part
            if len(body) > MAX_ANSWER_BYTES:
                raise RegistryUnreachable(f"the registry's answer is longer than {MAX_ANSWER_BYTES} bytes")
            if time.monotonic() > deadline:
                raise RegistryUnreachable("the registry did not answer in time")
        return bytes(body)


def _body_chunks(answer: httpx.Response) -> Iterator[bytes]:
    """Yields the chunks of a snapshot's body, within its larger limits on size and time."""
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise RegistryUnreachable("the registry sent a compressed answer that was not asked for")
    deadline, size = time.monotonic() + MAX_SNAPSHOT_SECONDS, 0
    for chunk in answer.iter_raw():
        size += len(chunk)
        if size > MAX_SNAPSHOT_BYTES or time.monotonic() > deadline:
            raise RegistryUnreachable("the registry's snapshot takes too long, or is too large")
        yield chunk


@contextmanager
def _translated() -> Iterator[None]:
    """Translates httpx's exceptions into ours."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise RegistryUnreachable("the registry did not answer in time") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise RegistryUnreachable(f"the registry cannot be reached: {why(error)}") from error


def first_batch(events: Sequence[FeedbackEvent]) -> list[FeedbackEvent]:
    """Returns as many of the first `events` as fit into one message."""
    room = MAX_BODY_BYTES - len(encode(Feedback([])))
    taken: list[FeedbackEvent] = []
    for event in events:
        # 1 for the comma between events.
        room -= len(encode(event)) + 1
        if room < 0:
            break
        taken.append(event)
    return taken


def _refusal(status: int, body: bytes) -> GateError | SettingsError:
    """Returns our error for an answer other than 200."""
    if status in {401, 403}:
        return KeyRefused("the registry refuses the platform key: get a new one and run `takeback gate init` again")
    if status == 429 or status >= 500:
        return RegistryUnreachable(f"the registry cannot answer now (status {status}){_problem(body)}")
    if 300 <= status < 400:
        return SettingsError(f"the registry's address redirects elsewhere (status {status}): set the final address")
    if status == 404:
        return SettingsError("there is no registry at this address (status 404): correct the address")
    return GateError(f"the registry refused the request (status {status}){_problem(body)}")


def _problem(body: bytes) -> str:
    """Returns the text of the registry's problem document, empty if the body is not one."""
    try:
        problem = decode(body, Problem)
    except InvalidMessage:
        return ""
    text = f"{problem.title} {problem.detail}".strip()[:_MAX_PROBLEM_CHARS]
    # A registry that is not trusted must not send control characters to a terminal.
    return ": " + "".join(letter if letter.isprintable() else "?" for letter in text)
