"""The look-up service's client in JavaScript, against a real service and beside the client in Python."""

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest
from PIL import Image

from builder import ROOT
from takeback.hashing import hash_picture, with_variants
from takeback.lookup import RemoteGate
from takeback.lookup.service.probing import ProbingBrake
from takeback.signals import PDQ_QUALITY_FLOOR, SignalType, hamming_distance
from tests.gate.pictures import drawing, jpeg
from tests.gate.servers import Answer, Registry, Request, followed, running
from tests.lookup.services import Service, running_service

PICTURE: Final = drawing(1)
FILE: Final = jpeg(PICTURE)
COPY: Final = jpeg(PICTURE.resize((400, 300)), 70)
OTHER: Final = jpeg(drawing(2))
KEY: Final = "tbl_" + "0" * 16 + "_" + "1" * 64
AWAY: Final = "http://127.0.0.1:9"
DRAWN: Final = ROOT / "tests" / "vectors" / "pictures"
UNREADABLE: Final = {"rgb.bmp", "text.jpg"}
LAID_OVER_WHITE: Final = {"grey-alpha.png", "rgba.png"}
MAX_DECODER_BITS: Final = 4
"""Bits of PDQ by which two decoders of JPEG or two ways to lay a picture over white may differ."""

type Calls = Sequence[tuple[object, ...]]
type Answers = list[Any]

pytestmark = pytest.mark.timeout(240)


