"""PostgreSQL for tests: a separate cluster from Debian packages, on a free port, as an unprivileged user."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests import debian

PACKAGE: Final = "postgresql-15"
USER: Final = "postgres"
"""The user that runs PostgreSQL if the tests run as root, which it refuses; Debian's package creates it."""


class NoPostgres(Exception):
    """PostgreSQL is not available; the text says why."""


def binaries() -> Path:
    """The folder of PostgreSQL's programs, installed if permitted. Raises `NoPostgres` if they are not available."""
    found = _found()
    if not found:
        _install()
        found = _found()
    if not found:
        raise NoPostgres(f"needs PostgreSQL: apt-get install {PACKAGE}")
    return found


def _found() -> Path | None:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return folders[-1].parent if folders else Path(on_path).resolve().parent if on_path else None


def _install() -> None:
    """Installs PostgreSQL without the cluster that the package would start."""
    if os.geteuid() == 0:
        quiet = Path("/etc/postgresql-common/createcluster.d/takeback-tests.conf")
        quiet.parent.mkdir(parents=True, exist_ok=True)
        quiet.write_text("create_main_cluster = false\n")
    debian.install(PACKAGE)


def run(*command: str | Path, **more: str) -> None:
    """Runs a program of PostgreSQL as the user it requires."""
    done = subprocess.run(
        [*as_user(), *map(str, command)],
        env={**os.environ, **more},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"{command[0]}: {done.stderr or done.stdout}"


def as_user() -> Sequence[str]:
    """The prefix of a command that runs it as the user that PostgreSQL requires."""
    return ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups") if os.geteuid() == 0 else ()


def free_port() -> int:
    """A free port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Cluster:
    """A PostgreSQL server with the folder `data`. Any local user may connect, since it has no real data."""

    def __init__(self, data: Path, port: int = 0) -> None:
        self.data = data
        self.port = port or free_port()

    @classmethod
    def make(cls, folder: Path) -> "Cluster":
        """A new cluster inside `folder`."""
        if os.geteuid() == 0:
            shutil.chown(folder, USER, USER)
        made = cls(folder / "data")
        run(binaries() / "initdb", "-D", made.data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C")
        return made

    def start(self, *settings: str) -> None:
        """Starts the server, with PostgreSQL's default durability."""
        options = [f"-c port={self.port}", "-c listen_addresses=127.0.0.1", "-c unix_socket_directories=''"]
        options += [f"-c {setting}" for setting in ("max_connections=200", *settings)]
        log = self.data.with_suffix(".log")
        run(binaries() / "pg_ctl", "-D", self.data, "-w", "-l", log, "-o", " ".join(options), "start")

    def stop(self, how: str = "fast") -> None:
        """Stops the server: `fast` in order, `immediate` like a crash."""
        run(binaries() / "pg_ctl", "-D", self.data, "-m", how, "-w", "stop")

    def promote(self) -> None:
        """Promotes a standby to primary."""
        run(binaries() / "pg_ctl", "-D", self.data, "-w", "promote")

    def standby(self, folder: Path) -> "Cluster":
        """Starts a standby of this primary in `folder`, for which every commit waits from now on."""
        if os.geteuid() == 0:
            shutil.chown(folder, USER, USER)
        made = Cluster(folder / "data")
        where = ("-h", "127.0.0.1", "-p", str(self.port), "-U", USER)
        run(binaries() / "pg_basebackup", "-D", made.data, "-R", "-X", "stream", "-c", "fast", *where)
        made.start()
        self.query("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.query("SELECT pg_reload_conf()")
        while self.query("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") != "1":
            time.sleep(0.05)
        return made

    def take_over(self) -> None:
        """Promotes this standby to a primary that waits for no other."""
        self.promote()
        self.query("ALTER SYSTEM RESET synchronous_standby_names")
        self.query("SELECT pg_reload_conf()")

    def address(self, database: str) -> str:
        """The address of a database for a registry."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def query(self, sql: str, database: str = USER) -> str:
        """The output of psql."""
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", database]
        command = [str(binaries() / "psql"), "-XAtq", *where, "-c", sql]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()

    def new_database(self, template: str = "template0") -> str:
        """Makes a database and returns its address."""
        name = f"takeback_{secrets.token_hex(6)}"
        self.query(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.address(name)

    def drop(self, address: str) -> None:
        """Drops a database and its connections."""
        self.query(f"DROP DATABASE {address.rpartition('/')[2]} WITH (FORCE)")


@contextmanager
def cluster(*settings: str) -> Iterator[Cluster]:
    """A cluster that runs until the block ends. Raises `NoPostgres`."""
    binaries()
    folder = Path(tempfile.mkdtemp(prefix="takeback-postgresql-"))
    try:
        made = Cluster.make(folder)
        made.start(*settings)
        try:
            yield made
        finally:
            made.stop("immediate")
    finally:
        shutil.rmtree(folder)
