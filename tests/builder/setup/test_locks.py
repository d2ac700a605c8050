"""The locks of the registry and of the gate: parts of the whole lock, and all that these need."""

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from builder import ROOT
from builder.setup.locks import PARTS, lock_file, lock_of


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_what_the_whole_lock_says(part: str) -> None:
    """The file is what `python -m builder.setup.locks` writes: the pins of the whole lock that the part needs."""
    assert lock_file(part).read_text() == lock_of(PARTS[part])


@pytest.mark.timeout(300)
def test_a_part_is_all_that_is_needed(tmp_path: Path) -> None:
    """In an empty environment the registry's lock and the package alone satisfy the extras, and the registry starts."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--no-deps"]
    done = _run(*pip, "--only-binary", ":all:", "--require-hashes", "--requirement", lock_file("registry"))
    if re.search("NewConnectionError|Name or service not known", done.stderr):
        pytest.skip("needs the package index")
    assert done.returncode == 0, done.stderr
    wheels = _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "wheel", cwd=ROOT)
    assert wheels.returncode == 0, wheels.stderr
    (wheel,) = (tmp_path / "wheel").iterdir()
    assert _run(*pip, wheel).returncode == 0
    asked = _run(*pip[:-1], "--dry-run", "--no-index", f"{wheel}{PARTS['registry'][0].removeprefix('takeback ')}")
    assert asked.returncode == 0, asked.stderr  # pip finds every requirement of the extras satisfied
    shown = _run(python.with_name("takeback"), "registry", "check", "--data", tmp_path / "var")
    assert "all is well" in shown.stdout, shown.stderr


def _run(*command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": ""}
    return subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, check=False, capture_output=True, text=True
    )
