import re
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from takeback.errors import SettingsError
from takeback.registry.storage.engine.database import open_database
from takeback.registry.storage.platforms import Platforms
from tests.registry.support import MAIN, Platform, clean_environment, command, serving


def test_a_platforms_key_is_shown_once(tmp_path: Path) -> None:
    """`add` prints only the platform's key and the feed's, in one line; `list` does not show a key again."""
    made = command("platform", "add", "Example Photos", "--data", tmp_path)
    listed = command("platform", "list", "--data", tmp_path).stdout
    key, feed = made.stdout.split()

    assert made.stdout.count("\n") == 1
    assert re.fullmatch("[0-9a-f]{64}", feed)
    assert command("registry", "feed-key", "show", "--data", tmp_path).stdout.strip() == feed
    assert re.fullmatch(r"tbk_[0-9a-f]{16}_[0-9a-f]{64}", key)
    assert "shown only now" in made.stderr
    assert key.split("_")[1] in listed
    assert key.split("_")[2] not in listed


def test_the_list_shows_how_far_platforms_are(tmp_path: Path) -> None:
    """`list` is a table with the name, key, times and cursor of each platform."""
    with serving(tmp_path / "var") as server:
        server.platform("Second Photos")
        platform = server.platform("Example Photos")
        server.submit([{"type": "md5", "value": "a" * 32}])
        Platform(server.http, platform.key).page(1)
    command("platform", "revoke", "Second Photos", "--data", tmp_path / "var")
    lines = command("platform", "list", "--data", tmp_path / "var").stdout.splitlines()

    assert lines[0].split("  ")[0] == "NAME"
    assert re.fullmatch(r"Example Photos +[0-9a-f]{16} +\S+Z +\S+Z +1 +-", lines[1])
    assert re.fullmatch(r"Second Photos +[0-9a-f]{16} +\S+Z +- +0 +\S+Z", lines[2])


def test_an_empty_list_says_what_to_do(tmp_path: Path) -> None:
    """Without a platform, `list` says how to add one."""
    assert "takeback platform add" in command("platform", "list", "--data", tmp_path).stdout


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("add", "Example Photos"), "there is a platform 'Example Photos' already"),
        (("add", ""), "a platform's name must be"),
        (("add", "x" * 81), "a platform's name must be"),
        (("add", "a\nb"), "a platform's name must be"),
        (("rotate", "Nobody"), "there is no platform 'Nobody'"),
        (("revoke", "Nobody"), "there is no platform 'Nobody'"),
    ],
)
def test_a_wrong_name_is_one_clear_line(tmp_path: Path, arguments: tuple[str, ...], text: str) -> None:
    """A name that is taken, unusable or unknown gives one line that says so."""
    command("platform", "add", "Example Photos", "--data", tmp_path)
    refused = command("platform", *arguments, "--data", tmp_path)

    assert refused.returncode == 2
    assert text in refused.stderr
    assert refused.stderr.count("\n") == 1


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
