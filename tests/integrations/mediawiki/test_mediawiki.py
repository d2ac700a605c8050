"""The extension for MediaWiki in a real wiki, against a real sidecar and a real look-up service."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from takeback.gate import Gate
from tests.gate.pictures import drawing, jpeg
from tests.gate.servers import Registry
from tests.gate.servers import running as registry_running
from tests.gate.sidecar import answering, serving
from tests.integrations.mediawiki.wiki import Json, NoMediaWiki, Person, Wiki, need, running
from tests.integrations.proxies import BROKEN, COPY, LISTED, OTHER, listing
from tests.lookup.services import running_service

AWAY: Final = "http://127.0.0.1:9"
NO: Final = "This file cannot be posted here."
LATER: Final = "Files cannot be posted at the moment. Please try again in a few minutes."

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a gate whose registry lists a picture."""
    with registry_running() as registry:
        yield listing(registry, tmp_path_factory.mktemp("gate") / "gate")


@pytest.fixture(scope="module")
def sidecar(home: Path) -> Iterator[str]:
    """The address of a sidecar over that gate."""
    with serving(home) as client:
        yield address(client)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wiki]:
    """A wiki that all tests use in turn."""
    try:
        need()
    except NoMediaWiki as why:
        pytest.skip(str(why))
    with running(tmp_path_factory.mktemp("mediawiki") / "wiki") as started:
        started.set(sidecar=AWAY)
        started.keep()
        yield started


@pytest.fixture
def wiki(installed: Wiki) -> Iterator[Wiki]:
    """A wiki without files; PHP says nothing of ours while it runs."""
    installed.reset()
    yield installed
    assert installed.faults() == []


def address(client: object) -> str:
    return str(client.base_url).rstrip("/")  # type: ignore[attr-defined]


@contextmanager
def offering(data: bytes) -> Iterator[str]:
    """The address of a file on another server."""
    app = Starlette(routes=[Route("/a.jpg", lambda _: Response(data, media_type="image/jpeg"))])
    with answering(app) as client:
        yield f"{address(client)}/a.jpg"


def plain(person: Person, data: bytes) -> Json:
    return person.upload(data)


def by_url(person: Person, data: bytes) -> Json:
    with offering(data) as url:
        return person.fetched(url)


def in_parts(person: Person, data: bytes) -> Json:
    """In parts, then published."""
    answer = person.stashed(data)
    return answer if "error" in answer else person.published(answer["upload"]["filekey"])


def stashed(person: Person, data: bytes) -> Json:
    """Stashed as a whole, then published."""
    answer = person.upload(data, stash="1")
    return answer if "error" in answer else person.published(answer["upload"]["filekey"])


def over_another(person: Person, data: bytes) -> Json:
    """As a new version of a file."""
    name = f"File {len(data)}.jpg"
    assert said(person.upload(jpeg(drawing(len(data))), name)) == "Success"
    return person.upload(data, name)


def said(answer: Json) -> str:
    """What the uploader reads, or the result."""
    return str(answer["error"]["info"] if "error" in answer else answer["upload"]["result"])


@pytest.mark.parametrize("way", [plain, by_url, in_parts, stashed, over_another])
def test_a_listed_file_is_refused(way: Callable[[Person, bytes], Json], wiki: Wiki, sidecar: str) -> None:
    """By each way of the API a listed picture and a smaller copy are refused and leave no file; another is stored."""
    wiki.set(sidecar=sidecar)
    for data in (LISTED, COPY):
        assert said(way(wiki.user, data)) == NO
        assert [file for file in wiki.stored() if LISTED[:2000] in file or COPY[:2000] in file] == []
        assert way is over_another or wiki.stored() == []
    assert said(way(wiki.user, OTHER)) == "Success"
    assert OTHER in wiki.stored()


def test_the_form(wiki: Wiki, sidecar: str) -> None:
    """Special:Upload shows the refusal and keeps nothing, also for a name that would only be warned of."""
    wiki.set(sidecar=sidecar)
    assert NO in wiki.user.form(COPY)
    assert "unwanted" not in wiki.user.form(OTHER, "Other.jpg")
    assert wiki.stored() == [OTHER]
    assert wiki.user.form(COPY, "Other.jpg").count("wpUploadIgnoreWarning") == 1
    assert wiki.stored() == [OTHER]


def test_an_asynchronous_upload(wiki: Wiki, sidecar: str) -> None:
    """An upload whose parts a job puts together is refused there, and leaves no file."""
    wiki.set(sidecar=sidecar)
    key = wiki.user.stashed(COPY, later=True)["upload"]["filekey"]
    assert "STARTING" in wiki.jobs("AssembleUploadChunks")
    asked = {"action": "upload", "filekey": key, "checkstatus": "1", "token": wiki.user.token}
    assert said(wiki.user.api(**asked)) == NO
    assert wiki.stored() == []


