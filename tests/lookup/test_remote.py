import json
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from PIL import Image

from takeback.errors import GateError, InvalidMessage, KeyRefused, PictureError, SettingsError
from takeback.gate import Action, Gate
from takeback.hashing import hash_picture, with_variants
from takeback.lookup import LookUpAway, RemoteGate, TooManyQuestions, WhenAway
from takeback.lookup.service.probing import ProbingBrake
from takeback.signals import Signal, SignalType
from tests.gate.pictures import drawing, jpeg
from tests.gate.servers import Answer, Registry, Request, followed, running
from tests.lookup.services import Service, running_service

PICTURE = drawing(1)
FILE = jpeg(PICTURE)
COPY = jpeg(PICTURE.resize((400, 300)), 70)
OTHER = jpeg(drawing(2))
KEY = "tbl_" + "0" * 16 + "_" + "1" * 64


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A registry that publishes FILE as a person's client sends it."""
    with running() as started:
        for one in with_variants(hash_picture(FILE)).signals:
            started.log.add(one)
        yield started


@pytest.fixture
def service(registry: Registry, tmp_path: Path) -> Iterator[Service]:
    """A service with one site."""
    with running_service(followed(registry, tmp_path / "gate")) as started:
        yield started


@pytest.fixture
def gate(service: Service) -> Iterator[RemoteGate]:
    """The site's gate."""
    with RemoteGate(service.address, service.key) as opened:
        yield opened


