"""The page's modules that need no browser, run by Node's own test runner."""

import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", sorted(path.relative_to(HERE).as_posix() for path in HERE.rglob("*.test.js")))
def test_module(name: str) -> None:
    """Every case of this file of JavaScript tests passes under Node."""
    ran = subprocess.run(["node", "--test", HERE / name], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "# pass 0" not in ran.stdout
