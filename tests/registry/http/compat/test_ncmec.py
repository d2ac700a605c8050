"""NCMEC's Hash Sharing v2 over the feed, used by the stock client of `threatexchange` and by hand."""

import time
from collections.abc import Iterator
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import httpx
import pytest
import requests

from takeback.registry.http.compat.ncmec import NAMESPACE, REASON
from tests.registry.support import (
    Json,
    Platform,
    Server,
    md5,
    patches,
    pdq,
    problem,
    quick_platform,
    secret_headers,
    serving,
    sha256,
)
from tests.stock import PdqSignal, VideoMD5Signal, ncmec, ncmec_exchange

SIGNALS = [PdqSignal, VideoMD5Signal]


class Stock:
    """The stock exchange and its state. Its clock is 5 seconds ahead, because it subtracts 5 seconds to be safe."""

    def __init__(self, key: str) -> None:
        self.collab = ncmec_exchange.NCMECCollabConfig(name="takeback", environment=ncmec.NCMECEnvironment.Industry)
        credentials = ncmec_exchange.NCMECCredentials._from_str(f"anybody:{key}")
        self.exchange = ncmec_exchange.NCMECSignalExchangeAPI.for_collab(self.collab, credentials)
        self.api = self.exchange.get_client(self.collab.environment)
        self.checkpoint: ncmec_exchange.NCMECCheckpoint | None = None
        self.held: dict[str, ncmec.NCMECEntryUpdate] = {}

    def fetch(self) -> int:
        """Fetches to the end, and returns the number of updates."""
        came = 0
        for delta in self.exchange.fetch_iter(SIGNALS, self.checkpoint):
            came += len(delta.updates)
            self.exchange.naive_fetch_merge(self.held, delta.updates)
            self.checkpoint = delta.checkpoint
        return came

    def matches(self) -> dict[str, set[str]]:
        """The hashes that it would match."""
        found = self.exchange.naive_convert_to_signal_type(SIGNALS, self.collab, self.held)
        return {kind.get_name(): set(signals) for kind, signals in found.items()}

    def entry(self, value: str) -> str:
        """The entry that carries a hash."""
        return next(one.id for one in self.held.values() if value in one.fingerprints.values())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry with the setting on; `storage/test_change_feed.py` tests its queries on both databases."""
    with serving(tmp_path_factory.mktemp("registry") / "var", environ={"TAKEBACK_NCMEC": "1"}) as running:
        yield running


@pytest.fixture(scope="module")
def platform(server: Server) -> Platform:
    """A platform of that registry."""
    return quick_platform(server, "Example Photos")


@pytest.fixture(autouse=True)
def address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Directs the stock client to this registry, in UTC."""
    monkeypatch.setattr(ncmec.NCMECEnvironment.Industry, "_value_", f"{server.address}/ncmec")
    monkeypatch.setattr(ncmec_exchange, "time", SimpleNamespace(time=lambda: time.time() + 5))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.fixture
def stock(platform: Platform) -> Stock:
    """A stock client without any entries yet."""
    return Stock(platform.key)


def video(server: Server, *signals: Json) -> str:
    """Makes a case of one video and returns its number."""
    body = {"pictures": [{"signals": list(signals), "kind": "video"}]}
    return str(server.http.post("/v1/cases", json=body, headers=secret_headers()).json()["number"])


def test_the_stock_client_follows(server: Server, platform: Platform, stock: Stock) -> None:
    """A full fetch, an incremental one and one after a withdrawal leave the stock client with the active entries."""
    picture, film, weak, old = pdq(), md5(), pdq(49), pdq()
    gone = server.submit([old]).json()["number"]
    server.submit([picture, md5(), sha256(), patches()], [weak])
    number = video(server, film, patches(12))
    stock.fetch()
    full = stock.matches()
    assert {picture["value"], old["value"]} <= full["pdq"]
    assert weak["value"] not in full["pdq"]
    local = [e["entry"] for e in platform.page()["entries"] if e.get("signal", {}).get("type") == "patches"]
    assert len(local) == 2
    assert {one.id for one in stock.held.values()}.isdisjoint(local)
    assert film["value"] in full["video_md5"]
    assert stock.entry(picture["value"]) in {entry["entry"] for entry in platform.page()["entries"]}

    new = pdq()
    server.submit([new])
    assert stock.fetch() == 1
    assert new["value"] in stock.matches()["pdq"]
    assert server.case(number).json()["platforms"] == 1

    server.withdraw(gone)
    server.withdraw(number)
    assert stock.fetch() == 2
    assert stock.matches()["pdq"] == full["pdq"] - {old["value"]} | {new["value"]}
    assert film["value"] not in stock.matches().get("video_md5", set())
    fresh = Stock(platform.key)
    fresh.fetch()
    assert fresh.matches() == stock.matches()


