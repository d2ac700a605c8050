"""Installs Debian packages of the servers that tests need, if that is permitted."""

import os
import shutil
import subprocess
from typing import Final

APT_WAIT: Final = ("-o", "DPkg::Lock::Timeout=300")
"""Another test may be installing: wait for it rather than fail."""


def install(*packages: str) -> None:
    """Installs the packages without starting their services. Does nothing without permission; the caller checks."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        subprocess.run(["apt-get", *APT_WAIT, *command], env=environ, check=False, capture_output=True)
