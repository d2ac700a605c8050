"""The npm packages of the tests for Node, and the client in JavaScript beside them."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from builder.native.kernel import NODE_KERNEL, build_for_node

HERE: Final = Path(__file__).parent
CLIENT: Final = NODE_KERNEL.parent


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages as the lock has them, the tests' programs, and the client with its kernel."""
    if not shutil.which("npm"):
        pytest.skip("needs npm")
    folder = tmp_path_factory.mktemp("node") / "app"
    shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for file in CLIENT.glob("*.mjs"):
        shutil.copy(file, folder)
    build_for_node(folder / NODE_KERNEL.name)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=110)
    if any(code in done.stderr for code in ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ECONNRESET")):
        pytest.skip("needs the npm registry")
    assert done.returncode == 0, done.stderr
    return folder
