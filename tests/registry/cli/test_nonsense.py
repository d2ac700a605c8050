"""Every command of the registry answers invalid arguments with one clear line, status 2, and no traceback."""

import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import pytest
import sqlalchemy
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from takeback.cli import main
from takeback.errors import SettingsError
from takeback.registry.cli.commands import registry
from takeback.registry.cli.platform_commands import platform
from takeback.registry.operations import backup
from takeback.registry.storage.engine import database
from takeback.registry.storage.engine.database import open_database
from tests.registry.support import md5, serving

NUMBERS = ("x", "", "-1", "1.5", "nan", "inf", "1e400", "0x10", "9" * 20, "9" * 5000, "\u00b2")
FILES = ("{tmp}/none", "{tmp}", "{tmp}/garbage", "{tmp}/none/below", "")
FOLDERS = ("{tmp}/garbage", "{tmp}/garbage/below")
TEXTS = {
    "database": ("x", "mysql://h/x", "postgresql://", "postgresql://h:x/y", "postgresql://127.0.0.1:1/x", "://"),
    "host": ("no host", "999.1.1.1", "x" * 300),
    "proxies": ("x", "10.0.0.0/99", "10.0.0.1/8"),
    "name": ("", " ", "x" * 10_000, "\n"),
    "platform": ("nobody", "", "x" * 10_000),
    "shown_as": ("", " ", "x" * 61, "a\nb", "a\x07b", "a\u202eb"),
    "certificate": ("a b", "x;}", "\n"),
    "certificate_key": ("a b", "x;}", "\n"),
    "program": ("a b", '"', "\n"),
    "environment": ("a b", '"', "\n"),
    "standing": ("nonsense", ""),
    "sort": ("nonsense", ""),
    "security_contact": ("x", "", "http://h", "a b@h", "\n"),
    "cases": ("", "x", "12", "0" * 10, "1" * 10_000),
    "of_case": ("", "x", "12", "1" * 10_000),
}
"""Invalid values, by the name of the parameter."""
GOOD = {
    "name": "Example Photos", "platform": "Example Photos", "certificate": "/c", "certificate_key": "/k",
    "shown_as": "Example",
}  # fmt: skip
READS_NOTHING = {("systemd", "data"), ("systemd", "keys"), ("systemd", "page"), ("operator-key", "database")}
"""Parameters that accept any value."""


def _commands(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, *path, name)
        else:
            yield (*path, name), command


def _bad(command: click.Command, parameter: click.Parameter) -> Sequence[str]:
    """The invalid values of a parameter; none for a flag."""
    name = parameter.name or ""
    if isinstance(parameter.type, click.types.BoolParamType) or (command.name, name) in READS_NOTHING:
        return ()
    if isinstance(parameter.type, click.types.IntParamType):
        return NUMBERS
    if name == "file":
        there = {"backup": FILES[1:2] + FILES[3:], "trace": FILES[:2] + FILES[3:]}
        return there.get(command.name or "", FILES)
    if name in {"data", "keys", "page", "well_known"}:
        return FOLDERS
    return TEXTS[name]


def _cases() -> Iterator[tuple[str, ...]]:
    for path, command in (*_commands(registry, "registry"), *_commands(platform, "platform")):
        for parameter in command.params:
            for value in _bad(command, parameter):
                yield (*path, *_arguments(command, parameter, value))


