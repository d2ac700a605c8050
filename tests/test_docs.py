"""The guides name only things that exist: files, folders, tests, headings, commands and their options."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click
import pytest

from builder.options import parse
from takeback.cli import main
from tests.test_architecture import ZONES

ROOT: Final = Path(__file__).resolve().parents[1]
GUIDES: Final = sorted(
    file
    for pattern in ("*.md", "web/**/*.md", "py/takeback/**/*.md", "tests/README.md")
    for file in ROOT.glob(pattern)
    if file.name != "CHANGELOG.md"  # it tells of what was
)
TOP: Final = frozenset({"py", "web", "tests", ".ci", ".github", ".devcontainer"})
"""Folders of the repository: a word that begins with one is a path."""
NO_COMMANDS: Final = (["feed", "1"], ["feed", "key", "1"], ["ssh-ed25519", "AAAA"])
"""Text after `takeback` in backticks that is no command: lines that the registry signs, and a signer's line."""
NO_SOURCES: Final = ("build/", "dist/", "var/", "keys/")
"""Products of commands, and folders of an operator's data, one of which has the name of a room."""
FENCE: Final = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def faults(text: str, folder: Path) -> list[str]:
    """The things that a guide in `folder` with this text names and that do not exist."""
    return [*_paths(text, folder), *_links(text, folder), *_commands(text)]


def _paths(text: str, folder: Path) -> Iterator[str]:
    """Paths in backticks, relative to the top or to the guide's folder, with a test's name after `::`."""
    prose = FENCE.sub("", text)
    for word in re.findall(r"`([\w./*-]+(?:::\w+)?)`", prose):
        name, _, test = word.partition("::")
        first = name.split("/")[0]
        if re.fullmatch(r"\w+\.(py|c)", name) and not any(_everywhere(name)):
            yield word
        if first not in TOP and (name.startswith(NO_SOURCES) or not (first and (folder / first).is_dir())):
            continue
        found = sorted((ROOT if first in TOP else folder).glob(name.rstrip("/")))
        if not found or (test and f"def {test}(" not in found[0].read_text()):
            yield word


def _everywhere(name: str) -> Iterator[Path]:
    """The files with this name."""
    return (file for pattern in (name, f"py/**/{name}", f"tests/**/{name}") for file in ROOT.glob(pattern))


def _links(text: str, folder: Path) -> Iterator[str]:
    """Targets of links within the repository, with the heading after `#`."""
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text)):
        name, _, heading = target.partition("#")
        file = (folder / name).resolve()
        if "://" in target or (not name and f"#{heading}" in _headings(text)):
            continue
        if not name or not file.exists() or (heading and f"#{heading}" not in _headings(file.read_text())):
            yield target


