"""The module in a real Synapse, against a real sidecar, with uploads and downloads by Matrix's own API."""

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, override

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from takeback.gate import Gate
from takeback.integrations.checker import WhenUndecided
from tests.gate.pictures import drawing, jpeg
from tests.gate.servers import running
from tests.gate.sidecar import answering, serving
from tests.integrations.proxies import BROKEN, COPY, LISTED, OTHER, listing
from tests.integrations.synapse.homeserver import (
    Homeserver,
    download,
    homeserver,
    installed,
    refused_start,
    upload,
    upload_later,
)
from tests.lookup.services import until

AWAY: Final = "http://127.0.0.1:9"
TOKEN: Final = "the sidecar's token"
RECORD: Final = {"log", "namespace", "level", "server_name", "request"}
"""What a JSON record of Synapse's has outside of requests; within one it has `requester` too."""

pytestmark = pytest.mark.timeout(300)  # the first one installs Synapse


@pytest.fixture(scope="module", autouse=True)
def synapse() -> None:
    """Installs Synapse, or skips."""
    installed()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a gate that lists a picture."""
    with running() as registry:
        yield listing(registry, tmp_path_factory.mktemp("gate") / "gate")


@pytest.fixture(scope="module")
def sidecar(home: Path) -> Iterator[str]:
    """The address of a sidecar over that gate, which asks for a token."""
    with serving(home, token=TOKEN, max_bytes=4 << 20) as client:
        yield str(client.base_url).rstrip("/")


@pytest.fixture(scope="module")
def token_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with the sidecar's token."""
    file = tmp_path_factory.mktemp("keys") / "token"
    file.write_text(TOKEN + "\n")
    return str(file)


@pytest.fixture(scope="module")
def strict(sidecar: str, token_file: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Homeserver]:
    """A homeserver with as few settings as possible."""
    with homeserver(tmp_path_factory.mktemp("strict"), {"sidecar": sidecar, "token_file": token_file}) as server:
        yield server


def logged(server: Homeserver) -> list[str]:
    """The texts that the module has logged, none of which comes with anything of the request."""
    assert all(set(line) <= RECORD for line in server.lines())
    return [line["log"] for line in server.lines()]


@pytest.mark.parametrize("file", [LISTED, COPY, BROKEN], ids=["listed", "copy", "review"])
def test_refused(strict: Homeserver, file: bytes) -> None:
    """A listed picture, its copy, and what asks for a review are refused and deleted, in both ways to upload."""
    alice, bob = strict.user("alice"), strict.user("bob")
    before = len(strict.files())
    assert upload(alice, file).status_code == 400
    named, put = upload_later(alice, file)
    assert put.status_code == 400
    assert put.json() == {"errcode": "M_UNKNOWN", "error": "Bad content"}
    assert download(bob, named).status_code in {404, 504}
    assert len(strict.files()) == before
    assert f"media mxc://{named}: refused" in logged(strict)[-1]


def test_stored(strict: Homeserver) -> None:
    """Another picture and a text are stored, in both ways to upload, and another user gets them; nothing is logged."""
    alice, bob = strict.user("alice"), strict.user("bob")
    before = logged(strict)
    for file, kind in ((OTHER, "image/jpeg"), (b"hello", "text/plain"), (b"", "text/plain")):
        answered = upload(alice, file, kind)
        assert answered.status_code == 200
        assert download(bob, answered.json()["content_uri"]).content == file
        named, put = upload_later(alice, file, kind)
        assert put.status_code == 200
        assert download(bob, named).content == file
    assert logged(strict) == before


def test_an_avatar_is_an_upload(strict: Homeserver) -> None:
    """An avatar is uploaded as every file is, so a listed one is refused, and another one can be set."""
    alice = strict.user("alice")
    assert upload(alice, COPY).status_code == 400
    uri = upload(alice, OTHER).json()["content_uri"]
    where = f"/_matrix/client/v3/profile/@alice:{strict.name}/avatar_url"
    assert alice.put(where, json={"avatar_url": uri}).status_code == 200


def test_a_review_passes(sidecar: str, token_file: str, tmp_path: Path) -> None:
    """With `review: pass` a file for review is stored, and its id is logged without its uploader; blocks stay."""
    settings = {"sidecar": sidecar, "token_file": token_file, "review": "pass"}
    with homeserver(tmp_path, settings) as server:
        alice = server.user("alice")
        uri = upload(alice, BROKEN).json()["content_uri"]
        assert download(server.user("bob"), uri).content == BROKEN
        assert logged(server) == [f"media {uri}: let through for review: a moderator should look at it"]
        assert server.lines()[0]["level"] == "WARNING"
        assert upload(alice, COPY).status_code == 400
        assert "alice" not in "".join(map(str, server.lines()))