def test_a_file_that_is_listed_after_it_was_stashed(wiki: Wiki, sidecar: str) -> None:
    """Publishing asks again: what was stashed before it was listed is refused then, and removed from the stash."""
    wiki.set(sidecar=AWAY, when_away="allow")
    key = wiki.user.upload(COPY, stash="1")["upload"]["filekey"]
    wiki.set(sidecar=sidecar)
    assert said(wiki.user.published(key)) == NO
    assert wiki.stored() == []


def test_a_review(wiki: Wiki, sidecar: str) -> None:
    """A broken file is refused by default; with `accept` it is stored, and a log that only reviewers see names it."""
    wiki.set(sidecar=sidecar)
    assert said(wiki.user.upload(BROKEN)) == NO
    assert wiki.stored() == []
    wiki.set(sidecar=sidecar, review="accept")
    assert said(wiki.user.upload(BROKEN)) == "Success"
    assert wiki.stored() == [BROKEN]
    assert wiki.admin.log() == [("review", "File:Picture.jpg")]
    assert wiki.user.log() == []
    page = wiki.admin.http.get("/index.php?title=Special:Log/takeback").text
    assert "may match a picture that must not be shared" in page
    assert "⧼" not in page


def test_nobody_can_decide(wiki: Wiki) -> None:
    """By default uploads are refused with a text that says to try again, in parts as well."""
    wiki.set(sidecar=AWAY)
    assert said(wiki.user.upload(OTHER)) == LATER
    assert said(wiki.user.stashed(OTHER)) == LATER
    assert wiki.stored() == []


def waited() -> None:
    """Waits until a failed job is due again: the test's queue hands it out after a second."""
    time.sleep(2.1)


def test_a_later_check_removes_the_file(wiki: Wiki, sidecar: str) -> None:
    """With `allow` uploads are stored; a job that tries until somebody decides removes a listed one and its page."""
    wiki.set(sidecar=AWAY, when_away="allow")
    for name, data in (("Listed.jpg", COPY), ("Other.jpg", OTHER)):
        assert said(wiki.user.upload(data, name, text="a name")) == "Success"
    output = wiki.jobs()
    assert output.count("nobody can decide now") == 2
    assert "jpg" not in output
    assert "sha1" not in output
    wiki.set(sidecar=sidecar, when_away="allow")
    waited()
    wiki.jobs()  # hands the jobs back to the queue
    assert "error" not in wiki.jobs()
    assert sorted(wiki.admin.log()) == [
        ("later", "File:Listed.jpg"),
        ("later", "File:Other.jpg"),
        ("removed", "File:Listed.jpg"),
    ]
    pages = wiki.user.api(action="query", list="allpages", apnamespace="6")["query"]["allpages"]
    assert [page["title"] for page in pages] == ["File:Other.jpg"]
    assert wiki.user.log("delete") == []
    [archived] = wiki.admin.api(action="query", list="filearchive")["query"]["filearchive"]
    assert "suppressed" in archived
    assert wiki.run("deleteArchivedFiles.php", "--delete").returncode == 0
    assert wiki.stored() == [OTHER]


def test_a_later_check_keeps_another_version(wiki: Wiki, sidecar: str) -> None:
    """A listed picture that was uploaded over another file is removed; the file goes back to its older version."""
    wiki.set(sidecar=sidecar, when_away="allow")
    assert said(wiki.user.upload(OTHER)) == "Success"
    wiki.set(sidecar=AWAY, when_away="allow")
    assert said(wiki.user.upload(COPY)) == "Success"
    wiki.set(sidecar=sidecar, when_away="allow")
    wiki.jobs()
    assert [file.read_bytes() for file in (wiki.folder / "images").glob("?/*/*.jpg")] == [OTHER]
    info = wiki.user.api(action="query", titles="File:Picture.jpg", prop="imageinfo", iiprop="sha1", iilimit="9")
    [page] = info["query"]["pages"].values()
    assert len({version["sha1"] for version in page["imageinfo"]}) == 1
    assert COPY not in [file.read_bytes() for file in (wiki.folder / "images" / "archive").rglob("*") if file.is_file()]


def test_a_later_check_follows_a_rename(wiki: Wiki, sidecar: str) -> None:
    """A listed picture that was covered by another version and renamed is found and removed all the same."""
    wiki.set(sidecar=AWAY, when_away="allow")
    for data in (COPY, OTHER):
        assert said(wiki.user.upload(data)) == "Success"
    moved = wiki.admin.api(
        **{"action": "move", "from": "File:Picture.jpg", "to": "File:New.jpg", "token": wiki.admin.token}
    )
    assert "error" not in moved
    wiki.set(sidecar=sidecar, when_away="allow")
    wiki.jobs()
    assert wiki.admin.log()[0] == ("removed", "File:New.jpg")
    assert [file.read_bytes() for file in (wiki.folder / "images").rglob("*New.jpg")] == [OTHER]


