import json
import secrets
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.registry.support import (
    OTHER_PIN,
    PIN,
    Platform,
    Server,
    md5,
    pdq,
    problem,
    secret_headers,
    sha256,
    values,
)

GOOD = {"pictures": [{"signals": [{"type": "md5", "value": "a" * 32}]}]}
HASH = "a" * 64


def signals(*given: Mapping[str, object]) -> bytes:
    """A case of one picture, as JSON."""
    return json.dumps({"pictures": [{"signals": list(given)}]}).encode()


def post(server: Server, body: bytes, **headers: str) -> httpx.Response:
    """Sends a body as a new case."""
    all_headers = {"Content-Type": "application/json", **secret_headers(), **headers}
    return server.http.post("/v1/cases", content=body, headers=all_headers)


def test_a_new_case_is_answered_with_its_status(server: Server) -> None:
    """A new case is answered with 201 and is active; the answer has nothing of the message but its pictures' number."""
    answer = server.submit([pdq(), sha256(), md5()], [md5()])

    assert answer.status_code == 201
    status = answer.json()
    assert status["state"] == "active"
    assert len(status["number"]) == 10
    assert [set(picture.values()) for picture in status["pictures"]] == [{0, None}] * 2
    assert server.case(status["number"]).json() == status


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", ""),
        (b"{", ""),
        (b"\xff\xfe", ""),
        (b"null", ""),
        (b"[]", ""),
        (b"[" * 60_000, ""),
        (b'{"pictures": ' + b"[" * 60_000, "pictures[0]"),
        (b'{"pictures": NaN}', ""),
        (b'{"pictures": []}', "pictures"),
        (b"{}", "pictures"),
        (b'{"pictures": [{"signals": []}]}', "pictures[0].signals"),
        (b'{"pictures": [], "name": "x"}', "pictures"),
        (b'{"name": "x", "pictures": []}', "name"),
        (b'{"pictures": [{"signals": [], "file": "x.jpg"}]}', "pictures[0].signals"),
        (signals({"type": "md5", "value": "a" * 32, "name": "x.jpg"}), "pictures[0].signals[0].name"),
        (signals({"type": "md5", "value": "a" * 31}), "pictures[0].signals[0].value"),
        (signals({"type": "md5", "value": HASH}), "pictures[0].signals[0].value"),
        (signals({"type": "sha256", "value": "A" * 64}), "pictures[0].signals[0].value"),
        (signals({"type": "sha256", "value": "g" * 64}), "pictures[0].signals[0].value"),
        (signals({"type": "sha256", "value": "\uff11" * 64}), "pictures[0].signals[0].value"),
        (signals({"type": "sha256", "value": "a" * 65}), "pictures[0].signals[0].value"),
        (signals({"type": "sha256", "value": 7}), "pictures[0].signals[0].value"),
        (signals({"type": "sha256", "value": HASH, "quality": 5}), "pictures[0].signals[0].quality"),
        (signals({"type": "pdq", "value": HASH}), "pictures[0].signals[0].quality"),
        (signals({"type": "pdq", "value": HASH, "quality": 101}), "pictures[0].signals[0].quality"),
        (signals({"type": "pdq", "value": HASH, "quality": "50"}), "pictures[0].signals[0].quality"),
        (signals({"type": "pdq", "value": HASH, "quality": 50.0}), "pictures[0].signals[0].quality"),
        (signals({"type": "pdq", "value": HASH, "quality": 50.5}), "pictures[0].signals[0].quality"),
        (signals({"type": "jpeg", "value": HASH}), "pictures[0].signals[0].type"),
        (signals({"type": "md5", "value": "a" * 32, "variant": "thumb"}), "pictures[0].signals[0].variant"),
        (signals({"type": "md5", "value": "a" * 32}, {"type": "md5", "value": "a" * 32}), "pictures[0]"),
        (b'{"pictures": [{"signals": [{"type": "md5", "type": "md5", "value": "' + b"a" * 32 + b'"}]}]}', "type"),
        (json.dumps({"pictures": GOOD["pictures"] * 51}).encode(), "pictures"),
        (signals(*({"type": "md5", "value": f"{n:032x}"} for n in range(25))), "pictures[0].signals"),
    ],
)
def test_a_message_that_breaks_the_protocol_is_refused(server: Server, body: bytes, field: str) -> None:
    """A case that breaks the protocol is refused, and the problem names the wrong field."""
    problem(post(server, body), 400, "invalid-message", field or None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Takeback-Pin", ""),
        ("Takeback-Pin", "K7QM2XRW9DHF"),
        ("Takeback-Pin", "k7qm-2xrw-9dhf"),
        ("Takeback-Pin", "K7QM-2XRW-9DHI"),
        ("Takeback-Pin", f"{PIN}, {PIN}"),
        ("Idempotency-Key", "x"),
        ("Idempotency-Key", "A" * 32),
        ("Idempotency-Key", "a" * 33),
    ],
)
def test_a_bad_header_is_named(server: Server, name: str, value: str) -> None:
    """A missing or malformed secret header is refused by name."""
    problem(post(server, json.dumps(GOOD).encode(), **{name: value}), 400, "invalid-message", name)


