"""What a test that failed in a browser leaves behind, for the person who looks into it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from builder.setup.browsers import Browsers
from tests.e2e.desks import launch_arguments
from tests.e2e.product import ROOT

CONFTEST: Final = """
import json
import pytest

@pytest.fixture(scope="session")
def base_url():
    return "data:text/html,"

@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    return browser_type_launch_args | json.loads({arguments!r})
"""
LOST: Final = """
def test_lost(page) -> None:
    page.goto("data:text/html,<h1>Lost</h1>")
    assert page.get_by_role("heading", name="Found").count() == 1
"""


def test_every_try_leaves_its_own_screenshot_and_trace(tmp_path: Path, browsers: Browsers) -> None:
    """With the project's settings no second try overwrites what the first one left in `test-results/`."""
    for name in ("pyproject.toml", "tests/conftest.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    arguments = json.dumps(launch_arguments("chromium", browsers), default=str)
    folder = tmp_path / "tests" / "e2e"
    folder.mkdir()
    (folder / "conftest.py").write_text(CONFTEST.format(arguments=arguments))
    (folder / "test_lost.py").write_text(LOST)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--browser-reruns=1"]
    said = subprocess.run(command, cwd=tmp_path, env=kept, capture_output=True, text=True, check=False).stdout
    assert "1 failed, 1 rerun" in said.splitlines()[-1], said
    tries = sorted((tmp_path / "test-results").iterdir())
    assert len(tries) == 2
    for remains in tries:
        assert sorted(path.name for path in remains.iterdir()) == ["test-failed-1.png", "trace.zip"]