def test_blocked_uploads_are_reported(home: Path, sidecar: str, token_file: str, tmp_path: Path) -> None:
    """With `report: true` the registry is told of a blocked upload, once; of others there is nothing to tell."""
    with homeserver(tmp_path, {"sidecar": sidecar, "token_file": token_file, "report": True}) as server:
        alice = server.user("alice")
        assert [upload(alice, file).status_code for file in (COPY, OTHER, BROKEN)] == [400, 200, 400]
        with Gate.open(home) as gate:
            until(lambda: gate.status().feedback_waiting == 1)


@pytest.mark.parametrize("way", WhenUndecided)
def test_nobody_can_decide(way: str, tmp_path: Path) -> None:
    """If the sidecar is away files are refused with an error that says so, or stored with a log line, as it is set."""
    with homeserver(tmp_path, {"sidecar": AWAY, "when_away": way, "review": "pass"}) as server:
        until(lambda: logged(server))
        assert "files cannot be checked yet: the sidecar cannot be reached" in logged(server)[0]
        answered = upload(server.user("alice"), OTHER)
        if way == WhenUndecided.HOLD:
            assert answered.status_code == 503
            assert "try again later" in answered.json()["error"]
            assert ": refused, not checked: the sidecar cannot be reached" in logged(server)[1]
            assert server.files() == []
        else:
            uri = answered.json()["content_uri"]
            assert f"media {uri}: let through, not checked: the sidecar cannot be reached" in logged(server)[1]
            assert server.files() == [OTHER]


def test_a_wrong_token_holds(sidecar: str, tmp_path: Path) -> None:
    """With a wrong token nothing passes, and the start says that the sidecar refuses it."""
    with homeserver(tmp_path, {"sidecar": sidecar, "token": "wrong"}) as server:
        assert upload(server.user("alice"), OTHER).status_code == 503
        assert "the sidecar answers 401" in logged(server)[-1]


@pytest.mark.parametrize(("large", "status"), [("hold", 413), ("pass", 200)])
def test_a_large_file(large: str, status: int, sidecar: str, token_file: str, tmp_path: Path) -> None:
    """A file over `max_megabytes` is never read; it is refused with a text that says why, or stored and logged."""
    settings = {"sidecar": sidecar, "token_file": token_file, "max_megabytes": 1, "large": large}
    with homeserver(tmp_path, settings) as server:
        answered = upload(server.user("alice"), LISTED + bytes(1 << 20))
        assert answered.status_code == status
        assert len(server.files()) == (status == 200)
        assert "larger than 1 MB" in logged(server)[-1]
        if status == 413:
            assert answered.json() == {"errcode": "M_TOO_LARGE", "error": "This file is larger than 1 MB."}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "set exactly one of sidecar, home, lookup"),
        ({"sidecar": AWAY, "reviw": "hold"}, "unknown setting reviw"),
        ({"lookup": "https://lookup.example", "key_file": "/nowhere/key"}, "key_file cannot be read: No such file"),
        ({"home": "/nowhere"}, "is missing: pip install 'FILE.whl[gate]'"),
    ],
)
def test_a_wrong_setting_ends_the_start(settings: dict[str, object], said: str, tmp_path: Path) -> None:
    """What is wrong with the settings is the last line of what Synapse says, and there is no traceback."""
    text = refused_start(tmp_path, settings)
    assert "Traceback" not in text
    assert "Error in configuration at 'modules.<item 0>.config'" in text
    assert said in text.strip().splitlines()[-1]


def test_a_missing_package_ends_the_start(tmp_path: Path) -> None:
    """If the wheel was installed without its extra, Synapse says what to install, and shows no traceback."""
    (tmp_path / "httpx.py").write_text("raise ModuleNotFoundError(name='httpx')")
    text = refused_start(tmp_path / "server", {"sidecar": AWAY}, first=str(tmp_path))
    assert "Traceback" not in text
    assert "httpx is missing: pip install 'FILE.whl[remote]'" in text.strip().splitlines()[-1]


def test_files_of_other_servers(sidecar: str, token_file: str, tmp_path: Path) -> None:
    """A listed picture on a homeserver without the module is refused when a user of another one downloads it."""
    settings = {"sidecar": sidecar, "token_file": token_file}
    with (
        homeserver(tmp_path / "theirs", None, secure=True) as theirs,
        homeserver(tmp_path / "ours", settings, secure=True) as ours,
    ):
        alice, mallory = ours.user("alice"), theirs.user("mallory")
        uri = {file: upload(mallory, file).json()["content_uri"] for file in (COPY, OTHER)}
        assert download(mallory, uri[COPY]).content == COPY
        assert download(alice, uri[OTHER]).content == OTHER
        refused = download(alice, uri[COPY])
        assert refused.status_code == 404
        assert ours.files() == [OTHER]
        (line,) = logged(ours)
        assert line.endswith(f" of {theirs.name}: refused: it is listed")