def test_a_missing_or_repeated_header_is_named(server: Server) -> None:
    """Without the PIN, or with two, the message is refused."""
    key = ("Idempotency-Key", "a" * 32)
    for pins in ([], [("Takeback-Pin", PIN), ("Takeback-Pin", OTHER_PIN)]):
        problem(server.http.post("/v1/cases", json=GOOD, headers=[key, *pins]), 400, "invalid-message", "Takeback-Pin")


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/jsonp", "application/json; charset=latin-1"])
def test_only_json_is_taken(server: Server, content_type: str) -> None:
    """Every content type except JSON in UTF-8 is refused."""
    problem(post(server, json.dumps(GOOD).encode(), **{"Content-Type": content_type}), 415, "not-json")


@pytest.mark.parametrize("field", ["feedback[0].id", "feedback[0].entries[0]"])
def test_a_line_feed_ends_no_id(server: Server, platform: Platform, field: str) -> None:
    """An id of an event or entry that is followed by a line feed is refused by name."""
    ids = {"feedback[0].id": "a" * 32, "feedback[0].entries[0]": "b" * 32}
    ids[field] += "\n"
    event = {"id": ids["feedback[0].id"], "verdict": "blocked", "entries": [ids["feedback[0].entries[0]"]]}
    answer = server.http.post("/v1/feedback", json={"feedback": [event]}, headers=platform.headers)
    problem(answer, 400, "invalid-message", field)


@pytest.mark.parametrize("after", ["%0A", "%0D%0A", "%20", "%00"])
def test_nothing_stands_after_a_number(server: Server, platform: Platform, after: str) -> None:
    """A number in a path or a query that is followed by other characters is refused by name."""
    asked = server.http.get(f"/v1/cases/4829157306{after}", headers={"Takeback-Pin": PIN})
    problem(asked, 400, "invalid-message", "number")
    problem(server.http.get(f"/v1/feed?after=0{after}", headers=platform.headers), 400, "invalid-message", "after")
    tile = server.http.get(f"/v1/feed/tiles/0{after}", headers=platform.headers)
    problem(tile, 400, "invalid-message", "tile")


def test_json_may_name_its_charset(server: Server) -> None:
    """`application/json; charset=utf-8` is JSON too."""
    assert post(server, signals(md5()), **{"Content-Type": 'Application/JSON; charset="UTF-8"'}).status_code == 201


@pytest.mark.parametrize("path", ["/v1/cases", "/v1/feedback", "/v1/cases/{number}/withdraw"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_refused(server: Server, platform: Platform, path: str, *, chunked: bool) -> None:
    """A body over 64 KiB is refused, with a Content-Length and in chunks."""
    number = server.submit([md5()]).json()["number"]
    chunk = b" " * 1024
    body = (chunk for _ in range(65)) if chunked else chunk * 65
    headers = {"Content-Type": "application/json", **secret_headers(), **platform.headers}
    problem(server.http.post(path.format(number=number), content=body, headers=headers), 413, "too-large")


def test_a_full_case_fits(server: Server) -> None:
    """A body of exactly 64 KiB is accepted."""
    body = signals(*(sha256() for _ in range(24)))
    assert post(server, body + b" " * (65_536 - len(body))).status_code == 201


@pytest.mark.parametrize("announced", [10, 70_000, 10**12])
def test_a_length_that_lies_harms_nobody(server: Server, announced: int) -> None:
    """A body that differs from its Content-Length, or a huge Content-Length, causes neither a case nor a crash."""
    host, port = server.address.removeprefix("http://").split(":")
    head = "".join(f"{name}: {value}\r\n" for name, value in secret_headers().items())
    request = (
        f"POST /v1/cases HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{head}"
        f"Content-Length: {announced}\r\n\r\n{json.dumps(GOOD)}"
    )
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request.encode())
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65_536)
    assert b" 201 " not in answer
    assert b" 500 " not in answer
    assert server.http.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/cases", 405, "method-not-allowed"),
        ("DELETE", "/v1/feed", 405, "method-not-allowed"),
        ("PUT", "/v1/cases/1234567890", 405, "method-not-allowed"),
        ("PROPFIND", "/v1/cases", 405, "method-not-allowed"),
        ("TRACE", "/v1/feed", 405, "method-not-allowed"),
        ("GET", "/v1", 404, "not-found"),
        ("GET", "/v1/case", 404, "not-found"),
        ("GET", "/", 404, "not-found"),
        ("GET", "/schema", 404, "not-found"),
        ("GET", "/v1/cases/%00/withdraw/x", 404, "not-found"),
        ("GET", "//", 404, "not-found"),
    ],
)
def test_wrong_addresses_and_methods_are_problems(
    server: Server, method: str, path: str, status: int, code: str
) -> None:
    """An unknown path or method is answered with a problem."""
    answer = server.http.request(method, path)
    problem(answer, status, code)
    assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/feed", "after"),
        ("/v1/feed?after=", "after"),
        ("/v1/feed?after=-1", "after"),
        ("/v1/feed?after=1.0", "after"),
        ("/v1/feed?after=07", "after"),
        ("/v1/feed?after=%D9%A1", "after"),
        ("/v1/feed?after=9223372036854775808", "after"),
        ("/v1/feed?after=99999999999999999999999999", "after"),
        ("/v1/feed?after=0&after=1", "after"),
        ("/v1/feed?after=0&limit=0", "limit"),
        ("/v1/feed?after=0&limit=1001", "limit"),
        ("/v1/feed?after=0&limit=1e2", "limit"),
        ("/v1/feed?after=0&since=1", "since"),
        ("/v1/cases/123", "number"),
        ("/v1/cases/12345678901", "number"),
        ("/v1/cases/%D9%A1234567890", "number"),
        ("/v1/cases/1234567890?pin=x", "pin"),
        ("/healthz?verbose=1", "verbose"),
        ("/v1/platforms?name=Example", "name"),
    ],
)
def test_bad_parameters_are_named(server: Server, platform: Platform, path: str, field: str) -> None:
    """A parameter that is missing, malformed, out of range, repeated or unknown is refused by name."""
    headers = {**platform.headers, "Takeback-Pin": PIN}
    problem(server.http.get(path, headers=headers), 400, "invalid-message", field)


