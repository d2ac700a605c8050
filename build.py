#!/usr/bin/env python3
"""The one entry point of the project: `python3 build.py --help`.

It needs nothing but Python. The work is in `py/builder/`, and needs Python 3.12; this file also runs on Python 3.8,
so that it can start a newer Python where there is one, and say what is missing where there is none.
"""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

NEEDED = (3, 12)
NAMES = ("python3.14", "python3.13", "python3.12", "python3")
PROBE = f"import sys, ensurepip, venv; sys.exit(sys.version_info < {NEEDED})"
ROOT = Path(__file__).resolve().parent


def main() -> int:
    """Run the command line with a Python that is new enough; its exit status."""
    if sys.version_info < NEEDED:
        python = find_python()
        if python is None:
            print(too_old(sys.version_info[:3]), file=sys.stderr)
            return 1
        return os.execv(python, [python, __file__, *sys.argv[1:]])  # continues in the same process
    sys.path.insert(0, str(ROOT / "py"))
    from builder.entry import main as run

    return run(sys.argv[1:])


def find_python() -> str | None:
    """Another Python on this machine that is new enough and can make an environment."""
    for python in candidates():
        try:
            found = subprocess.run([python, "-c", PROBE], check=False, capture_output=True, timeout=30)
        except (OSError, subprocess.SubprocessError):
            continue
        if found.returncode == 0:
            return python
    return None


def candidates() -> list[str]:
    """Where one may be: in `.venv`, among pyenv's versions, on PATH. The first that works is taken."""
    wanted = (ROOT / ".python-version").read_text().strip()
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    versions = sorted(pyenv.glob(f"versions/{wanted}*/bin/python3"), reverse=True)
    on_path = [Path(found) for found in map(shutil.which, NAMES) if found]
    return [str(place) for place in (ROOT / ".venv" / "bin" / "python", *versions, *on_path) if place.exists()]


def too_old(version: tuple[int, ...]) -> str:
    """What to say where there is no Python that is new enough."""
    this, needed = (".".join(map(str, numbers)) for numbers in (version, NEEDED))
    return (
        f"build.py: this is Python {this}, and Takeback needs Python {needed} or newer, which was not found on PATH or "
        "among pyenv's versions. Install Python 3.13 (Debian: `apt-get install python3 python3-venv`; macOS: "
        "`brew install python@3.13`; or python.org) and run the same command again."
    )


def run_pypa_build() -> None:
    """Run the package of this name: `python -m build` starts whatever `build` lies in the current folder, so this."""
    sys.path[:] = [place for place in sys.path if Path(place or ".").resolve() != ROOT]
    runpy.run_module("build", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    if globals()["__spec__"]:  # started by `-m`, which is never how this file is meant
        run_pypa_build()
    sys.exit(main())
