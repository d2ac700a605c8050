"""The look-up service's client in JavaScript, against a real service and beside the client in Python."""

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest
from PIL import Image

from builder import ROOT
from takeback.hashing import hash_picture, with_variants
from takeback.lookup import RemoteGate
from takeback.lookup.service.probing import ProbingBrake
from tests.gate.pictures import drawing, jpeg
from tests.gate.servers import Answer, Registry, Request, followed, running
from tests.integrations.node.clients import COPY, KEY, OTHER, answers, encoded, saved, told
from tests.lookup.services import Service, running_service

PICTURE: Final = drawing(1)
FILE: Final = jpeg(PICTURE)
AWAY: Final = "http://127.0.0.1:9"
pytestmark = pytest.mark.timeout(240)


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


def test_it_decides_as_python_does(packages: Path, service: Service, tmp_path: Path) -> None:
    """Of copies, parts, animations, strangers and other files, the answer is the one of the client in Python."""
    mirrored = jpeg(PICTURE.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    part = jpeg(PICTURE.crop((40, 30, 600, 450)))
    turned = jpeg(PICTURE.transpose(Image.Transpose.ROTATE_90), orientation=6)
    moving = encoded(drawing(2), "GIF", save_all=True, append_images=[PICTURE], duration=1000)
    uploads = (FILE, COPY, mirrored, part, turned, encoded(PICTURE, "AVIF"), moving, OTHER, b"hello")
    paths = saved(tmp_path, *uploads)
    about = {"type": "image/jpeg", "uploader": "user-1"}
    found = answers(packages, service, [("check", path, about) for path in paths[:-1]] + [("check", paths[-1])])
    with RemoteGate(service.address, service.key) as gate:
        for upload, decision in zip(uploads, found, strict=True):
            local = gate.check(upload)
            assert (decision["action"], decision["kind"], decision["isChecked"]) == (local.action, local.kind, True)
    del found[uploads.index(part)]  # too few of its local hashes are listed
    assert [one["action"] for one in found] == ["block"] * 6 + ["allow"] * 2
    assert found[-1]["id"] == ""


def test_an_animated_png_asks_for_a_review(packages: Path, service: Service, tmp_path: Path) -> None:
    """Of an animated PNG the first picture alone can be read, so another one does not make it pass."""
    (path,) = saved(tmp_path, encoded(drawing(2), "PNG", save_all=True, append_images=[PICTURE], duration=1000))
    (found,) = answers(packages, service, [("check", path)])
    assert found["action"] == "review"


def test_bytes_blobs_and_paths(packages: Path, service: Service, tmp_path: Path) -> None:
    """An upload may be a path, bytes or a blob; a path without a file is an error of the system."""
    (path,) = saved(tmp_path, COPY)
    calls = [("check", path), ("check", {"bytes": path}), ("check", {"blob": path}), ("check", f"{path}-missing")]
    *found, missing = answers(packages, service, calls)
    assert [one["action"] for one in found] == ["block"] * 3
    assert missing["code"] == "ENOENT"


def test_what_is_sent(packages: Path, tmp_path: Path) -> None:
    """No picture, no whole SHA-256, no MD5, no name leaves the site; with an exact match only the prefix does."""
    sent = list[Request]()
    exact = sha256(COPY).hexdigest()
    suffixes = list[dict[str, str]]()

    def answer(request: Request) -> Answer:
        sent.append(request)
        if request.method == "GET":
            return Answer(json.dumps({"suffixes": suffixes}).encode())
        return Answer(b'{"decision": "allow", "id": "AAAA"}')

    copy, other = saved(tmp_path, COPY, OTHER)
    with running() as server:
        server.answer = answer
        told(packages, server.url, KEY, [("check", copy, {"uploader": "user-4711"})])
        suffixes.append({"suffix": exact[5:], "decision": "block", "id": "BBBB"})
        (decision,), output = told(packages, server.url, KEY, [("check", copy)])
        told(packages, server.url, KEY, [("check", other)], asksParts=False)
    assert (decision["action"], decision["id"]) == ("block", "BBBB")
    assert [request.method for request in sent] == ["GET", "POST", "GET", "GET", "POST"]
    assert sent[0].path == f"/v1/sha256/{exact[:5]}"
    asked = json.loads(sent[1].body)
    assert asked.keys() == {"signals", "dihedral", "patches", "uploader"}
    assert {one["type"] for one in asked["signals"]} == {"pdq"}
    assert len(asked["patches"]) > 50
    assert re.fullmatch(r"[0-9a-f]{16}", asked["uploader"])
    for request in sent:
        assert exact[:12].encode() not in request.body + request.path.encode()
        assert b"user-4711" not in request.body
        assert COPY[:20] not in request.body
    assert "patches" not in json.loads(sent[4].body)
    assert KEY not in output  # nor in what inspection of the gate shows


def test_what_cannot_be_read(packages: Path, service: Service, tmp_path: Path) -> None:
    """What cannot be hashed, or only in part, asks for a review, unless the site allows it; a listed part blocks."""
    bomb = encoded(Image.new("1", (12_000, 12_000)), "PNG")
    moov = b"\0\0\0\x18ftypisom\0\0\0\0isommp42\0\0\0\x08moov"
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\0\x08meta"
    broken = b"\xff\xd8\xff\xe0 no picture"
    paths = saved(tmp_path, moov, heic, encoded(drawing(2), "BMP"), broken, bomb, OTHER[: len(OTHER) // 2])
    kinds = ["video", "unreadable", "unreadable", "unreadable", "unreadable", "picture"]
    calls = [("check", path) for path in paths]
    held, allowed = (answers(packages, service, calls, **more) for more in ({}, {"unreadable": "allow"}))
    assert [one["kind"] for one in held] == kinds
    assert {one["action"] for one in held} == {"review"}
    assert [one["why"] for one in held[1:5]] == ["unknown-format"] * 2 + ["damaged-picture"] * 2
    assert all(one["notes"] for one in held)
    assert {one["action"] for one in allowed} == {"allow"}
    text, cut = saved(tmp_path, b"hello", COPY[:-40])
    found = answers(packages, service, [("check", text), ("check", text, {"type": "image/png"}), ("check", cut)])
    assert [(one["kind"], one["action"]) for one in found] == [
        ("not_media", "allow"),
        ("unreadable", "review"),
        ("picture", "block"),
    ]


def test_signals_of_the_sites_own(packages: Path, service: Service) -> None:
    """A site that hashes by itself asks by signals; a SHA-256 goes by its prefix, and an MD5 is not sent."""
    pdq, other = (hash_picture(data).signals[0] for data in (FILE, OTHER))
    one, form = ({"type": "pdq", "value": found.value, "quality": 100} for found in (pdq, other))
    calls = [
        ("checkSignals", [one]),
        ("checkSignals", [{"type": "sha256", "value": sha256(FILE).hexdigest()}]),
        ("checkSignals", [form], {"dihedral": {"flipx": pdq.value}}),
        ("checkSignals", [{"type": "md5", "value": "0" * 32}]),
        ("checkSignals", [form], {"dihedral": {"sideways": pdq.value}}),
    ]
    *blocked, alone, wrong = answers(packages, service, calls)
    assert [found["action"] for found in blocked] == ["block"] * 3
    assert (alone["action"], alone["notes"]) == ("allow", ["no fingerprint but exact hashes"])
    assert wrong["error"] == "InvalidMessage"


def test_feedback(packages: Path, service: Service, registry: Registry, tmp_path: Path) -> None:
    """Feedback of decisions and of ids reaches the registry; an unknown id or verdict is refused."""
    from takeback.gate import Gate

    paths = saved(tmp_path, COPY, FILE)
    decisions = answers(packages, service, [("check", path) for path in paths])
    calls: list[tuple[object, ...]] = [("feedback", one, "blocked", {"confirmed": True}) for one in decisions]
    calls += [("feedback", decisions[0]["id"], "pending_review"), ("feedback", {"id": ""}, "not_blocked")]
    calls += [("feedback", "AAAA", "liked"), ("feedback", "AAAA", "blocked")]
    *sent, unknown_verdict, unknown_id = answers(packages, service, calls)
    assert sent == [True, True, True, False]
    assert (unknown_verdict["error"], unknown_id["error"]) == ("SettingsError", "InvalidMessage")
    with Gate.open(service.home) as opened:
        opened.sync()
    verdicts = sorted(verdict for verdict, _ in registry.feedback.values())
    assert verdicts == ["blocked", "blocked", "pending_review"]


def test_a_service_that_is_away(packages: Path, tmp_path: Path) -> None:
    """Without a service a check throws, allows or holds, as the site has set; feedback always throws."""
    copy, text = saved(tmp_path, COPY, b"text")
    with socket.create_server(("127.0.0.1", 0)) as held:
        closed = f"http://127.0.0.1:{held.getsockname()[1]}"
    raised, fed_back = told(packages, closed, KEY, [("check", copy), ("feedback", "AAAA", "blocked")])[0]
    assert (raised["error"], fed_back["error"]) == ("LookUpAway", "LookUpAway")
    assert "ECONNREFUSED" in raised["message"]
    for how, action in (("allow", "allow"), ("hold", "review")):
        found, other = told(packages, AWAY, KEY, [("check", copy), ("check", text)], whenAway=how)[0]
        assert (found["action"], found["isChecked"], found["id"]) == (action, False, "")
        assert "cannot be reached" in found["notes"][-1]
        assert other["isChecked"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(b"{}", 401), "KeyRefused"),
        (Answer(b"x", 400), "InvalidMessage"),
        (Answer(b"x", 429, {"Retry-After": "7"}), "TooManyQuestions"),
        (Answer(b"x", 502), "LookUpAway"),
        (Answer(b"", 302, {"Location": "http://127.0.0.1:9/"}), "LookUpAway"),
        (Answer(b"not JSON"), "LookUpAway"),
        (Answer(b'{"suffixes": [{"suffix": "0", "decision": "block", "id": "A"}]}'), "LookUpAway"),
        (Answer(b" " * (9 << 20)), "LookUpAway"),
        (Answer(b'{"suf', promised=20), "LookUpAway"),
    ],
)
def test_any_answer_is_an_error_of_ours(packages: Path, tmp_path: Path, answer: Answer, error: str) -> None:
    """Whatever a service answers, a check gives a decision or one of our errors, and none shows the key."""
    (copy,) = saved(tmp_path, COPY)
    with running() as server:
        server.answer = lambda _: answer
        (found,), output = told(packages, server.url, KEY, [("check", copy)])
    assert found["error"] == error
    assert found.get("retryAfter") in {None, 7}
    assert KEY not in output


def test_a_wrong_key_and_a_quota(packages: Path, registry: Registry, tmp_path: Path) -> None:
    """A wrong key is an error also with `allow`; over the quota a check says when to ask again, or allows."""
    (copy,) = saved(tmp_path, COPY)
    calls = [("check", copy)]
    with running_service(followed(registry, tmp_path / "gate"), quota=1) as service:
        wrong, trouble = told(packages, service.address, KEY, [*calls, ("trouble",)], whenAway="allow")[0]
        assert (wrong["error"], trouble) == ("KeyRefused", wrong["message"])
        (refused,) = answers(packages, service, calls)
        assert (refused["error"], refused["code"]) == ("TooManyQuestions", "quota")
        assert 0 < refused["retryAfter"] <= 86_401
        assert answers(packages, service, calls, whenAway="allow")[0]["action"] == "allow"


def test_too_many_alike_are_held(
    packages: Path, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Questions that are refused because they are nearly alike never let an upload pass."""
    monkeypatch.setattr(ProbingBrake, "wait", lambda *_: 100.0)
    (other,) = saved(tmp_path, OTHER)
    (found,) = answers(packages, service, [("check", other)], whenAway="allow")
    assert (found["action"], found["isChecked"]) == ("review", False)


@pytest.mark.parametrize(
    ("address", "key", "options"),
    [
        ("http://lookup.example", KEY, {}),
        ("lookup.example", KEY, {}),
        ("https://user:word@lookup.example", KEY, {}),
        ("https://lookup.example", "tbk_" + KEY[4:], {}),
        ("https://lookup.example", KEY, {"whenAway": "pray"}),
        ("https://lookup.example", KEY, {"unreadable": "block"}),
        ("", "", {}),
    ],
)
def test_settings_that_cannot_be_used(packages: Path, address: str, key: str, options: dict[str, str]) -> None:
    """A wrong address, key or choice is refused at the start, without the key in the text."""
    (found,), output = told(packages, address, key, [], **options)
    assert found["error"] == "SettingsError"
    assert KEY[4:] not in output


def test_what_is_missing_is_told(packages: Path, tmp_path: Path) -> None:
    """Without the kernel or without sharp the client says at the start what to do."""
    for name in ("lookup.mjs", "takeback-lookup.mjs", "takeback-reading.mjs", "takeback-hashing.mjs"):
        shutil.copy(packages / name, tmp_path)
    assert "copy all files" in told(tmp_path, AWAY, KEY, [])[0][0]["message"]
    shutil.copy(packages / "takeback-kernel.wasm", tmp_path)
    assert "npm install sharp" in told(tmp_path, AWAY, KEY, [])[0][0]["message"]


def test_types(packages: Path) -> None:
    """The client's types hold, by the same compiler and options as the page's."""
    compiler = ROOT / "node_modules" / ".bin" / "tsc"
    done = subprocess.run([str(compiler), "-p", "."], cwd=packages, capture_output=True, text=True, check=False)
    assert done.stdout == ""
