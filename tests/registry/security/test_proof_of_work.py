"""A new case needs proof of work, which the registry asks for and the sender's device does."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback import protocol
from takeback.protocol import Challenge
from takeback.registry.security.proof_of_work import CHALLENGE_LIFE_SECONDS, ProofOfWork
from tests.registry.support import PIN, Server, md5, problem, secret_headers, serving, solved

KEY = "0" * 32
SECRET = b"k" * 32
TRIES = 20


def changed(shown: str, *path: str, to: object) -> str:
    """The solution with one value changed."""
    payload: Any = json.loads(base64.b64decode(shown))
    inner = payload
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = to
    return base64.b64encode(json.dumps(payload).encode()).decode()


@pytest.fixture(scope="module")
def working(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry that asks for work."""
    with serving(tmp_path_factory.mktemp("work") / "var", "--work", str(TRIES)) as server:
        yield server


def test_a_solution_is_valid_only_for_its_message() -> None:
    """A solution is valid only for its challenge's idempotency key and under the secret that signed the challenge."""
    work = ProofOfWork(SECRET, TRIES, time.time)
    shown = solved(work.ask(KEY, 1))

    assert work.done(shown, KEY, 1)
    assert ProofOfWork(SECRET, TRIES, time.time).done(shown, KEY, 1), "another process knows it too"
    assert not work.done(shown, "1" * 32, 1)
    assert not ProofOfWork(b"o" * 32, TRIES, time.time).done(shown, KEY, 1)


@pytest.mark.parametrize(
    ("path", "to"),
    [
        (("solution", "counter"), 3),
        (("solution", "counter"), -1),
        (("solution", "derivedKey"), "00" * 32),
        (("challenge", "parameters", "keyPrefix"), ""),
        (("challenge", "parameters", "cost"), 1),
        (("challenge", "parameters", "expiresAt"), 2**40),
        (("challenge", "parameters", "data"), None),
        (("challenge", "parameters", "data", "tries"), "99999"),
        (("challenge", "signature"), None),
    ],
)
def test_no_part_of_a_solution_can_be_changed(path: tuple[str, ...], to: object) -> None:
    """A forged solution, or one of an easier challenge, is refused."""
    work = ProofOfWork(SECRET, TRIES, time.time)
    assert not work.done(changed(solved(work.ask(KEY, 1)), *path, to=to), KEY, 1)


def test_a_challenge_expires() -> None:
    """A solution of an expired challenge is refused."""
    asked = ProofOfWork(SECRET, TRIES, lambda: time.time() - CHALLENGE_LIFE_SECONDS - 1).ask(KEY, 1)
    assert not ProofOfWork(SECRET, TRIES, time.time).done(solved(asked), KEY, 1)


def test_more_is_asked_in_a_busy_hour() -> None:
    """The number of tries grows with the price, and is between half of the most and the most."""
    work = ProofOfWork(SECRET, TRIES, time.time)
    for demand in (1, 4):
        payload = json.loads(base64.b64decode(solved(work.ask(KEY, demand))))
        assert TRIES * demand // 2 <= payload["solution"]["counter"] < TRIES * demand


@given(shown=st.text() | st.binary().map(lambda some: base64.b64encode(some).decode()))
def test_arbitrary_text_is_no_solution(shown: str) -> None:
    """Arbitrary text and bytes are refused without an error."""
    assert not ProofOfWork(SECRET, TRIES, time.time).done(shown, KEY, 1)


def send(server: Server, headers: dict[str, str], body: object) -> httpx.Response:
    """Sends a new case."""
    return server.http.post("/v1/cases", json=body, headers=headers)


def test_a_case_is_made_once_the_work_is_done(working: Server) -> None:
    """Without a solution the answer has the challenge; the same message with the solution makes the case, once."""
    headers, body = secret_headers(), {"pictures": [{"signals": [md5()]}]}
    asked = problem(send(working, headers, body), 428, "work-needed").work
    assert asked is not None
    with_work = headers | {"Takeback-Work": solved(asked)}

    made = send(working, with_work, body)

    assert made.status_code == 201
    assert working.case(made.json()["number"]).status_code == 200
    for again in (with_work, headers):
        told = send(working, again, body)
        assert (told.status_code, told.json()) == (200, made.json()), "a repeat needs no work"
    other = secret_headers(PIN) | {"Takeback-Work": with_work["Takeback-Work"]}
    problem(send(working, other, body), 428, "work-needed")


def test_the_work_can_be_asked_for_before(working: Server) -> None:
    """With the challenge of `GET /v1/work` solved, the first try makes the case; a repeat gets no challenge."""
    headers, body = secret_headers(), {"pictures": [{"signals": [md5()]}]}
    key = {"Idempotency-Key": headers["Idempotency-Key"]}
    asked = protocol.decode(working.http.get("/v1/work", headers=key).content, protocol.WorkAnswer).work
    assert asked is not None
    assert send(working, headers | {"Takeback-Work": solved(asked)}, body).status_code == 201
    assert working.http.get("/v1/work", headers=key).json() == {"work": None}
    problem(working.http.get("/v1/work"), 400, "invalid-message", "Idempotency-Key")


def test_nobody_works_in_vain(tmp_path: Path) -> None:
    """A network beyond its rate limit is refused before any work; where no work is required, none is asked for."""
    with serving(tmp_path / "var", "--work", "0", "--arrivals", "1", "--proxies", "127.0.0.1") as server:
        key = {"Idempotency-Key": KEY, "X-Forwarded-For": "8.8.4.4"}
        assert server.http.get("/v1/work", headers=key).json() == {"work": None}
        headers = secret_headers() | {"X-Forwarded-For": "8.8.4.4"}
        assert send(server, headers, {"pictures": [{"signals": [md5()]}]}).status_code == 201
        problem(server.http.get("/v1/work", headers=key), 429, "too-many-cases")


def test_a_message_that_breaks_the_protocol_is_told_so_at_once(working: Server) -> None:
    """A message that breaks the protocol is refused before any work."""
    problem(send(working, secret_headers(), {"pictures": []}), 400, "invalid-message")


def test_a_busy_network_works_more(tmp_path: Path) -> None:
    """After many cases from one network its next case needs more tries; other networks need no more."""
    with serving(tmp_path / "var", "--work", "1", "--proxies", "127.0.0.1") as server:

        def ask(address: str) -> tuple[dict[str, str], Challenge]:
            headers = secret_headers() | {"X-Forwarded-For": address}
            asked = problem(send(server, headers, {"pictures": [{"signals": [md5()]}]}), 428, "work-needed").work
            assert asked
            return headers, asked

        for _ in range(20):
            headers, asked = ask("8.8.4.4")
            headers["Takeback-Work"] = solved(asked)
            assert send(server, headers, {"pictures": [{"signals": [md5()]}]}).status_code == 201
        tries = {
            address: json.loads(base64.b64decode(solved(ask(address)[1])))["solution"]["counter"]
            for address in ("8.8.4.9", "9.9.9.9")
        }
    assert tries == {"8.8.4.9": 1, "9.9.9.9": 0}
