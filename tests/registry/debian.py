"""Debian's packages for tests of other people's servers: installed where that is allowed."""

import os
import shutil
import subprocess
from typing import Final

APT_WAIT: Final = ("-o", "DPkg::Lock::Timeout=300")
"""Another test may be installing: wait for it rather than fail."""


def install(*packages: str) -> None:
    """Installs the packages, without starting what they bring. Does nothing without the right to; look afterwards."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        subprocess.run(["apt-get", *APT_WAIT, *command], env=environ, check=False, capture_output=True)