def told(packages: Path, address: str, key: str, calls: Calls, **options: object) -> tuple[Answers, str]:
    """What a gate with these options answers to calls of its methods, and all output of its process."""
    asked = json.dumps({"address": address, "key": key, "options": options, "calls": calls})
    command = ["node", "lookup.mjs", asked]
    done = subprocess.run(command, cwd=packages, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["answers"], done.stdout + done.stderr


def answers(packages: Path, service: Service, calls: Calls, **options: object) -> Answers:
    """What the service's gate answers."""
    return told(packages, service.address, service.key, calls, **options)[0]


def saved(folder: Path, *uploads: bytes) -> list[str]:
    """The paths of files with this content."""
    paths = [folder / sha256(data).hexdigest()[:16] for data in uploads]
    for path, data in zip(paths, uploads, strict=True):
        path.write_bytes(data)
    return list(map(str, paths))


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


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
    """Of copies, mirrored ones, parts, strangers and other files, the answer is the one of the client in Python."""
    mirrored = jpeg(PICTURE.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    part = jpeg(PICTURE.crop((40, 30, 600, 450)))
    turned = jpeg(PICTURE.transpose(Image.Transpose.ROTATE_90), orientation=6)
    uploads = (FILE, COPY, mirrored, part, turned, encoded(PICTURE, "AVIF"), OTHER, b"hello")
    paths = saved(tmp_path, *uploads)
    about = {"type": "image/jpeg", "uploader": "user-1"}
    found = answers(packages, service, [("check", path, about) for path in paths[:-1]] + [("check", paths[-1])])
    with RemoteGate(service.address, service.key) as gate:
        for upload, decision in zip(uploads, found, strict=True):
            local = gate.check(upload)
            assert (decision["action"], decision["kind"], decision["isChecked"]) == (local.action, local.kind, True)
    del found[uploads.index(part)]  # too few of its local hashes are listed
    assert [one["action"] for one in found] == ["block"] * 5 + ["allow"] * 2
    assert found[-1]["id"] == ""


def test_bytes_blobs_and_paths(packages: Path, service: Service, tmp_path: Path) -> None:
    """An upload may be a path, bytes or a blob; a path without a file is an error of the system."""
    (path,) = saved(tmp_path, COPY)
    calls = [("check", path), ("check", {"bytes": path}), ("check", {"blob": path}), ("check", f"{path}-missing")]
    *found, missing = answers(packages, service, calls)
    assert [one["action"] for one in found] == ["block"] * 3
    assert missing["code"] == "ENOENT"


def recording(sent: list[dict[str, Any]]) -> Callable[[Request], Answer]:
    """Allows everything, and adds an item to `sent` for each prefix: the question that followed, if one did."""

    def answer(request: Request) -> Answer:
        if request.method == "GET":
            sent.append({})
            return Answer(b'{"suffixes": []}')
        sent[-1].update(json.loads(request.body))
        return Answer(b'{"decision": "allow", "id": "AAAA"}')

    return answer


def asked_by_node(packages: Path, paths: Sequence[str]) -> list[dict[str, Any]]:
    """The questions that the client in JavaScript asks about pictures; an empty one if it cannot read one."""
    sent = list[dict[str, Any]]()
    with running() as server:
        server.answer = recording(sent)
        told(packages, server.url, KEY, [("check", path, {"type": "image/x"}) for path in paths])
    return sent


def asked_by_python(upload: bytes) -> dict[str, Any]:
    """The question that the client in Python asks about a picture."""
    sent = list[dict[str, Any]]()
    with running() as server:
        server.answer = recording(sent)
        with RemoteGate(server.url, KEY) as gate:
            gate.check(upload)
    return sent[0]


def distances(data: bytes, asked: dict[str, Any]) -> list[int]:
    """Bits of PDQ between what Node and Python find in a picture: of the hash itself, then of its other forms."""
    hashed = hash_picture(data, look_ups=True)
    assert abs(asked["signals"][0]["quality"] - hashed.quality) <= 1
    assert asked["signals"][0]["value"] == asked["dihedral"]["orig"]
    return [hamming_distance(asked["dihedral"][name], value) for name, value in hashed.dihedral.items()]


def test_the_fingerprints_are_those_of_python(packages: Path) -> None:
    """PDQ of lossless pictures has the same bits, and of all others at most four different ones."""
    files = sorted(file for file in DRAWN.iterdir() if file.name not in {"loud.jpg", "cut.jpg", "cut.png"})
    asked = asked_by_node(packages, list(map(str, files)))
    assert {file.name for file, found in zip(files, asked, strict=True) if not found} == UNREADABLE
    for file, found in zip(files, asked, strict=True):
        if found:
            bits = distances(file.read_bytes(), found)
            is_exact = file.suffix in {".png", ".tiff", ".gif"} and file.name not in LAID_OVER_WHITE
            assert max(bits) <= (0 if is_exact else MAX_DECODER_BITS), (file.name, bits)


def test_local_hashes_and_frames_are_those_of_python(packages: Path, tmp_path: Path) -> None:
    """All local hashes of a lossless picture and all frames of an animation are the same in both clients."""
    frames = [drawing(seed, (300, 200)) for seed in range(40)]
    more: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "duration": [7, 130, 300, 40] * 10}
    uploads = [encoded(drawing(4), "PNG"), encoded(frames[0], "GIF", **more)]
    uploads.append(encoded(frames[0], "WEBP", lossless=True, **more))
    paths = saved(tmp_path, *uploads)
    node = asked_by_node(packages, paths)
    for asked, upload in zip(node, uploads, strict=True):
        python = asked_by_python(upload)
        assert asked["patches"] == python["patches"]
        for kind in (SignalType.PDQ, SignalType.VPDQ):
            values = [
                [one["value"] for one in signals if one["type"] == kind and one.get("variant", "whole") == "whole"]
                for signals in (asked["signals"], python["signals"])
            ]
            assert values[0] == values[1]
    assert [len(asked["signals"]) for asked in node] == [1, 2, 2]


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
        assert told(packages, service.address, KEY, calls, whenAway="allow")[0][0]["error"] == "KeyRefused"
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


def test_quality_is_that_of_python(packages: Path) -> None:
    """A picture whose quality is below the floor is below it in both clients."""
    loud = DRAWN / "loud.jpg"
    quality = asked_by_node(packages, [str(loud)])[0]["signals"][0]["quality"]
    assert max(quality, hash_picture(loud.read_bytes()).quality) < PDQ_QUALITY_FLOOR
