"""Acknowledged writes survive kill -9 at any point."""

import random
import secrets
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.registry.support import PIN, Platform, Server, md5, secret_headers, serving

DIES = """
import os, sys
from sqlalchemy import Engine, event

left = int(os.environ["STATEMENTS"])
armed = os.environ["ARMED"]

def die(*_):
    global left
    if os.path.exists(armed):
        left -= 1
        if left < 0:
            os._exit(9)

for name in ("before_cursor_execute", "commit"):
    event.listen(Engine, name, die)

from takeback.cli import main
main()
"""
"""A registry that dies as by kill -9 before the given statement or commit, counted from when a file is there."""


class Client:
    """A person who sends and withdraws cases, and remembers which were acknowledged and which may have been."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.withdrawn: set[str] = set()
        self.unsure: list[tuple[str, str]] = []
        self.unsure_withdrawal: set[str] = set()
        self.acknowledged = 0

    def act(self, http: httpx.Client, choice: random.Random) -> None:
        """Sends one message. Raises `httpx.TransportError` if the server has died."""
        if self.kept and choice.random() < 0.4:
            self._withdraw(http, choice.choice(list(self.kept)))
        else:
            self.send(http, secrets.token_hex(16), md5()["value"])

    def send(self, http: httpx.Client, key: str, value: str) -> None:
        """Sends a case of one signal; the message is unsure until its answer arrives."""
        body = {"pictures": [{"signals": [{"type": "md5", "value": value}]}]}
        self.unsure.append((key, value))
        answer = http.post("/v1/cases", json=body, headers=secret_headers(key=key))
        assert answer.status_code in {200, 201}, answer.text
        self.unsure.remove((key, value))
        self.kept[answer.json()["number"]] = value
        self.acknowledged += 1

    def _withdraw(self, http: httpx.Client, number: str) -> None:
        self.unsure_withdrawal.add(number)
        answer = http.post(f"/v1/cases/{number}/withdraw", headers={"Takeback-Pin": PIN})
        assert answer.status_code == 200, answer.text
        self.unsure_withdrawal.discard(number)
        self.withdrawn.add(number)
        self.acknowledged += 1

    def check(self, server: Server, platform: Platform) -> None:
        """Asserts that acknowledged messages are stored, others can be repeated, and the feed has no gap or double."""
        for key, value in list(self.unsure):
            self.send(server.http, key, value)
            self.unsure = [one for one in self.unsure if one != (key, value)]
        for number in self.unsure_withdrawal:
            assert server.withdraw(number).json()["state"] == "withdrawn"
        gone = self.withdrawn | self.unsure_withdrawal
        states = {number: server.case(number).json()["state"] for number in self.kept}
        assert states == {number: "withdrawn" if number in gone else "active" for number in self.kept}
        active = {value for _, value in platform.active().values()}
        ours = set(self.kept.values())
        assert active & ours == {value for number, value in self.kept.items() if number not in gone}


def kill_after(server: Server, clients: list[Client], enough: int, pause: float) -> None:
    """Kills the server shortly after the clients have received a number of answers."""
    while sum(client.acknowledged for client in clients) < enough:
        time.sleep(0.001)
    time.sleep(pause)
    server.process.kill()


def run(client: Client, server: Server, messages: int, seed: int) -> None:
    """Sends up to `messages` messages, until the server dies."""
    choice = random.Random(seed)
    with httpx.Client(base_url=server.address, timeout=30) as http:
        try:
            for _ in range(messages):
                client.act(http, choice)
        except httpx.TransportError:
            return


@pytest.mark.timeout(300)
def test_death_between_any_two_statements_loses_nothing(tmp_path: Path) -> None:
    """After a kill before any statement or commit, acknowledged writes are stored."""
    data, client, statement, survived = tmp_path / "var", Client(), 0, False
    armed = tmp_path / "armed"
    with serving(data) as server:
        platform_key = server.platform("Example Photos").key
    while not survived:
        armed.unlink(missing_ok=True)
        server = Server(data, program=DIES, environ={"STATEMENTS": str(statement), "ARMED": str(armed)})
        platform = Platform(server.http, platform_key)
        client.check(server, platform)
        client.send(server.http, secrets.token_hex(16), md5()["value"])
        armed.touch()
        survived = not _one_of_each(client, server)
        server.stop(signal.SIGKILL)
        statement += 1
    with serving(data) as server:
        client.check(server, Platform(server.http, platform_key))

    assert statement > 15


def _one_of_each(client: Client, server: Server) -> bool:
    """Sends a case and a withdrawal, and returns whether the server died."""
    try:
        client.send(server.http, secrets.token_hex(16), md5()["value"])
        client._withdraw(server.http, next(n for n in client.kept if n not in client.withdrawn))
    except httpx.TransportError:
        return True
    return False


@pytest.mark.timeout(300)
def test_kill_9_under_load_loses_nothing(tmp_path: Path) -> None:
    """Killed repeatedly at random under load, the registry keeps all acknowledged writes, without gaps."""
    data, moments = tmp_path / "var", random.Random(20261123)
    clients = [Client() for _ in range(8)]
    with serving(data) as server:
        platform_key = server.platform("Example Photos").key
    for turn in range(6):
        server = Server(data)
        enough = sum(client.acknowledged for client in clients) + moments.randint(1, 60)
        killer = threading.Thread(target=kill_after, args=(server, clients, enough, moments.uniform(0, 0.01)))
        killer.start()
        people = [
            threading.Thread(target=run, args=(client, server, 10_000, turn * 100 + n))
            for n, client in enumerate(clients)
        ]
        for person in people:
            person.start()
        for person in people:
            person.join()
        killer.join()
        server.stop(signal.SIGKILL)
        with serving(data) as after:
            for client in clients:
                client.check(after, Platform(after.http, platform_key))


def test_a_graceful_stop_finishes_what_is_under_way(tmp_path: Path) -> None:
    """Told to stop under load, the registry acknowledges only what it stored."""
    data, clients = tmp_path / "var", [Client() for _ in range(4)]
    server = Server(data)
    key = server.platform("Example Photos").key
    people = [threading.Thread(target=run, args=(c, server, 10_000, n)) for n, c in enumerate(clients)]
    for person in people:
        person.start()
    threading.Event().wait(0.4)
    server.stop()
    for person in people:
        person.join()
    with serving(data) as after:
        for client in clients:
            client.check(after, Platform(after.http, key))


def test_feed_of_two_servers_on_one_database_has_no_gap(tmp_path: Path) -> None:
    """Two processes that serve the same database share one feed without gaps or doubles."""
    data = tmp_path / "var"
    with serving(data) as one, serving(data) as two:
        key = one.platform("Example Photos").key
        clients = [Client() for _ in range(4)]
        people = [
            threading.Thread(target=run, args=(client, server, 40, n))
            for n, (client, server) in enumerate(zip(clients, (one, two, one, two), strict=True))
        ]
        for person in people:
            person.start()
        for person in people:
            person.join()
        for client in clients:
            assert not client.unsure
            client.check(two, Platform(two.http, key))