def test_uploads_are_decided_on(gate: RemoteGate, tmp_path: Path) -> None:
    """The file itself, a copy and a mirrored copy are blocked; another picture and another kind of file are allowed."""
    mirrored = jpeg(PICTURE.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    (tmp_path / "copy.jpg").write_bytes(COPY)
    for upload in (FILE, COPY, mirrored, tmp_path / "copy.jpg", str(tmp_path / "copy.jpg")):
        decision = gate.check(upload, given="image/jpeg", uploader="user-1")
        assert (decision.action, decision.kind, decision.is_checked) == (Action.BLOCK, "picture", True)
    assert gate.check(OTHER).action is Action.ALLOW
    text = gate.check(b"hello")
    assert (text.action, text.kind, text.id) == (Action.ALLOW, "not_media", "")


def test_it_decides_as_a_gate_does(gate: RemoteGate, service: Service) -> None:
    """On plain copies, parts and strangers the answer is that of a gate with the list."""
    part = jpeg(PICTURE.crop((40, 30, 600, 450)))
    with Gate.open(service.home) as local:
        for upload in (FILE, COPY, OTHER, part):
            assert gate.check(upload).action is local.check(upload).action


def test_what_is_sent() -> None:
    """No picture, no whole SHA-256, no MD5, no name leaves the site; with an exact match only the prefix does."""
    sent = list[Request]()

    def answer(request: Request) -> Answer:
        sent.append(request)
        if request.method == "GET":
            return Answer(json.dumps({"suffixes": suffixes}).encode())
        return Answer(b'{"decision": "allow", "id": "AAAA"}')

    exact = sha256(COPY).hexdigest()
    suffixes = list[dict[str, str]]()
    with running() as server:
        server.answer = answer
        with RemoteGate(server.url, KEY) as gate:
            gate.check(COPY, given="image/jpeg", uploader="user-4711")
            suffixes.append({"suffix": exact[5:], "decision": "block", "id": "BBBB"})
            decision = gate.check(COPY)
        with RemoteGate(server.url, KEY, asks_parts=False) as gate:
            gate.check(OTHER)
    assert (decision.action, decision.id) == (Action.BLOCK, "BBBB")
    assert [request.method for request in sent] == ["GET", "POST", "GET", "GET", "POST"]
    assert sent[0].path == f"/v1/sha256/{exact[:5]}"
    asked = json.loads(sent[1].body)
    assert asked.keys() == {"signals", "dihedral", "patches", "uploader"}
    assert {one["type"] for one in asked["signals"]} == {"pdq"}
    assert len(asked["patches"]) > 50
    assert {len(patch) for patch in asked["patches"]} == {3}
    for request in sent:
        assert exact[:12].encode() not in request.body + request.path.encode()
        assert b"user-4711" not in request.body
        assert COPY[:20] not in request.body
    assert "patches" not in json.loads(sent[4].body)


def test_signals_of_the_sites_own(gate: RemoteGate) -> None:
    """A site that hashes by itself asks by signals; a SHA-256 goes by its prefix, and an MD5 is not sent."""
    pdq = hash_picture(FILE).signals[0]
    assert gate.check_signals([pdq]).action is Action.BLOCK
    assert gate.check_signals([Signal(SignalType.SHA256, sha256(FILE).hexdigest())]).action is Action.BLOCK
    alone = gate.check_signals([Signal(SignalType.MD5, "0" * 32)])
    assert (alone.action, alone.explain()) == (Action.ALLOW, "no fingerprint but exact hashes")
    form = hash_picture(OTHER).signals[0]
    assert gate.check_signals([form], {"flipx": pdq.value}).action is Action.BLOCK
    with pytest.raises(InvalidMessage):
        gate.check_signals([form], {"sideways": pdq.value})


def test_feedback(gate: RemoteGate, service: Service, registry: Registry) -> None:
    """Feedback of a decision, of one by an exact match and of an id reaches the registry."""
    decisions = [gate.check(COPY), gate.check(FILE)]
    assert [gate.feedback(one, "blocked", confirmed=True) for one in decisions] == [1, 1]
    assert gate.feedback(gate.check(COPY).id, "pending_review") == 1
    assert gate.feedback(gate.check(b"text"), "not_blocked") == 0
    with Gate.open(service.home) as opened:
        opened.sync()
    verdicts = sorted(verdict for verdict, _ in registry.feedback.values())
    assert verdicts == ["blocked", "blocked", "pending_review"]
    with pytest.raises(SettingsError, match="verdict"):
        gate.feedback("AAAA", "liked")
    with pytest.raises(InvalidMessage):
        gate.feedback("AAAA", "blocked")


def test_a_service_that_is_away() -> None:
    """Without a service a check raises, allows or holds, as the site has set; feedback always raises."""
    with RemoteGate("http://127.0.0.1:9", KEY) as gate:
        with pytest.raises(LookUpAway, match="refused"):
            gate.check(COPY)
        with pytest.raises(LookUpAway):
            gate.feedback("AAAA", "blocked")
    for how, action in ((WhenAway.ALLOW, Action.ALLOW), ("hold", Action.REVIEW)):
        with RemoteGate("http://127.0.0.1:9", KEY, when_away=how) as gate:
            decision = gate.check(COPY)
            assert (decision.action, decision.is_checked, decision.id) == (action, False, "")
            assert "cannot be reached" in decision.explain()
            assert gate.check(b"text").is_checked
            assert gate.check(COPY[:300]).action is Action.REVIEW


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(b"{}", 401), KeyRefused),
        (Answer(b"x", 400), InvalidMessage),
        (Answer(b"x", 429), TooManyQuestions),
        (Answer(b"x", 502), LookUpAway),
        (Answer(b"", 302, {"Location": "http://127.0.0.1:9/"}), LookUpAway),
        (Answer(b"not JSON"), LookUpAway),
        (Answer(b'{"suffixes": [{"suffix": "0", "decision": "block", "id": "A"}]}'), LookUpAway),
        (Answer(b" " * (9 << 20)), LookUpAway),
        (Answer(b'{"suf', promised=20), LookUpAway),
    ],
)
def test_any_answer_is_an_error_of_ours(answer: Answer, error: type[GateError]) -> None:
    """Whatever a service answers, a check gives a decision or raises one of our errors."""
    with running() as server:
        server.answer = lambda _: answer
        with RemoteGate(server.url, KEY) as gate, pytest.raises(error):
            gate.check(COPY)


