"""Synapse as the package index has it, in processes of its own on free loopback ports.

It is installed once into build/ from synapse.lock, which `uv pip compile --universal --generate-hashes` makes of
`matrix-synapse[url-preview]`, what the extra `remote` of our wheel needs, and `coverage`.
"""

import base64
import fcntl
import hmac
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from builder import ROOT, WORK

LOCK: Final = Path(__file__).with_name("synapse.lock")
HOME: Final = WORK / "synapse"
MODULE: Final = "takeback.integrations.synapse.TakebackModule"
NO_INDEX: Final = ("NewConnectionError", "NameResolutionError", "Name or service not known", "Connection refused")
START_SECONDS: Final = 60
SHARED_SECRET: Final = "only for tests"


def installed() -> Path:
    """The Python of an environment with Synapse. Skips the test if the index or a wheel is missing."""
    HOME.mkdir(parents=True, exist_ok=True)
    python = HOME / "venv" / "bin" / "python"
    done = HOME / "done.lock"
    with (HOME / "one-at-a-time").open("w") as one:
        fcntl.flock(one, fcntl.LOCK_EX)
        if done.is_file() and done.read_bytes() == LOCK.read_bytes() and python.exists():
            return python
        done.unlink(missing_ok=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", HOME / "venv"], check=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--only-binary", ":all:", "--require-hashes"]
        made = subprocess.run([*command, "-r", str(LOCK)], capture_output=True, text=True, check=False)
        if any(text in made.stderr for text in NO_INDEX):
            pytest.skip("needs the package index")
        if "No matching distribution found" in made.stderr:
            pytest.skip("Synapse, or a package that it needs, has no wheel for this Python")
        assert made.returncode == 0, made.stderr
        done.write_bytes(LOCK.read_bytes())
    return python


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@dataclass
class Homeserver:
    """A homeserver that runs, and clients of its users by name."""

    url: str
    name: str
    folder: Path
    process: "subprocess.Popen[str]"
    users: dict[str, httpx.Client] = field(default_factory=dict)

    def user(self, name: str) -> httpx.Client:
        """The client of a user, who is registered first."""
        if name not in self.users:
            with httpx.Client(base_url=self.url, timeout=60) as anybody:
                token = _registered(anybody, name)
            self.users[name] = httpx.Client(base_url=self.url, timeout=60, headers={"authorization": f"Bearer {token}"})
        return self.users[name]

    def lines(self) -> list[dict[str, Any]]:
        """What the module has logged, as Synapse's own JSON records."""
        every = [json.loads(line) for line in (self.folder / "log").read_text().splitlines()]
        return [line for line in every if line["namespace"].startswith("takeback")]

    def files(self) -> list[bytes]:
        """The files in the media store but thumbnails."""
        found = (self.folder / "media").glob("*_content/**/*")
        previews = (self.folder / "media").glob("url_cache/**/*")
        return [file.read_bytes() for file in (*found, *previews) if file.is_file()]


def upload(client: httpx.Client, data: bytes, kind: str = "image/jpeg") -> httpx.Response:
    """Uploads a file, as all clients did before Matrix 1.7."""
    return client.post("/_matrix/media/v3/upload", content=data, headers={"content-type": kind})


def upload_later(client: httpx.Client, data: bytes, kind: str = "image/jpeg") -> tuple[str, httpx.Response]:
    """Asks for a media id and uploads a file to it; its `mxc` without the scheme, and the second answer."""
    named = client.post("/_matrix/media/v1/create").json()["content_uri"].removeprefix("mxc://")
    put = client.put(f"/_matrix/media/v3/upload/{named}", content=data, headers={"content-type": kind})
    return named, put


def download(client: httpx.Client, named: str) -> httpx.Response:
    """Downloads a file by its `mxc`, without waiting for one that is not uploaded yet."""
    return client.get(f"/_matrix/client/v1/media/download/{named.removeprefix('mxc://')}", params={"timeout_ms": 0})


@contextmanager
def homeserver(
    folder: Path,
    module: Mapping[str, object] | None,
    *,
    secure: bool = False,
    changes: Mapping[str, object] | None = None,
) -> Iterator[Homeserver]:
    """A homeserver with the module's settings, or without it; `secure` ones reach each other by TLS."""
    port, federation = free_port(), free_port() if secure else 0
    name = f"localhost:{federation}" if secure else "synapse.example"
    config = {**_config(folder, name, port, federation), **(changes or {})}
    if module is not None:
        config["modules"] = [{"module": MODULE, "config": dict(module)}]
    with _process(folder, config) as process:
        server = Homeserver(f"http://127.0.0.1:{port}", name, folder, process)
        try:
            _wait(server)
            yield server
        finally:
            for client in server.users.values():
                client.close()
            process.terminate()
            process.wait(30)


