import hashlib
import json
import select
import socket
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.gate import Gate
from takeback.gate.feed.state import STATE_FILE
from takeback.gate.processes.hashing_process import HashedFile
from takeback.gate.rules.media import MediaKind
from takeback.gate.serve import hma, openapi, uploads
from takeback.gate.serve.app import REFRESH_SECONDS
from takeback.gate.serve.messages import DecisionAnswer
from takeback.gate.serve.uploads import Upload
from takeback.gate.settings import GateSettings, save
from takeback.hashing import hash_picture
from takeback.signals import Signal, SignalType
from tests.gate.feeds import KEY, entry_id, signal
from tests.gate.pictures import drawing, jpeg, sent
from tests.gate.servers import Registry, followed, running
from tests.gate.sidecar import serving

PICTURE = drawing(1)
FILE = jpeg(PICTURE)
COPY = jpeg(PICTURE.resize((400, 300)), 70)
OTHER = jpeg(drawing(2))
PDQ = hash_picture(FILE).signals[0]


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A registry that publishes PICTURE."""
    with running() as started:
        for one in sent(FILE):
            started.log.add(one)
        yield started


@pytest.fixture
def home(registry: Registry, tmp_path: Path) -> Path:
    """A gate's folder that has followed the feed."""
    return followed(registry, tmp_path / "gate")


@pytest.fixture
def client(home: Path) -> Iterator[httpx.Client]:
    """A caller of a sidecar."""
    with serving(home) as started:
        yield started


def waiting(home: Path) -> int:
    """The number of queued feedback events."""
    with Gate.open(home) as gate:
        return gate.status().feedback_waiting


def as_signals(*signals: Signal | dict[str, object]) -> dict[str, object]:
    fields = [one._asdict() if isinstance(one, Signal) else one for one in signals]
    return {"signals": msgspec.to_builtins(fields)}


def test_a_file_is_decided_on(client: httpx.Client) -> None:
    """A copy of a listed picture is blocked, as a plain body and as a form; another picture is allowed."""
    for answer in (client.post("/v1/check", content=COPY), client.post("/v1/check", files={"photo": ("x.jpg", COPY)})):
        assert answer.status_code == 200
        told = msgspec.json.decode(answer.content, type=DecisionAnswer)
        assert told.decision == "block"
        assert told.matches[0].type is SignalType.PDQ
    assert client.post("/v1/check", content=OTHER).json()["decision"] == "allow"


def test_a_file_in_parts(client: httpx.Client) -> None:
    """A file of unknown length that arrives in parts is checked as a whole."""
    parts = (COPY[at : at + 1000] for at in range(0, len(COPY), 1000))
    assert client.post("/v1/check", content=parts).json()["decision"] == "block"


def test_hashes_are_decided_on(client: httpx.Client) -> None:
    """Signals that the caller computed are decided on, for one upload or many, in their order."""
    one = as_signals({"type": "pdq", "value": PDQ.value, "quality": 100})
    other = as_signals({"type": "md5", "value": "0" * 32})
    assert client.post("/v1/check/signals", json=one).json()["decision"] == "block"
    assert client.post("/v1/check/signals", json=other).json()["decision"] == "allow"
    for times in (1, 20):  # in the event loop, and in a thread
        answers = client.post("/v1/check/batch", json={"uploads": [one, other] * times}).json()["decisions"]
        assert [answer["decision"] for answer in answers] == ["block", "allow"] * times


def test_patches(registry: Registry, home: Path) -> None:
    """An upload whose patches the caller sends is answered with the number of its parts that match."""
    listed = signal(30, SignalType.PATCHES)
    registry.log.add(listed)
    with Gate.open(home) as gate:
        gate.sync()
    with serving(home) as client:
        answer = client.post("/v1/check/signals", json=as_signals(listed)).json()
    (match,) = msgspec.json.decode(msgspec.json.encode(answer), type=DecisionAnswer).matches
    assert (match.type, match.votes, match.pose, match.action) == ("patches", 4, 0, "block")
    assert "4 parts of the picture match" in answer["explanation"]


@pytest.mark.parametrize("size", [1 << 20, (1 << 20) + 1])
def test_the_limit_on_bytes(client: httpx.Client, size: int) -> None:
    """A file of exactly the limit is read, and one more byte is refused: announced, in parts, or in a form."""
    data = bytes(size)
    status = 200 if size == 1 << 20 else 413
    assert client.post("/v1/check", content=data).status_code == status
    assert client.post("/v1/check", content=iter([data])).status_code == status
    assert client.post("/v1/check", files={"photo": data}).status_code == status


