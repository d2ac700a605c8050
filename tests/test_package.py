"""What users without a clone install: the wheel, and the sources that it is built from."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import hatchling
import pytest

from builder.release.requirement_lists import USES, requirement_list
from takeback import __version__, how_to_install

ROOT: Final = Path(__file__).resolve().parents[1]


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)), cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def packed(target: str, source: Path, into: Path) -> Path:
    """The wheel or the sdist built from the sources in `source`."""
    done = run(sys.executable, "-m", "hatchling", "build", "-t", target, "-d", into, cwd=source)
    assert done.returncode == 0, done.stderr
    (made,) = into.iterdir()
    return made


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel for this machine."""
    return packed("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


def names(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_holds_the_compiled_code(wheel: Path) -> None:
    """The wheel is for one platform and any Python from 3.12 on, with all compiled modules and what is not Python."""
    assert re.fullmatch(rf"takeback-{__version__}-py3-none-(manylinux|macosx|linux)_\w+\.whl", wheel.name)
    assert {"takeback/hashing/_kernel.so", "takeback/gate/index/_index.so"} <= names(wheel)
    integrations = {
        *(f"node/takeback{part}" for part in (".mjs", "-lookup.mjs", "-reading.mjs", "-hashing.mjs", "-kernel.wasm")),
        "mediawiki/Takeback/extension.json",
        "php/takeback.php",
        "wordpress/takeback/takeback.php",
    }
    assert {f"takeback/integrations/{name}" for name in integrations} <= names(wheel)


def test_the_sdist_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    """A wheel built from the unpacked sdist holds the same files as one built from the repository."""
    sdist = packed("sdist", ROOT, tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    again = packed("wheel", tmp_path / sdist.name.removesuffix(".tar.gz"), tmp_path / "wheel")
    assert names(again) == names(wheel)


def test_the_version_stands_once() -> None:
    """The npm package carries the version of the Python package, which is the release's."""
    for name in ("package.json", "package-lock.json"):
        assert json.loads((ROOT / name).read_text())["version"] == __version__


@pytest.mark.parametrize("guide", ["gate", "registry"])
def test_guides_install_this_release(guide: str) -> None:
    """Each guide installs files of this version's release, by lists that a release has."""
    text = (ROOT / "py" / "takeback" / guide / "README.md").read_text()
    named = re.findall(r"takeback-(\d[\w.]*?)-(\w+|\*)(\.txt|\.tar\.gz|\.whl)", text)
    assert {version for version, _, _ in named} == {__version__}
    assert {use for _, use, kind in named if kind == ".txt"} <= USES.keys()
    assert "pip install --require-hashes --requirement" in text


def test_python_m_build_is_not_build_py() -> None:
    """`python -m build` in the repository runs the packaging tool, although a file of that name is there."""
    said = run(sys.executable, "-m", "build", "--help", cwd=ROOT).stdout
    assert "--sdist" in said
    assert "build.py" not in said


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an empty environment with what a release's list for a gate names, and no compiler in reach."""
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=True)
    shutil.copy(wheel, folder)
    (folder / "gate.txt").write_text(requirement_list(wheel, "gate"))
    commands = folder / "bin"
    pip: list[str | Path] = [commands / "python", "-m", "pip", "install", "--quiet"]
    done = run(*pip, "--require-hashes", "--requirement", "gate.txt", cwd=folder, PATH=str(commands))
    if "NewConnectionError" in done.stderr or "Name or service not known" in done.stderr:
        pytest.skip("needs the package index")
    assert done.returncode == 0, done.stderr
    return commands


def takeback(installed: Path, arguments: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    return run(installed / "takeback", *arguments, cwd=installed, PATH=str(installed), PYTHONPATH="")


def test_no_text_sends_people_to_an_index() -> None:
    """Nothing in the repository says `pip install takeback`: no index has the name, so anybody could register it."""
    named = re.compile(r"""(?:pip3?|uv|pipx)\s[^\n]*?(?<![/\w.-])takeback(?:\[|['"\s]|$)|takeback\[[a-z,]+\]""")
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).stdout.splitlines()
    texts = [ROOT / name for name in listed if name.endswith((".py", ".md", ".toml", ".txt", ".js", ".html", "NOTICE"))]
    assert len(texts) > 200
    allowed = {ROOT / "CHANGELOG.md", ROOT / "pyproject.toml", Path(__file__)}
    told = [text.name for text in texts if text not in allowed and text.is_file() and named.search(text.read_text())]
    assert told == []


def older_python() -> Path | None:
    """A Python 3.11 on this machine."""
    on_path = [Path(found)] if (found := shutil.which("python3.11")) else []
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found_all = [*sorted(pyenv.glob("versions/3.11*/bin/python3.11")), *on_path]
    return next(
        (python for python in found_all if run(python, "-m", "pip", "--version", cwd=ROOT).returncode == 0), None
    )


def test_an_older_python_is_told_which_one_is_needed(tmp_path: Path) -> None:
    """`pip install .` on Python 3.11 says that 3.12 is required, and shows no traceback."""
    python = older_python()
    if python is None:
        pytest.skip("there is no Python 3.11 with pip on this machine")
    options = ["--no-build-isolation", "--no-deps", "--no-index", "--target", str(tmp_path)]
    backend = str(Path(hatchling.__file__).parents[1])  # the same that pip would fetch
    done = run(python, "-m", "pip", "install", *options, ".", cwd=ROOT, PYTHONPATH=backend)
    assert done.returncode != 0
    assert re.search(r"requires a different Python: 3\.11\.\d+ not in '>=3\.12'", done.stderr), done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.timeout(300)
def test_it_installs_without_a_compiler(installed: Path, tmp_path: Path) -> None:
    """From the wheel alone `takeback` prints its version, hashes, completes, decides, and answers over HTTP."""
    assert takeback(installed, ["--version"]).stdout == f"takeback, version {__version__}\n"
    pictures = ROOT / "tests" / "vectors" / "pictures"
    assert takeback(installed, ["hash", pictures / "rgb.png"]).stdout.endswith("rgb.png\n")
    for shell in ("bash", "zsh", "fish"):
        assert "_TAKEBACK_COMPLETE" in takeback(installed, ["completion", shell]).stdout
    key = tmp_path / "key"
    key.write_text(f"tbk_{'0' * 16}_{'0' * 64}")
    home = tmp_path / "gate"
    arguments: list[str | Path] = [
        "gate",
        "init",
        "--home",
        home,
        "--registry",
        "http://127.0.0.1:9",
        "--key-file",
        key,
        "--trust-first-feed-key",
    ]
    assert takeback(installed, arguments).returncode == 0
    decided = takeback(installed, ["gate", "check", "--home", home, pictures / "rgb.png"])
    assert decided.returncode == 3, decided.stderr
    assert decided.stdout.startswith("REVIEW ")
    assert "--processes" in takeback(installed, ["gate", "serve", "--help"]).stdout


@pytest.mark.timeout(300)
def test_what_is_not_installed_is_told(installed: Path) -> None:
    """A command whose packages are not installed is listed, and says how to install them when it is called."""
    assert "registry" in takeback(installed, ["--help"]).stdout
    called = takeback(installed, ["registry", "serve", "--port", "0"])
    assert called.returncode == 2
    assert called.stderr.endswith(f": {how_to_install('registry')}\n")
    assert how_to_install("registry").startswith("pip install 'FILE.whl[registry]' with the wheel of a release")
    assert called.stderr.count("\n") == 1
    without = "import sys; sys.modules['httpx'] = None; from takeback.cli import main; main()"
    for arguments in (["--help"], ["gate", "status"]):
        said = run(installed / "python", "-c", without, *arguments, cwd=installed)
        assert "pip install 'FILE.whl[gate]' with the wheel" in " ".join((said.stdout + said.stderr).split())
        assert "Traceback" not in said.stderr
