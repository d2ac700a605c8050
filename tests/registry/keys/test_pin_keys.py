"""Rotation of the PIN key affects no case, no repeated message and no platform's entry ids."""

import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.registry.keys import pin_keys
from takeback.registry.operations import backup
from takeback.registry.rules.cases import CasePolicy
from takeback.registry.security.credentials import MAX_SECRETS, PinKey
from takeback.registry.storage.engine.database import open_database
from takeback.registry.storage.platforms import Platforms
from takeback.registry.storage.store import Store
from takeback.times import DAY_SECONDS
from tests.registry.support import OTHER_PIN, PIN, Platform, Server, command, md5, problem, secret_headers, serving

SECRETS = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=MAX_SECRETS, unique=True)


class Machine:
    """A registry's data folder with its database, SQLite or PostgreSQL."""

    def __init__(self, folder: Path, database: Path | str) -> None:
        self.data = database.parent if isinstance(database, Path) else folder / "var"
        self.database = database
        self.environ = {"TAKEBACK_DATABASE": database} if isinstance(database, str) else {}
        self.key = self.data / "keys" / "pin.key"

    def serving(self) -> AbstractContextManager[Server]:
        """Serves the registry within the context."""
        return serving(self.data, environ=self.environ)

    def run(self, *arguments: str) -> "CompletedProcess[str]":
        """A command of `takeback registry pin-key` on it."""
        return command("registry", "pin-key", *arguments, "--data", self.data, environ=self.environ)

    def rotate(self) -> list[list[object]]:
        """Rotates as the command does; returns the secrets and the number of cases of each."""
        engine = open_database(self.database)
        held = pin_keys.rotate(engine, self.key)
        engine.dispose()
        return [[one.name, one.cases] for one in held]

    def erase(self) -> None:
        """Moves the clock to when ended cases are erased, and erases them."""
        store = Store(open_database(self.database), lambda: 4_000_000_000.0, CasePolicy(retention_seconds=DAY_SECONDS))
        while store.cases.retain():
            pass
        store.close()


@pytest.fixture
def machine(tmp_path: Path, new_database: Callable[[], Path | str]) -> Machine:
    """An empty registry."""
    return Machine(tmp_path, new_database())


def test_nobody_notices(machine: Machine, new_database: Callable[[], Path | str], tmp_path: Path) -> None:
    """After a rotation PINs, repeats and entry ids work as before, and an older backup needs no other key."""
    sent, known = {"pictures": [{"signals": [md5()]}]}, secret_headers()
    with machine.serving() as server:
        first = server.http.post("/v1/cases", json=sent, headers=known).json()["number"]
        engine = open_database(machine.database)
        key = Platforms(engine).add("forum").text()
        ids = Platform(server.http, key).active()
        backup.write(engine, tmp_path / "before.gz")
        engine.dispose()
    assert machine.rotate() == [["newest", 0], ["first", 1]]
    assert stat.S_IMODE(machine.key.stat().st_mode) == 0o600
    with machine.serving() as server:
        assert server.case(first).status_code == 200
        problem(server.case(first, OTHER_PIN), 404, "case-not-found")
        again = server.http.post("/v1/cases", json=sent, headers=known)
        assert (again.status_code, again.json()["number"]) == (200, first)
        other = {"pictures": [{"signals": [md5()]}]}
        problem(server.http.post("/v1/cases", json=other, headers=known), 409, "key-reused")
        assert server.add_pictures(first, [md5()]).status_code == 200
        second = server.submit([md5()]).json()["number"]
        assert server.case(second).status_code == 200
        same = Platform(server.http, key)
        assert ids.items() <= same.active().items()
        assert same.report(*ids)["unknown_entries"] == []
        assert server.case(first).json()["pictures"][0]["blocked"] == 1
        assert server.withdraw(first).json()["state"] == "withdrawn"

    restored = Machine(tmp_path / "restored", new_database())
    restored.key.parent.mkdir(parents=True, exist_ok=True)
    for name in ("pin.key", "feed.key"):
        (restored.key.with_name(name)).write_bytes(machine.key.with_name(name).read_bytes())
        restored.key.with_name(name).chmod(0o600)
    target = open_database(restored.database)
    backup.read(target, tmp_path / "before.gz")
    target.dispose()
    with restored.serving() as server:
        assert server.case(first, PIN).json()["state"] == "active"


def test_a_secret_stays_until_its_cases_are_erased(machine: Machine) -> None:
    """A rotation that would drop a secret with cases is refused and changes nothing, until they are erased."""
    with machine.serving() as server:
        first = server.submit([md5()]).json()["number"]
    machine.rotate()
    with machine.serving() as server:
        second = server.submit([md5()]).json()["number"]
    assert machine.rotate() == [["newest", 0], ["before", 1], ["first", 1]]
    before = machine.key.read_bytes()
    refused = machine.run("rotate")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "cases still under the previous PIN key: 1; " in refused.stderr
    assert machine.key.read_bytes() == before
    with machine.serving() as server:
        assert {server.case(number).status_code for number in (first, second)} == {200}
        server.withdraw(second)
    machine.erase()
    assert machine.rotate() == [["newest", 0], ["before", 0], ["first", 1]]
    shown = machine.run("show").stdout.splitlines()[1:]
    assert [line.split() for line in shown] == [["newest", "0"], ["before", "0"], ["first", "1"]]
    with machine.serving() as server:
        assert server.case(first).status_code == 200
        assert server.case(second).status_code == 404


def test_a_key_from_before_the_rotation_is_refused(machine: Machine) -> None:
    """A process with an outdated key file does not start; one after an interrupted rotation does."""
    with machine.serving() as server:
        number = server.submit([md5()]).json()["number"]
    old = machine.key.read_bytes()
    machine.rotate()
    new = machine.key.read_bytes()
    machine.key.write_bytes(old)
    refused = command("registry", "serve", "--data", machine.data, "--port", 0, environ=machine.environ)
    assert refused.returncode == 2
    assert "is not the PIN key of this database" in refused.stderr
    further = PinKey(b"n" * 32, (new[:32], old)).file()
    machine.key.write_bytes(further)
    with machine.serving() as server:
        assert server.case(number).status_code == 200
    assert machine.run("show").returncode == 0


@given(SECRETS)
def test_the_file_is_read_back(secrets: list[bytes]) -> None:
    """A key of one to three secrets is read as written, and each secret opens only the PINs stored under it."""
    key = PinKey(secrets[0], tuple(secrets[1:]))
    assert PinKey.of_file(key.file()) == key
    for one in key.all():
        assert key.opens(one.pin(PIN), PIN)
        assert not key.opens(one.pin(PIN), OTHER_PIN)
    assert key.entry_ids(1, 0).of([1, 2]) == PinKey(secrets[-1]).entry_ids(1, 0).of([1, 2])
    assert len({one.tag() for one in key.all()}) == len(secrets)


@given(st.binary(max_size=140))
def test_what_is_no_key_file(content: bytes) -> None:
    """Only one to three whole secrets are a key."""
    found = PinKey.of_file(content)
    assert (found is not None) == (len(content) in {32, 64, 96})
