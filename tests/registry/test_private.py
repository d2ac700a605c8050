"""SQLite's files are private to their owner from the first byte, and any path works."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from takeback.registry.storage.engine.database import open_database
from tests.registry.support import clean_environment, command, md5, serving

LOOKS = """
import os, sys, threading
os.umask(0)
from pathlib import Path
from takeback.registry.storage.engine.database import WRITES, open_database
folder, seen, ended = Path(sys.argv[1]), {}, threading.Event()

def look():
    while not ended.is_set():
        for path in folder.glob("registry.sqlite*"):
            try:
                seen.setdefault(path.name, set()).add(oct(path.stat().st_mode & 0o777))
            except FileNotFoundError:
                pass

looking = threading.Thread(target=look)
looking.start()
engine = open_database(folder / "registry.sqlite")
with engine.execution_options(**WRITES).begin() as connection:
    connection.exec_driver_sql("UPDATE registry SET head = head")
engine.dispose()
ended.set()
looking.join()
print(sorted(seen), sorted({mode for modes in seen.values() for mode in modes}))
"""
"""Makes a database with no umask, while a thread looks at the modes of all its files."""


def test_files_are_private_from_the_first_byte(tmp_path: Path) -> None:
    """The database, its log and its index always have mode 600, whatever the umask."""
    done = subprocess.run(
        [sys.executable, "-c", LOOKS, tmp_path], env=clean_environment(), capture_output=True, text=True, check=False
    )
    names, _, modes = done.stdout.strip().rpartition(" ")
    assert modes == "['0o600']", done.stderr
    assert {"registry.sqlite", "registry.sqlite-shm", "registry.sqlite-wal"} <= set(ast.literal_eval(names))


@pytest.mark.parametrize("name", ["registry.sqlite", "registry.sqlite-wal"])
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o606])
def test_a_database_that_others_may_read_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    """The registry names the command to run in one line, and starts after it was run."""
    open_database(tmp_path / "registry.sqlite").dispose()
    path = tmp_path / name
    path.touch()
    path.chmod(mode)
    refused = command("platform", "list", "--data", tmp_path)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    told = refused.stderr.strip().partition("; run: ")[2]
    assert told == f"chmod go-rwx {path}"
    subprocess.run(told.split(), check=True)
    assert command("platform", "list", "--data", tmp_path).returncode == 0


def test_a_path_stays_a_path(tmp_path: Path) -> None:
    """A data folder may have any name; no character in it is read as part of a URL."""
    data = tmp_path / "what? #1 100%25 &x=y ;'ü'"
    with serving(data) as server:
        number = server.submit([md5()]).json()["number"]
        assert server.command("registry", "check").returncode == 0
        assert server.command("registry", "backup", os.fspath(data / "b?ackup%")).returncode == 0
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {data.name}
    assert (data / "registry.sqlite").stat().st_size > 0
    with serving(data) as server:
        assert server.case(number).status_code == 200


def test_a_unit_of_systemd_names_the_path(tmp_path: Path) -> None:
    """A percent sign is doubled in a unit, where a single one begins a specifier."""
    told = command("registry", "systemd", "--data", tmp_path / "100%n")
    assert f"TAKEBACK_DATA={tmp_path}/100%%n" in told.stdout