def test_what_is_too_large_is_not_read(client: httpx.Client) -> None:
    """A body that announces too much is refused before it is sent."""
    host, port = client.base_url.host, client.base_url.port
    with socket.create_connection((host, port or 0), timeout=10) as caller:
        caller.sendall(b"POST /v1/check HTTP/1.1\r\nHost: gate\r\nContent-Length: 99999999999\r\n\r\n")
        assert caller.recv(1000).startswith(b"HTTP/1.1 413")


def test_a_slow_body_gives_up_its_place(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that stops sending is refused in time, so that others get its place."""
    monkeypatch.setattr(uploads, "MAX_BODY_SECONDS", 0.2)
    host, port = client.base_url.host, client.base_url.port
    slow = [socket.create_connection((host, port or 0), timeout=10) for _ in range(3)]
    for caller in slow:
        caller.sendall(b"POST /v1/check HTTP/1.1\r\nHost: gate\r\nContent-Length: 100\r\n\r\n12345")
    assert client.post("/v1/check", content=COPY).json()["decision"] == "block"
    for caller in slow:
        assert caller.recv(1000).startswith(b"HTTP/1.1 408")
        caller.close()


def test_a_file_that_is_no_picture(client: httpx.Client) -> None:
    """A damaged picture, and a file that claims to be one, ask for a review; a text is allowed."""
    for sent_as, (decision, kind, why) in (
        ({"content": FILE[:300]}, ("review", "unreadable", "damaged-picture")),
        ({"content": b"hello"}, ("allow", "not_media", "")),
        ({"content": b"hello", "headers": {"Content-Type": "image/png"}}, ("review", "unreadable", "unknown-format")),
        ({"files": {"file": ("a", b"hello", "text/plain")}}, ("allow", "not_media", "")),
        ({"files": {"file": ("a", b"hello", "video/mp4")}}, ("review", "unreadable", "unknown-format")),
    ):
        answer = client.post("/v1/check", **sent_as)
        assert answer.status_code == 200
        told = answer.json()
        assert (told["decision"], told["kind"], told["why"]) == (decision, kind, why)


def test_a_silent_caller_blocks_nobody(client: httpx.Client) -> None:
    """While more callers than places have sent one byte each, a whole file is decided on."""
    host, port = client.base_url.host, client.base_url.port
    slow = [socket.create_connection((host, port or 0), timeout=10) for _ in range(20)]
    for caller in slow:
        caller.sendall(b"POST /v1/check HTTP/1.1\r\nHost: gate\r\nContent-Length: 1000000\r\n\r\n1")
    assert client.post("/v1/check", content=COPY).json()["decision"] == "block"
    for caller in slow:
        caller.close()


def test_bodies_that_wait_have_a_limit(home: Path) -> None:
    """A body beyond the limit on waiting bytes is refused, and accepted once others are done."""
    with serving(home, max_bytes=1 << 20, waiting=1 << 20) as client:
        address = (client.base_url.host, client.base_url.port or 0)
        slow = [socket.create_connection(address, timeout=10) for _ in range(3)]
        head = b"POST /v1/check HTTP/1.1\r\nHost: gate\r\nContent-Length: 1000000\r\n\r\n"
        for caller in slow:
            caller.sendall(head + bytes(999_000))
        refused, _, _ = select.select(slow, [], [], 10)
        assert [caller.recv(12) for caller in refused] == [b"HTTP/1.1 503"]
        answer = until(client, 503)  # once the bytes of the others were read
        assert answer.json()["type"] == "urn:takeback:problem:busy"
        for caller in slow:
            caller.close()
        until(client, 200)


def until(client: httpx.Client, status: int) -> httpx.Response:
    """Sends a small file repeatedly until it is answered with this status."""
    for _ in range(500):
        answer = client.post("/v1/check", content=bytes(200_000))
        if answer.status_code == status:
            return answer
        time.sleep(0.01)
    raise AssertionError("never")


def test_health_waits_for_nobody(home: Path) -> None:
    """While another process holds the state's lock, health, readiness and checks answer."""
    with serving(home) as client, sqlite3.connect(home / STATE_FILE, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        outcome = {"id": "1" * 32, "entries": [entry_id(1)], "verdict": "blocked"}
        with ThreadPoolExecutor(4) as threads:
            waiting = [threads.submit(client.post, "/v1/feedback", json=outcome) for _ in range(4)]
            time.sleep(0.3)
            for path in ("/healthz", "/readyz", "/metrics"):
                assert client.get(path, timeout=5).status_code == 200
            one = as_signals({"type": "pdq", "value": PDQ.value, "quality": 100})
            assert client.post("/v1/check/signals", json=one, timeout=5).json()["decision"] == "block"
            assert not any(future.done() for future in waiting)
            other.execute("ROLLBACK")
            assert {future.result().status_code for future in waiting} == {202}
    other.close()


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/check/signals", b"{", ""),
        ("/v1/check/signals", b'{"signals": []}', "signals"),
        ("/v1/check/signals", b'{"signals": [{"type": "md5", "value": "x"}]}', "signals[0].value"),
        ("/v1/check/signals", b'{"signals": [], "more": 1}', ""),
        ("/v1/check/signals?more=1", json.dumps(as_signals(signal(1, SignalType.MD5))).encode(), "report"),
        ("/v1/check?report=yes", FILE, "report"),
        ("/v1/check/batch", b'{"uploads": []}', "uploads"),
        ("/v1/check", b"", ""),
        ("/v1/feedback", b'{"id": "x"}', ""),
    ],
)
def test_a_malformed_request(client: httpx.Client, path: str, body: bytes, field: str) -> None:
    """A malformed request is refused with the name of the field."""
    answer = client.post(path, content=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["type"] == "urn:takeback:problem:invalid-message"
    assert field in answer.json().get("field", "")


@given(st.binary(max_size=300))
def test_any_form(body: bytes) -> None:
    """Any form gets an answer or a refusal, and never a server error."""
    head = b"--x\r\nContent-Disposition: form-data; name=photo; filename=a\r\n\r\n"
    for content in (body, head + body, head + body + b"\r\n--x--\r\n"):
        answer = _any.post("/v1/check", content=content, headers={"Content-Type": "multipart/form-data; boundary=x"})
        assert answer.status_code in {200, 400}, answer.text
    answer = _any.post("/v1/check", content=body, headers={"Content-Type": "multipart/form-data"})
    assert answer.status_code == 400


_any: httpx.Client


@pytest.fixture(scope="module", autouse=True)
def _sidecar_for_any_form(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One sidecar for all examples of a property."""
    global _any
    home = tmp_path_factory.mktemp("any") / "gate"
    save(home, GateSettings("http://127.0.0.1:9", KEY))
    with serving(home) as _any:
        yield


def test_feedback_is_kept_until_it_is_sent(client: httpx.Client, home: Path, registry: Registry) -> None:
    """Feedback is on disk when it is answered, counts once, and is sent with the next sync."""
    told = client.post("/v1/check", content=COPY).json()
    entries = [match["entry"] for match in told["matches"]]
    outcome = {"id": told["id"], "entries": entries, "verdict": "not_blocked"}
    for _ in range(2):
        answer = client.post("/v1/feedback", json=outcome)
        assert (answer.status_code, answer.json()) == (202, {"kept": 1})
    assert waiting(home) == 1
    with Gate.open(home) as gate:
        gate.sync()
    assert list(registry.feedback.values()) == [("not_blocked", entries)]
    assert waiting(home) == 0


def test_blocked_uploads_are_reported_on_request(client: httpx.Client, home: Path) -> None:
    """With `report` a blocked upload is queued as feedback; an allowed one is not."""
    client.post("/v1/check", content=COPY)
    client.post("/v1/check?report=true", content=OTHER)
    assert waiting(home) == 0
    client.post("/v1/check?report=true", content=COPY)
    assert waiting(home) == 1
    with serving(home, report=True) as always:
        always.post("/v1/check?report=false", content=COPY)
        assert waiting(home) == 1
        always.post("/v1/check", content=COPY)
    assert waiting(home) == 2


def test_a_withdrawn_picture_passes(client: httpx.Client, home: Path, registry: Registry) -> None:
    """The sidecar decides by another process's sync a moment later."""
    assert client.post("/v1/check", content=COPY).json()["decision"] == "block"
    for entry in list(registry.log.active):
        registry.log.remove(entry)
    with Gate.open(home) as gate:
        gate.sync()
    time.sleep(REFRESH_SECONDS)
    assert client.post("/v1/check", content=COPY).json()["decision"] == "allow"


def test_lookup_as_hma(client: httpx.Client) -> None:
    """`GET /m/lookup` answers with banks of matches, and with none for a hash that is not listed."""
    found = client.get("/m/lookup", params={"signal_type": "pdq", "signal": PDQ.value}).json()
    assert found == {hma.BANK: [{"bank_content_id": int(entry_id(1)[:13], 16), "distance": "0", "entry": entry_id(1)}]}
    assert client.get("/m/lookup", params={"signal_type": "video_md5", "signal": "0" * 32}).json() == {}
    by_type = client.post("/m/lookup", files={"photo": COPY}).json()
    assert by_type["pdq"][hma.BANK][0]["entry"] == entry_id(1)
    assert by_type["md5"] == {}


def test_banks_as_hma(client: httpx.Client) -> None:
    """`banks` selects the banks of a look-up; HMA's other parameters are ignored."""
    query = {"signal_type": "pdq", "signal": PDQ.value, "seed": "7", "bypass_coinflip": "true"}
    assert set(client.get("/m/lookup", params={**query, "banks": f"X,{hma.BANK}"}).json()) == {hma.BANK}
    assert client.get("/m/lookup", params={**query, "banks": hma.REVIEW_BANK}).json() == {}
    found = client.post("/m/lookup", params={"banks": "X", "types": "pdq"}, files={"photo": COPY}).json()
    assert found == {"pdq": {}}


def test_raw_lookup_as_hma(client: httpx.Client) -> None:
    """`GET /m/raw_lookup` answers with matches without banks, as ids or with distances."""
    query = {"signal_type": "pdq", "signal": PDQ.value}
    number = int(entry_id(1)[:13], 16)
    assert client.get("/m/raw_lookup", params=query).json() == {"matches": [number]}
    far = client.get("/m/raw_lookup", params={**query, "include_distance": "true"}).json()
    assert far == {"matches": [{"bank_content_id": number, "distance": "0"}]}
    assert client.get("/m/raw_lookup", params={**query, "banks": "X"}).json() == {"matches": []}
    assert client.get("/m/raw_lookup", params={**query, "include_distance": "maybe"}).status_code == 400


def test_videos_as_hma(client: httpx.Client, home: Path, registry: Registry) -> None:
    """A form's `video` is hashed and looked up, by its exact hashes only if its frames cannot be hashed."""
    data = b"no video at all"
    md5 = hashlib.md5(data).hexdigest()
    hashed = client.post("/h/hash", files={"video": data}).json()
    assert hashed == {"video_md5": md5, "md5": md5, "sha256": hashlib.sha256(data).hexdigest()}
    assert client.post("/h/hash?types=video_md5", files={"video": data}).json() == {"video_md5": md5}
    assert client.post("/m/lookup?types=video_md5", files={"video": data}).json() == {"video_md5": {}}
    entry = registry.log.add(Signal(SignalType.MD5, md5))
    with Gate.open(home) as gate:
        gate.sync()
    time.sleep(REFRESH_SECONDS)
    found = client.post("/m/lookup", files={"video": data}).json()
    assert found["video_md5"][hma.BANK][0]["entry"] == entry
    assert client.post("/h/hash", files={"audio": data}).status_code == 400


def test_local_hashes_are_not_hmas() -> None:
    """A file's hashes in HMA's form have no local hashes, a type that HMA's callers do not know."""
    found = tuple(signal(7, kind) for kind in SignalType)
    told = hma.hashes(Upload(b"", "photo"), HashedFile(MediaKind.PICTURE, found), {})
    assert told.keys() == {"pdq", "sha256", "md5", "phash", "vpdq"}


def test_index_status_as_hma(client: httpx.Client) -> None:
    """`GET /m/index/status` answers with the size of each type's index and when the feed was read."""
    told = client.get("/m/index/status").json()
    assert told["pdq"]["present"] is True
    assert told["pdq"]["size"] >= 1
    assert abs(told["pdq"]["built_to"] - time.time()) < 600
    assert client.get("/m/index/status?signal_type=pdq").json().keys() == {"pdq"}
    assert client.get("/m/index/status?signal_type=tlsh").status_code == 400


def test_compare_as_hma(client: httpx.Client) -> None:
    """`POST /m/compare` answers for each pair of hashes whether they match, and their distance."""
    pairs = {"pdq": ["f0" * 32, "f1" * 32], "video_md5": ["0" * 32, "0" * 32]}
    assert client.post("/m/compare", json=pairs).json() == {
        "pdq": [False, {"distance": 32}],
        "video_md5": [True, {"distance": 0}],
    }
    wrong: list[object] = [[1], {"pdq": ["f0" * 32]}, {"tlsh": ["a", "b"]}, {"pdq": ["a", "b"]}]
    assert {client.post("/m/compare", json=body).status_code for body in wrong} == {400}


def test_status_as_hma(client: httpx.Client, tmp_path: Path, registry: Registry) -> None:
    """`GET /status` answers in HMA's words whether the index is loaded and fresh, `/status/live` that it runs."""
    for path in ("/status", "/status/live"):
        assert (client.get(path).status_code, client.get(path).text) == (200, "I-AM-ALIVE")
    save(tmp_path / "new", GateSettings(registry.url, KEY))
    with serving(tmp_path / "new", token="secret") as unread:
        assert (unread.get("/status").status_code, unread.get("/status").text) == (503, "INDEX-NOT-LOADED")
        assert unread.get("/status/live").status_code == 200
        assert unread.get("/m/index/status").status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/check?report=true&report=false"),
        ("POST", "/v1/check/signals?report=true&report=true"),
        ("POST", "/h/hash?types=pdq&types=md5"),
        ("POST", "/m/lookup?banks=A&banks=B"),
        ("GET", "/m/lookup?signal_type=pdq&signal_type=md5&signal=0"),
        ("GET", "/m/raw_lookup?signal_type=pdq&signal=0&signal=1"),
        ("GET", "/m/index/status?signal_type=pdq&signal_type=md5"),
    ],
)
def test_repeated_parameters(client: httpx.Client, method: str, path: str) -> None:
    """A repeated parameter is refused, rather than one of its values used."""
    answer = client.request(method, path, files={"photo": COPY} if method == "POST" else None)
    assert answer.status_code == 400
    assert "is repeated" in answer.text


def test_hash_as_hma(client: httpx.Client) -> None:
    """`POST /h/hash` answers with a file's hashes by type, as selected, and none of low quality."""
    signals = {s.type.value: s.value for s in hash_picture(COPY, look_ups=True).signals}
    assert client.post("/h/hash", files={"photo": COPY}).json().items() >= signals.items()
    assert client.post("/h/hash?types=pdq", files={"photo": COPY}).json() == {"pdq": signals["pdq"]}
    flat = jpeg(PICTURE.resize((1, 1)).resize((64, 64)))
    assert client.post("/h/hash?types=pdq", files={"photo": flat}).json() == {"pdq": ""}


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"signal_type": "pdq"},
        {"signal_type": "pdq", "signal": ""},
        {"signal_type": "tlsh", "signal": "0"},
        {"url": "http://127.0.0.1/"},
    ],
)
def test_hma_refusals(client: httpx.Client, query: dict[str, str]) -> None:
    """A look-up that is malformed, of an unknown type or by URL is refused in HMA's format."""
    answer = client.get("/m/lookup", params=query)
    assert answer.status_code == 400
    assert set(answer.json()) == {"message"}
    assert client.post("/h/hash", files={"photo": b"hello"}).status_code == 400
    assert client.post("/h/hash?types=tlsh", files={"photo": COPY}).status_code == 400


