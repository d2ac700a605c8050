import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.gate.servers import running
from tests.gate.sidecar import answering
from tests.integrations.proxies import BROKEN, COPY, OTHER, TusApp, listing, metadata, proxying

ROUTE = ("--route", "POST /files tus")
OFFSET_TYPE = {"content-type": "application/offset+octet-stream", "tus-resumable": "1.0.0"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a gate that lists a picture."""
    with running() as registry:
        yield listing(registry, tmp_path_factory.mktemp("gate") / "gate")


@contextmanager
def uploading(*options: str) -> Iterator[tuple[httpx.Client, TusApp]]:
    app = TusApp()
    with (
        answering(app) as direct,
        proxying(str(direct.base_url).rstrip("/"), *ROUTE, *options, TAKEBACK_GATE_HOME="") as (client, _),
    ):
        yield client, app


@pytest.fixture(scope="module")
def behind(home: Path) -> Iterator[tuple[httpx.Client, TusApp]]:
    with uploading("--home", str(home), "--max-upload", "1") as made:
        yield made


def create(client: httpx.Client, length: int | None, data: bytes = b"", kind: str = "image/jpeg") -> httpx.Response:
    fields = {"tus-resumable": "1.0.0", "upload-metadata": metadata(kind)}
    fields |= {"upload-defer-length": "1"} if length is None else {"upload-length": str(length)}
    if data:
        fields |= OFFSET_TYPE
    return client.post("/files", headers=fields, content=data)


def patch(client: httpx.Client, at: str, data: bytes, offset: int, **more: str) -> httpx.Response:
    fields = {**OFFSET_TYPE, "upload-offset": str(offset)}
    return client.patch(
        at, headers=fields | {name.replace("_", "-"): value for name, value in more.items()}, content=data
    )


@pytest.mark.parametrize("size", [100, 3000, 1_000_000])
def test_an_upload_in_parts(size: int, behind: tuple[httpx.Client, TusApp]) -> None:
    """A listed picture is refused with its last part, however it is cut, and removed; another one is completed."""
    client, app = behind
    at = create(client, len(COPY)).headers["location"]
    path = httpx.URL(at).path
    *parts, end = (COPY[place : place + size] for place in range(0, len(COPY), size))
    offset = 0
    for part in parts:
        answered = patch(client, at, part, offset)
        offset += len(part)
        assert (answered.status_code, answered.headers["upload-offset"]) == (204, str(offset))
    refused = patch(client, at, end, offset, accept="application/json")
    assert (refused.status_code, refused.json()["code"]) == (422, "blocked")
    assert app.deleted[-1] == path
    assert patch(client, at, end, offset).status_code == 404
    at = create(client, len(OTHER)).headers["location"]
    for place in range(0, len(OTHER), size):
        assert patch(client, at, OTHER[place : place + size], place).status_code == 204
    assert OTHER in app.completed()
    assert client.head(at, headers={"tus-resumable": "1.0.0"}).headers["upload-offset"] == str(len(OTHER))
    assert COPY not in app.completed()


def test_an_upload_with_its_creation(behind: tuple[httpx.Client, TusApp]) -> None:
    """A picture that comes with the creation, whole or in part, is checked before it is complete."""
    client, app = behind
    before = len(app.requests)
    assert create(client, len(COPY), COPY).status_code == 422
    assert len(app.requests) == before
    assert create(client, len(OTHER), OTHER).status_code == 201
    at = create(client, len(COPY), COPY[:10]).headers["location"]
    assert patch(client, at, COPY[10:], 10).status_code == 422
    at = create(client, len(BROKEN), BROKEN).headers["location"]
    assert app.requests[-1][2]["takeback-decision"].startswith("review; id=")
    assert patch(client, at, b"", len(BROKEN)).status_code == 404


def test_a_length_that_comes_later(behind: tuple[httpx.Client, TusApp]) -> None:
    """If the length is told with a later part, that part completes the upload; a second length is refused."""
    client, app = behind
    at = create(client, None).headers["location"]
    assert patch(client, at, COPY[:100], 0).status_code == 204
    app.refuse = 415
    assert patch(client, at, COPY[100:200], 100, upload_length=str(len(COPY) + 1)).status_code == 415
    assert patch(client, at, COPY[100:], 100).status_code == 204
    assert patch(client, at, b"", len(COPY), upload_length=str(len(COPY))).status_code == 422
    at = create(client, 50).headers["location"]
    assert patch(client, at, b"x", 0, upload_length="40").status_code == 400
    assert COPY not in app.completed()


def test_parts_that_do_not_fit(behind: tuple[httpx.Client, TusApp]) -> None:
    """A part at another offset, beyond the length or of an unknown upload is refused, and does not arrive."""
    client, app = behind
    at = create(client, 10).headers["location"]
    before = len(app.requests)
    assert patch(client, at, b"x", 5).status_code == 409
    assert patch(client, at, b"x" * 11, 0).status_code == 413
    assert patch(client, at, b"x", 0, content_encoding="gzip").status_code == 415
    assert patch(client, "/files/unknown", b"x", 0).status_code == 404
    assert client.head("/files/unknown").status_code == 404
    assert client.post("/files/unknown", headers={"x-http-method-override": "PATCH"}).status_code == 404
    assert create(client, 2_000_000).status_code == 413
    assert client.post("/files", headers={"upload-concat": "final;/files/0 /files/1"}).status_code == 400
    assert client.post("/files", headers={"upload-length": "1e3"}).status_code == 400
    assert len(app.requests) == before
    extensions = client.options("/files").headers["tus-extension"]
    assert extensions == "creation,creation-with-upload,termination"


def test_a_part_that_the_application_refuses(behind: tuple[httpx.Client, TusApp]) -> None:
    """A refused part can be sent again; after an error of which nobody knows what it left the upload begins anew."""
    client, app = behind
    at = create(client, len(OTHER)).headers["location"]
    app.refuse = 423
    assert patch(client, at, OTHER, 0).status_code == 423
    assert patch(client, at, OTHER[:9], 0).status_code == 204
    app.refuse = 500
    assert patch(client, at, OTHER[9:], 9).status_code == 500
    assert patch(client, at, OTHER[9:], 9).status_code == 404
    assert client.delete(at).status_code == 204


def test_a_connection_that_breaks_off(behind: tuple[httpx.Client, TusApp]) -> None:
    """What had arrived when a caller's connection broke is kept, and the upload goes on from there."""
    client, app = behind
    at = create(client, len(COPY)).headers["location"]
    with socket.create_connection((client.base_url.host, client.base_url.port or 0)) as caller:
        head = (
            f"PATCH {httpx.URL(at).path} HTTP/1.1\r\nHost: x\r\nUpload-Offset: 0\r\nContent-Length: {len(COPY)}\r\n\r\n"
        )
        caller.sendall(head.encode() + COPY[:500])
    offset = 0
    while not offset:  # the test's timeout ends this
        offset = int(client.head(at).headers["upload-offset"])
    assert offset == 500
    assert patch(client, at, COPY[500:], 500).status_code == 422
    assert COPY not in app.completed()


def test_the_gate_is_away() -> None:
    """If the gate cannot decide, the last part is refused with 503 and can be sent again."""
    with uploading("--sidecar", "http://127.0.0.1:9") as (client, app):
        at = create(client, 10).headers["location"]
        assert patch(client, at, b"12345", 0).status_code == 204
        for _ in range(2):
            refused = patch(client, at, b"67890", 5)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
        assert app.completed() == []
        assert app.deleted == []


def test_room_is_made_for_new_uploads(home: Path) -> None:
    """If there is no room left, the upload that has been idle longest is given up, and its client begins it anew."""
    with uploading("--home", str(home), "--max-upload", "1", "--max-waiting", "1") as (client, _):
        first = create(client, 900_000).headers["location"]
        assert patch(client, first, bytes(600_000), 0).status_code == 204
        second = create(client, 900_000).headers["location"]
        assert patch(client, second, bytes(600_000), 0).status_code == 204
        assert client.head(first).status_code == 404
        assert client.head(second).status_code == 200
