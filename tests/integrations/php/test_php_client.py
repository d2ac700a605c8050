"""The PHP client with real PHP, against a real sidecar and a real look-up service."""

import json
import subprocess
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest
from PIL import Image

from takeback.gate import Gate
from takeback.hashing import hash_picture, with_variants
from takeback.lookup.service.probing import ProbingBrake
from tests.gate.pictures import drawing, jpeg
from tests.gate.servers import Answer, Registry, Request, followed, running
from tests.gate.sidecar import serving
from tests.gate.test_with_registry import KEY_FILE, wire
from tests.gate.test_with_registry import serving as serving_registry
from tests.integrations.php.client import CLIENT, actions, calls, php_command
from tests.lookup.service.test_server import served
from tests.lookup.services import Service, running_service
from tests.registry.support import command

pytestmark = pytest.mark.timeout(300)

PICTURE: Final = drawing(1)
FILES: Final = {
    "listed.jpg": jpeg(PICTURE),
    "copy.jpg": jpeg(PICTURE.resize((400, 300)), 70),
    "mirrored.jpg": jpeg(PICTURE.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
    "other.jpg": jpeg(drawing(2)),
    "broken.jpg": b"\xff\xd8\xff\xe0 no picture",
    "text.txt": b"hello",
    "empty.jpg": b"",
    "video.mp4": b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(500),
}
AWAY: Final = "http://127.0.0.1:9"
KEY: Final = "tbl_" + "0" * 16 + "_" + "1" * 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with uploads."""
    php_command()
    made = tmp_path_factory.mktemp("uploads")
    for name, data in FILES.items():
        (made / name).write_bytes(data)
    screen = Image.new("RGB", (1080, 1920), "black")
    screen.paste(PICTURE.resize((1080, 810)), (0, 500))
    screen.save(made / "screenshot.jpg")
    return made


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A registry that publishes the listed picture as a person's client sends it."""
    with running() as started:
        for one in with_variants(hash_picture(FILES["listed.jpg"])).signals:
            started.log.add(one)
        yield started


@pytest.fixture
def home(registry: Registry, tmp_path: Path) -> Path:
    """A gate's folder that has read the feed."""
    return followed(registry, tmp_path / "gate")


@pytest.fixture
def service(home: Path) -> Iterator[Service]:
    """A look-up service with one site."""
    with running_service(home) as started:
        yield started


def checks(folder: Path, *names: str) -> list[list[Any]]:
    """Calls that check these files."""
    return [["check", folder / name, "image/jpeg", "user-1"] for name in names]


def test_the_sidecar_decides(home: Path, folder: Path) -> None:
    """Listed pictures are blocked, another one and files of other kinds are allowed, and a broken one is reviewed."""
    names = ("listed.jpg", "copy.jpg", "mirrored.jpg", "other.jpg", "broken.jpg", "empty.jpg")
    with serving(home) as client:
        settings: dict[str, str | int] = {"sidecar": str(client.base_url)}
        text = ["check", folder / "text.txt", "multipart/form-data; boundary=x"]
        told = calls(settings, *checks(folder, *names), text, ["ready"])
    assert actions(told[:-1]) == ["block", "block", "block", "allow", "review", "allow", "allow"]
    assert all(one["isChecked"] for one in told[:-1])
    assert told[0]["entries"]
    assert "sha256" in told[0]["notes"][0]
    assert told[-1] == ""


def test_what_the_sidecar_gets(folder: Path) -> None:
    """It gets the file with its media type and the token, and no name of a person; a line end in it adds nothing."""
    answered = {"decision": "allow", "explanation": "", "matches": [], "notes": [], "id": "0" * 32}
    with running() as server:
        server.answer = lambda _: Answer(json.dumps(answered).encode())
        settings: dict[str, str | int] = {"sidecar": server.url + "/", "token": "secret"}
        name = "user 4711\r\nX-Evil: 1"
        (told,) = calls(settings, ["check", folder / "other.jpg", "Image/JPEG; x=y", name])
        assert told["action"] == "allow"
        (request,) = server.requests
        calls(settings, ["check", folder / "other.jpg", "image/jpeg\r\nX-Evil: 1"])
    assert (request.method, request.path) == ("POST", "/v1/check")
    assert request.body == FILES["other.jpg"]
    assert request.headers["content-type"] == "image/jpeg"
    assert request.headers["authorization"] == "Bearer secret"
    assert len(request.headers["takeback-uploader"]) == 64
    assert server.requests[1].headers["content-type"] == "application/octet-stream"
    assert "x-evil" not in {*request.headers, *server.requests[1].headers}


def test_a_token(home: Path, folder: Path) -> None:
    """Without the sidecar's token a check throws, and the settings page learns why."""
    with serving(home, token="secret") as client:
        url = str(client.base_url)
        told = calls({"sidecar": url, "when_away": "allow"}, *checks(folder, "other.jpg"), ["ready"])
        assert told[0]["error"] == "TakebackKeyRefused"
        assert "token" in told[1]
        assert calls({"sidecar": url, "token": "secret"}, ["ready"]) == [""]


def test_a_file_over_the_sidecars_limit(home: Path, tmp_path: Path) -> None:
    """A file that the sidecar refuses because of its size is never let pass by `when_away`."""
    (tmp_path / "padded.jpg").write_bytes(FILES["listed.jpg"] + bytes(2 << 20))
    with serving(home) as client:
        (told,) = calls({"sidecar": str(client.base_url), "when_away": "allow"}, *checks(tmp_path, "padded.jpg"))
    assert (told["action"], told["isChecked"]) == ("review", True)


@pytest.mark.parametrize("way", ["sidecar", "lookup"])
@pytest.mark.parametrize(("when", "action"), [("hold", "review"), ("allow", "allow")])
def test_nobody_answers(way: str, when: str, action: str, folder: Path) -> None:
    """If nothing answers, an upload is held or let pass, as it is set, and is to be checked again; feedback throws."""
    settings: dict[str, str | int] = {way: AWAY, "when_away": when, **({"key": KEY} if way == "lookup" else {})}
    told, fed, ready = calls(settings, *checks(folder, "other.jpg"), ["feedback", "blocked"], ["ready"])
    assert (told["action"], told["isChecked"], told["id"]) == (action, False, "")
    assert told["notes"][0].startswith("not checked: no answer")
    assert fed is None  # of a decision without an id
    assert ready.startswith("no answer")


def test_feedback_by_the_sidecar(home: Path, registry: Registry, folder: Path) -> None:
    """Feedback on a blocked upload reaches the registry; on one that matched nothing there is none."""
    with serving(home) as client:
        settings: dict[str, str | int] = {"sidecar": str(client.base_url)}
        blocked, allowed = checks(folder, "copy.jpg", "other.jpg")
        told = calls(settings, blocked, ["feedback", "blocked", True], allowed, ["feedback", "not_blocked"])
        assert [told[1], told[3]] == [None, None]
        assert calls(settings, blocked, ["feedback", "liked"])[1]["error"] == "TakebackSettingsError"
    with Gate.open(home) as gate:
        gate.sync()
    assert [verdict for verdict, _ in registry.feedback.values()] == ["blocked"]


def test_the_look_up_service_decides(service: Service, folder: Path) -> None:
    """The same files, and a screenshot, by their fingerprints; what is no picture is not asked about."""
    names = ("listed.jpg", "copy.jpg", "mirrored.jpg", "screenshot.jpg", "other.jpg", "broken.jpg", "video.mp4")
    settings: dict[str, str | int] = {"lookup": service.address, "key": service.key}
    told = calls(settings, *checks(folder, *names), ["check", folder / "text.txt", "text/plain"], ["ready"])
    assert actions(told[:-1]) == ["block"] * 4 + ["allow", "review", "review", "allow"]
    assert told[-1] == ""
    assert told[-2]["id"] == ""
    frames = [drawing(number, (200, 150)) for number in (2, 1)]
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    assert actions(calls(settings, *checks(folder, "moving.gif"))) == ["review"]
    allowing = calls({**settings, "unreadable": "allow"}, *checks(folder, "broken.jpg", "video.mp4", "listed.jpg"))
    assert actions(allowing) == ["allow", "allow", "block"]


def test_what_the_look_up_service_gets(folder: Path) -> None:
    """It gets five digits of the SHA-256, and fingerprints only if that is not listed; no file and no person's name."""
    exact = sha256(FILES["other.jpg"]).hexdigest()
    suffixes = list[dict[str, str]]()

    def answer(request: Request) -> Answer:
        body: dict[str, object] = (
            {"suffixes": suffixes} if request.method == "GET" else {"decision": "allow", "id": "AA"}
        )
        return Answer(json.dumps(body).encode())

    with running() as server:
        server.answer = answer
        settings: dict[str, str | int] = {"lookup": server.url, "key": KEY}
        calls(settings, ["check", folder / "other.jpg", "image/jpeg", "user-4711"])
        suffixes.append({"suffix": exact[5:], "decision": "block", "id": "BB"})
        (told,) = calls(settings, *checks(folder, "other.jpg"))
    assert (told["action"], told["id"]) == ("block", "BB")
    assert [request.method for request in server.requests] == ["GET", "POST", "GET"]
    assert server.requests[0].path == f"/v1/sha256/{exact[:5]}"
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    asked = json.loads(server.requests[1].body)
    assert asked.keys() == {"signals", "dihedral", "uploader"}
    assert len(asked["uploader"]) == 16
    for request in server.requests:
        everything = request.body + request.path.encode() + str(request.headers).encode()
        assert exact[:12].encode() not in everything
        assert b"4711" not in everything


def test_a_wrong_key(service: Service, folder: Path) -> None:
    """A key that the service does not know throws, whatever `when_away` says."""
    settings: dict[str, str | int] = {"lookup": service.address, "key": KEY, "when_away": "allow"}
    told = calls(settings, *checks(folder, "other.jpg"), ["ready"])
    assert told[0]["error"] == "TakebackKeyRefused"
    assert "key" in told[1]


def test_a_quota_that_is_used_up(home: Path, folder: Path) -> None:
    """A quota that is used up counts as away."""
    with running_service(home, quota=1) as service:
        settings: dict[str, str | int] = {"lookup": service.address, "key": service.key}
        for when, action in (("hold", "review"), ("allow", "allow")):
            (told,) = calls({**settings, "when_away": when}, *checks(folder, "other.jpg"))
            assert (told["action"], told["isChecked"]) == (action, False)
        assert "quota" in calls(settings, ["ready"])[0]


def test_too_many_alike_are_held(service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions that are refused because they are nearly alike never let an upload pass."""
    monkeypatch.setattr(ProbingBrake, "wait", lambda *_: 100.0)
    settings: dict[str, str | int] = {"lookup": service.address, "key": service.key, "when_away": "allow"}
    (told,) = calls(settings, *checks(folder, "other.jpg"))
    assert (told["action"], told["isChecked"]) == ("review", False)


@pytest.mark.parametrize("way", ["sidecar", "lookup"])
@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"x", 502),
        Answer(b"x", 429),
        Answer(b"", 302, {"Location": "http://127.0.0.1:9/"}),
        Answer(b"not JSON"),
        Answer(b"[]"),
        Answer(b'{"decision": "pass", "id": 1, "matches": 3}'),
        Answer(b'{"suffixes": [{"suffix": 0, "decision": "block", "id": "A"}]}'),
        Answer(b'{"suffixes": 5}'),
        Answer(b" " * (9 << 20)),
        Answer(b'{"suf', promised=20),
        Answer([b"{", b"}"], pause=1.5),
    ],
)
def test_any_other_answer_is_held(answer: Answer, way: str, folder: Path) -> None:
    """Whatever is answered, an upload is held, without a warning; a slow answer is not waited for."""
    with running() as server:
        server.answer = lambda _: answer
        settings: dict[str, str | int] = {way: server.url, "timeout": 1, **({"key": KEY} if way == "lookup" else {})}
        told, ready = calls(settings, *checks(folder, "other.jpg"), ["ready"])
    assert (told["action"], told["isChecked"]) == ("review", False)
    assert ready


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, "sidecar"),
        ({"sidecar": AWAY, "lookup": AWAY}, "not both"),
        ({"sidecar": "127.0.0.1:8080"}, "malformed"),
        ({"sidecar": "http://gate.example:8080"}, "https"),
        ({"sidecar": "http://8.8.8.8"}, "https"),
        ({"sidecar": AWAY, "token": "a b"}, "token"),
        ({"lookup": "http://10.0.0.1", "key": KEY}, "https"),
        ({"lookup": "https://user:pass@lookup.example", "key": KEY}, "password"),
        ({"lookup": "https://lookup.example", "key": "tbk_" + KEY[4:]}, "key"),
        ({"lookup": "https://lookup.example", "key": KEY + "\n"}, "key"),
        ({"sidecar": AWAY, "when_away": "pray"}, "when_away"),
        ({"sidecar": AWAY, "unreadable": "block"}, "unreadable"),
        ({"sidecar": AWAY, "timeout": 0}, "timeout"),
        ({"sidecar": AWAY, "colour": "red"}, "colour"),
        ({"sidecar": 5}, "sidecar"),
    ],
)
def test_settings_that_cannot_be_used(settings: dict[str, str | int], text: str) -> None:
    """A setting that cannot be used is refused, with a text that names it."""
    (told,) = calls(settings, ["ready"])
    assert told["error"] == "TakebackSettingsError"
    assert text in told["text"]


def test_extensions_that_are_missing(folder: Path) -> None:
    """Without curl, or for a look-up service without GD, the error names the package; a sidecar needs curl alone."""
    lookup: dict[str, str | int] = {"lookup": AWAY, "key": KEY}
    bare, curl = "-n", "-n -dextension=curl"
    sidecar: dict[str, str | int] = {"sidecar": AWAY}
    for settings, options, missing in ((sidecar, bare, "php-curl"), (lookup, curl, "php-gd")):
        assert missing in calls(settings, ["ready"], options=options)[0]["text"]
    assert actions(calls({"sidecar": AWAY}, *checks(folder, "other.jpg"), options=curl)) == ["review"]


def test_the_environment(home: Path, service: Service, folder: Path) -> None:
    """The settings may come from the environment, for either way."""
    assert calls(None, ["ready"])[0]["error"] == "TakebackSettingsError"
    with serving(home, token="secret") as client:
        environ = {"TAKEBACK_SIDECAR": str(client.base_url), "TAKEBACK_GATE_TOKEN": "secret"}
        assert actions(calls(None, *checks(folder, "copy.jpg"), environ=environ)) == ["block"]
    environ = {"TAKEBACK_LOOKUP": service.address, "TAKEBACK_LOOKUP_KEY": service.key}
    assert actions(calls(None, *checks(folder, "copy.jpg"), environ=environ)) == ["block"]


@pytest.mark.parametrize("path", ["missing.jpg", "", "http://127.0.0.1:9/a.jpg", "phar://a.phar/a.jpg", "data://,a"])
def test_a_path_that_cannot_be_read(path: str, folder: Path) -> None:
    """A path without a file, or one that PHP would fetch or unpack, throws."""
    (told,) = calls(
        {"sidecar": AWAY, "when_away": "allow"}, ["check", str(folder / path) if "://" not in path else path]
    )
    assert told["error"] == "TakebackError"


def test_feedback_reaches_the_registry(tmp_path: Path, folder: Path) -> None:
    """With the real registry: a copy of what a person sent is blocked, the person sees it; withdrawn, it passes."""
    home = tmp_path / "gate"
    with serving_registry(tmp_path / "var") as registry:
        (tmp_path / "key").write_text(registry.platform("hotline").key)
        made = command("gate", "init", "--home", home, "--registry", registry.address, *KEY_FILE, tmp_path / "key")
        assert made.returncode == 0, made.stderr
        case = registry.submit(wire(FILES["listed.jpg"])).json()
        assert command("gate", "sync", "--home", home).returncode == 0
        with served(home, "--interval", "1") as (client, _):
            key = client.headers["Authorization"].removeprefix("Bearer ")
            settings: dict[str, str | int] = {"lookup": str(client.base_url).rstrip("/"), "key": key}
            told = calls(settings, *checks(folder, "copy.jpg"), ["feedback", "blocked"])
            assert (told[0]["action"], told[1]) == ("block", None)
            end = time.monotonic() + 30
            while not registry.case(case["number"]).json()["pictures"][0]["blocked"]:
                assert time.monotonic() < end
                time.sleep(0.1)
            assert registry.withdraw(case["number"]).json()["state"] == "withdrawn"
            while actions(calls(settings, *checks(folder, "copy.jpg"))) != ["allow"]:
                assert time.monotonic() < end


def test_it_is_valid_php() -> None:
    """PHP finds no error in the file."""
    done = subprocess.run([php_command(), "-l", str(CLIENT)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
