import os
import signal as signals
import socket
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from takeback.cli import main
from takeback.gate import Gate
from tests.gate.servers import Answer, running
from tests.gate.sidecar import serving
from tests.integrations.proxies import BROKEN, COPY, LISTED, OTHER, Echo, echoing, last, listing, proxying
from tests.lookup.services import running_service

ROUTES = ("--route", "POST /upload field=photo,more*", "--route", "PUT /raw/* raw")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a gate that lists a picture."""
    with running() as registry:
        yield listing(registry, tmp_path_factory.mktemp("gate") / "gate")


@pytest.fixture(scope="module")
def behind(home: Path) -> Iterator[tuple[httpx.Client, Echo]]:
    """A client of a proxy, and the application behind it."""
    with echoing() as (echo, url), proxying(url, *ROUTES, "--home", str(home), "--max-upload", "1") as (client, _):
        yield client, echo


def form(*files: tuple[str, bytes]) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [(name, ("a.jpg", data, "image/jpeg")) for name, data in files]


def test_a_form_is_checked(behind: tuple[httpx.Client, Echo]) -> None:
    """A listed file is refused and never reaches the application; another one arrives byte for byte, and is marked."""
    client, echo = behind
    before = len(echo.requests)
    refused = client.post("/upload", files=form(("photo", COPY)), headers={"accept": "application/json"})
    assert (refused.status_code, refused.json()["code"]) == (422, "blocked")
    assert refused.json()["error"] == "This picture cannot be posted here."
    plain = client.post("/upload", files=form(("photo", COPY)), headers={"accept": "text/html,*/*"})
    assert (plain.text, plain.headers["content-type"]) == (
        "This picture cannot be posted here.\n",
        "text/plain; charset=utf-8",
    )
    assert len(echo.requests) == before
    request = client.build_request("POST", "/upload", files=form(("photo", OTHER)), data={"text": "hi"})
    body = request.read()
    assert client.send(request).status_code == 200
    assert echo.bodies[-1] == body
    assert last(echo)["takeback-decision"] == "allow"


def test_every_file_of_a_form_is_checked(behind: tuple[httpx.Client, Echo]) -> None:
    """One listed file among several is found, in any place and any field that the route names, and in no other."""
    client, _ = behind
    others = [("photo", OTHER), ("more[]", OTHER), ("more2", OTHER)]
    for place in range(3):
        files = [*others]
        files[place] = (files[place][0], COPY)
        assert client.post("/upload", files=form(*files)).status_code == 422
    assert client.post("/upload", files=form(*others)).status_code == 200
    assert client.post("/upload", files=form(("elsewhere", COPY))).status_code == 200
    assert client.post("/elsewhere", files=form(("photo", COPY))).status_code == 200
    assert client.post("/upload", data={"photo": "no file"}).status_code == 200


@pytest.mark.parametrize("path", ["/UPLOAD", "/upload/", "//upload", "/%75pload", "/x/../upload", "/upload;a=1"])
def test_other_spellings_are_checked(path: str, behind: tuple[httpx.Client, Echo]) -> None:
    """A path that an application may take for a route's is checked too, and so is another method that is named."""
    client, _ = behind
    url = httpx.URL(client.base_url, raw_path=path.encode())
    assert client.post(url, files=form(("photo", COPY))).status_code == 422
    named = {"X-HTTP-Method-Override": "PUT"}
    assert client.post("/raw/a", content=COPY, headers=named).status_code == 422


def test_raw_bodies_in_chunks(behind: tuple[httpx.Client, Echo]) -> None:
    """A raw body is checked, whether its length is announced or it comes in chunks; it arrives with its length."""
    client, echo = behind
    for content in (COPY, iter([COPY[:1000], COPY[1000:]])):
        assert client.put("/raw/a", content=content).status_code == 422
    assert client.put("/raw/a", content=iter([OTHER[:7], OTHER[7:]])).json()["sha"] == sha256(OTHER).hexdigest()
    assert last(echo)["content-length"] == str(len(OTHER))
    assert client.put("/raw/a", content=b"").status_code == 200
    assert client.put("/raw/a", content=b"hello").status_code == 200


