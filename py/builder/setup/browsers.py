"""The browsers that the end-to-end tests drive: finds them, or installs them.

Debian's packages are preferred, because they include WebKitGTK, the nearest thing to an iPhone. Where they are not
available (another system, or no permission to install), Playwright's builds of Chromium, Firefox and WebKit are used.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PACKAGES: Final = {
    "chromium": "/usr/bin/chromium",
    "firefox-esr": "/usr/bin/firefox-esr",
    "webkit2gtk-driver": "/usr/bin/WebKitWebDriver",
    "xvfb": "/usr/bin/Xvfb",
}
"""Debian's packages, each with a file that shows that it is installed."""
FONTS: Final = {
    "fonts-dejavu-core": "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "fonts-noto-core": "/usr/share/fonts/truetype/noto/NotoSansTamil-Regular.ttf",
    "fonts-noto-cjk": "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
}
"""Likewise for fonts that cover every language of the page. Missing glyphs show as boxes, whose width is wrong."""
OLDEST_FIREFOX: Final = 153
"""The pinned Playwright cannot start the previous ESR, 140."""
MINI_BROWSER: Final = "*-linux-gnu/webkit2gtk-4.*/MiniBrowser"
"""WebKitGTK's test browser, which its driver starts, under `/usr/lib`."""
INSTALL_TIMEOUT_SECONDS: Final = 900
"""For one install command, which may download 200 MB."""


APT_WAIT: Final = ("-o", "DPkg::Lock::Timeout=300")
"""Waits for another package tool's lock instead of failing."""


class BrowsersError(Exception):
    """The browsers cannot be installed; the text says what to do."""


@dataclass(frozen=True)
class Browsers:
    """The browsers' executables. All are `None` if Playwright's own builds are used."""

    chromium: Path | None = None
    firefox: Path | None = None
    webkit_driver: Path | None = None
    mini_browser: Path | None = None
    xvfb: Path | None = None


def find_debian_browsers() -> Browsers | None:
    """Returns Debian's browsers, or `None` if one is missing."""
    mini_browser = next(Path("/usr/lib").glob(MINI_BROWSER), None)
    if mini_browser is None or missing_packages():
        return None
    chromium, firefox, driver, xvfb = map(Path, PACKAGES.values())
    return Browsers(chromium, firefox, driver, mini_browser, xvfb)


def missing_packages() -> list[str]:
    """Returns Debian's packages that are missing or too old."""
    missing = [package for package, file in PACKAGES.items() if not Path(file).exists()]
    return missing if "firefox-esr" in missing or _firefox_is_new() else ["firefox-esr", *missing]


def _firefox_is_new() -> bool:
    """Whether Playwright can drive the installed Firefox."""
    said = subprocess.run([PACKAGES["firefox-esr"], "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"\d+", said)
    return version is not None and int(version[0]) >= OLDEST_FIREFOX


def missing_fonts() -> list[str]:
    """Returns Debian's font packages that are missing."""
    return [package for package, file in FONTS.items() if not Path(file).exists()]


def ensure_browsers(say: Callable[[str], None] = print) -> Browsers:
    """Installs what is missing, reporting progress through `say`. Raises `BrowsersError`."""
    found = find_debian_browsers()
    if found is not None and not missing_fonts():
        return found
    root = _root_prefix()
    if root is not None:
        say("Updating Debian's package lists")
        _run([*root, "apt-get", *APT_WAIT, "update", "--quiet"])
        _install(root, missing_fonts(), say)
        if found is None and _install(root, missing_packages() or list(PACKAGES), say):
            found = find_debian_browsers()
            if found is None:
                raise BrowsersError(f"installed, but not found where expected: {', '.join(missing_packages())}")
    if missing_fonts():
        say(f"Without {', '.join(missing_fonts())} some languages show as boxes; their tests are skipped")
    if found is not None:
        return found
    say("Installing Playwright's Chromium, Firefox and WebKit for the browser tests")
    _run([sys.executable, "-m", "playwright", "install", "chromium", "firefox", "webkit"])
    return Browsers()


def _install(root: Sequence[str], packages: Sequence[str], say: Callable[[str], None]) -> bool:
    """Installs Debian packages; returns whether apt has all of them. Ubuntu has no firefox-esr."""
    install = ["apt-get", *APT_WAIT, "install", "--yes", "--quiet", "--no-install-recommends", *packages]
    if not packages or not _succeeds([*install, "--simulate"]):
        return False
    say(f"Installing {', '.join(packages)} for the browser tests")
    _run([*root, *install])
    return True


def _root_prefix() -> list[str] | None:
    """The prefix that runs a command as root without a password; `None` if there is no such way."""
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        # Packages must not ask: the output is hidden, so nobody would see the question.
        return ["env", "DEBIAN_FRONTEND=noninteractive"]
    sudo = ["sudo", "--non-interactive", "env", "DEBIAN_FRONTEND=noninteractive"]
    return sudo if shutil.which("sudo") is not None and _succeeds([*sudo, "true"]) else None


def _succeeds(command: Sequence[str]) -> bool:
    """Whether a command succeeds; its output is ignored."""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _run(command: Sequence[str]) -> None:
    """Runs an install command, and shows its output only if it fails. Raises `BrowsersError`."""
    line = " ".join(command)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BrowsersError(f"the browsers for the tests cannot be installed: {error}") from error
    if done.returncode != 0:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise BrowsersError(f"`{line}` failed; run it yourself, then start the tests again. It said:\n{last}")
