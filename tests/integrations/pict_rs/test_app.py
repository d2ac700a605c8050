"""As pict-rs asks: it streams a file in chunks with its media type, and takes the upload if the answer is 2xx."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from takeback.cli import main
from tests.gate.servers import running
from tests.gate.sidecar import serving
from tests.integrations.proxies import BROKEN, COPY, LISTED, OTHER, listing
from tests.integrations.services import Started, started
from tests.lookup.services import running_service

AWAY = "http://127.0.0.1:9"
KEY = "tbl_" + "0" * 16 + "_" + "1" * 64
TOKEN = "a-token"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a gate that lists a picture."""
    with running() as registry:
        yield listing(registry, tmp_path_factory.mktemp("gate") / "gate")


def chunks(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), 1000):
        yield content[start : start + 1000]


def ask(service: Started, content: bytes, kind: str = "image/jpeg", path: str = "/") -> httpx.Response:
    """What pict-rs is answered about an upload."""
    return service.client.post(path, content=chunks(content), headers={"content-type": kind})


@contextmanager
def asked_of(way: str, home: Path, folder: Path, *options: str) -> Iterator[Started]:
    """The service, which asks a sidecar, the folder or a look-up service."""
    if way == "home":
        with started(folder, "pict-rs", "--home", str(home), *options) as service:
            yield service
    elif way == "sidecar":
        with serving(home) as client, started(folder, "pict-rs", "--sidecar", str(client.base_url), *options) as one:
            yield one
    else:
        with running_service(home) as lookup:
            environ = {"TAKEBACK_LOOKUP": lookup.address, "TAKEBACK_LOOKUP_KEY": lookup.key}
            with started(folder, "pict-rs", *options, **environ) as one:
                yield one


@pytest.mark.parametrize("way", ["home", "sidecar", "lookup"])
def test_uploads(way: str, home: Path, tmp_path: Path) -> None:
    """A listed picture is refused and others are taken, whoever is asked and whatever the path is."""
    with asked_of(way, home, tmp_path, "--report") as service:
        for listed in (LISTED, COPY):
            assert ask(service, listed).status_code == 422
        assert ask(service, COPY, path="/api/validate?x=1").status_code == 422
        for other in (OTHER, b"", b"hello"):
            assert ask(service, other).status_code == 204
        assert ask(service, BROKEN).status_code == 204
        assert service.client.post("/", content=COPY).status_code == 422
        assert service.client.get("/healthz").json() == {"trouble": ""}
        assert "block, decision " in service.log
        assert "review, decision " in service.log


def test_a_review_can_be_held(home: Path, tmp_path: Path) -> None:
    """With `--review hold` what asks for a review is refused."""
    with started(tmp_path, "pict-rs", "--home", str(home), "--review", "hold") as service:
        assert ask(service, BROKEN).status_code == 422
        assert ask(service, OTHER).status_code == 204


@pytest.mark.parametrize("way", ["sidecar", "lookup"])
@pytest.mark.parametrize(("setting", "status"), [("hold", 503), ("allow", 204)])
def test_nobody_can_decide(way: str, setting: str, status: int, tmp_path: Path) -> None:
    """If nobody can decide, uploads are refused with 503, or taken if that is set."""
    with started(tmp_path, "pict-rs", f"--{way}", AWAY, "--when-away", setting, TAKEBACK_LOOKUP_KEY=KEY) as service:
        answered = ask(service, OTHER)
        assert (answered.status_code, "retry-after" in answered.headers) == (status, status == 503)
        assert service.client.get("/healthz").status_code == 503
        assert "cannot be reached" in service.log


def test_a_file_that_the_sidecar_refuses(home: Path, tmp_path: Path) -> None:
    """A file that is too large for the sidecar is not taken, even if what nobody can decide on may be."""
    with serving(home, max_bytes=len(COPY) - 1) as client:
        options = ("--sidecar", str(client.base_url), "--when-away", "allow")
        with started(tmp_path, "pict-rs", *options) as service:
            assert ask(service, COPY).status_code == 503


def test_limits(home: Path, tmp_path: Path) -> None:
    """A file over the limit is refused, announced or not; without the token nobody is answered."""
    options = ("--home", str(home), "--max-megabytes", "1")
    with started(tmp_path, "pict-rs", *options, TAKEBACK_PICTRS_TOKEN=TOKEN) as service:
        assert ask(service, OTHER).status_code == 401
        service.client.auth = httpx.BasicAuth("x", TOKEN)
        assert ask(service, OTHER).status_code == 204
        assert ask(service, bytes(1_000_001)).status_code == 413
        assert service.client.post("/", content=bytes(1_000_001)).status_code == 413
        assert service.client.get("/").status_code == 405


def test_settings_that_cannot_be_used(tmp_path: Path) -> None:
    """What is missing or dangerous is told before the service starts."""
    for options, said in (
        (("--sidecar", AWAY, "--listen", "0.0.0.0:0"), "set TAKEBACK_PICTRS_TOKEN"),
        (("--sidecar", AWAY, "--listen", "x"), "HOST:PORT"),
        (("--sidecar", AWAY, "--lookup", AWAY), "several are set"),
        (("--home", str(tmp_path / "none"), "--listen", "127.0.0.1:0"), "does not exist"),
    ):
        done = CliRunner().invoke(main, ["gate", "pict-rs", *options])
        assert done.exit_code == 2
        assert said in done.output