def refused_start(folder: Path, module: Mapping[str, object], first: str = "") -> str:
    """What a homeserver says that cannot start; Python looks into the folder `first` for packages."""
    config = {
        **_config(folder, "synapse.example", free_port(), 0),
        "modules": [{"module": MODULE, "config": dict(module)}],
    }
    with _process(folder, config, first) as process:
        said, _ = process.communicate(timeout=START_SECONDS)
    assert process.returncode != 0
    return said


@contextmanager
def _process(folder: Path, config: Mapping[str, object], first: str = "") -> Iterator["subprocess.Popen[str]"]:
    python = installed()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "homeserver.yaml").write_text(json.dumps(config))  # JSON is YAML
    (folder / "log.yaml").write_text(json.dumps(_logging(folder)))
    command = [str(python), "-m", "synapse.app.homeserver", "--config-path", "homeserver.yaml"]
    around = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, (first, str(ROOT / "py")))),
        "PYTHONWARNINGS": "ignore",
    }
    with subprocess.Popen(
        command, cwd=folder, env=around, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _wait(server: Homeserver) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        assert server.process.poll() is None, server.process.stdout.read() if server.process.stdout else ""
        try:
            if httpx.get(f"{server.url}/_matrix/client/versions").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    pytest.fail("Synapse does not start")


def _config(folder: Path, name: str, port: int, federation: int) -> dict[str, object]:
    listeners: list[dict[str, object]] = [_listener(port, "client")]
    more: dict[str, object] = {}
    if federation:
        listeners.append({**_listener(federation, "federation"), "tls": True})
        more = {
            "tls_certificate_path": str(folder / "tls.crt"),
            "tls_private_key_path": str(folder / "tls.key"),
            "federation_verify_certificates": False,
            "ip_range_whitelist": ["127.0.0.0/8", "::1"],
        }
        _certificate(folder)
    return {
        "server_name": name,
        "listeners": listeners,
        "database": {"name": "sqlite3", "args": {"database": ":memory:"}},
        "log_config": str(folder / "log.yaml"),
        "media_store_path": str(folder / "media"),
        "signing_key": f"ed25519 a_test {base64.b64encode(secrets.token_bytes(32)).decode().rstrip('=')}",
        "registration_shared_secret": SHARED_SECRET,
        "macaroon_secret_key": secrets.token_hex(),
        "form_secret": secrets.token_hex(),
        "report_stats": False,
        "trusted_key_servers": [],
        "bcrypt_rounds": 4,
        **more,
    }


def _listener(port: int, names: str) -> dict[str, object]:
    return {"port": port, "bind_addresses": ["127.0.0.1"], "type": "http", "resources": [{"names": [names]}]}


def _logging(folder: Path) -> dict[str, object]:
    """Structured logging, which writes all that a record has."""
    handler = {"class": "logging.FileHandler", "filename": str(folder / "log"), "formatter": "json"}
    return {
        "version": 1,
        "disable_existing_loggers": False,  # as in the configuration that Synapse generates
        "formatters": {"json": {"class": "synapse.logging.JsonFormatter"}},
        "handlers": {"file": handler},
        "root": {"level": "INFO", "handlers": ["file"]},
    }


def _certificate(folder: Path) -> None:
    """A key and a certificate for this machine that it signed itself."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=localhost", "-days", "2", "-keyout", "tls.key", "-out", "tls.crt"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def _registered(anybody: httpx.Client, name: str) -> str:
    """The access token of a new user, registered with the shared secret."""
    where = "/_synapse/admin/v1/register"
    nonce = anybody.get(where).json()["nonce"]
    signed = b"\0".join(part.encode() for part in (nonce, name, "password", "notadmin"))
    mac = hmac.new(SHARED_SECRET.encode(), signed, "sha1").hexdigest()
    told = {"nonce": nonce, "username": name, "password": "password", "admin": False, "mac": mac}
    return str(anybody.post(where, json=told).raise_for_status().json()["access_token"])
