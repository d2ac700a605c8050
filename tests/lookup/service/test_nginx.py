"""The guide's configuration of nginx, in front of a real service."""

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from takeback.lookup import Action, RemoteGate, messages
from tests.gate.pictures import drawing, jpeg
from tests.lookup.services import FILE, PDQ, Service, ask

GUIDE = Path(messages.__file__).with_name("README.md")


def free_port() -> int:
    """A port that nothing listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])


def configuration(folder: Path, service: Service, port: int) -> str:
    """The guide's configuration, without TLS, for this service."""
    (printed,) = re.findall(r"```nginx\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    text = re.sub(r"(?m)^ *ssl_certificate.*\n", "", printed)
    for before, after in (
        ("listen 443 ssl http2;", f"listen 127.0.0.1:{port};"),
        ("127.0.0.1:8090", str(urlsplit(service.address).netloc)),
        ("/var/log/nginx", str(folder)),
    ):
        assert before in text
        text = text.replace(before, after)
    places = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"pid {folder}/pid;\nerror_log {folder}/main.log;\nevents {{}}\nhttp {{\n{places}{text}}}\n"


def answers(port: int) -> bool:
    """Whether something listens on a port."""
    with closing(socket.socket()) as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def front(service: Service, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of nginx, and its folder."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("needs nginx (Debian: apt install nginx)")
    folder, port = tmp_path / "nginx", free_port()
    folder.mkdir()
    (folder / "nginx.conf").write_text(configuration(folder, service, port))
    command: list[str | Path] = [
        program,
        "-p",
        folder,
        "-c",
        folder / "nginx.conf",
        "-e",
        folder / "main.log",
        "-g",
        "daemon off;",
    ]
    with subprocess.Popen(command) as process:
        try:
            end = time.monotonic() + 20
            while not answers(port):
                assert time.monotonic() < end
                assert process.poll() is None, (folder / "main.log").read_text()
            yield f"http://127.0.0.1:{port}", folder
        finally:
            process.terminate()
            process.wait()


def test_through_nginx(service: Service, front: tuple[str, Path]) -> None:
    """Uploads are decided on through nginx, answers have one size, and nginx writes nothing of what was asked."""
    address, folder = front
    with RemoteGate(address, service.key) as gate:
        assert gate.check(jpeg(drawing(1).resize((400, 300)))).action is Action.BLOCK
        exact = gate.check(FILE)
        assert exact.action is Action.BLOCK
        assert gate.feedback(exact, "blocked") == 1
    service.http.base_url = address
    lengths = {len(ask(service, PDQ, dihedral=forms).content) for forms in ({}, {"flipy": PDQ.value})}
    assert len(lengths) == 1
    assert ask(service, PDQ).headers["content-length"] == str(lengths.pop())
    written = {file.name: file.stat().st_size for file in folder.rglob("*") if file.is_file()}
    assert written.keys() <= {"nginx.conf", "pid", "main.log", "lookup.log"}
    assert written.get("lookup.log", 0) == 0
