"""The example for Node, with the real packages of Express, multer and tus, against a real sidecar."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.gate.servers import Answer, running
from tests.gate.sidecar import serving
from tests.integrations.proxies import BROKEN, COPY, LISTED, OTHER, listing, proxying
from tests.lookup.services import Service, running_service

AWAY: Final = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a sidecar whose gate lists a picture."""
    with running() as registry, serving(listing(registry, tmp_path_factory.mktemp("gate") / "gate")) as client:
        yield str(client.base_url).rstrip("/")


def asking(whom: str | Service) -> dict[str, str]:
    """The settings that name a sidecar by its address, or a look-up service."""
    if isinstance(whom, str):
        return {"TAKEBACK_SIDECAR": whom}
    return {"TAKEBACK_LOOKUP": whom.address, "TAKEBACK_LOOKUP_KEY": whom.key}


@contextmanager
def application(
    packages: Path, folder: Path, sidecar: str | Service, review: str = "pass", away: str = "refuse"
) -> Iterator[httpx.Client]:
    """The application with these options, which keeps files in `folder` and asks a sidecar or a look-up service."""
    (folder / "tus").mkdir()
    environ = {**os.environ, **asking(sidecar)}
    command = ["node", "app.mjs", str(folder), review, away]
    with subprocess.Popen(command, cwd=packages, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = f"http://127.0.0.1:{int(process.stdout.readline())}"
            with httpx.Client(base_url=url, timeout=30) as client:
                yield client
        finally:
            process.kill()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A look-up service whose gate lists a picture."""
    with running() as registry, running_service(listing(registry, tmp_path / "gate")) as started:
        yield started


def post(client: httpx.Client, path: str, *files: bytes) -> httpx.Response:
    return client.post(path, files=[("photo", ("a.jpg", data, "image/jpeg")) for data in files])


def tus(packages: Path, url: str, folder: Path, data: bytes, chunk: int = 1000) -> str:
    """What tus-js-client says of an upload."""
    (folder / "upload").write_bytes(data)
    command = ["node", "upload.mjs", f"{url}/files", str(folder / "upload"), str(chunk)]
    return subprocess.run(command, cwd=packages, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


@pytest.mark.timeout(240)
def test_express_with_multer(packages: Path, sidecar: str, tmp_path: Path) -> None:
    """A listed file among several is refused and removed; another one goes on, and a review goes on with a mark."""
    with application(packages, tmp_path, sidecar) as client:
        assert post(client, "/memory", COPY).json()["code"] == "blocked"
        assert post(client, "/memory", COPY).status_code == 422
        assert post(client, "/memory", OTHER).json() == [{"takeback": "allow", "size": len(OTHER)}]
        assert post(client, "/disk", OTHER, COPY).status_code == 422
        assert list((tmp_path / "disk").iterdir()) == []
        answered = post(client, "/disk", OTHER, BROKEN, b"")
        assert [one["takeback"] for one in answered.json()] == ["allow", "review", "allow"]
        assert len(list((tmp_path / "disk").iterdir())) == 3


@pytest.mark.timeout(240)
def test_tus_server(packages: Path, sidecar: str, tmp_path: Path) -> None:
    """An upload by tus-js-client is refused and removed if it is listed, else stored; a review is stored."""
    with application(packages, tmp_path, sidecar) as client:
        url = str(client.base_url)
        assert tus(packages, url, tmp_path, COPY) == "422"
        assert list((tmp_path / "tus").iterdir()) == []
        assert tus(packages, url, tmp_path, OTHER) == "stored"
        assert tus(packages, url, tmp_path, BROKEN) == "stored"
        assert OTHER in {file.read_bytes() for file in (tmp_path / "tus").iterdir()}


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("way", "status", "said"), [("refuse", 503, "503"), ("pass", 201, "stored")])
def test_the_sidecar_is_away(way: str, status: int, said: str, packages: Path, tmp_path: Path) -> None:
    """If no sidecar answers, uploads are refused with 503 or go on, as it is set."""
    with application(packages, tmp_path, AWAY, away=way) as client:
        assert post(client, "/memory", OTHER).status_code == status
        assert tus(packages, str(client.base_url), tmp_path, OTHER) == said


@pytest.mark.timeout(240)
def test_a_review_is_held(packages: Path, sidecar: str, tmp_path: Path) -> None:
    """With `hold`, what asks for a review is refused."""
    with application(packages, tmp_path, sidecar, review="hold") as client:
        assert post(client, "/memory", BROKEN).json()["code"] == "held"
        assert tus(packages, str(client.base_url), tmp_path, BROKEN) == "422"


@pytest.mark.timeout(240)
def test_a_look_up_service_by_the_same_settings(packages: Path, service: Service, tmp_path: Path) -> None:
    """With a look-up service, listed files and copies are refused and removed by both, and others are stored."""
    with application(packages, tmp_path, service) as client:
        url = str(client.base_url)
        for listed in (LISTED, COPY):
            assert post(client, "/memory", listed).json()["code"] == "blocked"
            assert post(client, "/disk", OTHER, listed).status_code == 422
            assert tus(packages, url, tmp_path, listed) == "422"
        assert list((tmp_path / "disk").iterdir()) == list((tmp_path / "tus").iterdir()) == []
        answered = post(client, "/disk", OTHER, BROKEN, b"")
        assert [one["takeback"] for one in answered.json()] == ["allow", "review", "allow"]
        assert tus(packages, url, tmp_path, OTHER) == "stored"


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("way", "status", "said"), [("refuse", 503, "503"), ("pass", 201, "stored")])
def test_the_look_up_service_is_away(way: str, status: int, said: str, packages: Path, tmp_path: Path) -> None:
    """If no look-up service answers, uploads are refused with 503 or go on, as it is set."""
    with httpx.Client() as http:
        away = Service(AWAY, tmp_path, f"tbl_{'0' * 16}_{'1' * 64}", http)
        with application(packages, tmp_path, away, away=way) as client:
            assert post(client, "/memory", OTHER).status_code == status
            assert tus(packages, str(client.base_url), tmp_path, OTHER) == said


@pytest.mark.timeout(240)
def test_uploads_that_are_too_alike_are_marked(packages: Path, tmp_path: Path) -> None:
    """Also with `pass`, an upload that the service refuses to look up as too alike asks for a review."""
    problem = b'{"type": "urn:takeback:problem:too-alike", "title": "too alike", "status": 429}'
    with running() as server, httpx.Client() as http:
        server.answer = lambda _: Answer(problem, 429)
        service = Service(server.url, tmp_path, f"tbl_{'0' * 16}_{'1' * 64}", http)
        with application(packages, tmp_path, service, away="pass") as client:
            assert post(client, "/memory", OTHER).json()[0]["takeback"] == "review"


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("SIDECAR", "LOOKUP", "LOOKUP_KEY"), "but not both"),
        (("SIDECAR", "LOOKUP_KEY"), "but not both"),
        (("LOOKUP",), "or neither"),
        (("LOOKUP_KEY",), "or neither"),
        (("LOOKUP", "LOOKUP_KEY"), "address is malformed"),
    ],
)
def test_contradictory_settings(settings: tuple[str, ...], said: str, packages: Path, tmp_path: Path) -> None:
    """Two services, half of one, or a value that cannot be used is told at the start."""
    environ = {**os.environ, **{f"TAKEBACK_{name}": "value" for name in settings}}
    command = ["node", "app.mjs", str(tmp_path), "pass", "pass"]
    done = subprocess.run(command, cwd=packages, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert said in done.stderr


@pytest.mark.timeout(240)
def test_the_proxy_before_a_real_tus_server(packages: Path, sidecar: str, tmp_path: Path) -> None:
    """The proxy refuses a listed upload before @tus/server, whose parts are removed, and passes another one on."""
    with application(packages, tmp_path, AWAY, away="pass") as direct:
        options = ("--route", "POST /files tus", "--sidecar", sidecar)
        with proxying(str(direct.base_url).rstrip("/"), *options) as (client, _):
            url = str(client.base_url).rstrip("/")
            for chunk in (1000, 10_000_000):
                assert tus(packages, url, tmp_path, COPY, chunk) == "422"
                assert list((tmp_path / "tus").glob("*[!n]")) == []
            assert tus(packages, url, tmp_path, OTHER) == "stored"
            assert OTHER in {file.read_bytes() for file in (tmp_path / "tus").iterdir()}