def test_a_review_is_passed_on_and_marked(behind: tuple[httpx.Client, Echo]) -> None:
    """What asks for a review arrives with a mark that holds the decision's id; a caller cannot set that mark."""
    client, echo = behind
    assert client.put("/raw/a", content=BROKEN, headers={"Takeback-Decision": "allow"}).status_code == 200
    marks = [value for name, value in echo.requests[-1]["headers"] if name == "takeback-decision"]
    assert len(marks) == 1
    assert marks[0].startswith("review; id=")
    client.get("/x", headers={"Takeback-Decision": "allow"})
    assert "takeback-decision" not in last(echo)


def test_limits(behind: tuple[httpx.Client, Echo]) -> None:
    """A body over the limit is refused, announced or not; one that is packed, malformed or ambiguous is too."""
    client, echo = behind
    before = len(echo.requests)
    big = b"x" * 1_000_001
    assert client.put("/raw/a", content=big).status_code == 413
    assert client.put("/raw/a", content=iter([big[:9], big[9:]])).status_code == 413
    assert client.put("/raw/a", content=COPY, headers={"content-encoding": "gzip"}).status_code == 415
    assert client.post("/elsewhere", content=big).status_code == 200
    assert len(echo.requests) == before + 1


ODD_FORMS = {
    "no boundary": ("multipart/form-data", b"x"),
    "not ended": ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="photo"\r\n\r\nx'),
    "two names": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="x"; name="photo"; filename="a"\r\n\r\nx\r\n--b--\r\n',
    ),
    "a name in another charset": (
        "multipart/form-data; boundary=b",
        b"--b\r\nContent-Disposition: form-data; name*=utf-8''photo; filename=\"a\"\r\n\r\nx\r\n--b--\r\n",
    ),
    "two dispositions": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="x"\r\nContent-Disposition: form-data; name="photo"\r\n\r\n--b--',
    ),
    "encoded bytes": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="x"\r\nContent-Transfer-Encoding: base64\r\n\r\nx\r\n--b--\r\n',
    ),
    "no disposition": ("multipart/form-data; boundary=b", b"--b\r\nContent-Type: image/jpeg\r\n\r\nx\r\n--b--\r\n"),
}


@pytest.mark.parametrize("name", ODD_FORMS)
def test_a_form_that_may_be_read_in_two_ways_is_refused(name: str, behind: tuple[httpx.Client, Echo]) -> None:
    """A form without boundary or end, with two names or encoded bytes is refused, and does not arrive."""
    client, echo = behind
    before = len(echo.requests)
    kind, body = ODD_FORMS[name]
    assert client.post("/upload", content=body, headers={"content-type": kind}).status_code == 400
    assert len(echo.requests) == before


BOUNDARY = st.text(st.sampled_from("abcXYZ019'()+_,-./:=?"), min_size=1, max_size=70)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(BOUNDARY, st.integers(1, 5000), st.booleans())
def test_odd_boundaries(behind: tuple[httpx.Client, Echo], boundary: str, size: int, listed: bool) -> None:
    """A form is read with any boundary, however it is cut into chunks, and arrives as it was."""
    client, echo = behind
    data = COPY if listed else b"\r\n--" + boundary.encode()[:-1] + b"\r\n-" + OTHER
    head = '\r\nContent-Disposition: form-data; name="photo"; filename="a;name=b"\r\nContent-Type: image/jpeg\r\n\r\n'
    mark = f"--{boundary}".encode()
    body = mark + head.encode() + data + b"\r\n" + mark + b"--\r\n"
    chunks = iter([body[at : at + size] for at in range(0, len(body), size)])
    kind = f'multipart/form-data; boundary="{boundary}"'
    answered = client.post("/upload", content=chunks, headers={"content-type": kind})
    assert answered.status_code == (422 if listed else 200)
    assert listed or echo.bodies[-1] == body


