"""The price of a message by its size on arrival: attacks on it, and senders who must not pay more."""

import base64
import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback import protocol
from takeback.protocol import NewCase, Picture, SignalMessage, signal_count
from takeback.registry.rules.cases import MAX_LOT_PICTURES, MAX_LOT_SIGNALS, case_lot_count, lot_count
from takeback.registry.security.rate_limit import LOTS_PER_DOUBLING
from takeback.signals import SignalType, Variant
from tests.registry.http.test_unavailable import HURRIES
from tests.registry.support import (
    PIN,
    Json,
    Server,
    md5,
    patches,
    pdq,
    problem,
    secret_headers,
    serving,
    sha256,
    solved,
    telling,
)

COUNTS = Path(__file__).parents[2] / "vectors" / "counts.json"
TRIES = 8
SCHOOL = "8.8.4.4"
ELSEWHERE = "9.9.9.9"


@pytest.fixture(scope="module")
def dear(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry that requires proof of work, little enough for a test."""
    with serving(tmp_path_factory.mktemp("price") / "var", "--work", str(TRIES), "--proxies", "127.0.0.1") as server:
        yield server


def picture() -> Json:
    """A picture with every variant."""
    views = [{**pdq(), "variant": variant} for variant in Variant if variant is not Variant.WHOLE]
    return [pdq(), *views, md5(), sha256()]


def bring(server: Server, path: str, pictures: Sequence[Json], headers: dict[str, str]) -> httpx.Response:
    """Sends pictures to a route."""
    return server.http.post(path, json={"pictures": [{"signals": one} for one in pictures]}, headers=headers)


def paid(server: Server, path: str, pictures: Sequence[Json], address: str = "") -> httpx.Response:
    """Sends pictures with the proof of work that the registry requires."""
    headers = secret_headers() | ({"X-Forwarded-For": address} if address else {})
    asked = problem(bring(server, path, pictures, headers), 428, "work-needed").work
    return bring(server, path, pictures, headers | {"Takeback-Work": solved(asked)})


def tries(challenge: protocol.Challenge | None) -> int:
    """The most tries that a challenge takes."""
    assert challenge is not None
    return int(challenge.parameters.data["tries"])


@given(st.integers(1, 100), st.integers(1, 2000))
def test_a_lot_holds_fifteen_pictures_and_240_signals(pictures: int, signals: int) -> None:
    """The number of lots holds the message, and one fewer would not."""
    found = lot_count(pictures, signals)
    assert pictures <= found * MAX_LOT_PICTURES
    assert signals <= found * MAX_LOT_SIGNALS
    assert found == 1 or pictures > (found - 1) * MAX_LOT_PICTURES or signals > (found - 1) * MAX_LOT_SIGNALS


def test_each_frame_of_a_video_counts() -> None:
    """A `vpdq` of 241 frames is two lots, and one of 240 alone is one."""

    def video(frames: int) -> NewCase:
        value = ";".join(f"{place},100,{telling()},{place}.000" for place in range(frames))
        return NewCase([Picture([SignalMessage(SignalType.VPDQ, value)])])

    assert [case_lot_count(video(frames)) for frames in (240, 241)] == [1, 2]


def test_local_hashes_cost_by_their_bits() -> None:
    """Fifteen pictures of 16 local hashes and 12 other signals are one lot, and so are four videos of 192 and 12."""
    others = [SignalMessage(SignalType.SHA256, f"{place:064x}") for place in range(12)]

    def message(pictures: int, frames: int = 1) -> NewCase:
        local = [msgspec.convert(patches(frames), SignalMessage) for _ in range(pictures)]
        return NewCase([Picture([*others, one]) for one in local])

    assert [case_lot_count(message(pictures)) for pictures in (15, 16)] == [1, 2]
    assert [case_lot_count(message(pictures, 12)) for pictures in (4, 5)] == [1, 2]


@pytest.mark.parametrize(("signals", "count"), json.loads(COUNTS.read_text("utf-8")))
def test_signals_count_as_the_page_counts_them(signals: Json, count: int) -> None:
    """Each frame of a `vpdq` counts as one, and so do up to four hashes of a `patches`, as on the page."""
    assert signal_count(msgspec.convert(signals, list[SignalMessage])) == count


def test_one_proof_of_work_buys_fifteen_pictures_and_no_more(dear: Server) -> None:
    """Adding pictures costs as much as a new case, and every further lot as much again."""
    case = paid(dear, "/v1/cases", [picture()])
    assert case.status_code == 201
    adding = f"/v1/cases/{case.json()['number']}/pictures"

    problem(bring(dear, adding, [picture()], secret_headers()), 428, "work-needed")
    spent = case.request.headers["Takeback-Work"]
    problem(bring(dear, adding, [picture()], secret_headers() | {"Takeback-Work": spent}), 428, "work-needed")

    for path in ("/v1/cases", adding):
        headers = secret_headers()
        fifteen, sixteen = ([[md5()] for _ in range(count)] for count in (15, 16))
        asked = [problem(bring(dear, path, some, headers), 428, "work-needed").work for some in (fifteen, sixteen)]
        assert [tries(one) for one in asked] == [TRIES, 2 * TRIES]
        short = headers | {"Takeback-Work": solved(asked[0])}
        problem(bring(dear, path, sixteen, short), 428, "work-needed")
        assert bring(dear, path, fifteen, short).status_code in {200, 201}
        assert paid(dear, path, sixteen).status_code in {200, 201}


def test_one_proof_of_work_buys_240_codes_and_no_more(dear: Server) -> None:
    """Sixteen pictures of fifteen codes are two lots; the figure holds for pictures with every view."""
    many = [[one for one in picture() if one["type"] == "pdq"] for _ in range(16)]
    headers = secret_headers()
    assert tries(problem(bring(dear, "/v1/cases", many, headers), 428, "work-needed").work) == 2 * TRIES
    assert tries(problem(bring(dear, "/v1/cases", many[:15], headers), 428, "work-needed").work) == TRIES
    whole = [picture() for _ in range(15)]
    assert tries(problem(bring(dear, "/v1/cases", whole, headers), 428, "work-needed").work) == 2 * TRIES


def test_the_price_can_be_asked_for_before(dear: Server) -> None:
    """`GET /v1/work` gives the price of the announced pictures and signals, each 1 by default."""
    key = {"Idempotency-Key": "ab" * 16}
    for more, price in ((), 1), ((("pictures", 16),), 2), ((("signals", 481),), 3):
        answer = dear.http.get("/v1/work", params=dict(more), headers=key)
        assert tries(protocol.decode(answer.content, protocol.WorkAnswer).work) == price * TRIES
    for name, value in (("pictures", 0), ("pictures", 51), ("signals", 2001), ("signals", "x")):
        problem(dear.http.get("/v1/work", params={name: value}, headers=key), 400, "invalid-message", name)


def test_hoarded_challenges_are_worth_nothing(tmp_path: Path) -> None:
    """Of 40 challenges solved in a quiet hour only those are accepted that are worth the price on arrival."""
    with serving(tmp_path / "var", "--work", "1", "--proxies", "127.0.0.1") as server:
        hoard = []
        for _ in range(2 * LOTS_PER_DOUBLING):
            headers = secret_headers() | {"X-Forwarded-For": SCHOOL}
            asked = problem(bring(server, "/v1/cases", [[md5()]], headers), 428, "work-needed").work
            hoard.append(headers | {"Takeback-Work": solved(asked)})
        answers = [bring(server, "/v1/cases", [[md5()]], headers) for headers in hoard]
        assert [one.status_code for one in answers] == [201] * LOTS_PER_DOUBLING + [428] * LOTS_PER_DOUBLING
        right = problem(answers[-1], 428, "work-needed").work
        assert tries(right) == 2
        assert bring(server, "/v1/cases", [[md5()]], hoard[-1] | {"Takeback-Work": solved(right)}).status_code == 201


def test_lots_are_counted_for_the_network_on_both_routes(tmp_path: Path) -> None:
    """Twenty lots double a network's price, however they are spread over messages and routes."""
    with serving(tmp_path / "var", "--work", "1", "--proxies", "127.0.0.1") as server:
        case = paid(server, "/v1/cases", [[md5()] for _ in range(45)], SCHOOL)
        adding = f"/v1/cases/{case.json()['number']}/pictures"
        for _ in range(5):
            assert paid(server, adding, [[md5()] for _ in range(50)], SCHOOL).status_code == 200
        for address, price in ((SCHOOL, 2), (ELSEWHERE, 1)):
            headers = secret_headers() | {"X-Forwarded-For": address}
            assert tries(problem(bring(server, adding, [[md5()]], headers), 428, "work-needed").work) == price


def test_a_repeat_never_pays(dear: Server) -> None:
    """A repeated message is answered on either route without work, or with work that is no longer worth the price."""
    for path in ("/v1/cases", f"/v1/cases/{paid(dear, '/v1/cases', [[md5()]]).json()['number']}/pictures"):
        pictures, headers = [[md5()]], secret_headers()
        asked = problem(bring(dear, path, pictures, headers), 428, "work-needed").work
        with_work = headers | {"Takeback-Work": solved(asked)}
        first = bring(dear, path, pictures, with_work)
        assert first.status_code in {200, 201}
        for again in (headers, with_work):
            told = bring(dear, path, pictures, again)
            assert (told.status_code, told.json()["pictures"]) == (200, first.json()["pictures"])
        assert dear.http.get("/v1/work", headers={"Idempotency-Key": headers["Idempotency-Key"]}).json() == {
            "work": None
        }


def test_a_school_is_not_locked_out_by_a_registry_in_trouble(tmp_path: Path) -> None:
    """Only stored messages are counted, not those answered with 503, refused or repeated."""
    server = Server(tmp_path / "var", "--arrivals", "3", "--proxies", "127.0.0.1", program=HURRIES)

    def come(path: str, headers: dict[str, str]) -> httpx.Response:
        return bring(server, path, [[md5()]], headers | {"X-Forwarded-For": SCHOOL})

    ended = come("/v1/cases", secret_headers()).json()["number"]
    server.withdraw(ended)
    lock = sqlite3.connect(tmp_path / "var" / "registry.sqlite", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    troubled = [come("/v1/cases", secret_headers()) for _ in range(4)]
    lock.execute("ROLLBACK")
    lock.close()
    closed = [come(f"/v1/cases/{ended}/pictures", secret_headers()) for _ in range(4)]
    known = secret_headers()
    first = come("/v1/cases", known)
    reused = [come("/v1/cases", known) for _ in range(4)]
    last = [come(f"/v1/cases/{first.json()['number']}/pictures", secret_headers()) for _ in range(2)]
    server.stop()

    assert {answer.status_code for answer in troubled} == {503}
    assert {answer.status_code for answer in closed} == {409}
    assert {answer.status_code for answer in reused} == {409}
    assert [first.status_code, *(answer.status_code for answer in last)] == [201, 200, 429]


def test_the_challenge_says_what_it_is_worth(dear: Server) -> None:
    """The challenge has the price, signed, and nothing that identifies the message or the network."""
    headers = secret_headers(PIN)
    asked = problem(bring(dear, "/v1/cases", [[md5()]], headers), 428, "work-needed").work
    assert asked is not None
    assert asked.parameters.data.keys() == {"key", "tries"}
    assert headers["Idempotency-Key"] not in json.dumps(asked.parameters.data)
    payload = json.loads(base64.b64decode(solved(asked)))
    assert TRIES // 2 <= payload["solution"]["counter"] < TRIES
