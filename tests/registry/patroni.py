"""A PostgreSQL cluster managed by Patroni, from Debian packages: one etcd, two nodes, synchronous commits."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

import httpx

from tests import debian
from tests.registry.postgres import USER, as_user, binaries, free_port

PACKAGES: Final = ("patroni", "python3-etcd", "etcd-server", "etcd-client")
TTL: Final = 20
"""Seconds after which a silent leader is replaced: the shortest time that Patroni accepts."""
START_WITHIN: Final = 90.0
LOOP: Final = 1
"""Seconds between a node's checks of the others."""


class NoPatroni(Exception):
    """Patroni or etcd is not available; the text says why."""


def programs() -> tuple[str, str]:
    """The programs etcd and Patroni, installed if permitted. Raises `NoPatroni` if they are not available."""
    if not (shutil.which("etcd") and shutil.which("patroni")):
        debian.install(*PACKAGES)
    etcd, patroni = shutil.which("etcd"), shutil.which("patroni")
    if not etcd or not patroni:
        raise NoPatroni(f"needs Patroni and etcd: apt-get install {' '.join(PACKAGES)}")
    return etcd, patroni


def wait_for(what: Callable[[], bool], within: float = START_WITHIN) -> None:
    """Waits until a condition holds."""
    end = time.monotonic() + within
    while not what():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)


class Node:
    """A node: Patroni and its PostgreSQL, as on a machine of their own."""

    def __init__(self, folder: Path, name: str, etcd: int) -> None:
        self.name = name
        self.port, self.rest = free_port(), free_port()
        self._folder = folder / name
        self._folder.mkdir()
        self._settings = self._folder / "patroni.json"  # what Patroni reads as YAML
        self._settings.write_text(json.dumps(self._told(etcd)))
        if os.geteuid() == 0:
            shutil.chown(self._folder, USER, USER)
        self.process: subprocess.Popen[bytes] | None = None

    def _told(self, etcd: int) -> dict[str, object]:
        where, rest = f"127.0.0.1:{self.port}", f"127.0.0.1:{self.rest}"
        trusted = [f"host {database} all 127.0.0.1/32 trust" for database in ("all", "replication")]
        shared: dict[str, object] = {"use_pg_rewind": True, "parameters": {"max_connections": 200}}
        rules: dict[str, object] = {"ttl": TTL, "loop_wait": LOOP, "retry_timeout": 5}
        rules |= {"synchronous_mode": True, "postgresql": shared}
        return {
            "scope": "takeback",
            "name": self.name,
            "restapi": {"listen": rest, "connect_address": rest},
            "etcd3": {"hosts": [f"127.0.0.1:{etcd}"]},
            "bootstrap": {
                "dcs": rules,
                "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, {"auth": "trust"}],
                "pg_hba": trusted,
            },
            "postgresql": {
                "listen": where,
                "connect_address": where,
                "data_dir": str(self._folder / "data"),
                "bin_dir": str(binaries()),
                "pgpass": str(self._folder / "pgpass"),
                "pg_hba": trusted,
                "authentication": {
                    "superuser": {"username": USER, "password": "none"},
                    "replication": {"username": "replicator", "password": "none"},
                },
                "parameters": {"unix_socket_directories": ""},
            },
        }

    def start(self, patroni: str) -> None:
        """Starts Patroni, which starts the rest."""
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*as_user(), patroni, str(self._settings)], stdout=log, stderr=log, cwd=self._folder
            )

    def is_(self, role: str) -> bool:
        """Whether Patroni confirms a role: `leader`, `replica`, `synchronous`, `health`."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.rest}/{role}", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def hand_over(self, other: "Node") -> None:
        """Makes the other node the leader by an orderly switchover."""
        body = {"leader": self.name, "candidate": other.name}
        answer = httpx.post(f"http://127.0.0.1:{self.rest}/switchover", json=body, timeout=60)
        assert answer.status_code == 200, answer.text

    def die(self) -> None:
        """Kills all of its processes at once, like a power cut."""
        if not self.process:
            return
        postmaster = self._folder / "data" / "postmaster.pid"
        pids = [self.process.pid]
        if postmaster.exists():
            pids.append(int(postmaster.read_text().split()[0]))
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process = None


class Managed:
    """Two nodes."""

    def __init__(self, nodes: tuple[Node, Node], patroni: str) -> None:
        self.nodes = nodes
        self._patroni = patroni

    def leader(self) -> tuple[Node, Node]:
        """The leader, and the other."""
        one, two = self.nodes
        return (one, two) if one.is_("leader") else (two, one)

    def start(self, node: Node) -> None:
        """Starts a node, and waits until every commit waits for both."""
        node.start(self._patroni)
        wait_for(lambda: any(one.is_("leader") for one in self.nodes))
        wait_for(lambda: any(one.is_("synchronous") for one in self.nodes))

    def address(self, database: str) -> str:
        """The address of a database on the node that can be written."""
        hosts = "&".join(f"host=127.0.0.1:{node.port}" for node in self.nodes)
        return f"postgresql://{USER}@/{database}?{hosts}&target_session_attrs=read-write"


@contextmanager
def managed() -> Iterator[Managed]:
    """Both nodes, until the block ends. Raises `NoPatroni`."""
    etcd, patroni = programs()
    client, peer = free_port(), free_port()
    urls = [f"http://127.0.0.1:{port}" for port in (client, peer)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="takeback-patroni-")))
        folder.chmod(0o755)
        log = stack.enter_context((folder / "etcd.log").open("wb"))
        command = [
            etcd, "--data-dir", str(folder / "etcd"), "--listen-client-urls", urls[0],
            "--advertise-client-urls", urls[0], "--listen-peer-urls", urls[1],
            "--initial-advertise-peer-urls", urls[1], "--initial-cluster", f"default={urls[1]}",
        ]  # fmt: skip
        keeper = stack.enter_context(subprocess.Popen(command, stdout=log, stderr=log))
        stack.callback(keeper.kill)
        wait_for(lambda: _answers(f"{urls[0]}/health"))
        made = Managed((Node(folder, "one", client), Node(folder, "two", client)), patroni)
        for node in made.nodes:
            stack.callback(node.die)
        made.nodes[0].start(patroni)
        wait_for(lambda: made.nodes[0].is_("leader"))
        made.start(made.nodes[1])
        yield made


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1).status_code == 200
    except httpx.TransportError:
        return False
