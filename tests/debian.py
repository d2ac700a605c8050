"""Installs Debian packages of the servers that tests need, if that is permitted."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

APT_WAIT: Final = ("-o", "DPkg::Lock::Timeout=300")
"""Something else on this machine may be installing: wait for it rather than fail."""


def install(*packages: str) -> None:
    """Installs the packages without starting their services. Does nothing without permission; the caller checks.

    Tests that run side by side take turns, because one must not install while another fetches the lists of packages.
    """
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    with (Path(tempfile.gettempdir()) / "takeback-tests-apt.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
            subprocess.run(["apt-get", *APT_WAIT, *command], env=environ, check=False, capture_output=True)
