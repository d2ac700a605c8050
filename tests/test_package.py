"""What is installed by those who have no copy of the repository: the wheel, and the sources it is made from."""

import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from takeback import __version__

ROOT: Final = Path(__file__).resolve().parents[1]


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)), cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def packed(target: str, source: Path, into: Path) -> Path:
    """The wheel or the sdist of the sources in `source`."""
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
    """The wheel is for one platform and any Python from 3.12 on, and every compiled module lies in it."""
    assert re.fullmatch(rf"takeback-{__version__}-py3-none-(manylinux|macosx|linux)_\w+\.whl", wheel.name)
    assert {"takeback/hashing/_kernel.so", "takeback/gate/_index.so"} <= names(wheel)


def test_the_sdist_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    """A wheel made from the unpacked sdist holds the same files as one made from the repository."""
    sdist = packed("sdist", ROOT, tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    again = packed("wheel", tmp_path / sdist.name.removesuffix(".tar.gz"), tmp_path / "wheel")
    assert names(again) == names(wheel)


def test_python_m_build_is_not_build_py() -> None:
    """`python -m build` in the repository is the packaging tool, although a file of that name lies there."""
    said = run(sys.executable, "-m", "build", "--help", cwd=ROOT).stdout
    assert "--sdist" in said
    assert "build.py" not in said


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an empty environment into which `takeback[gate]` was installed, with no compiler in reach."""
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=True)
    pinned = re.findall(r"^[a-z0-9._-]+==\S+", (ROOT / "py" / "requirements.lock").read_text(), re.MULTILINE)
    (folder / "pins.txt").write_text("\n".join(pinned))
    options = ["--quiet", "--only-binary", ":all:", "--constraint", str(folder / "pins.txt")]
    commands = folder / "bin"
    python = commands / "python"
    done = run(python, "-m", "pip", "install", *options, f"{wheel}[gate]", cwd=folder, PATH=str(commands))
    if "NewConnectionError" in done.stderr or "Name or service not known" in done.stderr:
        pytest.skip("needs the package index")
    assert done.returncode == 0, done.stderr
    return commands


def takeback(installed: Path, arguments: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    return run(installed / "takeback", *arguments, cwd=installed, PATH=str(installed), PYTHONPATH="")


@pytest.mark.timeout(300)
def test_it_installs_without_a_compiler(installed: Path, tmp_path: Path) -> None:
    """From the wheel alone `takeback` tells its version, hashes, completes, decides, and answers over HTTP."""
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
    ]
    assert takeback(installed, arguments).returncode == 0
    decided = takeback(installed, ["gate", "check", "--home", home, pictures / "rgb.png"])
    assert decided.returncode == 3, decided.stderr
    assert decided.stdout.startswith("REVIEW ")
    assert "--processes" in takeback(installed, ["gate", "serve", "--help"]).stdout


@pytest.mark.timeout(300)
def test_what_is_not_installed_is_told(installed: Path) -> None:
    """A command whose packages were not asked for is listed, and says how to get them when it is called."""
    assert "registry" in takeback(installed, ["--help"]).stdout
    called = takeback(installed, ["registry", "serve", "--port", "0"])
    assert called.returncode == 2
    assert called.stderr.endswith(": pip install 'takeback[registry]'\n")
    assert called.stderr.count("\n") == 1
    without = "import sys; sys.modules['httpx'] = None; from takeback.cli import main; main()"
    for arguments in (["--help"], ["gate", "status"]):
        said = run(installed / "python", "-c", without, *arguments, cwd=installed)
        assert "pip install 'takeback[gate]'" in " ".join((said.stdout + said.stderr).split())
        assert "Traceback" not in said.stderr