def _arguments(command: click.Command, wrong: click.Parameter, value: str) -> Iterator[str]:
    """Arguments with one invalid parameter, and valid values for the other required ones."""
    for parameter in command.params:
        given = value if parameter is wrong else GOOD.get(parameter.name or "", "{tmp}/file")
        if isinstance(parameter, click.Option) and (parameter is wrong or parameter.required):
            yield f"{parameter.opts[0]}={given}"
    places = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    if places:
        yield "--"
    for parameter in places:
        yield value if parameter is wrong else GOOD.get(parameter.name or "", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry's data, a valid backup of it, and a file of garbage."""
    made = tmp_path_factory.mktemp("nonsense")
    with serving(made / "var") as server:
        server.platform("Example Photos")
        number = server.submit([md5(), md5()], [md5()]).json()["number"]
        server.withdraw(number, 0)
        assert server.command("registry", "backup", str(made / "whole")).returncode == 0
    (made / "garbage").write_bytes(b"\x1f\x8b" + bytes(range(256)))
    (made / "garbage").chmod(0o600)
    return made


@pytest.fixture(autouse=True)
def _closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Closes the databases that commands leave open, since here the process continues."""
    opened, make = list[Engine](), sqlalchemy.create_engine

    def create_engine(*where: Any, **how: Any) -> Engine:
        opened.append(make(*where, **how))
        return opened[-1]

    monkeypatch.setattr(database, "create_engine", create_engine)
    yield
    for engine in opened:
        engine.dispose()


def run(folder: Path, *arguments: str) -> Result:
    """Runs `takeback` in this process."""
    environ = {"TAKEBACK_DATA": str(folder / "var"), "TAKEBACK_DATABASE": None, "TAKEBACK_MIX": "0"}
    words = [argument.replace("{tmp}", str(folder)) for argument in arguments]
    return CliRunner().invoke(main, words, env=environ)


def refused(result: Result) -> None:
    """Asserts one line of error, status 2, no traceback."""
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 2, result.output
    assert result.stderr.count("Error: ") == 1
    assert result.stderr.partition("Error: ")[2].strip().count("\n") == 0
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "arguments", list(_cases()), ids=lambda words: " ".join(words)[:80].encode().decode("ascii", "replace")
)
def test_what_cannot_be_is_refused(folder: Path, arguments: tuple[str, ...]) -> None:
    """Invalid numbers, files, folders, addresses and names are refused by every command that takes them."""
    refused(run(folder, *arguments))


@pytest.mark.parametrize("path", [path for path, _ in _commands(registry, "registry")], ids=" ".join)
def test_a_damaged_database_is_told(folder: Path, tmp_path: Path, path: tuple[str, ...]) -> None:
    """A database with overwritten pages gives a one-line error wherever it is read, and never a traceback."""
    data = tmp_path / "var"
    data.mkdir(mode=0o700)
    whole = (folder / "var" / "registry.sqlite").read_bytes()
    (data / "registry.sqlite").write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    (data / "registry.sqlite").chmod(0o600)
    arguments = {"backup": ["{tmp}/b"], "restore": ["{tmp}/whole"], "trace": ["{tmp}/garbage"], "pause": ["1"],
                 "resume": ["1"], "add": ["x"], "remove": ["x"], "end": ["1234567890"]}  # fmt: skip
    no_database = {("registry", "nginx"), ("registry", "systemd"), ("registry", "operator-key"), ("registry", "serve")}
    if path not in no_database:
        refused(run(folder, *path, *arguments.get(path[-1], []), "--data", str(data)))


def _damage(whole: bytes) -> st.SearchStrategy[bytes]:
    """Some bytes replaced, cut off or added."""
    places = st.integers(0, len(whole))
    return st.builds(
        lambda place, gone, there: whole[:place] + there + whole[place + gone :], places, st.integers(0, 60),
        st.binary(max_size=20) | st.sampled_from([b"9" * 30, b"null", b"[", b'"', b"\n", b"true", b"-1"]),
    )  # fmt: skip


@given(data=st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_backup_is_refused(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """A backup that was changed anywhere, before or after compression, is refused with a reason or restored whole."""
    packed = (folder / "whole").read_bytes()
    inside = data.draw(st.booleans())
    changed = gzip.compress(data.draw(_damage(gzip.decompress(packed)))) if inside else data.draw(_damage(packed))
    into = tmp_path_factory.mktemp("restored")
    (into / "backup").write_bytes(changed)
    engine = open_database(into / "registry.sqlite")
    try:
        backup.read(engine, into / "backup")
    except SettingsError as error:
        assert "\n" not in str(error)
    finally:
        engine.dispose()