class _Quiet(SimpleHTTPRequestHandler):
    @override
    def log_message(self, *_: Any) -> None:
        """Logs nothing."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A web site with a listed picture and another one."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "copy.jpg").write_bytes(COPY)
    (folder / "other.jpg").write_bytes(OTHER)
    serve = lambda *about: _Quiet(*about, directory=str(folder))  # noqa: E731
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_url_previews(site: str, sidecar: str, token_file: str, tmp_path: Path) -> None:
    """A preview shows no listed picture of a web page, and does show another one."""
    changes = {"url_preview_enabled": True, "url_preview_ip_range_blacklist": ["203.0.113.0/24"]}
    settings = {"sidecar": sidecar, "token_file": token_file}
    with homeserver(tmp_path / "server", settings, changes=changes) as server:
        seen = [
            server.user("alice").get("/_matrix/client/v1/media/preview_url", params={"url": f"{site}/{name}.jpg"})
            for name in ("copy", "other")
        ]
        assert "og:image" not in seen[0].text
        assert seen[1].json()["og:image"].startswith("mxc://")
        assert COPY not in server.files()
        assert OTHER in server.files()


@dataclass
class Slow:
    """A sidecar that decides the same on everything, but not before `go_on`, and takes no feedback.

    It counts what it is asked at once, and in all.
    """

    decision: str = "allow"
    go_on: threading.Event = field(default_factory=threading.Event)
    asked: int = 0
    now: int = 0
    most: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        if scope["path"] == "/v1/check":
            self.asked, self.now = self.asked + 1, self.now + 1
            self.most = max(self.most, self.now)
            await asyncio.to_thread(self.go_on.wait, 60)
            self.now -= 1
        matches = [{"entry": "0" * 32}] if self.decision == "block" else []
        answer = json.dumps({"decision": self.decision, "id": "0" * 32, "matches": matches}).encode()
        fields = [(b"content-length", str(len(answer)).encode())]
        status = 503 if scope["path"] == "/v1/feedback" else 200
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": answer})


@pytest.fixture
def slow() -> Iterator[tuple[Slow, str]]:
    """That sidecar, and its address."""
    app = Slow()
    with answering(app) as client:
        yield app, str(client.base_url).rstrip("/")
        app.go_on.set()


def test_thumbnails_are_not_checked_again(slow: tuple[Slow, str], tmp_path: Path) -> None:
    """Of a picture of which Synapse makes thumbnails, the picture alone is asked about."""
    app, address = slow
    app.go_on.set()
    with homeserver(tmp_path, {"sidecar": address}) as server:
        upload(server.user("alice"), jpeg(drawing(3, (1200, 900))))
        assert len(list((tmp_path / "media" / "local_thumbnails").glob("**/*-*"))) > 1
        assert app.asked == 1


def test_feedback_that_cannot_be_sent(slow: tuple[Slow, str], tmp_path: Path) -> None:
    """A blocked upload that cannot be reported is refused all the same, and the loss is logged."""
    app, address = slow
    app.decision = "block"
    app.go_on.set()
    with homeserver(tmp_path, {"sidecar": address, "report": True}) as server:
        assert upload(server.user("alice"), OTHER).status_code == 400
        until(lambda: "not reported to the registry: the sidecar answers 503" in logged(server)[-1])


async def _flood(server: Homeserver, app: Slow, token: str) -> tuple[list[int], list[int]]:
    """Uploads 214 files at once, other requests meanwhile, and lets the sidecar go on when some were refused."""
    limits = httpx.Limits(max_connections=None)
    headers = {"authorization": token}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=60, limits=limits) as client:
        waiting = {
            asyncio.create_task(client.post("/_matrix/media/v3/upload", content=b"text %d" % number))
            for number in range(214)
        }
        answered: list[int] = []
        while len(answered) < 10:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            answered += [one.result().status_code for one in done]
        others = [(await client.get("/_matrix/client/v3/account/whoami")).status_code for _ in range(20)]
        app.go_on.set()
        return others, answered + [one.status_code for one in await asyncio.gather(*waiting)]


def test_uploads_that_wait_hinder_nobody(slow: tuple[Slow, str], tmp_path: Path) -> None:
    """While files are checked and 200 more wait others are served; further files are refused, although `allow`."""
    app, address = slow
    with homeserver(tmp_path, {"sidecar": address, "threads": 4, "when_away": "allow"}) as server:
        alice = server.user("alice")
        others, answered = asyncio.run(_flood(server, app, alice.headers["authorization"]))
    assert others == [200] * 20
    assert sorted(set(answered)) == [200, 503]
    assert answered.count(200) == 204
    assert app.most == 4
