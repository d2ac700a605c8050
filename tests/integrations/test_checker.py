import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.errors import GateError, InvalidMessage, PictureError, SettingsError
from takeback.integrations.checker import CheckerSettings, UploadChecker, open_checker
from takeback.protocol import Action, Verdict
from tests.gate.servers import Registry, running
from tests.gate.sidecar import serving
from tests.integrations.proxies import BROKEN, COPY, LISTED, OTHER, listing
from tests.lookup.services import running_service

AWAY = "http://127.0.0.1:9"
KEY = "tbl_" + "0" * 16 + "_" + "1" * 64
WAYS = ("sidecar", "home", "lookup")


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    """A registry."""
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def home(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a gate that lists a picture."""
    return listing(registry, tmp_path_factory.mktemp("gate") / "gate")


@contextmanager
def settings_of(way: str, home: Path) -> Iterator[CheckerSettings]:
    """The settings of one way to ask, with what they name running."""
    if way == "home":
        yield CheckerSettings(home=str(home))
    elif way == "sidecar":
        with serving(home) as client:
            yield CheckerSettings(sidecar=str(client.base_url).rstrip("/"))
    else:
        with running_service(home) as service:
            yield CheckerSettings(lookup=service.address, key=service.key)


@pytest.fixture(scope="module", params=WAYS)
def checker(request: pytest.FixtureRequest, home: Path) -> Iterator[UploadChecker]:
    """Each of the three."""
    with settings_of(request.param, home) as settings:
        opened = open_checker(settings)
        yield opened
        opened.close()


def test_uploads_are_decided_on(checker: UploadChecker, tmp_path: Path) -> None:
    """Bytes, a path and a file get the same decision whoever is asked; a file is put back to its position."""
    assert checker.trouble() == ""
    (tmp_path / "copy.jpg").write_bytes(COPY)
    file = BytesIO(COPY)
    file.seek(7)
    for upload in (LISTED, COPY, tmp_path / "copy.jpg", str(tmp_path / "copy.jpg"), file):
        found = checker.check(upload, given="image/jpeg", uploader="user-1")
        assert (found.action, found.is_checked) == (Action.BLOCK, True)
        assert found.id
    assert file.tell() == 7
    assert checker.check(OTHER, given="multipart/form-data; boundary=x").action is Action.ALLOW
    assert checker.check(BROKEN).action is Action.REVIEW
    for harmless in (b"", b"hello"):
        assert checker.check(harmless).action is Action.ALLOW
    with pytest.raises(PictureError, match="does not exist"):
        checker.check(tmp_path / "none")


def test_feedback(checker: UploadChecker) -> None:
    """Feedback of a match is taken; of an upload that matches nothing there is nothing to tell."""
    checker.feedback(checker.check(COPY), Verdict.BLOCKED, confirmed=True)
    checker.feedback(checker.check(b"hello"), Verdict.NOT_BLOCKED)


@pytest.mark.parametrize("way", ["sidecar", "lookup"])
def test_nobody_can_decide(way: str) -> None:
    """If the one who is asked is away, uploads are held, or pass unchecked if that is set; the start can tell."""
    names = {"sidecar": AWAY} if way == "sidecar" else {"lookup": AWAY, "key": KEY}
    for when_away, action in (("hold", Action.REVIEW), ("allow", Action.ALLOW)):
        checker = open_checker(CheckerSettings(**names, when_away=when_away))
        found = checker.check(OTHER)
        assert (found.action, found.is_checked) == (action, False)
        assert "cannot be reached" in found.why
        assert "cannot be reached" in checker.trouble()
        checker.close()


def test_a_refused_key_is_told(tmp_path: Path) -> None:
    """With a wrong key or token nothing passes unseen."""
    with running() as registry, running_service(listing(registry, tmp_path / "gate")) as service:
        checker = open_checker(CheckerSettings(lookup=service.address, key=KEY))
        assert "key" in checker.trouble()
        assert (checker.check(OTHER).action, checker.check(OTHER).is_checked) == (Action.REVIEW, False)
        checker.close()
    with running() as registry, serving(listing(registry, tmp_path / "other"), token="right") as client:
        checker = open_checker(CheckerSettings(sidecar=str(client.base_url).rstrip("/"), token="wrong"))
        assert checker.check(OTHER).why == "not checked: the sidecar answers 401"
        with pytest.raises(GateError):
            checker.feedback(checker.check(OTHER).__class__(Action.BLOCK, "a", ("b",)), Verdict.BLOCKED)
        checker.close()


def test_a_file_that_is_too_large_asks_for_a_review(home: Path) -> None:
    """A file that the sidecar takes for too large does not pass, even if what cannot be checked may."""
    with serving(home, max_bytes=len(COPY) - 1) as client:
        checker = open_checker(CheckerSettings(sidecar=str(client.base_url).rstrip("/"), when_away="allow"))
        assert (found := checker.check(COPY)).action is Action.REVIEW
        assert (found.is_checked, found.why) == (False, "not checked: the sidecar refuses the file with 413")
        checker.close()


def test_an_unknown_id_is_refused(tmp_path: Path) -> None:
    """Feedback of an id that the look-up service did not give is an error of ours."""
    with running() as registry, settings_of("lookup", listing(registry, tmp_path / "gate")) as settings:
        checker = open_checker(settings)
        found = checker.check(COPY)
        with pytest.raises(InvalidMessage):
            checker.feedback(found.__class__(Action.BLOCK, "A" * len(found.id)), Verdict.BLOCKED)
        checker.close()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "none is set"),
        ({"sidecar": AWAY, "home": "x"}, "several are set"),
        ({"sidecar": "nonsense"}, "address is malformed"),
        ({"home": "nowhere"}, "does not exist"),
        ({"lookup": "https://x"}, "key is malformed"),
        ({"sidecar": AWAY, "when_away": "pass"}, "when_away must be one of hold, allow"),
        ({"sidcar": AWAY}, "unknown setting sidcar"),
        ({"sidecar": 1}, "sidecar must be text"),
    ],
)
def test_settings_that_cannot_be_used(values: dict[str, object], said: str) -> None:
    """What is missing, doubled or malformed is told when it is opened."""
    with pytest.raises(SettingsError, match=said):
        open_checker(CheckerSettings.of(values))


def test_the_environment(home: Path) -> None:
    """The variables name one of the three, and what to do if it is away."""
    settings = CheckerSettings.from_environment({"TAKEBACK_GATE_HOME": str(home), "TAKEBACK_WHEN_AWAY": "allow"})
    assert settings == CheckerSettings(home=str(home), when_away="allow")
    assert CheckerSettings.from_environment({}) == CheckerSettings()
    assert CheckerSettings.from_environment() == CheckerSettings.from_environment(os.environ)


@given(st.dictionaries(st.text(max_size=8), st.one_of(st.text(), st.integers(), st.none()), max_size=3))
def test_any_settings(values: dict[str, object]) -> None:
    """Whatever some software's settings hold, they are read or refused with our error."""
    try:
        CheckerSettings.of(values)
    except SettingsError as error:
        assert str(error)
