"""Whether anything acknowledged is lost when things break under load: `python3 build.py bench faults`.

A registry is killed by -9 every 2 seconds, on either database; PostgreSQL is restarted, and fails over to a synchronous
standby, three times; Patroni switches over in order, and replaces a dead leader; the disk runs full (a small tmpfs,
which needs root). `SECONDS=30 python3 build.py bench faults` takes less than the usual three minutes for each.

`python3 build.py bench faults --kills 1000` instead kills this many processes at random moments: the registry's on
either database, and any of PostgreSQL's.
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
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
from sqlalchemy import create_engine, text

from tests.registry.patroni import NoPatroni, managed, wait_for
from tests.registry.postgres import USER, Cluster, NoPostgres, cluster
from tests.registry.storage.test_durability import Client
from tests.registry.support import PIN, Platform, Server, md5, secret_headers

SECONDS = float(os.environ.get("SECONDS", "180"))
PAUSE = (0.05, 1.0)
"""Seconds of load between two kills, at least and at most."""
PROMISED = 3.0
"""Seconds within which the registry serves again."""
EVERY = 2.0
CLIENTS = 8
AGAIN = 0.2
"""Seconds before a person tries again: the page waits for longer, and they shall not keep the machine from starting."""
TMPFS_BYTES = 6 << 20
OVER = 20.0
"""Seconds of load around a fail-over."""


def live(client: Client, address: Callable[[], str], lasts: Callable[[], bool], seed: int) -> None:
    """One person, who goes on for as long as the load lasts, whatever happens to the registry."""
    choice = random.Random(seed)
    while lasts():
        try:
            with httpx.Client(base_url=address(), timeout=10, verify=False) as http:  # no TLS here
                # what a person began while it was down would all have to be sent again at the end
                assert http.get("/healthz").status_code == 200
                while lasts():
                    client.act(http, choice)
        except (httpx.TransportError, AssertionError):  # gone, or it says that it could not keep it
            time.sleep(AGAIN)


def lasting(seconds: float) -> Callable[[], bool]:
    """Whether the time is not over yet, counted from now."""
    until = time.monotonic() + seconds
    return lambda: time.monotonic() < until


def under_load(address: Callable[[], str], fault: Callable[[], None], lasts: Callable[[], bool]) -> list[Client]:
    """Clients that work while `fault` happens again and again."""
    clients = [Client() for _ in range(CLIENTS)]
    people = [threading.Thread(target=live, args=(c, address, lasts, n)) for n, c in enumerate(clients)]
    for person in people:
        person.start()
    while lasts():
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
    late = sum(one > PROMISED for one in times)
    slowest = f", serving again after {max(times):.1f} s at most ({late} over {PROMISED:.0f} s)" if times else ""
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

    clients = under_load(lambda: current.address, kill, lasting(SECONDS))
    settled(current, clients, key, f"killed {len(times)} times on {what}", times)
    current.stop()


def killed_at_random(data: Path, environ: dict[str, str], database: Cluster | None, kills: int) -> None:
    """Kills a process by -9 so many times, each at a random moment: the registry, or any one of the `database`."""
    current, choice, times = Server(data, environ=environ), random.Random(), list[float]()
    key, of_database = current.platform("Example Photos").key, 0

    def kill() -> None:
        nonlocal current, of_database
        time.sleep(choice.uniform(*PAUSE))
        start = time.monotonic()
        if database and choice.random() < 0.5:
            of_database += 1
            kill_one(database, choice)
            while current.http.get("/healthz").status_code != 200:
                time.sleep(0.02)
        else:
            current.stop(signal.SIGKILL)
            current = Server(data, environ=environ)
        times.append(time.monotonic() - start)

    clients = under_load(lambda: current.address, kill, lambda: len(times) < kills)
    what = f"PostgreSQL, {of_database} of them the database's" if database else "SQLite"
    settled(current, clients, key, f"{kills} processes killed at random on {what}", times)
    current.stop()


def kill_one(database: Cluster, choice: random.Random) -> None:
    """Kills any process of PostgreSQL; the first one does not come back by itself."""
    first = int((database.data / "postmaster.pid").read_text().split()[0])
    victim = choice.choice([first, *children(first)])
    with suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)
    while victim == first:
        try:
            database.start()
        except AssertionError:  # the others hold the memory that they shared for a moment more
            time.sleep(0.1)
        else:
            return


def children(process: int) -> list[int]:
    """The processes that a process began and that run still."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = status.read_text().rpartition(")")[2].split()[1]
            if int(parent) == process:
                found.append(int(status.parent.name))
    return found


def handed_over(data: Path) -> None:
    """Has Patroni hand the database over in order, then give up a leader that died; both under load."""
    with managed() as database:
        made = database.address(USER).replace("postgresql://", "postgresql+psycopg://")
        engine = create_engine(made, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("CREATE DATABASE takeback"))
        engine.dispose()
        server = Server(data, environ={"TAKEBACK_DATABASE": database.address("takeback")})
        key, done = server.platform("Example Photos").key, dict[str, float]()

        def change() -> None:
            time.sleep(EVERY)
            leader, other = database.leader()
            start = time.monotonic()
            if not done:
                leader.hand_over(other)
            else:
                leader.die()
                wait_for(lambda: other.is_("leader"))
            while server.http.get("/healthz").status_code != 200:
                time.sleep(0.02)
            done["the leader died" if done else "handed over"] = time.monotonic() - start
            if not leader.process:
                database.start(leader)
            wait_for(lambda: any(node.is_("synchronous") for node in database.nodes))

        clients = under_load(lambda: server.address, change, lambda: len(done) < 2)
        took = ", ".join(f"{what} (serving again after {seconds:.1f} s)" for what, seconds in done.items())
        settled(server, clients, key, f"PostgreSQL under Patroni: {took}", [])
        server.stop()


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

        clients = under_load(lambda: server.address, restart, lasting(SECONDS))
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

        clients = under_load(lambda: server.address, take_over, lasting(min(SECONDS, OVER)))
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


def main(kills: int = 0) -> None:
    """Runs each fault, and says what came of it; or only so many `kills`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        if kills:
            killed_at_random(folder / "one", {}, None, -(-kills // 2))
            with cluster() as running:
                killed_at_random(folder / "two", {"TAKEBACK_DATABASE": running.new_database()}, running, kills // 2)
            return
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
            handed_over(folder / "six")
        except NoPatroni as why:
            print(f"Patroni was not tried: {why}")
        except NoPostgres as why:
            print(f"PostgreSQL was not tried: {why}")
        try:
            full(folder / "four")
        except (OSError, subprocess.CalledProcessError) as why:
            print(f"the full disk was not tried: {why}")


if __name__ == "__main__":
    main()
