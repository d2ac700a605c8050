"""A registry of the first release, with cases and followers, continues under this one."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from takeback.registry.security.credentials import PinKey
from takeback.registry.storage.engine import database
from takeback.registry.storage.platforms import Platforms
from tests.registry.conftest import STORES
from tests.registry.postgres import Cluster
from tests.registry.support import PIN, Platform, Server, follow, md5, problem, values
from tests.registry.support import command as takeback

MD5 = {name: name * 32 for name in "abcd"}
"""`a` and `b` are in one case, `b` and `c` in another; `c` was removed and added again; `d` is in a withdrawn case."""
OLD_IDS = {number: f"{number:032x}" for number in range(1, 7)}
LINES = [("add", 1), ("add", 2), ("add", 3), ("remove", 3), ("add", 5), ("add", 6), ("remove", 6)]
VALUES = {1: "a", 2: "b", 3: "c", 5: "c", 6: "d"}


def first_release(path: Path) -> None:
    """Makes the database of the first release in the file."""
    path.touch(0o600)
    at_revision(f"sqlite:///{path}", "0001")


def at_revision(address: str, revision: str, *statements: str) -> None:
    """Makes the database that an older version would have made, and runs `statements` in it."""
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    engine = create_engine(address)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def fill(path: Path, key: PinKey) -> None:
    """Writes the rows that the first release would have written."""
    pin = key.pin(PIN)
    path.touch(0o600)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE registry SET head = 7, pin_key = ?", (key.mark(),))
        db.executemany(
            "INSERT INTO cases VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (1, pin, "active", 1_700_000_000, None, 2, 2),
                (2, pin, "active", 1_700_100_000, None, 1, 5),
                (3, pin, "withdrawn", 1_700_200_000, 1_700_300_000, 1, 7),
            ],
        )
        for number, name in VALUES.items():
            active = number not in {3, 6}
            row = (number, bytes.fromhex(OLD_IDS[number]), "md5", bytes.fromhex(MD5[name]), None, "whole", active)
            db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        db.executemany("INSERT INTO feed VALUES (?, ?, ?)", [(n, *line) for n, line in enumerate(LINES, 1)])
        held = [(1, 0, 1), (1, 1, 2), (2, 0, 2), (2, 0, 5), (3, 0, 6)]
        db.executemany("INSERT INTO holdings VALUES (?, ?, ?)", held)
        db.execute("INSERT INTO submissions VALUES (?, ?, 1)", (key.idempotency_key("ab" * 16), b"digest"))
        db.execute("INSERT INTO platforms VALUES (1, 'Old Photos', x'00', x'00', 1700000000, 5, 1700000000, NULL)")
        db.execute("INSERT INTO feedback VALUES (1, 1, x'01', 'blocked', 1700050000)")
        db.execute("INSERT INTO feedback_entries VALUES (1, 1)")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """This release with the data of the first."""
    data = tmp_path / "var"
    (data / "keys").mkdir(parents=True)
    (data / "keys" / "pin.key").write_bytes(bytes(32))
    (data / "keys" / "pin.key").chmod(0o600)
    first_release(data / "registry.sqlite")
    fill(data / "registry.sqlite", PinKey(bytes(32)))
    running = Server(data)
    yield running
    running.stop()


@pytest.fixture
def old(server: Server) -> Platform:
    """A platform that followed the first release."""
    return Platform(server.http, server.command("platform", "rotate", "Old Photos").stdout.split()[0])


def test_a_follower_goes_on_where_it_was(server: Server, old: Platform) -> None:
    """A platform of the first release sees existing lines under the ids that it knows, and new lines after them."""
    server.submit([md5()])
    entries = old.page()["entries"]

    assert [(e["action"], e["entry"]) for e in entries[:7]] == [(action, OLD_IDS[n]) for action, n in LINES]
    assert entries[7]["entry"] not in OLD_IDS.values()
    assert values(follow(iter(entries))[0]) >= {MD5["a"], MD5["b"], MD5["c"]}
    assert old.report(OLD_IDS[1])["recorded"] == 1


def test_a_new_platform_has_ids_of_its_own(server: Server) -> None:
    """A new platform sees none of the old ids, and cannot use one for an entry."""
    new = server.platform("New Photos")
    assert {e["entry"] for e in new.page()["entries"]}.isdisjoint(OLD_IDS.values())
    assert new.report(OLD_IDS[1])["unknown_entries"] == [OLD_IDS[1]]
    assert values(new.active()) == {MD5["a"], MD5["b"], MD5["c"]}


def test_cases_go_on(server: Server, old: Platform) -> None:
    """A case of the first release keeps its status and blocks, and can be withdrawn; shared entries stay."""
    status = server.case("0000000001").json()
    assert (status["state"], status["received_at"], status["platforms"]) == ("active", "2023-11-14T22:13:20Z", 1)
    assert [picture["blocked"] for picture in status["pictures"]] == [1, 0]
    assert server.case("0000000003").json()["pictures"][0]["withdrawn_at"] == "2023-11-18T09:33:20Z"

    server.withdraw("0000000001")
    assert values(old.active()) == {MD5["b"], MD5["c"]}
    server.withdraw("0000000002")
    assert old.active() == {}


def test_an_idempotency_key_is_still_taken(server: Server) -> None:
    """An idempotency key from before the migration is refused for a different message after it."""
    problem(server.submit([md5()], key="ab" * 16), 409, "key-reused")


def test_a_database_that_refers_to_nothing_is_refused(tmp_path: Path) -> None:
    """A database with rows that refer to missing rows is not migrated, and one line says what to do."""
    path = tmp_path / "registry.sqlite"
    first_release(path)
    path.touch(0o600)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO submissions VALUES (x'00', x'00', 9)")
    refused = takeback("registry", "serve", "--data", tmp_path, "--port", 0)

    assert refused.returncode == 2
    assert refused.stderr.startswith("Error: the database has rows that refer to missing rows")
    assert refused.stderr.count("\n") == 1
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)


@pytest.mark.parametrize("kind", STORES)
def test_platforms_of_before_are_not_published(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    """A platform from before names were public keeps everything, is not named, no look-up service, and can be both."""
    where: Path | str = tmp_path / "registry.sqlite"
    address, blob = f"sqlite:///{where}", "x'00'"
    if kind == "postgresql":
        made: Cluster = request.getfixturevalue("postgresql")
        where = made.new_database()
        address, blob = where.replace("postgresql://", "postgresql+psycopg://"), r"'\x00'"
    else:
        (tmp_path / "registry.sqlite").touch(0o600)
    columns = "name, key_id, secret, created_at, cursor, seen_at, own_ids_after, told, told_at"
    values = f"'Old Photos', {blob}, {blob}, 1700000000, 0, 1700000000, 0, 3, 1700000000"
    at_revision(address, "0011", f"INSERT INTO platforms ({columns}) VALUES ({values})")
    engine = database.open_database(where)
    platforms = Platforms(engine, lambda: 1_700_000_100)

    (old,) = platforms.all()
    assert (old.name, old.told, old.published_name, old.published_at) == ("Old Photos", 3, None, None)
    assert (old.is_lookup, old.small_sites, old.small_sites_at) == (False, 0, None)
    assert (platforms.public_list().platforms, platforms.public_list().unnamed) == ([], 1)
    platforms.publish("Old Photos", "Old Photos")
    assert (platforms.public_list().platforms, platforms.public_list().unnamed) == (["Old Photos"], 0)
    platforms.set_lookup("Old Photos", is_lookup=True)
    assert platforms.all()[0].is_lookup
    engine.dispose()
