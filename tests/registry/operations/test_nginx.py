"""The printed configuration, with a real nginx in front of a real registry."""

import functools
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import override

import httpx
import pytest

from tests import debian
from tests.registry.http.test_response_headers import ADDRESSES, CONTACT
from tests.registry.http.test_static_files import FILES, make_page
from tests.registry.support import Server, command, md5, problem, secret_headers, serving

PACKAGES = ("nginx", "libnginx-mod-http-brotli-static", "openssl")
MODULES = Path("/usr/lib/nginx/modules")
BROTLI = MODULES / "ngx_http_brotli_static_module.so"


@functools.cache
def nginx() -> str:
    """The path of nginx, installed if permitted; tests that need it are skipped if it is not available."""
    if not (_found() and BROTLI.exists() and shutil.which("openssl")):
        debian.install(*PACKAGES)
    found = _found()
    if found is None or shutil.which("openssl") is None:
        pytest.skip(f"needs nginx and openssl (Debian: apt install {' '.join(PACKAGES)})")
    return found


def _found() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def printed(page: Path, *options: str | int) -> subprocess.CompletedProcess[str]:
    """The output of `takeback registry nginx`."""
    return command("registry", "nginx", "--name", "takeback.example", "--page", page, *options)


def free_port() -> int:
    """A port that is free at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry behind nginx."""
    folder = tmp_path_factory.mktemp("registry")
    with serving(folder / "var", "--page", make_page(folder / "dist"), "--tls", *CONTACT) as server:
        yield server


