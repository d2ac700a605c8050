import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from takeback.errors import SettingsError
from takeback.registry.storage.engine.database import open_database
from takeback.registry.storage.platforms import Platforms
from tests.registry.support import MAIN, clean_environment, command


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    """The error for a port in use names it and says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = command("registry", "serve", "--data", tmp_path, "--port", port)

    assert refused.returncode == 2
    assert refused.stderr == f"Error: port {port} is in use; choose another with --port\n"


def test_an_unknown_host_is_one_clear_line(tmp_path: Path) -> None:
    """An address of another machine is refused in one line."""
    refused = command("registry", "serve", "--data", tmp_path, "--host", "203.0.113.9", "--port", 0)

    assert refused.returncode == 2
    assert refused.stderr.startswith("Error: cannot listen on 203.0.113.9")


def test_a_missing_page_says_how_to_build_it(tmp_path: Path) -> None:
    """The error for a `--page` folder without a built page says how to build one."""
    refused = command("registry", "serve", "--data", tmp_path / "var", "--page", tmp_path, "--port", 0)

    assert refused.returncode == 2
    assert "python3 build.py build" in refused.stderr


def test_a_newer_database_is_not_touched(tmp_path: Path) -> None:
    """A database that a newer version migrated is refused in one line."""
    command("platform", "list", "--data", tmp_path)
    with sqlite3.connect(tmp_path / "registry.sqlite") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    refused = command("registry", "serve", "--data", tmp_path, "--port", 0)

    assert refused.returncode == 2
    assert "newer version" in refused.stderr
    assert refused.stderr.count("Error") == 1


def test_a_file_that_is_no_database_is_one_clear_line(tmp_path: Path) -> None:
    """A file that is not a database is refused in one line."""
    (tmp_path / "registry.sqlite").touch(0o600)
    (tmp_path / "registry.sqlite").write_bytes(b"not a database, but long enough to look at" * 100)
    refused = command("platform", "list", "--data", tmp_path)

    assert refused.returncode == 2
    assert refused.stderr.startswith("Error: cannot use the database")
    assert refused.stderr.count("\n") == 1


def test_a_locked_database_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that another program keeps locked gives a one-line error instead of an endless wait."""
    monkeypatch.setattr("takeback.registry.storage.engine.database._PRAGMAS", ("busy_timeout=10", "foreign_keys=ON"))
    engine = open_database(tmp_path / "registry.sqlite")
    with sqlite3.connect(tmp_path / "registry.sqlite", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SettingsError, match="database is locked"):
            Platforms(engine).add("Example Photos")
        other.execute("ROLLBACK")
    other.close()
    engine.dispose()


def test_two_first_starts_at_once_make_one_database(tmp_path: Path) -> None:
    """Several processes that start at the same time on an empty folder all serve, with one schema and one key."""
    arguments = [sys.executable, "-c", MAIN, "platform", "add"]
    running = [
        subprocess.Popen(
            [*arguments, f"Photos {n}", "--data", str(tmp_path)], env=clean_environment(), stdout=subprocess.PIPE
        )
        for n in range(4)
    ]
    for process in running:
        process.communicate()

    assert [process.returncode for process in running] == [0] * 4
    assert len(command("platform", "list", "--data", tmp_path).stdout.splitlines()) == 5