def test_health_and_readiness(client: httpx.Client, home: Path, tmp_path: Path, registry: Registry) -> None:
    """A sidecar is ready once its gate has read the feed, and not if its state cannot be read."""
    assert client.get("/healthz").json() == {"status": "ok", "detail": ""}
    assert client.get("/readyz").status_code == 200
    save(tmp_path / "new", GateSettings(registry.url, KEY))
    with serving(tmp_path / "new") as new:
        assert new.get("/readyz").status_code == 503
        assert new.post("/v1/check", content=COPY).json()["decision"] == "review"
    (home / STATE_FILE).write_bytes(b"x" * 9000)
    for name in ("-wal", "-shm"):
        (home / f"{STATE_FILE}{name}").unlink(missing_ok=True)
    time.sleep(REFRESH_SECONDS)
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503
    assert client.post("/v1/check", content=COPY).status_code == 503


def test_metrics_count_and_tell_nothing(client: httpx.Client) -> None:
    """The metrics count requests, decisions and bytes, and contain no hash or entry."""
    client.post("/v1/check", content=COPY)
    client.post("/v1/check", content=b"hello")
    client.post("/v1/check/signals", json=as_signals(signal(9, SignalType.MD5)))
    text = client.get("/metrics").text
    for line in (
        'takeback_gate_requests_total{route="/v1/check",status="200"} 2.0',
        'takeback_gate_decisions_total{action="block"} 1.0',
        'takeback_gate_decisions_total{action="allow"} 2.0',
        'takeback_gate_matches_total{type="pdq"} 1.0',
        f"takeback_gate_upload_bytes_total {float(len(COPY) + 5)}",
        'takeback_gate_entries{type="pdq"} 1.0',
        "takeback_gate_feed_checkpoint 3.0",
    ):
        assert line in text
    assert PDQ.value not in text
    assert entry_id(1) not in text


