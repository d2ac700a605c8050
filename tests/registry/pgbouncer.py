"""Debian's pgbouncer in transaction mode, in front of the PostgreSQL of the tests."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests import debian
from tests.registry.postgres import USER, Cluster, free_port

PACKAGE: Final = "pgbouncer"
SESSIONS: Final = 3
"""Sessions with PostgreSQL, few enough that the transactions of one connection use several."""
START_WITHIN: Final = 15.0


class NoPgbouncer(Exception):
    """pgbouncer is not available; the text says why."""


def binary() -> str:
    """The program, installed if permitted. Raises `NoPgbouncer` if it is not available."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
    if not shutil.which("pgbouncer", path=path):
        debian.install(PACKAGE)
    found = shutil.which("pgbouncer", path=path)
    if not found:
        raise NoPgbouncer(f"needs pgbouncer: apt-get install {PACKAGE}")
    return found


@contextmanager
def pooled(cluster: Cluster, folder: Path) -> Iterator[int]:
    """The port of a pooler in front of the cluster, until the block ends. Raises `NoPgbouncer`."""
    program, port, settings = binary(), free_port(), folder / "pgbouncer.ini"
    settings.write_text(
        "[databases]\n"
        f"* = host=127.0.0.1 port={cluster.port} user={USER}\n"
        "[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = any\npool_mode = transaction\nmax_client_conn = 200\ndefault_pool_size = {SESSIONS}\n"
    )
    root = os.geteuid() == 0
    if root:
        folder.chmod(0o755)
    log = (folder / "pgbouncer.log").open("wb")
    user = (f"--user={USER}",) if root else ()
    with log, subprocess.Popen([program, "-q", *user, settings], stdout=log, stderr=log, cwd="/") as running:
        try:
            _wait_for(port, running, folder)
            yield port
        finally:
            running.terminate()


def _wait_for(port: int, running: subprocess.Popen[bytes], folder: Path) -> None:
    end = time.monotonic() + START_WITHIN
    while time.monotonic() < end and running.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError((folder / "pgbouncer.log").read_text())
