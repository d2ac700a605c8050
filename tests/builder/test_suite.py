"""How the tests themselves run: which may be retried, and how much of the code they cover."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from builder.commands import _side_by_side

ROOT = Path(__file__).resolve().parents[2]
TWO_TRIES = """
from pathlib import Path

def test_twice() -> None:
    tried = Path(__file__).with_suffix(".tried")
    again = tried.exists()
    tried.touch()
    assert again
"""
IN_A_PROCESS = """
import subprocess
import sys

def test_code() -> None:
    subprocess.run([sys.executable, "-c", "import code_of_ours; code_of_ours.{call}"], check=True)
"""
CODE = f"def done():\n    return 1\n\n\ndef left():\n{''.join(f'    a = {number}\n' for number in range(200))}"


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A small project with the settings of this one."""
    for name in ("pyproject.toml", "tests/conftest.py"):
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, target)
    (tmp_path / "py" / "takeback").mkdir(parents=True)
    (tmp_path / "tests" / "e2e").mkdir()
    return tmp_path


def pytest_in(suite: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The output and the exit status of pytest."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))}
    environment = {**kept, "PYTHONPATH": str(suite / "py" / "takeback")}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=suite, env=environment, capture_output=True, text=True, check=False)


def test_a_failed_test_is_tried_again_in_a_browser_alone(suite: Path) -> None:
    """With `--browser-reruns` a test of `e2e` is retried, and a test elsewhere fails at once."""
    (suite / "tests" / "e2e" / "test_browser.py").write_text(TWO_TRIES)
    (suite / "tests" / "test_plain.py").write_text(TWO_TRIES)
    said = pytest_in(suite, "--browser-reruns=2")
    assert said.returncode == 1
    assert "1 failed, 1 passed, 1 rerun" in said.stdout.splitlines()[-1]


def test_no_test_elsewhere_may_ask_for_another_try(suite: Path) -> None:
    """`--reruns`, which applies to every test, is refused, and so is `flaky` on a test without a browser."""
    (suite / "tests" / "test_plain.py").write_text("def test_a() -> None: ...")
    assert "--browser-reruns" in pytest_in(suite, "--reruns=1").stderr
    (suite / "tests" / "test_plain.py").write_text("import pytest\n@pytest.mark.flaky(reruns=1)\ndef test_a(): ...")
    refused = pytest_in(suite)
    assert refused.returncode == pytest.ExitCode.USAGE_ERROR
    assert "mend its race" in refused.stderr


@pytest.mark.parametrize(("call", "status"), [("done()", 1), ("left()", 0)])
def test_coverage_has_a_floor(suite: Path, call: str, status: int) -> None:
    """Code run in a child process counts as covered; below the floor the run fails, and says so at its end."""
    (suite / "py" / "takeback" / "code_of_ours.py").write_text(CODE)
    (suite / "tests" / "test_plain.py").write_text(IN_A_PROCESS.format(call=call))
    said = pytest_in(suite, "--cov", "--numprocesses=2")
    lines = said.stdout.splitlines()
    assert said.returncode == status, said.stdout
    assert any(line.startswith("TOTAL") for line in lines)
    assert "Required test coverage" in said.stdout
    assert "1 passed" in lines[-1]


def test_a_whole_run_measures_and_tries_browsers_again() -> None:
    """Without arguments `build.py test` measures coverage and retries browser tests only."""
    assert {"--cov", "--browser-reruns=2"} <= set(_side_by_side())
    assert not [argument for argument in _side_by_side() if argument.startswith("--reruns")]
