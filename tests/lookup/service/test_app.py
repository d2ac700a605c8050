import json
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from takeback.errors import GateError
from takeback.gate import Gate
from takeback.gate.feed.state import STATE_FILE
from takeback.lookup import messages
from takeback.lookup.messages import RemoteAnswer, RemoteAnswers
from takeback.lookup.service import openapi
from takeback.lookup.service.app import SLOT_SECONDS
from takeback.lookup.service.probing import FREE_QUESTIONS
from takeback.lookup.service.sites import DATABASE, Sites
from takeback.protocol import EntryStatus
from takeback.signals import Signal, SignalType
from tests.gate.feeds import KEY, entry_id, signal
from tests.gate.servers import Registry, followed
from tests.lookup.services import (
    EXACT,
    PDQ,
    Json,
    Service,
    ask,
    near,
    other,
    question,
    running_service,
    second_site,
    until,
)


def test_an_upload_is_decided_on(service: Service) -> None:
    """What is listed is blocked, something else is allowed, and the answer holds nothing but that and an id."""
    for asked, decision in ((PDQ, "block"), (near(PDQ.value, range(20)), "block"), (other(1), "allow")):
        answer = ask(service, asked)
        assert answer.status_code == 200, answer.text
        assert answer.json().keys() == {"decision", "id"}
        assert answer.json()["decision"] == decision
        assert answer.headers["cache-control"] == "no-store"


def test_forms_and_patches_are_looked_up(service: Service, registry: Registry, home: Path) -> None:
    """A mirrored copy is found by its forms, and a part of a picture by its patches."""
    forms = {"flipy": PDQ.value}
    assert ask(service, other(1), dihedral=forms).json()["decision"] == "block"
    listed = signal(30, SignalType.PATCHES)
    registry.log.add(listed)
    with Gate.open(home) as gate:
        gate.sync()
    patches = [[value, 0, place] for place, value in enumerate(listed.value.split(","))]
    until(lambda: ask(service, other(1), patches=patches).json()["decision"] != "allow")


def test_a_batch_is_answered_in_its_order(service: Service) -> None:
    """Many uploads are asked about in one request, and answered in the same order."""
    uploads = [question(PDQ), question(other(1))] * 3
    answer = service.http.post(messages.CHECK_BATCH, json={"uploads": uploads})
    assert [one["decision"] for one in answer.json()["answers"]] == ["block", "allow"] * 3


def test_answers_have_one_size(service: Service, registry: Registry, home: Path) -> None:
    """An answer's length does not depend on what it says: for one upload, a batch, or a prefix."""
    registry.log.change(entry_id(1), EntryStatus.REVIEW)
    with Gate.open(home) as gate:
        gate.sync()
    until(lambda: ask(service, PDQ).json()["decision"] == "review")
    answers = [ask(service, asked) for asked in (PDQ, other(1), near(PDQ.value, range(33)))]
    assert len({len(answer.content) for answer in answers}) == 1
    batches = [[question(PDQ)] * 2, [question(other(1)), question(PDQ)], [question(other(1)), question(other(2))]]
    sizes = {len(service.http.post(messages.CHECK_BATCH, json={"uploads": one}).content) for one in batches}
    assert len(sizes) == 1
    exact = {len(service.http.get(messages.EXACT + prefix).content) for prefix in (EXACT[:5], "00000", "fffff")}
    assert len(exact) == 1
    heads = {tuple(sorted(answer.headers.items() - {("date", answer.headers["date"])})) for answer in answers}
    assert len(heads) == 1


def test_answers_leave_at_the_end_of_a_slot(service: Service) -> None:
    """No answer is faster than a slot, whether something matches or not."""
    for asked in (PDQ, other(1)):
        start = time.perf_counter()
        ask(service, asked)
        assert time.perf_counter() - start >= SLOT_SECONDS


@pytest.mark.parametrize(
    "body",
    [
        question(Signal(SignalType.SHA256, "0" * 64)),
        question(PDQ, dihedral={"sideways": "0" * 64}),
        question(PDQ, patches=[["0" * 15, 0, 0]]),
        question(PDQ, patches=[["0" * 16, 6, 0]]),
        question(PDQ, uploader="x" * 65),
        question(PDQ, picture="x"),
        {"signals": []},
        {"signals": question(PDQ)["signals"] * 65},  # type: ignore[operator]
        {"signals": [{"type": "md5", "value": "0" * 32}]},
        {"signals": [{"type": "pdq", "value": "0" * 64}]},
    ],
)
def test_a_wrong_question_is_refused(service: Service, body: Json) -> None:
    """Exact hashes, unknown fields and values out of their limits are refused, and do not count."""
    answer = service.http.post(messages.CHECK, json=body)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:takeback:problem:invalid-message"


