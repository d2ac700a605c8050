"""What a person sees who types `python3 build.py`."""

import ast
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
BUILD: Final = ROOT / "build.py"
COMMANDS: Final = (
    "setup",
    "build",
    "serve",
    "dev",
    "test",
    "check",
    "audit",
    "bench",
    "release",
    "reference",
    "clean",
)


def run(*arguments: str, python: str = sys.executable, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, BUILD, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The message of a failed command, which must be a single line."""
    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("build.py: ")
    return lines[0]


def old_python() -> str:
    """A Python older than 3.12 on this machine."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = [*pyenv.glob("versions/3.8.*/bin/python3"), *pyenv.glob("versions/3.11.*/bin/python3")]
    found += [Path(path) for name in ("python3.8", "python3.9", "python3.10") if (path := shutil.which(name))]
    if not found:
        pytest.skip("needs a Python older than 3.12 on this machine")
    return str(found[0])


def test_help_names_every_command() -> None:
    """`--help` says what every command does, and how to begin."""
    said = run("--help").stdout
    assert "python3 build.py serve" in said
    for command in COMMANDS:
        assert f"\n    {command} " in said


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_has_a_paragraph_and_examples(command: str) -> None:
    """The help of each command describes it and gives examples, each of which parses."""
    from builder.options import EXAMPLES, parse

    said = run(command, "--help").stdout
    assert len(said.split("\n\n")[1]) > 80
    for example in EXAMPLES[command]:
        assert f"python3 build.py {example}" in said
        assert parse(example.split()).command == command


@pytest.mark.parametrize("arguments", [[], ["bild"], ["serve", "--prot", "1"], ["serve", "--port", "70000"]])
def test_a_wrong_command_line_is_refused(arguments: list[str]) -> None:
    """An invalid command line is refused with status 2 and the usage."""
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: build.py")
    assert "Traceback" not in done.stderr


def test_what_follows_test_goes_to_pytest_as_it_is() -> None:
    """All arguments after `test` are passed to pytest, dashes included."""
    from builder.options import parse

    assert parse(["test", "-k", "with draw", "tests/gate", "-x"]).pytest == ["-k", "with draw", "tests/gate", "-x"]


def test_the_entry_is_read_by_an_old_python() -> None:
    """`build.py` is valid Python 3.8."""
    ast.parse(BUILD.read_text(), feature_version=(3, 8))


def test_an_old_python_is_named_where_there_is_no_newer_one(tmp_path: Path) -> None:
    """If only an old Python is found, one line names its version and says what to install."""
    shutil.copy(BUILD, tmp_path)
    shutil.copy(ROOT / ".python-version", tmp_path)
    python = old_python()
    alone = {"PATH": str(tmp_path), "PYENV_ROOT": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        [python, tmp_path / "build.py", "serve"], env=alone, capture_output=True, text=True, check=False
    )
    said = one_line(done)
    asked = [python, "-c", "import platform; print(platform.python_version())"]
    assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip() in said
    assert "Install Python 3.13" in said


def test_an_old_python_starts_a_newer_one() -> None:
    """Started by an old Python, the command runs with a newer one that is installed."""
    assert run("--help", python=old_python()).stdout == run("--help").stdout


def test_missing_node_is_told(tmp_path: Path) -> None:
    """Without Node.js, one line says what to install."""
    assert "Node.js was not found: install Node.js 20" in one_line(run("build", PATH=str(tmp_path)))


def test_an_old_node_is_told(tmp_path: Path) -> None:
    """An old Node.js is refused, and its version named."""
    make_program(tmp_path / "node", "echo v18.19.0")
    assert "is Node.js v18.19.0: install Node.js 20" in one_line(run("build", PATH=str(tmp_path)))


def test_missing_npm_is_told(tmp_path: Path) -> None:
    """Node.js without npm is refused."""
    make_program(tmp_path / "node", "echo v22.1.0")
    assert "npm was not found" in one_line(run("build", PATH=str(tmp_path)))


def test_a_port_in_use_is_told() -> None:
    """A port in use is reported before anything is made, with a command that uses another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = one_line(run("serve", "--port", str(port)))
    assert f"port {port} is in use" in said
    assert "python3 build.py serve --port" in said


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid"])
def test_an_address_elsewhere_is_told(host: str) -> None:
    """An address of another computer is refused with an explanation."""
    said = one_line(run("serve", "--host", host, "--port", "18999"))
    assert f"cannot listen on {host}" in said
    assert "--host" in said


def make_program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
