"""Whether anything acknowledged is lost when things break under load: `python3 build.py bench faults`.

A registry is killed by -9 every 2 seconds, on either store; PostgreSQL is restarted, and fails over to a synchronous
standby, three times; the disk runs full (a small tmpfs, which takes root). `SECONDS=30 python3 build.py bench faults`
takes less than the usual three minutes for each.
"""

import os
import random
import secrets
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.registry.postgres import USER, Cluster, NoPostgres, cluster
from tests.registry.support import PIN, Platform, Server, md5, secret_headers
from tests.registry.test_durability import Client

SECONDS = float(os.environ.get("SECONDS", "180"))
EVERY = 2.0
CLIENTS = 8
AGAIN = 0.2
"""Seconds before a person tries again: the page waits for longer, and they shall not keep the machine from starting."""
TMPFS_BYTES = 6 << 20
OVER = 20.0
"""Seconds of load around a fail-over."""


def live(client: Client, address: Callable[[], str], until: float, seed: int) -> None:
    """One person, who goes on for as long as the load lasts, whatever happens to the registry."""
    choice = random.Random(seed)
    while time.monotonic() < until:
        try:
            with httpx.Client(base_url=address(), timeout=10, verify=False) as http:  # no TLS here
                while time.monotonic() < until:
                    client.act(http, choice)
        except (httpx.TransportError, AssertionError):  # gone, or it says that it could not keep it
            time.sleep(AGAIN)


def under_load(address: Callable[[], str], fault: Callable[[], None], seconds: float) -> list[Client]:
    """Clients that work while `fault` happens again and again."""
    clients, until = [Client() for _ in range(CLIENTS)], time.monotonic() + seconds
    people = [threading.Thread(target=live, args=(c, address, until, n)) for n, c in enumerate(clients)]
    for person in people:
        person.start()
    while time.monotonic() < until:
        fault()
    for person in people:
        person.join()
    return clients


def settled(server: Server, clients: list[Client], key: str, what: str, times: list[float]) -> None:
    """Checks that nothing is lost, and says so."""
    for client in clients:
        client.check(server, Platform(server.http, key))
    checked = server.command("registry", "check")
    assert checked.returncode == 0, checked.stderr
    kept = sum(client.acknowledged for client in clients)
    slowest = f", serving again after {max(times):.1f} s at most" if times else ""
    print(f"{what}: {kept} acknowledged, nothing lost, no gap, no duplicate{slowest}")


def killed(data: Path, environ: dict[str, str], what: str) -> None:
    """Kills the registry every two seconds."""
    current = Server(data, environ=environ)
    key, times = current.platform("Example Photos").key, list[float]()

    def kill() -> None:
        nonlocal current
        time.sleep(EVERY)
        current.stop(signal.SIGKILL)
        start = time.monotonic()
        current = Server(data, environ=environ)
        times.append(time.monotonic() - start)

    clients = under_load(lambda: current.address, kill, SECONDS)
    settled(current, clients, key, f"killed {len(times)} times on {what}", times)
    current.stop()


def restarted(folder: Path) -> None:
    """Restarts PostgreSQL under load, in order and as by a crash in turn."""
    with cluster() as running:
        server = Server(folder / "var", environ={"TAKEBACK_DATABASE": running.new_database()})
        key, times = server.platform("Example Photos").key, list[float]()

        def restart() -> None:
            time.sleep(EVERY)
            start = time.monotonic()
            running.stop("immediate" if len(times) % 2 else "fast")
            running.start()
            while server.http.get("/healthz").status_code != 200:
                time.sleep(0.02)
            times.append(time.monotonic() - start)

        clients = under_load(lambda: server.address, restart, SECONDS)
        settled(server, clients, key, f"PostgreSQL restarted {len(times)} times", times)
        server.stop()


def failed_over(folder: Path) -> None:
    """Kills the primary under load, once, and has its synchronous standby take over."""
    with cluster() as primary:
        name = primary.new_database().rpartition("/")[2]
        standby = primary.standby(folder)
        server = Server(
            folder.with_name(f"{folder.name}-var"), environ={"TAKEBACK_DATABASE": both(primary, standby, name)}
        )
        key, times = server.platform("Example Photos").key, list[float]()

        def take_over() -> None:
            time.sleep(min(SECONDS, OVER) / 2)
            if times:
                return
            start = time.monotonic()
            primary.stop("immediate")
            standby.take_over()
            while server.http.get("/healthz").status_code != 200:
                time.sleep(0.02)
            times.append(time.monotonic() - start)

        clients = under_load(lambda: server.address, take_over, min(SECONDS, OVER))
        settled(server, clients, key, "PostgreSQL failed over to its synchronous standby", times)
        server.stop()
        standby.stop("immediate")
        primary.start()  # what made it stops it


def both(primary: Cluster, standby: Cluster, name: str) -> str:
    """The address of a database on whichever of the two can be written."""
    hosts = "&".join(f"host=127.0.0.1:{one.port}" for one in (primary, standby))
    return f"postgresql://{USER}@/{name}?{hosts}&target_session_attrs=read-write"


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A tmpfs at `folder`. Raises `CalledProcessError` where that is not allowed."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={TMPFS_BYTES}", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def full(folder: Path) -> None:
    """Fills the disk until the registry refuses, makes room, and goes on."""
    with small_disk(folder / "disk"):
        ballast = folder / "disk" / "ballast"
        ballast.write_bytes(bytes(TMPFS_BYTES // 2))
        server, client = Server(folder / "disk" / "var"), Client()
        key = server.platform("Example Photos").key
        statuses = set[int]()
        while 503 not in statuses:
            body = {"pictures": [{"signals": [md5() for _ in range(24)]}]}
            statuses.add(server.http.post("/v1/cases", json=body, headers=secret_headers()).status_code)
        try:
            client.send(server.http, secrets.token_hex(16), md5()["value"])
        except AssertionError:
            refused = len(client.unsure)
        else:
            refused = 0
        ballast.unlink()
        while server.http.get("/healthz").status_code != 200:
            time.sleep(0.02)
        settled(server, [client], key, f"disk full (answers {sorted(statuses)}, {refused} sent again later)", [])
        assert server.case(next(iter(client.kept)), PIN).status_code == 200
        server.stop()


def main() -> None:
    """Runs each fault, and says what came of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("one", "two", "three", "four", "five"):
            (folder / part).mkdir()
        killed(folder / "one" / "var", {}, "SQLite")
        try:
            with cluster() as running:
                killed(folder / "two" / "var", {"TAKEBACK_DATABASE": running.new_database()}, "PostgreSQL")
            restarted(folder / "three")
            for times in range(3):
                (folder / "five" / str(times)).mkdir()
                failed_over(folder / "five" / str(times))
        except NoPostgres as why:
            print(f"PostgreSQL was not tried: {why}")
        try:
            full(folder / "four")
        except (OSError, subprocess.CalledProcessError) as why:
            print(f"the full disk was not tried: {why}")


if __name__ == "__main__":
    main()
