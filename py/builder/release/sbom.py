"""Software bills of materials (SBOMs) of a release, made by CycloneDX's own tools."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from builder import ROOT, WORK, BuildError
from builder.release.requirement_lists import USES, lock_blocks, locked
from builder.setup.environment import install_packages, install_scripts
from builder.setup.pins import read_pins
from builder.steps import fingerprint, once

TOOLS: Final = WORK / "cyclonedx"
"""Where the two tools are installed: only a release needs them, so they stay out of `.venv`."""
TOOLS_LOCK: Final = ROOT / "py" / "requirements-release.lock"
SCRIPTS: Final = Path(__file__).with_name("cyclonedx")
"""The npm package that pins the JavaScript tool, with its lock."""
_REPRODUCIBLE: Final = ("--output-reproducible", "--output-format", "JSON")
"""Omits the random serial number; the timestamp is SOURCE_DATE_EPOCH, or omitted too."""


def make_sboms(wheel: Path, version: str, environment: Mapping[str, str]) -> dict[str, bytes]:
    """SBOMs in JSON by name: `wheel`, `page` (npm packages), `page-python` (what Pyodide runs). Raises `BuildError`."""
    once("installing CycloneDX's tools", TOOLS / "stamp", fingerprint([TOOLS_LOCK, SCRIPTS]), [], _install)
    extras = sorted({extra for use in USES.values() for extra in use})
    return {
        "wheel": _of_python(locked(wheel, extras), version, environment),
        "page-python": _of_python(_pyodide_packages(), version, environment),
        "page": _of_scripts(environment),
    }


def _install() -> None:
    """Installs both tools by the hashes of their locks."""
    shutil.rmtree(TOOLS, ignore_errors=True)
    shutil.copytree(SCRIPTS, TOOLS)
    install_packages(TOOLS_LOCK, "--target", str(TOOLS / "python"))
    install_scripts(TOOLS, "--omit=optional")


def _of_python(requirements: str, version: str, environment: Mapping[str, str]) -> bytes:
    """The SBOM of these locked requirements; its root component is this project at `version`."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "pyproject.toml")
        text = (ROOT / "pyproject.toml").read_text()
        # The version is dynamic in our pyproject.toml, and the SBOM needs a number.
        project.write_text(text.replace('dynamic = ["version"]', f'version = "{version}"', 1))
        command = [sys.executable, "-m", "cyclonedx_py", "requirements", "-", "--pyproject", str(project)]
        return _run([*command, *_REPRODUCIBLE], {**environment, "PYTHONPATH": str(TOOLS / "python")}, requirements)


def _of_scripts(environment: Mapping[str, str]) -> bytes:
    """The SBOM of package-lock.json."""
    tool = TOOLS / "node_modules" / ".bin" / "cyclonedx-npm"
    return _run([str(tool), "--package-lock-only", *_REPRODUCIBLE, "package.json"], environment)


def _pyodide_packages() -> str:
    """The requirements of the page's Python: the pinned wheels of the Pyodide release, and imagehash."""
    wheels = [f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n" for wheel in read_pins().wheels.values()]
    return "".join([*wheels, lock_blocks()["imagehash"]])


def _run(command: Sequence[str], environment: Mapping[str, str], given: str = "") -> bytes:
    """The standard output of a tool. Raises `BuildError` with the last line of its standard error."""
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, input=given.encode(), capture_output=True, check=False
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it gave no reason"]
        raise BuildError(f"the SBOM could not be made by {Path(command[0]).name}: {said[-1]}")
    return done.stdout
