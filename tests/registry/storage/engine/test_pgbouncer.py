"""The registry behind Debian's pgbouncer in transaction mode, where each transaction may use another session."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from takeback.registry.storage.engine.database import open_database
from tests.registry.pgbouncer import SESSIONS, NoPgbouncer, pooled
from tests.registry.postgres import USER, Cluster
from tests.registry.support import Platform, Server, command, md5, pdq, serving, values

SETTINGS = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "jit", "enable_seqscan")


@pytest.fixture(scope="module")
def address(postgresql: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An empty database behind a pooler."""
    name = postgresql.new_database().rpartition("/")[2]
    try:
        with pooled(postgresql, tmp_path_factory.mktemp("pgbouncer")) as port:
            yield f"postgresql://{USER}@127.0.0.1:{port}/{name}"
    except NoPgbouncer as why:
        pytest.skip(str(why))


@pytest.fixture(scope="module")
def server(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry with that database, whose tables are made through the pooler."""
    with serving(tmp_path_factory.mktemp("pooled") / "var", environ={"TAKEBACK_DATABASE": address}) as running:
        yield running


def test_a_case_from_its_start_to_its_end(server: Server) -> None:
    """Many concurrent cases are published, reported and withdrawn, and the feed is verified."""
    platform = server.platform("Example Photos")
    signals = [[md5(), pdq()] for _ in range(40)]
    with ThreadPoolExecutor(4 * SESSIONS) as people:
        numbers = [made.json()["number"] for made in people.map(server.submit, signals)]
        active = platform.active()
        assert values(active) == {one["value"] for picture in signals for one in picture}
        told = list(people.map(platform.report, active))
        assert [one["recorded"] for one in told] == [1] * len(active)
        assert {one.status_code for one in people.map(server.withdraw, numbers)} == {200}
    assert platform.active() == {}
    checked = server.command("registry", "check")
    assert checked.returncode == 0, checked.stderr


def test_backup_and_restore(server: Server, postgresql: Cluster, tmp_path: Path) -> None:
    """A backup through the pooler, by a cursor in one transaction, is complete."""
    server.submit([md5()])
    written = server.command("registry", "backup", str(tmp_path / "backup"))
    assert written.returncode == 0, written.stderr
    direct = {"TAKEBACK_DATABASE": postgresql.new_database()}
    restored = command("registry", "restore", tmp_path / "backup", "--data", tmp_path / "var", environ=direct)
    assert restored.returncode == 0, restored.stderr


def test_a_rotated_feed_key_is_taken(server: Server) -> None:
    """Commands that write while the registry runs work through the pooler too."""
    rotated = server.command("registry", "feed-key", "rotate")
    assert rotated.returncode == 0, rotated.stderr
    revoked = [server.command("platform", what, "Rotating") for what in ("add", "rotate", "revoke")]
    assert [one.returncode for one in revoked] == [0, 0, 0], revoked


def test_settings_hold_in_each_transaction_and_no_longer(server: Server, address: str) -> None:
    """Each transaction sets its limits in any session, and leaves none to the next one there."""
    del server
    engine = open_database(address)
    for _ in range(2 * SESSIONS):
        with engine.begin() as connection:
            inside = [connection.execute(text(f"SHOW {name}")).scalar() for name in SETTINGS]
            assert inside == ["10s", "30s", "30s", "off", "off"]
            prepared = connection.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar()
            assert prepared == 0
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            raw = connection.connection.cursor()
            outside = [raw.execute(f"SHOW {name}").fetchone() for name in ("statement_timeout", "enable_seqscan")]
            assert outside == [("0",), ("on",)]
    engine.dispose()


def test_a_platform_follows_page_by_page(server: Server) -> None:
    """A platform's polls are answered through any free session."""
    platform: Platform = server.platform("Another")
    server.submit([md5() for _ in range(20)])
    assert len(platform.active()) >= 20