def test_the_token(home: Path) -> None:
    """With a token every path but health and readiness refuses a caller who does not send it."""
    with serving(home, token="secret") as client:
        assert client.post("/v1/check", content=COPY).status_code == 401
        assert client.get("/m/lookup", params={"signal_type": "pdq", "signal": PDQ.value}).status_code == 401
        assert client.get("/metrics", headers={"Authorization": "Bearer other"}).status_code == 401
        assert client.get("/healthz").status_code == 200
        shown = {"Authorization": "Bearer secret"}
        assert client.post("/v1/check", content=COPY, headers=shown).json()["decision"] == "block"


def test_the_sidecar_counts_people(client: httpx.Client) -> None:
    """`Takeback-Uploader` and `uploader` name the uploader, so that one bot does not trigger the brake."""
    bot = {"Takeback-Uploader": "bot"}
    body = {"signals": [{"type": "pdq", "value": PDQ.value, "quality": 100}]}
    for _ in range(60):
        client.post("/v1/check/batch", json={"uploads": [{**body, "uploader": "bot"}] * 2})
    assert client.post("/v1/check/signals", json={**body, "uploader": "bot"}).json()["decision"] == "block"
    assert client.post("/v1/check", content=COPY, headers=bot).json()["decision"] == "block"
    client.post("/v1/check/batch", json={"uploads": [body] * 120})
    braked = client.post("/v1/check/signals", json={**body, "uploader": "bot"}).json()
    assert braked["decision"] == "review"
    confirmed = {"id": braked["id"], "entries": [braked["matches"][0]["entry"]], "verdict": "blocked"}
    assert client.post("/v1/feedback", json=confirmed).status_code == 202
    assert client.post("/v1/check/signals", json=body).json()["decision"] == "review"
    assert client.post("/v1/feedback", json={**confirmed, "confirmed": True}).status_code == 202
    assert client.post("/v1/check/signals", json=body).json()["decision"] == "block"
    assert client.post("/v1/check", content=COPY, headers={"Takeback-Uploader": "x" * 257}).status_code == 400
    assert client.post("/v1/check", content=COPY, headers=[("Takeback-Uploader", "a")] * 2).status_code == 400


