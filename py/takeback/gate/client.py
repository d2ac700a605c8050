"""What the gate asks of the registry. The only HTTP.

The registry is not trusted to be well: every answer is limited in time and in size, and decoded strictly. No error
holds the key, nor anything an answer said beyond its own problem text.
"""

import re
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self

import httpx

from takeback import __version__
from takeback.errors import FeedBroken, GateError, InvalidMessage, KeyRefused, RegistryUnreachable, SettingsError
from takeback.gate.settings import Settings
from takeback.protocol import (
    MAX_BODY,
    MAX_FEED_LIMIT,
    MAX_VALUE,
    Feedback,
    FeedbackEvent,
    FeedbackReceipt,
    FeedPage,
    Problem,
    decode,
    encode,
)

MAX_ANSWER: Final = MAX_FEED_LIMIT * (MAX_VALUE + 512)
"""Bytes of an answer: a page of nothing but the longest videos, 24 MB. One of pictures has 260 bytes an entry."""
MAX_SECONDS: Final = 60.0
"""For a whole answer, so that one that trickles in ends too."""
_TIMEOUT: Final = httpx.Timeout(15.0, connect=5.0)
_MAX_TEXT: Final = 200
"""Characters of a problem's text that are passed on."""


class Client:
    """A connection to one registry, kept open between calls. May be shared by threads."""

    def __init__(self, settings: Settings, *, timeout: httpx.Timeout = _TIMEOUT, seconds: float = MAX_SECONDS) -> None:
        """`timeout` is for each step of a request, `seconds` for the whole."""
        self._seconds = seconds
        self._http = httpx.Client(
            base_url=settings.registry,
            headers={
                "Authorization": f"Bearer {settings.key}",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": f"takeback-gate/{__version__}",
            },
            timeout=timeout,
            follow_redirects=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def feed(self, after: int, limit: int = MAX_FEED_LIMIT) -> FeedPage:
        """The page after a cursor. Raises `FeedBroken` naming the number of an entry that is malformed."""
        body = self._ask("GET", "v1/feed", params={"after": after, "limit": limit})
        try:
            return decode(body, FeedPage)
        except InvalidMessage as error:
            place = re.match(r"entries\[(\d+)\]", error.field)
            which = f"number {after + 1 + int(place[1])}" if place else f"the page after number {after}"
            raise FeedBroken(f"{which} breaks the protocol: {error} ({error.field or 'the whole answer'})") from error

    def feedback(self, events: Sequence[FeedbackEvent]) -> FeedbackReceipt:
        """Sends feedback and gives the registry's receipt, after which it is on record."""
        body = self._ask("POST", "v1/feedback", content=encode(Feedback(list(events))))
        try:
            return decode(body, FeedbackReceipt)
        except InvalidMessage as error:
            raise GateError(f"the registry's receipt for feedback breaks the protocol: {error}") from error

    def _ask(
        self, method: str, path: str, *, params: Mapping[str, int] | None = None, content: bytes | None = None
    ) -> bytes:
        """The body of a 200; anything else is one of our errors."""
        headers = {} if content is None else {"Content-Type": "application/json"}
        try:
            with self._http.stream(method, path, params=params, content=content, headers=headers) as answer:
                body = self._read(answer)
        except httpx.TimeoutException as error:
            raise RegistryUnreachable("the registry did not answer in time") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise RegistryUnreachable(f"the registry cannot be reached ({type(error).__name__})") from error
        if answer.status_code != httpx.codes.OK:
            raise _refusal(answer.status_code, body)
        return body

    def _read(self, answer: httpx.Response) -> bytes:
        """The body as it is, within the limits on size and time."""
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise RegistryUnreachable("the registry sent a compressed answer that was not asked for")
        deadline = time.monotonic() + self._seconds
        body = bytearray()
        for part in answer.iter_raw():
            body += part
            if len(body) > MAX_ANSWER:
                raise RegistryUnreachable(f"the registry's answer is over the limit of {MAX_ANSWER} bytes")
            if time.monotonic() > deadline:
                raise RegistryUnreachable("the registry did not answer in time")
        return bytes(body)


def batch(events: Sequence[FeedbackEvent]) -> list[FeedbackEvent]:
    """As many of `events`, from the first on, as one message may hold."""
    room = MAX_BODY - len(encode(Feedback([])))
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