def _headings(text: str) -> set[str]:
    """The anchors of a text's headings, as forges make them: lowercase, without punctuation, `-` for a space."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {"#" + re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _commands(text: str) -> Iterator[str]:
    """Our commands in backticks and in blocks of shell, which have no language."""
    blocks = "\n".join(body for language, body in FENCE.findall(text) if not language)
    lines = blocks.replace("\\\n", " ").split("\n") + re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    for part in (part for line in lines for part in re.split(r"&&|;| \| ", line)):
        words = _words(part)
        for begin, is_there in COMMANDS.items():
            if tuple(words[: len(begin)]) == begin and not is_there(words[len(begin) :]):
                yield part.strip()


def _words(line: str) -> list[str]:
    """The words of a shell line up to a comment or redirection, without the variables set for it."""
    line = re.split(r"\s(?:#|>|&$|& )", f" {line} ")[0]
    try:
        words = shlex.split(line.replace("...", ""))
    except ValueError:  # half a sentence
        return []
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    return words


def _is_build_command(words: list[str]) -> bool:
    """Whether words are a command of `build.py` with valid options, and everything they name exists."""
    if not words or words[0] == "--help":
        return True
    try:
        options = parse(words)
    except SystemExit as ended:
        return not ended.code  # 0 after `--help`
    tests = [word.split("::")[0] for word in options.pytest if word.startswith("tests/")]
    benchmarks = [f"tests/bench/{name}.py" for name in options.names]
    return all((ROOT / name).exists() for name in tests + benchmarks)


def _is_module(words: list[str]) -> bool:
    """Whether the first word is a module that can be run."""
    try:
        return find_spec(words[0]) is not None
    except ModuleNotFoundError:
        return False


def _is_takeback_command(words: list[str]) -> bool:
    """Whether words are a command of `takeback` with valid options."""
    if words in NO_COMMANDS:
        return True
    command: click.Command = main
    context = click.Context(main)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        if found is None:
            return False
        command, words = found, words[1:]
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}
    return {word.split("=")[0] for word in words if re.fullmatch(r"--[a-z][\w-]*(=.*)?", word)} <= known


COMMANDS: Final = {
    ("python3", "build.py"): _is_build_command,
    (".venv/bin/python", "-m"): _is_module,
    ("takeback",): _is_takeback_command,
}


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.relative_to(ROOT).as_posix())
def test_a_guide_names_only_what_there_is(guide: Path) -> None:
    """Every path, test, link, heading, command and option that a guide names exists."""
    assert faults(guide.read_text(), guide.parent) == []


@pytest.mark.parametrize(
    "text",
    [
        "`py/takeback/nothing.py`",
        "`tests/test_docs.py::test_nothing`",
        "`takeback/nothing.py`",
        "`nothing.py`",
        "[a guide](NOTHING.md)",
        "[a guide](../README.md#nothing)",
        "[here](#nothing)",
        "`python3 build.py nothing`",
        "`python3 build.py check --nothing`",
        "`python3 build.py bench nothing`",
        "`python3 build.py test tests/nothing`",
        "`takeback nothing`",
        "`takeback registry nothing`",
        "`takeback registry serve --nothing`",
        "```\nTAKEBACK_TLS=1 takeback registry serve \\\n  --nothing 1  # a remark\n```",
        "```\nexport X=1 && takeback gate nothing\n```",
        "`.venv/bin/python -m tests.nothing`",
    ],
)
def test_what_is_not_there_is_found(text: str) -> None:
    """A path, link or command that does not exist is found, in prose and in blocks."""
    assert len(faults(text, ROOT / "py")) == 1


@pytest.mark.parametrize(
    "text",
    [
        "`py/takeback/errors.py`, `takeback/errors.py`, `py/takeback/*.py`, `tests/`",
        "`tests/test_docs.py::test_what_is_there_passes`",
        "[a guide](../README.md#two-commands), [elsewhere](https://example.org/nothing)",
        "# A heading: two\n[here](#a-heading-two)",
        "`python3 build.py test tests/gate -k stale`, `python3 build.py bench hostile --files 1`",
        "`python3 build.py --help`, `python3 build.py check --help`, `takeback feed key 1`",
        "```\nTAKEBACK_TLS=1 takeback registry serve --data var > log  # --nothing\n```",
        "`takeback gate check FILE...`, `takeback --version`, `application/json`, `dist/`",
    ],
)
def test_what_is_there_passes(text: str) -> None:
    """Existing paths, links and commands are no faults, nor is text that only looks like one."""
    assert faults(text, ROOT / "py") == []


ARCHITECTURE: Final = (ROOT / "ARCHITECTURE.md").read_text()


def test_every_room_is_on_the_map() -> None:
    """ARCHITECTURE.md has a line for each Python package, and for nothing else."""
    packages = [file.parent.relative_to(ROOT) for file in ROOT.glob("py/*/**/__init__.py")]
    rooms = {f"{room}/" for room in packages if "slim" not in room.parts}  # in there: what replaces Pyodide's modules
    assert set(re.findall(r"^\| `(py/[\w/]+/)` \|", ARCHITECTURE, re.MULTILINE)) == rooms - {"py/takeback/"}


def test_the_arrows_are_those_that_are_tested() -> None:
    """ARCHITECTURE.md says for each part what it may import, as the test of the imports does."""
    told = re.findall(r"^\| `(\w+)` \| (`\w+`(?:, `\w+`)*|nothing) \|$", ARCHITECTURE, re.MULTILINE)
    arrows = {zone: set(re.findall(r"`(\w+)`", may)) for zone, may in told}
    assert arrows == {zone: may for zone, may in ZONES.items() if zone != "takeback"}


def test_images_are_named_by_digest() -> None:
    """Every container starts from an image whose digest is in its file, or from one of its own stages."""
    for file in (*ROOT.glob("py/**/Containerfile"), ROOT / ".devcontainer" / "Containerfile"):
        stages = set[str]()
        for image, stage in re.findall(r"^FROM (\S+)(?: AS (\w+))?$", file.read_text(), re.MULTILINE):
            assert image in stages or re.fullmatch(r"[\w./:-]+@sha256:[0-9a-f]{64}", image), file
            stages.add(stage)
        assert stages, file


def test_every_issue_template_warns() -> None:
    """Each form for an issue says before anything else that no intimate picture is to be attached."""
    forms = [file for file in ROOT.glob(".github/ISSUE_TEMPLATE/*.yml") if file.name != "config.yml"]
    assert len(forms) == 3
    for form in forms:
        first = form.read_text().partition("body:")[2].strip().splitlines()[:4]
        assert "**Never attach an intimate picture" in first[-1], form


def test_hooks_run_the_checks_and_fetch_nothing() -> None:
    """pre-commit accepts its configuration, whose hooks are all local and run `build.py check`."""
    config = ROOT / ".pre-commit-config.yaml"
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-config", config], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    assert re.findall(r"repo: (\S+)", config.read_text()) == ["local"]
    assert re.findall(r"entry: (.+)", config.read_text()) == ["python3 build.py check"]