def test_unknown_addresses(client: httpx.Client) -> None:
    """An unknown path or method is refused as a problem, and 405 names the methods allowed."""
    assert client.get("/v1/nothing").json()["type"] == "urn:takeback:problem:not-found"
    wrong = client.get("/v1/check")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


def test_the_document_names_every_route(client: httpx.Client) -> None:
    """The OpenAPI document describes exactly the existing routes, and all its references resolve."""
    document = client.get("/openapi.json").json()
    described = {(path, method.upper()) for path, methods in document["paths"].items() for method in methods}
    table = {(operation.path, operation.method.upper()) for operation in openapi.OPERATIONS}
    assert described == table
    for path, method in described:
        assert client.request(method, path).status_code not in {404, 405, 500}
    text = json.dumps(document)
    for name in (part.split('"')[0] for part in text.split("#/components/schemas/")[1:]):
        assert name in document["components"]["schemas"]


def test_methods_and_parameters(client: httpx.Client) -> None:
    """A method that is not allowed is answered with those that are; HEAD goes with GET."""
    for path, methods in {"/m/lookup": "GET, HEAD, POST", "/healthz": "GET, HEAD", "/v1/check": "POST"}.items():
        wrong = client.request("PATCH", path)
        assert (wrong.status_code, wrong.headers["allow"]) == (405, methods)
        assert wrong.json()["detail"] == f"this path takes {methods}"
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/m/lookup"):
        got, head = client.get(path), client.head(path)
        assert (head.status_code, head.content, head.headers.keys()) == (got.status_code, b"", got.headers.keys())
    twice = client.post("/v1/check?report=true&report=false", content=COPY)
    assert (twice.status_code, twice.json()["field"]) == (400, "report")
    assert client.get(f"/m/lookup?signal_type=pdq&signal_type=md5&signal={PDQ.value}").status_code == 400