def test_the_same_message_again_is_the_same_case(server: Server) -> None:
    """A repeat with the same key, message and PIN is answered with 200 and the same case, even after its withdrawal."""
    key, signal = secrets.token_hex(16), md5()
    first = server.submit([signal], key=key)
    again = server.submit([signal], key=key)
    server.withdraw(first.json()["number"])
    later = server.submit([signal], key=key)

    assert (first.status_code, again.status_code, later.status_code) == (201, 200, 200)
    assert again.json() == first.json()
    assert (later.json()["number"], later.json()["state"]) == (first.json()["number"], "withdrawn")


def test_a_key_with_another_message_is_refused(server: Server) -> None:
    """An idempotency key with a different message or PIN makes no case, and the answer reveals nothing."""
    key, signal = secrets.token_hex(16), md5()
    server.submit([signal], key=key)

    problem(server.submit([md5()], key=key), 409, "key-reused")
    problem(server.submit([signal], key=key, pin=OTHER_PIN), 409, "key-reused")


def test_concurrent_repeats_make_one_case(server: Server, platform: Platform) -> None:
    """Many concurrent copies of one message make one case, and exactly one of them is answered with 201."""
    key, signal = secrets.token_hex(16), md5()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: server.submit([signal], key=key), range(32)))

    assert sorted(a.status_code for a in answers) == [200] * 31 + [201]
    assert len({a.json()["number"] for a in answers}) == 1
    assert signal["value"] in values(platform.active())


def test_a_wrong_pin_and_no_such_case_answer_the_same(server: Server) -> None:
    """An answer does not reveal whether a case number exists."""
    number = server.submit([md5()]).json()["number"]
    missing = f"{(int(number) + 1) % 10**10:010d}"
    wrong, absent = server.case(number, OTHER_PIN), server.case(missing, OTHER_PIN)

    problem(wrong, 404, "case-not-found")
    assert wrong.content == absent.content
    assert wrong.headers.keys() == absent.headers.keys()


def test_guesses_are_limited_whether_or_not_there_is_a_case(server: Server) -> None:
    """After 10 wrong PINs a further one is answered with 429, also for a number without a case."""
    number = server.submit([md5()]).json()["number"]
    missing = f"{(int(number) + 1) % 10**10:010d}"
    for guessed in (number, missing):
        codes = [server.case(guessed, OTHER_PIN).status_code for _ in range(11)]
        assert codes == [404] * 10 + [429]
    answer = server.withdraw(number, pin=OTHER_PIN)

    problem(answer, 429, "too-many-guesses")
    assert 0 < int(answer.headers["retry-after"]) <= 15 * 60


def test_nobody_locks_out_the_owner(server: Server) -> None:
    """However often others guess, the right PIN opens the case, adds pictures and withdraws it."""
    number = server.submit([md5()], [md5()]).json()["number"]
    assert {server.case(number, OTHER_PIN).status_code for _ in range(30)} == {404, 429}
    assert server.case(number).status_code == 200
    assert server.add_pictures(number, [md5()]).status_code == 200
    assert server.withdraw(number, 0).status_code == 200
    assert server.withdraw(number).json()["state"] == "withdrawn"


def test_right_pins_are_not_counted(server: Server) -> None:
    """The owner may read the status any number of times."""
    number = server.submit([md5()]).json()["number"]
    assert {server.case(number).status_code for _ in range(30)} == {200}
