"""The app for Django in a real site, which asks each of the three; and its checks and its command."""

import json
import shutil
import threading
from asyncio import sleep
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import msgspec
import pytest
from starlette.types import Receive, Scope, Send

from takeback.gate import Gate
from tests.gate.servers import Registry, running
from tests.gate.sidecar import answering, serving
from tests.integrations.django_sites import Site, log_in, referring, token
from tests.integrations.proxies import BROKEN, COPY, LISTED, OTHER, listing
from tests.lookup.services import running_service

SITE: Final = Path(__file__).parent / "site"
AWAY: Final = "http://127.0.0.1:9"
LARGE: Final = COPY + bytes(3 << 20)
"""More than Django keeps in memory."""
ADD: Final = "/admin/photos/photo/add/"
REFUSED: Final = "This file cannot be posted here."
LATER: Final = "This file cannot be checked now. Try again later."
PASSING: Final = {"sidecar": AWAY, "when_away": "allow"}
"""With a sidecar that is away, and uploads pass."""

type Setting = dict[str, object]


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    """A registry."""
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def home(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a gate that lists a picture."""
    return listing(registry, tmp_path_factory.mktemp("gate") / "gate")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a site whose database is ready, with the migration that Django wrote for the validator."""
    site = Site(tmp_path_factory.mktemp("django") / "site", **using(PASSING))
    shutil.copytree(SITE, site.folder, ignore=shutil.ignore_patterns("__pycache__"))
    site.done("makemigrations", "photos")
    assert "takeback.integrations.django.validators.validate_not_listed" in (
        (site.folder / "photos" / "migrations" / "0001_initial.py").read_text()
    )
    site.done("migrate")
    site.done("makemigrations", "--check")
    site.add_admin()
    return site.folder


@pytest.fixture
def site(empty: Path, tmp_path: Path) -> Site:
    """A site of its own for a test."""
    shutil.copytree(empty, tmp_path / "site")
    return Site(tmp_path / "site")


def using(setting: Mapping[str, object]) -> dict[str, str]:
    """The environment in which the site's TAKEBACK is this."""
    return {"SITE_TAKEBACK": json.dumps(setting)}


@contextmanager
def asking(way: str, home: Path) -> Iterator[Setting]:
    """The setting of one way to ask, with what it names running."""
    if way == "home":
        yield {"home": str(home)}
    elif way == "sidecar":
        with serving(home, max_bytes=8 << 20) as client:
            yield {"sidecar": str(client.base_url).rstrip("/")}
    else:
        with running_service(home) as service:
            yield {"lookup": service.address, "key": service.key}


def post(client: httpx.Client, data: bytes, kind: str = "image/jpeg") -> httpx.Response:
    return client.post("/upload", files={"file": ("a.jpg", data, kind)})


def add(client: httpx.Client, data: bytes, small: bytes = b"", path: str = ADD) -> httpx.Response:
    """Adds or changes a photograph as a person does in Django's own administration."""
    files = {name: ("a.jpg", content, "image/jpeg") for name, content in (("file", data), ("small", small)) if content}
    form = {"csrfmiddlewaretoken": token(client, path), "caption": "a caption"}
    return client.post(path, data=form, files=files or None, headers=referring(client, path))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("way", ["sidecar", "home", "lookup"])
def test_a_form(way: str, site: Site, home: Path) -> None:
    """Whoever is asked, a listed upload is refused, small or large, and another one is left as it was."""
    with asking(way, home) as setting, site.running(**using(setting)) as client:
        for data in (LISTED, COPY, LARGE):
            answer = post(client, data)
            told = answer.json()
            assert (answer.status_code, told["errors"], told["codes"]) == (422, {"file": [REFUSED]}, ["listed"])
            assert told["seen"] == [["blocked", None, told["kind"], "block", True]]
            assert told["size"] == len(data)
        assert post(client, LARGE).json()["kind"] == "TemporaryUploadedFile"
        for harmless, kind in ((OTHER, "image/jpeg"), (b"hello", "text/plain")):
            answer = post(client, harmless, kind)
            assert (answer.status_code, answer.json()["seen"], answer.json()["size"]) == (201, [], len(harmless))
        assert post(client, BROKEN).json()["codes"] == ["review"]
        assert "no issues" in site.done("check", **using(setting))


@pytest.mark.timeout(240)
def test_a_model_in_the_administration(site: Site, home: Path) -> None:
    """A listed file in any field is refused before it is stored; the object is saved again without a check."""
    with asking("sidecar", home) as setting, site.running(**using(setting)) as client:
        log_in(client, "/admin/login/")
        assert REFUSED in add(client, COPY).text
        assert REFUSED in add(client, OTHER, COPY).text
        assert not (site.folder / "media").exists()
        assert "was added successfully" in add(client, OTHER, OTHER).text
    with site.running(**using({"sidecar": AWAY})) as client:
        log_in(client, "/admin/login/")
        assert "was changed successfully" in add(client, b"", path="/admin/photos/photo/1/change/").text
        assert LATER in add(client, OTHER, path="/admin/photos/photo/1/change/").text
    assert {file.read_bytes() for file in (site.folder / "media" / "photos").iterdir()} == {OTHER}


@pytest.mark.timeout(240)
def test_reviews(site: Site, home: Path) -> None:
    """An upload that asks for a review is stored if the site accepts it, and a signal tells the site."""
    with asking("home", home) as setting, site.running(**using({**setting, "review": "accept"})) as client:
        answer = post(client, BROKEN)
        assert answer.status_code == 201
        assert answer.json()["seen"] == [["review", None, "InMemoryUploadedFile", "review", True]]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("review", ["refuse", "accept"])
def test_nobody_can_decide(review: str, site: Site) -> None:
    """If nobody decides, uploads are refused, whatever reviews do, or stored with a signal if that is set."""
    with site.running(**using({"sidecar": AWAY, "review": review, "texts": {"unchecked": "Later!"}})) as client:
        told = post(client, OTHER).json()
        assert (told["errors"], told["codes"]) == ({"file": ["Later!"]}, ["unchecked"])
        assert [one[0] for one in told["seen"]] == ["unchecked"]
    with site.running(**using({"sidecar": AWAY, "review": review, "when_away": "allow"})) as client:
        answer = post(client, OTHER)
        assert answer.status_code == 201
        assert answer.json()["seen"] == [["unchecked", None, "InMemoryUploadedFile", "allow", False]]
    assert "not checked: the sidecar cannot be reached" in (site.folder / "server.log").read_text()


@pytest.mark.timeout(240)
def test_a_folder_that_is_damaged_later(site: Site, home: Path, tmp_path: Path) -> None:
    """A gate's state that cannot be read counts as nobody, for an upload and for the check."""
    shutil.copytree(home, tmp_path / "gate")
    (tmp_path / "gate" / "state.sqlite").write_bytes(b"no database")
    for when_away, status in (("hold", 422), ("allow", 201)):
        setting = {"home": str(tmp_path / "gate"), "when_away": when_away}
        with site.running(**using(setting)) as client:
            assert post(client, OTHER).status_code == status
        assert "takeback.W001" in site.manage("check", **using(setting)).stderr


@pytest.mark.timeout(240)
def test_settings_that_break_later_refuse_uploads(site: Site, home: Path) -> None:
    """A server that was started without usable settings stores nothing."""
    for setting in ({}, {"home": str(home / "nowhere")}):
        with site.running("--skip-checks", **using(setting)) as client:
            answer = post(client, OTHER)
            assert (answer.status_code, "SettingsError" in answer.text) == (500, True)


@pytest.mark.timeout(240)
def test_feedback(site: Site, home: Path, tmp_path: Path) -> None:
    """A blocked upload is reported if that is set, and not otherwise."""
    for report, waiting in ((False, 0), (True, 1)):
        folder = tmp_path / str(report)
        shutil.copytree(home, folder)
        with site.running(**using({"home": str(folder), "report": report})) as client:
            assert post(client, COPY).status_code == 422
        with Gate.open(folder) as gate:
            assert gate.status().feedback_waiting == waiting


class Stalling:
    """A sidecar that blocks everything and does not answer to feedback until `go_on` is set."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.reports = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        if scope["path"] == "/v1/feedback":
            self.reports += 1
            await _until(self.go_on)
        answer = msgspec.json.encode({"decision": "block", "id": "1" * 32, "matches": [{"entry": "2" * 32}]})
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": answer})


async def _until(event: threading.Event) -> None:
    while not event.is_set():  # noqa: ASYNC110 - the event is of another thread
        await sleep(0.02)


@pytest.mark.timeout(240)
def test_feedback_that_stalls_delays_no_answer(site: Site) -> None:
    """Uploads are answered while the sidecar takes no feedback, and at most eight reports wait."""
    stalling = Stalling()
    with answering(stalling) as sidecar:
        setting = {"sidecar": str(sidecar.base_url).rstrip("/"), "report": True}
        try:
            with site.running(**using(setting)) as client:
                for _ in range(9):
                    assert post(client, OTHER).json()["codes"] == ["listed"]
                assert stalling.reports == 8
        finally:
            stalling.go_on.set()
    assert "others wait for an answer" in (site.folder / "server.log").read_text()


FORKS: Final = """
import os
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from takeback.integrations.django import asking, validators
listed = open("listed.jpg", "rb").read()

def refused(file=None):
    try:
        validators.validate_not_listed(file or SimpleUploadedFile("a.jpg", listed, "image/jpeg"))
    except ValidationError as error:
        return error.code

assert asking._HERE.checker is None
print("parent", refused(), flush=True)
if os.fork() == 0:
    assert asking._HERE.checker is None
    print("child", refused(), flush=True)
    os._exit(0)
os.wait()
print("parent", refused(), flush=True)

gone = SimpleUploadedFile("a.jpg", listed, "image/jpeg")
gone.close()
print("closed", refused(gone))

from django.test import override_settings
with override_settings(TAKEBACK={"sidecar": "http://127.0.0.1:9"}):
    print("changed", refused())
"""


@pytest.mark.timeout(240)
@pytest.mark.parametrize("way", ["sidecar", "home"])
def test_a_fork(way: str, site: Site, home: Path) -> None:
    """Nothing is open at the start; a child opens its own, the parent goes on; a closed file is refused."""
    (site.folder / "listed.jpg").write_bytes(COPY)
    with asking(way, home) as setting:
        said = site.done("shell", "-c", FORKS, **using(setting)).splitlines()
    said = [line for line in said if not line.startswith("signal")]
    assert said[-5:] == [
        "parent listed",
        "child listed",
        "parent listed",
        "closed unchecked",
        "changed unchecked",
    ]


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({}, "none is set"),
        ({"sidecar": AWAY, "home": "x"}, "several are set"),
        ({"sidcar": AWAY}, "unknown setting sidcar"),
        ({"sidecar": AWAY, "review": "maybe"}, "review must be one of refuse, accept"),
        ({"sidecar": AWAY, "report": "yes"}, "report must be True or False"),
        ({"sidecar": AWAY, "texts": {"other": "x"}}, "texts must be a dict with texts for listed, review, unchecked"),
        ({"sidecar": 1}, "sidecar must be text"),
        ({"home": "nowhere"}, "does not exist"),
        ([], "TAKEBACK must be a dict"),
    ],
)
def test_what_check_says(setting: Setting, said: str, site: Site) -> None:
    """`manage.py check` fails and says what is wrong with the settings."""
    done = site.manage("check", **using(setting))
    assert done.returncode == 1
    assert "(takeback.E001)" in done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.timeout(240)
def test_the_environment(site: Site, home: Path, tmp_path: Path) -> None:
    """The environment says who is asked if TAKEBACK names nobody; a key may stay in the environment."""
    done = site.manage("check", TAKEBACK_SIDECAR=AWAY)
    assert (done.returncode, "(takeback.W001)" in done.stderr) == (0, True)
    shutil.copytree(home, tmp_path / "gate")
    (tmp_path / "gate" / "lookup.sqlite").unlink(missing_ok=True)
    with asking("lookup", tmp_path / "gate") as setting:
        environ = {"TAKEBACK_SIDECAR": AWAY, "TAKEBACK_LOOKUP_KEY": str(setting["key"])}
        assert "no issues" in site.done("check", **environ, **using({"lookup": setting["lookup"]}))


@pytest.mark.timeout(240)
def test_what_is_stored_is_checked_later(site: Site, home: Path) -> None:
    """The command names stored files that would be blocked, and sends signals only if it is told to."""
    with site.running(**using(PASSING)) as client:
        log_in(client, "/admin/login/")
        for data, small in ((OTHER, b""), (COPY, COPY), (OTHER, BROKEN)):
            assert "was added successfully" in add(client, data, small).text
    stored = {file: file.read_bytes() for file in site.folder.glob("media/*/*")}
    names = [
        f"{folder}/{file.name}" for folder in ("photos", "small") for file in (site.folder / "media" / folder).iterdir()
    ]
    assert len(names) == 5
    with asking("home", home) as setting:
        environ = using(setting)
        lines = site.done("takeback_check", "photos.Photo.file", **environ).splitlines()
        assert [line.split()[:2] for line in lines] == [["block", "2"], ["3", "files:"]]
        assert lines[-1] == "3 files: 2 allow, 1 block"
        assert lines[0].split()[2] in names
        lines = site.done("takeback_check", "photos.Photo.small", **environ).splitlines()
        assert [line.split()[:2] for line in lines] == [["block", "2"], ["review", "3"], ["2", "files:"]]
        lines = site.done("takeback_check", "photos.Photo.small", "--after", "2", "--signal", **environ).splitlines()
        assert [line.split()[:2] for line in lines] == [["review", "3"], ["signal", "review"], ["1", "files:"]]
        lines = site.done("takeback_check", "photos.Photo.file", "--signal", **environ).splitlines()
        assert lines[1] == "signal blocked Photo"
        assert site.done("takeback_check", "photos.Photo.file", "--after", "3", **environ) == "no files\n"
    assert {file: file.read_bytes() for file in site.folder.glob("media/*/*")} == stored
    next((site.folder / "media" / "small").iterdir()).unlink()
    done = site.manage("takeback_check", "photos.Photo.small", **using({"sidecar": AWAY}))
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "2 files: 1 unchecked, 1 unreadable"
    assert "not every file was checked" in done.stderr


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["photos"], "photos is no field: expected app.Model.field"),
        (["photos.Nothing.file"], "is no field"),
        (["photos.Photo.nothing"], "is no field"),
        (["photos.Photo.caption"], "photos.Photo.caption is no file field"),
        (["photos.Photo.file", "--after", "x"], "x is no primary key of photos.Photo"),
    ],
)
def test_a_command_that_is_wrong(words: list[str], said: str, site: Site) -> None:
    """The command says in one line what it cannot use."""
    done = site.manage("takeback_check", *words, **using(PASSING))
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