def test_imports_are_checked_afterwards(wiki: Wiki, sidecar: str, tmp_path: Path) -> None:
    """A file that a maintenance script imports is checked by a job, and removed if it is listed."""
    wiki.set(sidecar=sidecar)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "Imported.jpg").write_bytes(COPY)
    (tmp_path / "files" / "Other.jpg").write_bytes(OTHER)
    assert "Added: 2" in wiki.run("importImages.php", tmp_path / "files").stdout.replace("\t", " ")
    wiki.jobs()
    assert wiki.admin.log() == [("removed", "File:Imported.jpg")]


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ("[]", "must be an array with the address"),
        ("['sidecar' => 'http://127.0.0.1:8080', 'reviews' => 'accept']", "reviews"),
        ("['sidecar' => 'http://127.0.0.1:8080', 'review' => 'hold']", "review must be one of refuse, accept"),
        ("['sidecar' => 'http://127.0.0.1:8080', 'report' => 'yes']", "report must be true or false"),
        ("['sidecar' => 'sidecar']", "address is malformed"),
    ],
)
def test_settings_that_cannot_be_used(settings: str, why: str, wiki: Wiki) -> None:
    """Uploads are refused; administrators and the check on the command line say why, others only that it is so."""
    wiki.also(f"$wgTakeback = {settings};")
    assert said(wiki.user.upload(OTHER)) == (
        "Files cannot be posted until an administrator of this wiki corrects a setting."
    )
    assert why in said(wiki.admin.upload(OTHER))
    done = check(wiki)
    assert done[0] != 0
    assert done[1].startswith("Takeback cannot check uploads: ")
    assert why in done[1]
    assert len(done[1].splitlines()) == 1
    assert wiki.stored() == []


def check(wiki: Wiki) -> tuple[int, str]:
    """The status and the output of the extension's check."""
    done = wiki.run(wiki.folder / "extensions" / "Takeback" / "maintenance" / "check.php")
    return done.returncode, done.stdout + done.stderr


def test_a_token_that_is_refused(wiki: Wiki, home: Path) -> None:
    """A wrong token refuses every upload, whatever `when_away` says; the right one lets the check pass."""
    with serving(home, token="secret") as client:
        wiki.set(sidecar=address(client), token="another", when_away="allow")
        assert "does not accept the token" in said(wiki.admin.upload(OTHER))
        assert "does not accept the token" in check(wiki)[1]
        wiki.set(sidecar=address(client), token="secret")
        assert check(wiki) == (0, "Takeback can check uploads.\n")
        assert said(wiki.user.upload(OTHER)) == "Success"


def test_the_client_is_missing(wiki: Wiki, sidecar: str) -> None:
    """Without the client uploads are refused, and the check names the file; it may lie elsewhere."""
    wiki.set(sidecar=sidecar)
    client = wiki.folder / "extensions" / "Takeback" / "takeback.php"
    moved = client.rename(wiki.folder / "client.php")
    assert f"{client} does not exist" in check(wiki)[1]
    assert "cannot be posted until" in said(wiki.user.upload(OTHER))
    wiki.also(f"$wgTakebackClient = '{moved}';")
    assert said(wiki.user.upload(COPY)) == NO
    assert said(wiki.user.upload(OTHER)) == "Success"


@pytest.mark.parametrize("report", [True, False])
def test_reports(report: bool, wiki: Wiki, tmp_path: Path) -> None:
    """A refused upload is reported to the registry once, unless the wiki does not want that."""
    with registry_running() as registry, serving(listing(registry, tmp_path / "gate")) as client:
        wiki.set(sidecar=address(client), report=report)
        assert said(wiki.user.upload(COPY)) == NO
        assert waiting(tmp_path / "gate", registry) == int(report)


def waiting(home: Path, registry: Registry) -> int:
    """How many uploads the registry learns of."""
    with Gate.open(home) as gate:
        gate.sync()
    return len(registry.feedback)


def test_a_lookup_service(wiki: Wiki, home: Path) -> None:
    """With a look-up service no file leaves the wiki; listed ones and copies are refused, others stored."""
    with running_service(home) as service:
        wiki.set(lookup=service.address, key=service.key)
        assert check(wiki) == (0, "Takeback can check uploads.\n")
        for data in (LISTED, COPY):
            assert said(wiki.user.upload(data)) == NO
        assert said(wiki.user.stashed(COPY)) == NO
        assert wiki.stored() == []
        assert said(wiki.user.upload(OTHER)) == "Success"


def test_logs_name_no_upload(wiki: Wiki, sidecar: str) -> None:
    """What the extension itself logs names neither the file nor the uploader."""
    wiki.also("$wgDebugLogGroups['Takeback'] = $wgUploadDirectory . '/../takeback.log';")
    wiki.set(sidecar=sidecar, wrong="x")
    assert "error" in wiki.user.upload(OTHER)
    assert (wiki.folder / "takeback.log").read_text().strip().endswith("uploads are refused: there is no setting wrong")
    assert "Ann" not in (wiki.folder / "takeback.log").read_text()


def test_the_name_is_reserved(wiki: Wiki, sidecar: str) -> None:
    """Nobody can register the account under whose name the extension acts."""
    wiki.set(sidecar=sidecar)
    answer = wiki.admin.api(action="query", list="users", ususers="Takeback", usprop="cancreate")
    assert "cancreateerror" in answer["query"]["users"][0]