def test_a_quota_that_is_used_up(registry: Registry, tmp_path: Path) -> None:
    """Over the quota a check raises with the seconds until midnight, or lets pass if the site wants that."""
    with running_service(followed(registry, tmp_path / "gate"), quota=1) as service:
        with RemoteGate(service.address, service.key) as gate, pytest.raises(TooManyQuestions) as caught:
            gate.check(COPY)
        assert (caught.value.code, 0 < caught.value.retry_after <= 86_401) == ("quota", True)
        with RemoteGate(service.address, service.key, when_away="allow") as gate:
            assert gate.check(COPY).action is Action.ALLOW


def test_too_many_alike_are_held(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions that are refused because they are nearly alike never let an upload pass."""
    monkeypatch.setattr(ProbingBrake, "wait", lambda *_: 100.0)
    with RemoteGate(service.address, service.key, when_away="allow") as gate:
        decision = gate.check(OTHER)
    assert (decision.action, decision.is_checked) == (Action.REVIEW, False)


@pytest.mark.parametrize(
    ("address", "key", "changes"),
    [
        ("http://lookup.example", KEY, {}),
        ("lookup.example", KEY, {}),
        ("https://lookup.example", "tbk_" + KEY[4:], {}),
        ("https://lookup.example", KEY, {"when_away": "pray"}),
    ],
)
def test_settings_that_cannot_be_used(address: str, key: str, changes: dict[str, str]) -> None:
    """A wrong address, key or choice is refused, with what to change."""
    with pytest.raises(SettingsError):
        RemoteGate(address, key, **changes)  # type: ignore[arg-type]


def test_opened_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Address and key may come from the environment."""
    with pytest.raises(SettingsError, match="TAKEBACK_LOOKUP"):
        RemoteGate.open()
    monkeypatch.setenv("TAKEBACK_LOOKUP", "https://lookup.example")
    monkeypatch.setenv("TAKEBACK_LOOKUP_KEY", KEY)
    RemoteGate.open(when_away="hold").close()


def test_a_path_that_cannot_be_read(gate: RemoteGate, tmp_path: Path) -> None:
    """A path without a file raises the error that a gate raises."""
    for path, text in ((tmp_path / "missing", "does not exist"), (tmp_path, "is not a file")):
        with pytest.raises(PictureError, match=text):
            gate.check(path)


def test_a_decision_for_programs(gate: RemoteGate) -> None:
    """A decision as JSON has the sidecar's names, and no distance, hash or entry."""
    told = gate.check(COPY).as_dict()
    assert told.keys() == {"decision", "explanation", "notes", "kind", "why", "checked", "id"}


BLOCKED = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if not (top in sys.stdlib_module_names or top in ALLOWED or name in OURS or name.startswith(ROOMS)):
            raise ModuleNotFoundError(name)

ALLOWED = {"takeback", "PIL", "httpx", "msgspec", "httpcore", "h11", "certifi", "idna", "anyio"}
ALLOWED |= {"typing_extensions", "sniffio", "_distutils_hack"}
OURS = set()
ROOMS = ("takeback.hashing", "takeback.lookup")
sys.meta_path.insert(0, Refuse())
from takeback.lookup import RemoteGate, WhenAway
from takeback.lookup.reading_process import _hashed
with RemoteGate("http://127.0.0.1:9", sys.argv[1], when_away=WhenAway.HOLD) as gate:
    with open(sys.argv[2], "rb") as file:
        data = file.read()
    assert gate.check(data).action == "review"
    assert _hashed(data)["signals"]
print(sorted(name for name in sys.modules if name.startswith(("takeback.gate", "numpy", "cryptography"))))
"""


def test_three_packages_are_enough(tmp_path: Path) -> None:
    """The client runs with httpx, msgspec and Pillow, and loads nothing of the gate."""
    (tmp_path / "copy.jpg").write_bytes(COPY)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n{BLOCKED}", KEY, tmp_path / "copy.jpg"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr
