"""StopNCII's platform API over the feed, used by the stock client of `threatexchange` and by hand."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

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
from tests.stock import CollaborationConfigBase, stopncii, stopncii_exchange


class Stock:
    """The stock client, and the latest record of each hash."""

    def __init__(self, server: Server, key: str) -> None:
        address = f"{server.address}/stopncii/v1"
        credentials = stopncii_exchange.StopNCIICredentials._from_str(f"function,{key},{address}")
        config = CollaborationConfigBase("takeback", "stop_ncii", enabled=True)
        self.exchange = stopncii_exchange.StopNCIISignalExchangeAPI.for_collab(config, credentials)
        feedback = {stopncii.StopNCIIEndpoint.SubmitFeedback: "function"}
        self.api = stopncii.StopNCIIAPI(key, "function", feedback, address)
        self.since = stopncii.StopNCIIAPI.DEFAULT_START_TIME
        self.told: dict[str, stopncii.StopNCIIHashRecord] = {}

    def fetch(self) -> int:
        """Fetches to the end, and returns the number of records."""
        came = 0
        for page in self.api.fetch_hashes_iter(self.since):
            came += page.count
            self.told |= {record.hashValue: record for record in page.hashRecords}
            self.since = page.nextSetTimestamp
        return came

    def active(self) -> dict[str, str]:
        """The active hashes and their types."""
        standing = stopncii.StopNCIICaseStatus.Active
        return {one.hashValue: one.signalType.value for one in self.told.values() if one.hashStatus is standing}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry with the setting on; `storage/test_change_feed.py` tests its queries on both databases."""
    with serving(tmp_path_factory.mktemp("registry") / "var", environ={"TAKEBACK_STOPNCII": "1"}) as running:
        yield running


@pytest.fixture(scope="module")
def platform(server: Server) -> Platform:
    """A platform of that registry."""
    return quick_platform(server, "Example Photos")


@pytest.fixture
def stock(server: Server, platform: Platform) -> Stock:
    """A stock client without any records yet."""
    return Stock(server, platform.key)


def test_the_stock_client_follows(server: Server, platform: Platform, stock: Stock) -> None:
    """A full fetch, an incremental one and one after a withdrawal leave a client with the active hashes."""
    picture, weak, film = pdq(), pdq(49), md5()
    case = server.submit([picture, md5(), sha256(), patches()], [weak]).json()
    body: Json = {"pictures": [{"signals": [film], "kind": "video"}]}
    server.http.post("/v1/cases", json=body, headers=secret_headers())
    stock.fetch()
    full = stock.active()
    assert (full[picture["value"]], full[film["value"]]) == ("ImagePDQ", "VideoMD5")
    assert weak["value"] not in full
    assert set(full.values()) == {"ImagePDQ", "VideoMD5"}
    (entry,) = stock.told[picture["value"]].caseNumbers
    assert entry in {line["entry"] for line in platform.page()["entries"]}

    new = pdq()
    server.submit([new])
    stock.fetch()
    assert stock.active() == full | {new["value"]: "ImagePDQ"}
    _next_second(server, case["received_at"])
    stock.fetch()
    stock.fetch()  # asks from a second after the case's, which tells that the case is taken over
    assert server.case(case["number"]).json()["platforms"] == 1

    server.withdraw(case["number"])
    stock.fetch()
    assert stock.told[picture["value"]].hashStatus is stopncii.StopNCIICaseStatus.Withdrawn
    assert picture["value"] not in stock.active()
    server.submit([picture])
    stock.fetch()
    assert stock.active() == full | {new["value"]: "ImagePDQ"}
    fresh = Stock(server, platform.key)
    fresh.fetch()
    assert fresh.active() == stock.active()


def test_the_stock_exchange_reads_it(server: Server, stock: Stock) -> None:
    """The exchange of `tx` imports the records, and continues where it stopped."""
    picture = pdq()
    server.submit([picture])
    first = list(stock.exchange.fetch_iter([], None))
    assert ("pdq", picture["value"]) in first[-1].updates
    again = list(stock.exchange.fetch_iter([], first[-1].checkpoint))
    assert again[-1].checkpoint.update_time >= first[-1].checkpoint.update_time


def test_pages_add_up(server: Server, stock: Stock) -> None:
    """Pages of any size give the same records, and a client that stops half way continues without a gap."""
    server.submit(*([pdq()] for _ in range(7)))
    stock.fetch()
    pages: list[stopncii.FetchHashesResponse] = []
    token = ""
    while not pages or token:
        pages.append(stock.api.fetch_hashes(page_size=3, start_timestamp=10, next_page=token))
        token = pages[-1].nextPageToken or ""
    assert [page.hasMoreRecords for page in pages] == [True] * (len(pages) - 1) + [False]
    assert {record.hashValue for page in pages for record in page.hashRecords} == stock.told.keys()

    half = Stock(server, stock.api._subscription_key)
    half.told = {record.hashValue: record for record in pages[0].hashRecords}
    half.since = pages[0].nextSetTimestamp
    half.fetch()
    assert half.active() == stock.active()


def test_feedback_counts_once(server: Server, stock: Stock) -> None:
    """The stock client's feedback on a hash counts once for its case; values that concern no upload do not count."""
    picture = pdq()
    number = server.submit([picture]).json()["number"]
    values = stopncii.StopNCIICSPFeedbackValue
    for said in (values.Blocked, values.Blocked, values.PendingReview, values.NotBlocked, values.None_):
        stock.api.submit_feedback(stopncii.StopNCIISignalType.ImagePDQ, picture["value"], said, {"tag"})
    told = server.case(number).json()["pictures"][0]
    assert (told["blocked"], told["pending_review"], told["not_blocked"]) == (1, 1, 1)
    stock.api.submit_feedback(stopncii.StopNCIISignalType.ImagePDQ, pdq()["value"], values.Blocked)


def ask(server: Server, key: str, query: str = "") -> httpx.Response:
    """A fetch by hand."""
    return server.http.get(f"/stopncii/v1/FetchHashes?{query}", headers={"Ocp-Apim-Subscription-Key": key})


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("startTimestamp=-1", "startTimestamp"),
        ("startTimestamp=9999999999", "startTimestamp"),
        ("pageSize=0", "pageSize"),
        ("pageSize=1001", "pageSize"),
        ("nextPageToken=1-2-3", "nextPageToken"),
    ],
)
def test_bad_parameters_are_named(server: Server, platform: Platform, query: str, field: str) -> None:
    """An invalid parameter is refused by name."""
    problem(ask(server, platform.key, query), 400, "invalid-message", field)


@pytest.mark.parametrize("key", ["", "x", f"tbk_{'0' * 16}_{'0' * 64}"])
def test_nothing_without_a_key(server: Server, key: str) -> None:
    """Without a valid platform key as the subscription key, fetches and feedback are refused."""
    problem(ask(server, key), 401, "not-a-platform")
    headers = {"Ocp-Apim-Subscription-Key": key}
    problem(server.http.post("/stopncii/v1/SubmitFeedback", headers=headers, json={}), 401, "not-a-platform")


def test_it_is_off_by_default(server: Server) -> None:
    """With its setting off the interface answers 404."""
    problem(server.http.get("/ncmec/v2/status"), 404, "not-found")


def test_bad_feedback_is_refused(server: Server, platform: Platform) -> None:
    """Feedback on an invalid hash is refused, and the problem names its field."""
    body: Json = {"count": 1, "hashFeedbacks": [{"hashValue": "x", "feedbackValue": "Blocked", "tags": []}]}
    headers = {"Ocp-Apim-Subscription-Key": platform.key}
    answer = server.http.post("/stopncii/v1/SubmitFeedback", json=body, headers=headers)
    problem(answer, 400, "invalid-message", "hashFeedbacks[0].hashValue")


def test_a_line_feed_ends_no_hash(server: Server, platform: Platform) -> None:
    """A hash, number or token that is followed by a line feed is refused by name, without effect."""
    headers = {"Ocp-Apim-Subscription-Key": platform.key}
    for digits in (32, 64):
        said = {"hashValue": "a" * digits + "\n", "feedbackValue": "Blocked", "tags": []}
        body: Json = {"count": 1, "hashFeedbacks": [said]}
        answer = server.http.post("/stopncii/v1/SubmitFeedback", json=body, headers=headers)
        problem(answer, 400, "invalid-message", "hashFeedbacks[0].hashValue")
    for query, field in (("startTimestamp=0%0A", "startTimestamp"), ("nextPageToken=0-0-0-0%0A", "nextPageToken")):
        problem(ask(server, platform.key, query), 400, "invalid-message", field)


def test_hashes_are_not_taken(server: Server, platform: Platform) -> None:
    """The registry accepts hashes only from people: a platform cannot submit its own."""
    headers = {"Ocp-Apim-Subscription-Key": platform.key}
    answer = server.http.post("/stopncii/v1/SubmitHashes", json={"count": 0, "hashRecords": []}, headers=headers)
    problem(answer, 404, "not-found")


def test_what_nobody_can_name_any_more_is_told(server: Server, platform: Platform, stock: Stock) -> None:
    """A client that may have a hash that was since withdrawn and erased must fetch from the beginning."""
    case = server.submit([pdq()]).json()
    _next_second(server, case["received_at"])
    stock.fetch()
    server.withdraw(case["number"])
    with closing(sqlite3.connect(server.data / "registry.sqlite")) as database, database:
        database.execute("DELETE FROM holdings WHERE entry IN (SELECT number FROM entries WHERE NOT active)")
        database.execute("DELETE FROM entries WHERE NOT active")
    problem(ask(server, platform.key, f"startTimestamp={stock.since}"), 410, "too-old", "startTimestamp")
    assert ask(server, platform.key, "startTimestamp=0").status_code == 200


def _next_second(server: Server, moment: str) -> None:
    """Waits until the registry's clock shows a later second than `moment`."""
    while server.submit([md5()]).json()["received_at"] <= moment:
        pass