def test_everything_else_passes_untouched(behind: tuple[httpx.Client, Echo]) -> None:
    """Target, body and fields arrive as they were sent; fields of a connection do not, in either direction."""
    client, echo = behind
    target = "/a//b/%7e/%2F;c?q=%20&r=[1]"
    sent = {"x-mine": "1", "te": "trailers", "connection": "keep-alive, x-drop", "x-drop": "1", "keep-alive": "5"}
    host = {"host": "forum.example", "x-forwarded-for": "9.9.9.9", "x-forwarded-proto": "https"}
    url = httpx.URL(client.base_url, raw_path=target.encode())
    answered = client.send(client.build_request("DELETE", url, headers={**sent, **host}, content=b"body"))
    got = last(echo)
    assert echo.requests[-1]["target"] == target
    assert (echo.requests[-1]["method"], echo.bodies[-1]) == ("DELETE", b"body")
    assert got["x-mine"] == "1"
    assert not {"te", "x-drop", "keep-alive", "expect"} & set(got)
    assert (got["host"], got["x-forwarded-host"]) == ("forum.example", "forum.example")
    assert (got["x-forwarded-for"], got["x-forwarded-proto"]) == ("9.9.9.9, 127.0.0.1", "https")
    assert answered.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert "x-hop" not in answered.headers
    assert client.get("/304").status_code == 304
    assert client.head("/x").status_code == 200
    chunked = client.post("/x", content=iter([b"a", b"b"]))
    assert chunked.json()["sha"] == sha256(b"ab").hexdigest()
    assert last(echo)["transfer-encoding"] == "chunked"


def test_an_answer_is_passed_on_as_it_comes(behind: tuple[httpx.Client, Echo]) -> None:
    """The first part of an answer arrives before the application has sent the last one; a caller who leaves ends it."""
    client, echo = behind
    echo.go_on.clear()
    with client.stream("GET", "/stream") as answered:
        parts = answered.iter_raw()
        assert next(parts) == b"data: 1\n\n"
        echo.go_on.set()
        assert b"".join(parts) == b"data: 2\n\n"
    echo.go_on.clear()
    with client.stream("GET", "/stream") as answered:
        next(answered.iter_raw())
    assert echo.left.wait(30)


def test_a_request_is_passed_on_as_it_comes(behind: tuple[httpx.Client, Echo]) -> None:
    """A request that is not checked reaches the application before its body is complete."""
    client, echo = behind
    echo.began.clear()

    def body() -> Iterator[bytes]:
        yield b"first"
        assert echo.began.wait(30)
        yield b"second"

    assert client.post("/x", content=body()).json()["sha"] == sha256(b"firstsecond").hexdigest()


