import gzip
import re
import socket
import traceback

import httpx
import pytest

from takeback.errors import FeedBroken, GateError, KeyRefused, RegistryUnreachable, SettingsError, TakebackError
from takeback.gate.feed.client import MAX_ANSWER_BYTES, Client, first_batch
from takeback.gate.settings import GateSettings
from takeback.protocol import MAX_BODY_BYTES, Feedback, FeedbackEvent, FeedbackReceipt, Verdict, encode
from tests.gate.feeds import KEY, Log, entry_id, signal
from tests.gate.servers import Answer, problem, running

QUICK = httpx.Timeout(0.5)
EVENT = FeedbackEvent("1" * 32, Verdict.BLOCKED, [entry_id(1)])


def ask(url: str) -> TakebackError:
    """The error of a request for the feed after number 40; it never contains the key."""
    with Client(GateSettings(url, KEY), timeout=QUICK, seconds=0.5) as client, pytest.raises(TakebackError) as caught:
        client.feed(40)
    assert KEY[-20:] not in "".join(traceback.format_exception(caught.value))
    return caught.value


def test_feed() -> None:
    """The client requests the feed after a cursor with its key, and returns the page."""
    log = Log()
    entries = [log.add(signal(seed)) for seed in range(3)]
    with running(log) as registry, Client(GateSettings(registry.url, KEY)) as client:
        page = client.feed(1, limit=2).page
    assert [line.entry for line in page.entries] == entries[1:]
    (request,) = registry.requests
    assert (request.method, request.path, request.query) == ("GET", "/v1/feed", {"after": 1, "limit": 2})


def test_feedback() -> None:
    """Feedback is sent as the protocol defines it, and its receipt is returned."""
    with running() as registry, Client(GateSettings(registry.url, KEY)) as client:
        assert client.feedback([EVENT]) == FeedbackReceipt(1, [])
    assert registry.feedback == {EVENT.id: ("blocked", EVENT.entries)}
    assert registry.requests[0].headers["content-type"] == "application/json"


def test_address_with_a_path() -> None:
    """A registry's address may have a path."""
    with running() as registry, Client(GateSettings(f"{registry.url}/under", KEY)) as client:
        client.feedback([EVENT])
    assert registry.requests[0].path == "/under/v1/feedback"


ADD = b'{"number":41,"action":"add","entry":"%s","signal":{"type":"md5","value":"%s"}}'
GOOD = ADD % (b"a" * 32, b"b" * 32)
LIES = {
    "wrong key": (problem(401), KeyRefused, "refuses the platform key"),
    "forbidden": (problem(403), KeyRefused, "refuses the platform key"),
    "fault": (problem(500), RegistryUnreachable, "status 500.: It is refused"),
    "store away": (problem(503, "try again"), RegistryUnreachable, "It is refused try again"),
    "too many": (problem(429), RegistryUnreachable, "429"),
    "fault without problem": (Answer(b"<html>oops", 502), RegistryUnreachable, "status 502.$"),
    "control characters": (problem(500, "a\x1b[31m\nb"), RegistryUnreachable, r"a\?\[31m\?b"),
    "redirect": (Answer(b"", 302, {"Location": "http://127.0.0.1:1/"}), SettingsError, "redirects elsewhere"),
    "no registry": (Answer(b"nothing", 404), SettingsError, "no registry at this address"),
    "bad request": (problem(400, "after is odd"), GateError, "status 400.*after is odd"),
    "not JSON": (Answer(b"hello"), FeedBroken, "after number 40 breaks the protocol: the body is not JSON"),
    "empty": (Answer(b""), FeedBroken, "not JSON"),
    "deep nesting": (Answer(b"[" * 100_000), FeedBroken, "breaks the protocol"),
    "another message": (Answer(b'{"status":"ok"}'), FeedBroken, "breaks the protocol"),
    "a malformed entry": (
        Answer(b'{"entries":[%s,%s],"head":42}' % (GOOD, ADD % (b"c" * 32, b"XYZ"))),
        FeedBroken,
        "number 42 breaks the protocol: a md5 value is 32 lowercase hex digits",
    ),
    "an unknown field": (Answer(b'{"entries":[],"head":40,"more":1}'), FeedBroken, "more"),
    "huge": (Answer([b" " * 65536] * (MAX_ANSWER_BYTES // 65536 + 1)), RegistryUnreachable, "is longer than"),
    "compressed": (
        Answer(gzip.compress(b" " * 10_000_000), 200, {"Content-Encoding": "gzip"}),
        RegistryUnreachable,
        "compressed",
    ),
    "cut short": (Answer(b'{"entries":[]', promised=100), RegistryUnreachable, "cannot be reached"),
    "slow": (Answer([b"", b"{}"], pause=0.8), RegistryUnreachable, "not answer in time"),
    "trickling": (Answer([b" "] * 30, pause=0.1), RegistryUnreachable, "not answer in time"),
}


@pytest.mark.parametrize(("lie", "kind", "text"), LIES.values(), ids=LIES.keys())
def test_wrong_answers(lie: Answer, kind: type[TakebackError], text: str) -> None:
    """Every wrong answer of a registry raises one of our errors, which names the cause."""
    with running() as registry:
        registry.answer = lambda _: lie
        error = ask(registry.url)
    assert type(error) is kind
    assert re.search(text, str(error)), error
    assert len(registry.requests) == 1


def test_nothing_listens() -> None:
    """If nothing listens at the address, the registry is unreachable."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert isinstance(ask(f"http://127.0.0.1:{unused.getsockname()[1]}"), RegistryUnreachable)


def test_bad_receipt() -> None:
    """A malformed receipt is an error, so that the feedback does not count as delivered."""
    with running() as registry, Client(GateSettings(registry.url, KEY)) as client:
        registry.answer = lambda _: Answer(b"{}")
        with pytest.raises(GateError, match="receipt"):
            client.feedback([EVENT])


def test_batch() -> None:
    """A batch holds as much feedback as fits into one message, and no more."""
    events = [FeedbackEvent(f"{n:032x}", Verdict.BLOCKED, [entry_id(m) for m in range(64)]) for n in range(100)]
    taken = first_batch(events)
    assert taken == events[: len(taken)]
    assert len(encode(Feedback(taken))) <= MAX_BODY_BYTES < len(encode(Feedback(events[: len(taken) + 1])))
    assert first_batch([]) == []


def test_small_sites() -> None:
    """The number of small sites is sent with a request for a page, new or known, if it is given, and with no other."""
    with running() as registry, Client(GateSettings(registry.url, KEY)) as client:
        for sites in (None, 12, 0):
            client.feed(0, small_sites=sites)
        client.feed_keys()
    sent = [request.headers.get("takeback-small-sites") for request in registry.requests]
    assert sent == [None, "12", "0", None]
    assert [request.headers.get("if-none-match") is None for request in registry.requests] == [True, False, False, True]