def test_a_long_video_costs_more(service: Service) -> None:
    """A question is charged by its hashes, and one with too many is refused."""
    frames = ";".join(f"{place},90,{signal(place).value},{place}.000" for place in range(256))
    assert ask(service, Signal(SignalType.VPDQ, frames)).status_code == 200
    assert ask(service, *[Signal(SignalType.VPDQ, frames)] * 2).status_code == 400
    assert usage(service, "questions") == 4


def usage(service: Service, what: str) -> int:
    """One count of today, once the service has written it."""
    end = time.monotonic() + 20
    while True:
        with closing(Sites(service.home)) as sites:
            rows = sites.usage(1)
        if rows and getattr(rows[0], what):
            return int(getattr(rows[0], what))
        assert time.monotonic() < end
        time.sleep(0.05)


@given(body=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
def test_any_body_gets_an_answer(service: Service, body: bytes) -> None:
    """No body at all makes the service fail."""
    for path in (messages.CHECK, messages.CHECK_BATCH, messages.FEEDBACK):
        assert service.http.post(path, content=body).status_code == 400


@given(
    body=st.recursive(
        st.none() | st.integers() | st.sampled_from(["pdq", PDQ.value, "whole", "blocked", ""]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["signals", "type", "value", "quality", "uploads", "patches", "id", "verdict", "dihedral"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
def test_any_json_gets_an_answer(service: Service, body: object) -> None:
    """JSON of any shape is answered or refused."""
    for path in (messages.CHECK, messages.CHECK_BATCH, messages.FEEDBACK):
        assert service.http.post(path, json=body).status_code in {200, 400, 429}


def test_a_field_that_is_repeated_is_refused(service: Service) -> None:
    """A body that holds a field twice is refused rather than half read."""
    body = json.dumps(question(PDQ))[:-1] + ', "uploader": "a", "uploader": "b"}'
    assert service.http.post(messages.CHECK, content=body).status_code == 400


def test_a_body_has_a_limit(service: Service) -> None:
    """A body over the limit is refused."""
    assert service.http.post(messages.CHECK, content=b" " * (messages.MAX_BODY_BYTES + 1)).status_code == 413


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer tbl_x", f"Bearer {KEY}", "Bearer tbl_" + "0" * 16 + "_" + "0" * 64]
)
def test_only_sites_may_ask(service: Service, header: str) -> None:
    """Without a right key nothing is answered but health and the API's description."""
    with httpx.Client(base_url=service.address, headers={"Authorization": header} if header else {}) as stranger:
        for method, path in (
            ("POST", messages.CHECK),
            ("POST", messages.CHECK_BATCH),
            ("POST", messages.FEEDBACK),
            ("GET", messages.EXACT + "00000"),
        ):
            answer = stranger.request(method, path, content=b"{}" if method == "POST" else None)
            assert (answer.status_code, answer.json()["type"]) == (401, "urn:takeback:problem:not-allowed")
        for path in (openapi.HEALTH, openapi.READY, openapi.DOCUMENT):
            assert stranger.get(path).status_code == 200


def test_a_key_is_not_kept(service: Service) -> None:
    """The database holds no key, and only its owner may read it."""
    path = service.home / DATABASE
    with closing(sqlite3.connect(path)) as db:
        (mac,) = db.execute("SELECT mac FROM keys").fetchone()
    files = b"".join(file.read_bytes() for file in service.home.glob(f"{DATABASE}*"))
    assert len(mac) == 32
    assert service.key.split("_")[2].encode() not in files
    assert bytes.fromhex(service.key.split("_")[2]) not in files
    assert path.stat().st_mode & 0o077 == 0


def test_a_revoked_key_ends(service: Service) -> None:
    """A site that was revoked while the service runs is refused soon, on the same connection too."""
    assert ask(service, PDQ).status_code == 200
    with closing(Sites(service.home)) as sites:
        sites.revoke("forum")
    until(lambda: ask(service, PDQ).status_code == 401)


def test_a_rotated_key_may_live_on(service: Service) -> None:
    """With a time of grace the old key works beside the new one."""
    with closing(Sites(service.home)) as sites:
        fresh = sites.rotate("forum", 1)
    with httpx.Client(base_url=service.address, headers={"Authorization": f"Bearer {fresh}"}) as client:
        assert client.post(messages.CHECK, json=question(PDQ)).status_code == 200
    assert ask(service, PDQ).status_code == 200


def test_a_quota_ends_at_midnight(home: Path) -> None:
    """Over its quota a site gets 429 and the seconds until midnight; other sites go on; a restart changes nothing."""
    with running_service(home, quota=5) as service:
        assert {ask(service, other(place)).status_code for place in range(5)} == {200}
        answer = ask(service, PDQ)
        assert (answer.status_code, answer.json()["type"]) == (429, "urn:takeback:problem:quota")
        assert 0 < int(answer.headers["retry-after"]) <= 86_401
        with second_site(service) as client:
            assert client.post(messages.CHECK, json=question(PDQ)).status_code == 200
    with closing(Sites(home)) as sites:
        key = sites.rotate("forum")
        known = sites.credential(key)
        assert known is not None
        assert sites.charge(known, 1) > 0
        rows = {row.site: row for row in sites.usage(1)}
    assert (rows["forum"].questions, rows["forum"].refused) == (5, 1)
    assert (rows["second"].questions, rows["second"].stopped) == (2, 1)


def test_walking_distances_is_slowed(service: Service) -> None:
    """After some questions that are nearly alike the next one waits, its followers are refused, and others are not."""
    bases = [near(PDQ.value, range(place, place + 2)) for place in range(FREE_QUESTIONS + 200)]
    statuses = [
        service.http.post(messages.CHECK, json=question(one), timeout=30).status_code for one in bases[:FREE_QUESTIONS]
    ]
    assert set(statuses) == {200}
    refused = None
    for one in bases[FREE_QUESTIONS:]:
        answer = ask(service, one)
        if answer.status_code == 429:
            refused = answer
            break
    assert refused is not None
    assert refused.json()["type"] == "urn:takeback:problem:too-alike"
    assert int(refused.headers["retry-after"]) > 0
    assert ask(service, bases[0]).status_code == 200  # the same question again says nothing new
    assert ask(service, other(5)).status_code == 200
    with second_site(service) as client:
        assert client.post(messages.CHECK, json=question(bases[-1])).status_code == 200
    assert usage(service, "slowed") >= 1


def test_nothing_of_a_question_is_kept(service: Service, capfd: pytest.CaptureFixture[str]) -> None:
    """No file of the folder holds anything that was asked, and neither does the log."""
    asked, patch, name = other(7).value, "0123456789abcdef", "account-4711"
    assert ask(service, other(7), patches=[[patch, 0, 0]], uploader=name).status_code == 200
    assert service.http.get(messages.EXACT + "abcde").status_code == 200
    service.http.post(messages.CHECK, content=json.dumps(question(other(7)))[:-1])
    usage(service, "questions")
    files = {file.name: file.read_bytes() for file in service.home.iterdir()}
    for data in files.values():
        for text in (asked, patch, name):
            assert text.encode() not in data
        assert bytes.fromhex(asked) not in data
    said = capfd.readouterr()
    assert not any(text in said.out + said.err for text in (asked, patch, name, "abcde"))


def test_before_the_first_sync(registry: Registry, tmp_path: Path) -> None:
    """Until the feed was read to its end the service is not ready, and asks for reviews."""
    home = followed(registry, tmp_path / "gate")
    (home / STATE_FILE).unlink()
    with running_service(home) as service:
        assert service.http.get(openapi.READY).status_code == 503
        assert service.http.get(openapi.HEALTH).json() == {"status": "ok", "detail": ""}
        assert ask(service, PDQ).json()["decision"] == "review"


@pytest.mark.parametrize(("error", "status"), [(GateError, 503), (RuntimeError, 500)])
def test_a_failure_says_nothing_of_the_question(
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    error: type[Exception],
    status: int,
) -> None:
    """If the list cannot be used, or the service fails, answer and log hold nothing that was asked."""

    def fail(*_: object) -> None:
        raise error("the disk is full") if status == 503 else error(PDQ.value)

    monkeypatch.setattr(Gate, "check_question", fail)
    answer = ask(service, PDQ)
    assert answer.status_code == status
    said = answer.text + capfd.readouterr().err
    assert PDQ.value not in said
    assert "could not be served" in said or "unexpected error" in said


def test_other_paths_and_methods(service: Service) -> None:
    """An unknown path is 404, another method 405 with those that are allowed, and there are no parameters."""
    assert service.http.get("/v1/nothing").json()["type"] == "urn:takeback:problem:not-found"
    wrong = service.http.get(messages.CHECK)
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert service.http.get(messages.EXACT + "00000?x=1").status_code == 400


def test_the_document_describes_every_route(service: Service) -> None:
    """The OpenAPI document names each route with its messages, and answers are as it says."""
    document = service.http.get(openapi.DOCUMENT).json()
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {operation.path for operation in openapi.OPERATIONS}
    names = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document)))
    assert names <= document["components"]["schemas"].keys()
    told = [document["components"]["schemas"][name]["properties"] for name in ("RemoteAnswer", "ExactSuffix")]
    assert [set(one) for one in told] == [{"decision", "id"}, {"suffix", "decision", "id"}]
    msgspec.json.decode(ask(service, PDQ).content, type=RemoteAnswer)
    batch = service.http.post(messages.CHECK_BATCH, json={"uploads": [question(PDQ)]})
    msgspec.json.decode(batch.content, type=RemoteAnswers)