def test_a_slow_body_is_given_up(home: Path) -> None:
    """A checked body that is not complete in time is refused with 408, and does not arrive."""
    with (
        echoing() as (echo, url),
        proxying(url, *ROUTES, "--home", str(home), "--body-seconds", "1") as (client, _),
        socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=30) as caller,
    ):
        caller.sendall(b"PUT /raw/a HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
        assert caller.recv(100).startswith(b"HTTP/1.1 408 ")
        assert echo.requests == []


def test_the_application_is_away(home: Path) -> None:
    """If the application cannot be reached, plain and checked requests are answered with 502, and the log says why."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with proxying(url, *ROUTES, "--home", str(home)) as (client, process):
            assert client.get("/x").status_code == 502
            assert client.put("/raw/a", content=OTHER, headers={"accept": "application/json"}).json()["code"] == (
                "upstream-away"
            )
            process.send_signal(signals.SIGTERM)
            _, errors = process.communicate(timeout=30)
    assert "the application cannot be reached: the connection is refused" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("way", ["pass", "refuse"])
def test_the_gate_is_away(way: str) -> None:
    """If no sidecar answers, uploads are passed on with a mark or refused with 503 and Retry-After, as it is set."""
    options = ("--sidecar", "http://127.0.0.1:9", "--when-away", way)
    with echoing() as (echo, url), proxying(url, *ROUTES, *options) as (client, _):
        answered = client.post("/upload", files=form(("photo", OTHER)), headers={"accept": "application/json"})
        if way == "pass":
            assert answered.status_code == 200
            assert last(echo)["takeback-decision"] == "unchecked"
        else:
            assert (answered.status_code, answered.json()["code"]) == (503, "cannot-check")
            assert int(answered.headers["retry-after"]) > 0
            assert echo.requests == []
        assert client.get("/x").status_code == 200


def test_a_sidecar_decides(tmp_path: Path) -> None:
    """With a sidecar the proxy needs no folder; what is held is refused, and what is blocked is reported."""
    words = ("--block-status", "451", "--block-text", "Not here.")
    with running() as registry:
        folder = listing(registry, tmp_path / "gate")
        with serving(folder, token="secret") as sidecar, echoing() as (echo, url):
            options = ("--sidecar", str(sidecar.base_url), "--review", "hold", "--report", *words)
            environ = {"TAKEBACK_GATE_TOKEN": "secret", "TAKEBACK_GATE_HOME": ""}
            with proxying(url, *ROUTES, *options, **environ) as (client, process):
                blocked = client.post("/upload", files=form(("photo", OTHER), ("photo", LISTED)))
                assert (blocked.status_code, blocked.text) == (451, "Not here.\n")
                held = client.put("/raw/a", content=BROKEN, headers={"accept": "application/json"})
                assert (held.status_code, held.json()["code"]) == (451, "held")
                assert client.put("/raw/a", content=OTHER).status_code == 200
                assert client.put("/raw/a", content=b"").status_code == 200
                process.send_signal(signals.SIGTERM)
                _, errors = process.communicate(timeout=30)
            assert len(echo.requests) == 2
            assert "POST /upload field=photo,more*: block, decision " in errors
            from takeback.gate import Gate

            with Gate.open(folder) as gate:
                assert gate.status().feedback_waiting == 1


def test_a_file_that_the_sidecar_refuses_is_a_review(home: Path) -> None:
    """A file that is too large for the sidecar is held or marked, and never passes as what nobody could decide on."""
    with echoing() as (echo, url), serving(home, max_bytes=len(COPY) - 1) as sidecar:
        options = ("--sidecar", str(sidecar.base_url).rstrip("/"), "--when-away", "pass")
        with proxying(url, *ROUTES, *options) as (client, _):
            assert client.put("/raw/1", content=COPY).status_code == 200
            assert last(echo)["takeback-decision"].startswith("review")


def test_a_look_up_service_decides(home: Path) -> None:
    """With `--lookup` uploads are hashed here, and the service decides; what it is told of a block reaches it."""
    with echoing() as (echo, url), running_service(home) as service:
        options = ("--lookup", service.address, "--report")
        environ = {"TAKEBACK_LOOKUP_KEY": service.key}
        with proxying(url, *ROUTES, *options, **environ) as (client, _):
            assert client.post("/upload", files=form(("photo", COPY))).status_code == 422
            assert client.post("/upload", files=form(("photo", OTHER))).status_code == 200
            assert last(echo)["takeback-decision"] == "allow"
            assert client.put("/raw/1", content=BROKEN).status_code == 200
            assert last(echo)["takeback-decision"].startswith("review")
    with Gate.open(home) as gate:
        assert gate.status().feedback_waiting == 1


def test_a_large_upload_goes_through_a_file(home: Path) -> None:
    """An upload beyond the limit on memory is checked and passed on whole; nothing of it is left in a folder."""
    padded = COPY + bytes(20_000_000)
    other = os.urandom(20_000_000)
    folder = home.parent / "tmp"
    folder.mkdir()
    with (
        echoing() as (echo, url),
        proxying(url, *ROUTES, "--home", str(home), TMPDIR=str(folder)) as (client, _),
    ):
        assert client.put("/raw/a", content=padded).status_code == 422
        assert client.post("/upload", files={"photo": ("a", other)}).status_code == 200
        assert other in echo.bodies[-1]
        assert list(folder.iterdir()) == []


def test_before_the_flask_example(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a WSGI application a copy is blocked by the proxy, and another picture is stored by the application."""
    import threading
    from importlib import import_module

    from werkzeug.serving import make_server

    monkeypatch.setenv("TAKEBACK_GATE_HOME", str(home))
    example = import_module("takeback.integrations.examples.flask_uploads")
    server = make_server("127.0.0.1", 0, example.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        options = ("--route", "POST /upload field=photo", "--home", str(home))
        with proxying(f"http://127.0.0.1:{server.port}", *options) as (client, _):
            stored = client.post("/upload", files=form(("photo", OTHER)))
            assert (stored.status_code, stored.text) == (201, "Stored.")
            assert client.post(
                "/upload", files=form(("photo", COPY)), headers={"accept": "application/json"}
            ).json() == {
                "error": "This picture cannot be posted here.",
                "code": "blocked",
            }
            assert client.get("/nothing").status_code == 404
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        example.gate().close()
        example.gate.cache_clear()


def test_a_caller_who_leaves_early(behind: tuple[httpx.Client, Echo]) -> None:
    """Of a checked upload whose caller leaves before it is complete nothing reaches the application."""
    client, echo = behind
    before = len(echo.requests)
    with socket.create_connection((client.base_url.host, client.base_url.port or 0)) as caller:
        caller.sendall(b"PUT /raw/a HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
    assert client.get("/x").status_code == 200
    assert [request["method"] for request in echo.requests[before:]] == ["GET"]


def test_connections_to_the_application_are_kept(behind: tuple[httpx.Client, Echo]) -> None:
    """Requests that follow one another, checked or not, share a connection to the application."""
    client, echo = behind
    before = len(echo.requests)
    for _ in range(3):
        client.get("/x")
        client.put("/raw/a", content=b"hello")
    assert len({request["peer"] for request in echo.requests[before:]}) == 1


def test_an_answer_that_breaks_off() -> None:
    """If the application's answer breaks off, so does the proxy's: no caller takes a part for the whole."""
    with running() as broken:
        broken.answer = lambda _: Answer(b"abc", promised=10)
        with (
            proxying(broken.url, *ROUTES, "--sidecar", "http://127.0.0.1:9") as (client, _),
            pytest.raises(httpx.RemoteProtocolError),
        ):
            client.get("/x")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "give the gate's folder with --home"),
        (("--home", "nowhere"), "nowhere/gate.toml does not exist: create it with `takeback gate init`"),
        (("--sidecar", "http://x/y"), "--sidecar must have no path"),
        (("--lookup", "https://x"), "the site's key is malformed"),
        (("--lookup", "https://x", "--sidecar", "https://x"), "either --sidecar or --lookup"),
        (("--sidecar", "x"), "--sidecar's address is malformed"),
        (("--upstream", "ftp://x"), "--upstream's address is malformed"),
        (("--listen", "8081"), "expected HOST:PORT"),
        (("--route", "GET /x raw"), "must be POST, PUT, PATCH"),
        (("--trusted-proxy", "10.0.0.1/8"), "is not a network"),
    ],
)
def test_a_wrong_option_is_told_at_the_start(
    options: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing or malformed option ends the command with status 2 and one line."""
    monkeypatch.delenv("TAKEBACK_GATE_HOME", raising=False)
    given = ["gate", "proxy", "--upstream", "http://127.0.0.1:9", "--route", "POST /x raw"]
    if options and options[0] not in {"--home", "--sidecar", "--lookup"}:
        given += ["--sidecar", "http://127.0.0.1:9"]
    result = CliRunner().invoke(main, [*given, *options])
    assert result.exit_code == 2
    assert said in result.output
    assert result.output.count("\n") == 1
