"""`build.py serve`: the registry with the page, and a demo platform with a gate to try."""

import errno
import http.client
import ipaddress
import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from builder import DIST, ROOT, BuildError
from builder.options import Options
from builder.steps import step

TAKEBACK: Final = ROOT / ".venv" / "bin" / "takeback"
PLATFORM: Final = "demo"
SHOWN_AS: Final = "Demo platform"
"""The name that the page shows once the platform has read the feed."""
GATE_FILES: Final = (
    *("registry", "gate.toml", "index.bin", "sync.lock", "index.lock"),
    *("state.sqlite", "state.sqlite-wal", "state.sqlite-shm"),
)
"""The files of a gate's folder, and the marker beside them."""
START_TIMEOUT_SECONDS: Final = 30
"""For the registry to answer; it usually takes one."""
STOP_TIMEOUT_SECONDS: Final = 15
"""For the registry to exit; pending requests get ten."""


def check_address(host: str, port: int) -> None:
    """Raises `BuildError` if nothing can listen at this address."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # The port may be taken again before the registry listens, which then reports it itself.
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            other = port + 1 if port < 65535 else port - 1
            text = f"port {port} is in use: stop what uses it, or choose another: python3 build.py serve --port {other}"
        elif error.errno in {errno.EACCES, errno.EPERM}:
            text = f"port {port} is reserved for the system: choose one of at least 1024 with --port"
        else:
            why = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
            text = f"cannot listen on {host} ({why}): give an address of this computer with --host"
        raise BuildError(text) from error


def serve_site(options: Options) -> int:
    """Serves until Ctrl-C or SIGTERM; returns the exit status. Raises `BuildError`."""
    make_data_folder(options.data)
    address = address_of(options)
    home = options.data / "demo-platform"
    pictures = make_pictures(options.data / "demo-pictures")
    make_platform(options.data, home, address)
    try:
        with running_registry(options, DIST) as registry:
            print(for_phones(options) + greeting(address, home, *pictures), flush=True)
            status = registry.wait()
    except KeyboardInterrupt:
        print(f"\nStopped. What was sent is kept in {shown(options.data)}/.", flush=True)
        return 0
    raise BuildError(f"the registry ended by itself (status {status}); what it said stands above")


@contextmanager
def running_registry(options: Options, page: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The registry with the page in the folder `page`, from its first answer on. Raises `BuildError`.

    From here on SIGTERM is a `KeyboardInterrupt` too, so that the registry never outlives this process.
    """
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)
    where = ("--data", options.data, "--page", page, "--host", options.host, "--port", str(options.port))
    at_once = ("--mix", "0")  # no publication delay: the demo platform sees a case at once
    registry = subprocess.Popen([TAKEBACK, "registry", "serve", *where, *at_once], stdout=subprocess.DEVNULL)
    try:
        with step("starting the registry"):
            wait_until_it_answers(registry, nearby(options.host), options.port)
        yield registry
    finally:
        registry.terminate()
        registry.wait(STOP_TIMEOUT_SECONDS)


def make_data_folder(data: Path) -> None:
    """Creates the folder for cases and keys. Raises `BuildError` if it is not writable."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        TemporaryFile(dir=data).close()
    except OSError as error:
        text = f"cannot write in {shown(data)} ({error.strerror}): choose another folder with --data"
        raise BuildError(text) from error


def nearby(host: str) -> str:
    """Returns the address at which this computer reaches a server that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound


def address_of(options: Options) -> str:
    """The page's address on this computer."""
    host = nearby(options.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{options.port}/"


def make_pictures(folder: Path) -> tuple[Path, Path]:
    """Makes, once, a drawn picture to send and a smaller, re-saved copy to check."""
    original, copy = folder / "picture.jpg", folder / "smaller-copy.jpg"
    if not copy.exists():
        from builder.demo.picture import draw

        folder.mkdir(exist_ok=True)
        picture = draw()
        picture.save(original, quality=92)
        picture.resize((picture.width // 2, picture.height // 2)).save(copy, quality=60)
    return original, copy


def make_platform(data: Path, home: Path, address: str) -> None:
    """Gives the demo platform a key and a gate that follows `address`, unless it has them.

    A gate is bound to one registry: for another address (another port, say) it starts afresh with a new key. The page
    names the platform while it follows. Raises `BuildError`.
    """
    marker = home / "registry"
    wanted = f"{address} {SHOWN_AS}"
    if marker.is_file() and marker.read_text() == wanted:
        return
    if not gate_can_reach(address):
        return
    with step("making a demo platform"):
        for name in GATE_FILES:
            (home / name).unlink(missing_ok=True)
        added = _takeback(["platform", "add", PLATFORM, "--data", str(data)])
        if added.returncode:
            added = _takeback(["platform", "rotate", PLATFORM, "--data", str(data)])
        # The key goes through standard input, because others can read a process's arguments.
        begin = ["gate", "init", "--home", str(home), "--registry", address, "--key-file", "-"]
        made = added if added.returncode else _takeback(begin, added.stdout)
        if not made.returncode:
            made = _takeback(["platform", "publish", PLATFORM, "--as", SHOWN_AS, "--consent", "--data", str(data)])
        if made.returncode:
            last = (made.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise BuildError(f"the demo platform could not be created: {last.removeprefix('Error: ')}")
        # Last, so that a platform whose making was interrupted is made again.
        marker.write_text(wanted)


def gate_can_reach(address: str) -> bool:
    """Whether a gate accepts this address without TLS: only on this computer, because it sends its key there."""
    host = address.removeprefix("http://").rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def wait_until_it_answers(registry: subprocess.Popen[bytes], host: str, port: int) -> None:
    """Returns when the registry is healthy. Raises `BuildError` if it exits or does not answer in time."""
    end = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < end:
        if registry.poll() is not None:
            raise BuildError(f"the registry did not start (status {registry.returncode}); see its messages above")
        connection = http.client.HTTPConnection(host, port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            if connection.getresponse().status == http.client.OK:
                return
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.03)
    raise BuildError(f"the registry did not answer within {START_TIMEOUT_SECONDS} seconds")


def greeting(address: str, home: Path, picture: Path, copy: Path) -> str:
    """Returns the welcome text: the page's address, and three commands that try the gate."""
    if not gate_can_reach(address):
        return f"\nThe page:  {address}\n\nTo try the gate, serve with --host 127.0.0.1 or --host 0.0.0.0.\n"
    gate = f"{shown(TAKEBACK)} gate"
    commands = (
        (f"follow the feed to its end; the page then names the {SHOWN_AS}", f"{gate} sync --home {shown(home)}"),
        ("may this be uploaded? BLOCK once the picture was sent", f"{gate} check --home {shown(home)} {shown(copy)}"),
        ("go on following, until Ctrl-C", f"{gate} watch --home {shown(home)}"),
    )
    lines = "".join(f"\n  # {what}\n  {command}\n" for what, command in commands)
    return (
        f"\nThe page:  {address}\n\nSend {shown(picture)} there, or a picture of yours. "
        f"Then be a platform, in another terminal:\n{lines}\nCtrl-C stops.\n"
    )


def for_phones(options: Options) -> str:
    """Says that other devices need HTTPS, if they can reach the page: without it their browsers do not let it send."""
    if gate_can_reach(f"http://{options.host}:{options.port}/"):
        return ""
    return (
        "\nPhones and other computers can open the page but not send: browsers allow that over HTTPS alone.\n"
        "Put a proxy with a certificate in front of it, as py/takeback/registry/README.md shows. For a trial\n"
        "a self-signed one will do; phones then warn that nobody they trust has signed it:\n\n"
        "  openssl req -x509 -newkey rsa:2048 -nodes -days 7 -subj /CN=trial -keyout key.pem -out cert.pem\n\n"
        "Never tell people who need help to ignore such a warning.\n"
    )


def shown(path: Path) -> str:
    """Returns a path as it can be typed in the current folder."""
    here = Path.cwd()
    return shlex.quote(os.fspath(path.relative_to(here) if path.is_relative_to(here) else path))


def _takeback(arguments: Sequence[str], given: str = "") -> subprocess.CompletedProcess[str]:
    """Runs the `takeback` command with `given` as its standard input."""
    return subprocess.run([TAKEBACK, *arguments], input=given, capture_output=True, text=True, check=False)