@pytest.fixture(scope="module")
def front(site: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of nginx."""
    with _fronting(site, tmp_path_factory) as client:
        yield client


@contextmanager
def _fronting(
    site: Server, tmp_path_factory: pytest.TempPathFactory, change: Callable[[str], str] = str
) -> Iterator[httpx.Client]:
    """Nginx in front of the site, with its configuration changed."""
    program = nginx()
    folder = tmp_path_factory.mktemp("nginx")
    port = free_port()
    configuration = _configuration(site, folder, port)
    configuration.write_text(change(configuration.read_text()))
    subprocess.run([program, "-t", "-p", folder, "-c", configuration], check=True, capture_output=True)
    process = subprocess.Popen(
        [program, "-p", folder, "-c", configuration, "-g", "daemon off;"], stderr=subprocess.DEVNULL
    )
    trust = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    with httpx.Client(base_url=f"https://takeback.example:{port}", transport=_To(port, trust)) as client:
        _wait(port)
        yield client
    process.terminate()
    process.wait(timeout=10)


class _To(httpx.BaseTransport):
    """Sends requests for any host to this machine."""

    def __init__(self, port: int, trust: ssl.SSLContext) -> None:
        self._port = port
        self._inner = httpx.HTTPTransport(verify=trust)

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions["sni_hostname"] = "takeback.example"
        request.url = request.url.copy_with(host="127.0.0.1", port=self._port)
        return self._inner.handle_request(request)

    @override
    def close(self) -> None:
        self._inner.close()


def _configuration(site: Server, folder: Path, port: int) -> Path:
    """The printed configuration, changed to free ports and to a folder of the test."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=takeback.example", "-addext", "subjectAltName=DNS:takeback.example",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    made = printed(
        site.data.with_name("dist"), "--port", site.address.rsplit(":", 1)[1],
        "--certificate", str(folder / "cert.pem"), "--certificate-key", str(folder / "key.pem"),
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    text = made.stdout.replace("listen [::]:", "# listen [::]:").replace("/var/log/nginx", str(folder))
    text = text.replace("listen 80;", f"listen 127.0.0.1:{free_port()};").replace("443 ssl", f"127.0.0.1:{port} ssl")
    modules = f"load_module {BROTLI};\n" if BROTLI.exists() else ""
    if not modules:
        text = text.replace("    brotli_static on;\n", "")
    path = folder / "nginx.conf"
    scratch = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    path.write_text(
        f"{modules}user root;\npid {folder}/nginx.pid;\nerror_log {folder}/main.log;\nevents {{}}\n"
        f"http {{\n{scratch}{text}}}\n"
    )
    return path


def _wait(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("nginx did not come up")


@pytest.mark.parametrize("path", ADDRESSES)
def test_nginx_answers_with_the_same_headers(site: Server, front: httpx.Client, path: str) -> None:
    """Through nginx every path has the same status, content type and security headers as without it."""
    through, direct = front.get(path), site.http.get(path)
    ours = {name for name in direct.headers if name not in {"date", "connection", "content-length", "vary"}}

    assert through.status_code == direct.status_code
    for name in ours - {"content-encoding"}:
        assert through.headers.get_list(name) == direct.headers.get_list(name), name
    assert not {"etag", "last-modified", "accept-ranges", "set-cookie"} & through.headers.keys()


def test_nginx_sends_the_compressed_files(front: httpx.Client) -> None:
    """Files are served as the build compressed them."""
    wanted = ["gzip", "br"] if BROTLI.exists() else ["gzip"]
    for encoding in wanted:
        with front.stream("GET", "/page/app.js", headers={"Accept-Encoding": encoding}) as answer:
            answer.read() if encoding == "gzip" else b"".join(answer.iter_raw())
        assert answer.headers["content-encoding"] == encoding
    assert front.get("/page/app.js", headers={"Accept-Encoding": "identity"}).content == FILES["page/app.js"]


@pytest.mark.parametrize("path", ["/page", "/page/", "/index.html.br", "/worker.js.gz", "/nothing"])
def test_nginx_has_no_page_of_its_own(front: httpx.Client, path: str) -> None:
    """For an unknown path the registry answers, with a problem."""
    problem(front.get(path), 404, "not-found")


def test_nginx_passes_cases_on(front: httpx.Client) -> None:
    """A case can be made and read through nginx; too large a body is a problem like any other."""
    body = {"pictures": [{"signals": [md5()]}]}
    made = front.post("/v1/cases", json=body, headers=secret_headers())
    assert made.status_code == 201
    for size in (70_000, 200_000):
        headers = {**secret_headers(), "Content-Type": "application/json"}
        problem(front.post("/v1/cases", content=b" " * size, headers=headers), 413, "too-large")
    problem(front.post("/index.html"), 405, "method-not-allowed")


def test_nginx_slows_a_flood_from_one_address(site: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Beyond the burst an address gets a problem with the time to wait; the feed and the page are not limited."""

    def slower(text: str) -> str:
        assert "rate=10r/s" in text
        return text.replace("rate=10r/s", "rate=1r/m").replace("burst=100", "burst=2")

    with _fronting(site, tmp_path_factory, slower) as client:
        answers = [client.get("/v1/cases/1234567890", headers={"Takeback-Pin": "2345-6789-ABCD"}) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [404, 404, 404, 429]
        problem(answers[-1], 429, "too-many-requests")
        assert answers[-1].headers["retry-after"] == "5"
        problem(client.get("/v1/platforms"), 429, "too-many-requests")
        assert client.get("/v1/feed?after=0").status_code == 401
        assert client.get("/").status_code == 200


def test_nginx_hides_the_metrics(front: httpx.Client) -> None:
    """The registry's metrics are not public."""
    assert front.get("/metrics").status_code == 404
    assert front.get("/readyz").status_code == 200


def test_nginx_logs_nobody(front: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> None:
    """After these tests no log of nginx contains an address or a case."""
    front.get("/v1/cases/1234567890", headers={"Takeback-Pin": "K7QM-2XRW-9DHF"})
    folder = tmp_path_factory.getbasetemp() / "nginx0"
    logs = "".join(path.read_text() for path in folder.glob("*.log"))

    assert "127.0.0.1" not in logs.replace("listen", "")
    assert "1234567890" not in logs


@pytest.mark.parametrize("name", ["a b", "x;", 'x"', "${host}", "a\nb"])
def test_a_value_that_nginx_would_misread_is_refused(tmp_path: Path, name: str) -> None:
    """A name or path with spaces, quotes or characters special to nginx is refused in one line."""
    refused = command(
        "registry", "nginx", "--name", name, "--page", tmp_path, "--certificate", "/c", "--certificate-key", "/k"
    )
    assert refused.returncode == 2
    assert "cannot be used in an nginx configuration" in refused.stderr


def test_the_page_must_be_named() -> None:
    """Without the page's folder the command fails and asks for it."""
    options = ["--name", "takeback.example", "--certificate", "/c", "--certificate-key", "/k"]
    refused = command("registry", "nginx", *options)

    assert refused.returncode == 2
    assert "--page FOLDER" in refused.stderr


def test_the_printed_proxy_is_the_only_one_believed(site: Server) -> None:
    """The configuration says how to trust this nginx, and overwrites or drops a sender's own `X-Forwarded-For`."""
    told = printed(site.data.with_name("dist"), "--certificate", "/c.pem", "--certificate-key", "/c.key").stdout
    assert "TAKEBACK_PROXIES=127.0.0.1\n" in told
    passed = re.findall(r"proxy_set_header X-Forwarded-For (.*);", told)
    assert passed == ["$remote_addr", '""']