def test_votes_are_feedback(server: Server, stock: Stock) -> None:
    """An upvote counts as blocked and a downvote as not blocked, once each; a vote on a removed entry is refused."""
    picture = pdq()
    number = server.submit([picture]).json()["number"]
    stock.fetch()
    entry = stock.entry(picture["value"])
    for _ in range(2):
        stock.api.submit_upvote(1, entry, ncmec.FingerprintType.pdq)
        stock.api.submit_feedback(1, entry, ncmec.FingerprintType.pdq, ncmec.FeedbackType.downvote)
    told = server.case(number).json()["pictures"][0]
    assert (told["blocked"], told["not_blocked"]) == (1, 1)

    with pytest.raises(requests.HTTPError, match="404"):
        stock.api.submit_upvote(2, entry, ncmec.FingerprintType.pdq)
    server.withdraw(number)
    with pytest.raises(requests.HTTPError, match="404"):
        stock.api.submit_upvote(1, entry, ncmec.FingerprintType.pdq)


def test_who_asks(stock: Stock) -> None:
    """The status names the client, and the members are the client and the registry."""
    me = stock.api.status()
    assert me.esp_name == "Example Photos"
    assert [(one.esp_id, one.esp_name) for one in stock.api.members()] == [(1, "Takeback"), (me.esp_id, me.esp_name)]
    assert list(stock.api.feedback_reasons(ncmec.FingerprintType.md5)) == [REASON]


def test_pages_add_up(server: Server, stock: Stock) -> None:
    """Pages of any size bring the same entries as one page, by the stock client's own paging."""
    server.submit(*([pdq()] for _ in range(7)))
    stock.fetch()
    pages = list(stock.api.get_entries_iter(resume_paging_url="/v2/entries?from=1970-01-01T00:00:00Z&size=3"))
    assert len(pages) > 2
    assert all(len(page.updates) <= 3 for page in pages)
    assert {update.id for page in pages for update in page.updates if not update.deleted} == {
        one.id for one in stock.held.values()
    }


def test_local_time_is_found_out(server: Server, stock: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    """East of Greenwich the stock client sends a time in the future, which is refused, so that it skips nothing."""
    server.submit([pdq()])
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    with pytest.raises(requests.HTTPError, match="400"):
        stock.fetch()
    assert stock.checkpoint is None


def ask(server: Server, method: str, path: str, key: str, body: bytes = b"") -> httpx.Response:
    """A request by hand."""
    return server.http.request(method, f"/ncmec/v2/{path}", auth=("anybody", key), content=body)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=yesterday", "from"),
        ("size=0", "size"),
        ("size=1001", "size"),
        ("max=3&start=x", "start"),
        ("size=1%0A", "size"),
        ("from=2026-11-23T10:00:00Z%0A", "from"),
    ],
)
def test_bad_parameters_are_named(server: Server, platform: Platform, query: str, field: str) -> None:
    """An invalid parameter is refused by name."""
    problem(ask(server, "GET", f"entries?{query}", platform.key), 400, "invalid-message", field)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<feedbackSubmission><affirmative/></feedbackSubmission>",
        f'<!DOCTYPE a [<!ENTITY b "c">]><feedbackSubmission xmlns="{NAMESPACE}"><affirmative/></feedbackSubmission>',
        f'<feedbackSubmission xmlns="{NAMESPACE}"><negative/></feedbackSubmission>',
        "\x00",
    ],
)
def test_bad_votes_are_refused(server: Server, platform: Platform, body: str) -> None:
    """An invalid vote, or one that declares entities, is refused."""
    answer = ask(server, "PUT", f"entries/1/{'0' * 32}/PDQ/feedback", platform.key, body.encode())
    problem(answer, 400, "invalid-message")


@pytest.mark.parametrize("key", ["", "x", f"tbk_{'0' * 16}_{'0' * 64}"])
@pytest.mark.parametrize("path", ["status", "members", "entries", "feedback/PDQ/reasons"])
def test_nothing_without_a_key(server: Server, key: str, path: str) -> None:
    """Without a valid platform key as the password every path answers 401."""
    problem(ask(server, "GET", path, key), 401, "not-a-platform")
    problem(server.http.get(f"/ncmec/v2/{path}"), 401, "not-a-platform")


def test_it_is_off_by_default(server: Server) -> None:
    """With its setting off the interface answers 404."""
    problem(server.http.get("/stopncii/v1/FetchHashes"), 404, "not-found")


def test_the_answer_is_plain_xml(server: Server, platform: Platform) -> None:
    """Entries are in NCMEC's namespace, with their number and with whole seconds."""
    server.submit([pdq()])
    answer = ask(server, "GET", "entries", platform.key)
    images = ET.fromstring(answer.content).find(f"{{{NAMESPACE}}}images")
    assert answer.headers["content-type"].startswith("application/xml")
    assert images is not None
    assert int(images.attrib["count"]) == len(images)
    assert len(images.attrib["maxTimestamp"]) == len("2026-11-23T10:00:00Z")
