"""Each cause of a failed connection to the registry is named, because each needs another remedy."""

import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from takeback.errors import RegistryUnreachable, SettingsError
from takeback.gate.commands import gate
from takeback.gate.feed.client import Client
from takeback.gate.settings import SETTINGS_FILE, GateSettings
from tests.gate.feeds import KEY
from tests.gate.servers import Answer, running

NOT_REGISTRIES = {
    "a page": Answer(b"<!doctype html><title>Welcome</title>"),
    "another API": Answer(b'{"status": "ok"}'),
    "keys of nobody": Answer(b'{"keys": [1]}'),
    "nothing there": Answer(b"no", 404),
    "it leads elsewhere": Answer(b"", 301, {"Location": "https://elsewhere.example/"}),
}


def complaint(address: str) -> str:
    """The error of a gate that cannot reach this address."""
    with Client(GateSettings(address, KEY)) as client, pytest.raises(RegistryUnreachable) as caught:
        client.feed_keys()
    return str(caught.value)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for this machine that no authority signed, and its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(1))
        .not_valid_after(now + timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    chain, secret = folder / "certificate.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(encoding))
    plain = serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain))
    return chain, secret


@contextmanager
def over_tls(chain: Path, key: Path) -> Iterator[str]:
    """The address of a server that answers every request over TLS with 404."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def answer() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                try:
                    with context.wrap_socket(connection, server_side=True) as stream:
                        stream.recv(65536)
                        stream.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                except OSError:
                    connection.close()

        Thread(target=answer, daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def test_refused_connections() -> None:
    """If nothing listens, the error says that the connection is refused."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert "the connection is refused" in complaint(f"http://127.0.0.1:{unused.getsockname()[1]}")


def test_unresolved_names() -> None:
    """For a name that cannot be resolved, the error names DNS."""
    assert "cannot be resolved (DNS: " in complaint("https://no-such-registry.invalid")


def test_a_certificate_that_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An untrusted certificate is refused with a hint at `SSL_CERT_FILE`, which makes it work."""
    chain, key = certificate(tmp_path)
    with over_tls(chain, key) as address:
        assert "certificate is not trusted (self-signed certificate)" in complaint(address)
        assert "SSL_CERT_FILE" in complaint(address)
        monkeypatch.setenv("SSL_CERT_FILE", os.fspath(chain))
        with Client(GateSettings(address, KEY)) as client, pytest.raises(SettingsError, match="status 404"):
            client.feed_keys()


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_certificates_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    """An `SSL_CERT_FILE` without a certificate is an error in the settings."""
    path = tmp_path / "none.pem"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("SSL_CERT_FILE", os.fspath(path))
    with pytest.raises(SettingsError, match="SSL_CERT_FILE"):
        Client(GateSettings("https://registry.example", KEY))


def test_a_server_without_tls() -> None:
    """For an https:// address that serves plain HTTP, the error names TLS."""
    with running() as registry:
        assert "TLS fails (" in complaint(registry.url.replace("http://", "https://"))


def init(home: Path, address: str) -> Result:
    """Sets up a gate for a registry."""
    arguments = ["init", "--home", os.fspath(home), "--registry", address, "--key-file", "-", "--trust-first-feed-key"]
    return CliRunner().invoke(gate, arguments, input=KEY)


@pytest.mark.parametrize("name", NOT_REGISTRIES)
def test_what_is_no_registry_is_refused(tmp_path: Path, name: str) -> None:
    """An address at which another service answers is refused in one line, and nothing is written."""
    with running() as other:
        other.answer = lambda _: NOT_REGISTRIES[name]
        refused = init(tmp_path / "gate", other.url)
    assert (refused.exit_code, refused.output.count("\n")) == (2, 1)
    assert not (tmp_path / "gate").exists()


@pytest.mark.parametrize(
    "address",
    [
        "registry.example",
        "//registry.example",
        "ftp://registry.example",
        "http://registry.example",
        "http://192.0.2.1",
        "https://name:word@registry.example",
        "https://@registry.example",
        "https://registry.example?",
        "https://registry.example?a=b",
        "https://registry.example#",
        "https://registry.example/#page",
        "https://registry.example:99999",
        "https://registry example",
        "https://",
    ],
)
def test_addresses_that_cannot_be_a_registrys(tmp_path: Path, address: str) -> None:
    """An address without scheme or TLS, or with more than host and path, is refused at once."""
    refused = init(tmp_path / "gate", address)
    assert (refused.exit_code, refused.output.count("\n")) == (2, 1)
    assert "address" in refused.output
    assert not (tmp_path / "gate").exists()


def test_a_registry_that_is_away_is_asked_later(tmp_path: Path) -> None:
    """A gate can be set up while its registry is unreachable, with a message that says so."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        made = init(tmp_path / "gate", f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert made.exit_code == 0
    assert "could not check the registry" in made.stderr
    assert (tmp_path / "gate" / SETTINGS_FILE).exists()


def test_the_folder_is_private(tmp_path: Path) -> None:
    """Whatever the umask, a gate's files are private from the first byte; an open folder is refused."""
    home = tmp_path / "gate"
    program = (
        "import os, sys, threading; os.umask(0)\n"
        "from pathlib import Path\n"
        "from takeback.gate.feed.state import State\n"
        "home, seen, ended = Path(sys.argv[1]), {}, threading.Event()\n"
        "def look():\n"
        "    while not ended.is_set():\n"
        "        for path in home.glob('*'):\n"
        "            try: seen.setdefault(path.name, set()).add(path.stat().st_mode & 0o777)\n"
        "            except FileNotFoundError: pass\n"
        "looking = threading.Thread(target=look); looking.start()\n"
        "for _ in range(20):\n"
        "    state = State(home, 'https://registry.example')\n"
        "    with state.sync_lock(), state.index_lock(): state.reached_end(1.0)\n"
        "    state.copy(home / 'copy.sqlite'); state.close()\n"
        "    for path in home.glob('*'): path.unlink()\n"
        "ended.set(); looking.join()\n"
        "print(oct(home.stat().st_mode & 0o777), sorted({oct(mode) for modes in seen.values() for mode in modes}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, home],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.strip() == "0o700 ['0o600']", done.stderr
    init(home, "http://127.0.0.1:1")
    home.chmod(0o750)
    refused = CliRunner().invoke(gate, ["status", "--home", os.fspath(home)])
    assert (refused.exit_code, refused.output.count("\n")) == (2, 1)
    assert f"chmod go-rwx {home}" in refused.output
