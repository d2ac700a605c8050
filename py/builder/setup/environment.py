"""Creates the environment: `.venv` and `node_modules`, verified against their lock files. Standard library only."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from builder import ROOT, WORK, BuildError
from builder.steps import fingerprint, once

VENV: Final = ROOT / ".venv"
VENV_PYTHON: Final = VENV / "bin" / "python"
LOCK: Final = ROOT / "py" / "requirements.lock"
"""What Takeback needs to build and run."""
TOOLS_LOCK: Final = ROOT / "py" / "requirements-tools.lock"
"""What checks and tests need in addition."""
STAMPS: Final = VENV / "stamps"
NODE_MODULES: Final = ROOT / "node_modules"

NEEDED_NODE: Final = 20
NEEDED_SPACE_BYTES: Final = 1_500_000_000
"""The packages and what is built from them take about 1.3 GB, most of it the C compiler."""

INSTALL_NODE: Final = "install Node.js 20 or newer with npm (nodejs.org; Debian: `apt-get install nodejs npm`)"


def make_environment(*, with_tools: bool) -> None:
    """Creates or updates the environment. `with_tools` adds what only tests and checks need. Raises `BuildError`."""
    check_node()
    if not os.access(ROOT, os.W_OK):
        raise BuildError(f"no permission to write {ROOT}; work in a clone that you own")
    if not (STAMPS / "tools" if with_tools else STAMPS / "packages").exists():
        check_space()
    here = fingerprint([], str(VENV))  # a clone that was moved needs a new one, whose scripts name the new path
    once("making .venv", STAMPS / "venv", here, [VENV_PYTHON, VENV / "bin" / "pip"], _make_venv)
    _install(LOCK, "packages", "installing the Python packages")
    if with_tools:
        _install(TOOLS_LOCK, "tools", "installing the Python tools for tests and checks")
    itself = [ROOT / "pyproject.toml", ROOT / "py" / "builder" / "native" / "hatch_hook.py"]
    once("installing takeback", STAMPS / "takeback", fingerprint(itself), [VENV / "bin" / "takeback"], _install_itself)
    locks = [ROOT / "package-lock.json"]
    once("installing the JavaScript packages", NODE_MODULES / ".stamp", fingerprint(locks), [], _install_javascript)


def check_node() -> None:
    """Raises `BuildError` if Node.js is missing or too old, or npm is missing."""
    node = shutil.which("node")
    if node is None:
        raise BuildError(f"Node.js was not found: {INSTALL_NODE}, then run the same command again")
    said = subprocess.run([node, "--version"], check=False, capture_output=True, text=True).stdout.strip()
    version = re.match(r"v(\d+)\.", said)
    if version is None or int(version[1]) < NEEDED_NODE:
        raise BuildError(f"{node} is Node.js {said or 'of an unknown version'}: {INSTALL_NODE}")
    if shutil.which("npm") is None:
        raise BuildError(f"Node.js is here but npm was not found: {INSTALL_NODE}, then run the same command again")


def check_space() -> None:
    """Raises `BuildError` if the disk has too little space for the environment."""
    free = shutil.disk_usage(ROOT).free
    if free < NEEDED_SPACE_BYTES:
        space = f"{free / 1e9:.1f} GB left and {NEEDED_SPACE_BYTES / 1e9:.1f} GB are needed"
        raise BuildError(f"the disk of {ROOT} has {space}; make room and run the same command again")


def _make_venv() -> None:
    """Creates `.venv` afresh with the running Python. Raises `BuildError` if there is one that was not made here."""
    _refuse_link(VENV)
    if VENV.exists() and any(VENV.iterdir()) and not STAMPS.exists():
        raise BuildError(f"{VENV} was not made by build.py: move it away and run the same command again")
    if VENV.exists():
        shutil.rmtree(VENV)
    STAMPS.mkdir(parents=True)  # marks the folder as ours, even if this is interrupted
    python = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    command = [str(python if python.exists() else sys.executable), "-m", "venv", str(VENV)]
    advice = f"Python's venv module is incomplete (Debian: `apt-get install python{sys.version_info[0]}-venv`)"
    _run(command, advice)


def _install(lock: Path, name: str, what: str) -> None:
    """Installs exactly what a lock names, each file checked against its hash."""
    once(what, STAMPS / name, fingerprint([lock]), [VENV_PYTHON], lambda: install_packages(lock))


def install_packages(lock: Path, *options: str) -> None:
    """Installs what a lock names into `.venv`, or where `options` of pip say, without a stamp. Raises `BuildError`."""
    pip = [str(VENV_PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    command = [*pip, "--quiet", "--no-compile", "--no-deps", "--require-hashes", "--requirement", str(lock)]
    _run([*command, *options], "pip failed")


def _install_itself() -> None:
    """Installs `takeback` as an editable package. Needs no network."""
    pip = [str(VENV_PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    command = [*pip, "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--editable", str(ROOT)]
    _run(command, "the package could not be installed")


def _install_javascript() -> None:
    """Installs exactly what package-lock.json lists, without running packages' scripts."""
    _refuse_link(NODE_MODULES)
    install_scripts(ROOT)


def install_scripts(folder: Path, *options: str) -> None:
    """Installs what package-lock.json in `folder` names; no package runs a script of its own. Raises `BuildError`."""
    # A tampered package's install script would run with this user's rights.
    command = ["npm", "ci", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    _run([*command, *options], "npm failed")


def _refuse_link(path: Path) -> None:
    """Raises `BuildError` if `path` is a link, because clearing it would clear the link's target."""
    if path.is_symlink():
        raise BuildError(f"{path} is a link to {path.readlink()}: remove the link and run the same command again")


def _run(command: Sequence[str], fault: str) -> None:
    """Runs a command and logs its output if it fails. Raises `BuildError`."""
    # pip would take packages found through the caller's PYTHONPATH for installed ones.
    environment = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=False, capture_output=True, text=True
    )
    if done.returncode == 0:
        return
    said = f"{done.stdout}\n{done.stderr}".strip()
    log = WORK / "setup.log"
    log.parent.mkdir(exist_ok=True)
    log.write_text(f"{' '.join(command)}\n{said}\n")
    raise BuildError(explain_failure(said, fault, log))


def explain_failure(said: str, fault: str, log: Path) -> str:
    """Explains an installer's failure by its output."""
    if re.search(r"ENOSPC|No space left|Errno 28|EDQUOT", said):
        return "no space left on the disk; make room and run the same command again"
    if re.search(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET", said) or re.search(
        r"name resolution|NewConnectionError|ConnectTimeout|NameResolutionError|Read timed out|unreachable", said
    ):
        return f"the packages could not be fetched; check the network and run the same command again (see {log})"
    if re.search(r"EACCES|EPERM|EROFS|Permission denied|Read-only file system", said):
        return f"no permission to write in {ROOT}; work in a clone that you own (see {log})"
    if re.search(r"DO NOT MATCH THE HASHES|EINTEGRITY", said):
        return f"a package does not match its hash in the lock file; do not use it, and report it (see {log})"
    last = said.splitlines()[-1] if said else "no output"
    return f"{fault}: {last} (see {log})"
