"""Browsers, started the same way for every test: which executable, which flags, which kind of device."""

import os
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from playwright.sync_api import Page
from selenium.webdriver import WebKitGTK
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.webkitgtk.options import Options
from selenium.webdriver.webkitgtk.service import Service

from builder.setup.browsers import Browsers

CHROMIUM_FLAGS: Final = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Nothing of Chromium's own goes to the network while a test watches it."""
SLOW_NETWORK: Final = {"offline": False, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 94_000}
"""A phone on 3G: 1.6 Mbit/s down, 750 kbit/s up; throughput is in bytes a second."""
SCREEN: Final = "1280x1024x24"
AT_HOME: Final = ("--proxy=http://127.0.0.1:9", "--ignore-host=127.0.0.1", "--ignore-host=localhost")
"""A proxy that nobody runs: WebKitGTK, whose traffic no test can route, fails at once outside this machine.

As WebDriver's capability it would make the browser crash now and then at its start, over the hosts that are excepted.
"""
LONGEST_LOAD: Final = 60
"""Seconds until a page that WebKitGTK does not finish loading is an error; its own limit is that of a whole test."""


@dataclass(frozen=True, slots=True)
class Desk:
    """A browser by Playwright's name for its engine, and the device that it emulates, by Playwright's name."""

    browser: str
    device: str | None = None


DESKS: Final = {
    "desktop": Desk("chromium", "Desktop Chrome"),
    "iphone": Desk("chromium", "iPhone 15"),
    "pixel": Desk("chromium", "Pixel 7"),
    "firefox": Desk("firefox"),
    "webkit": Desk("webkit"),
}
"""By the names in `[...]` behind a test's name. On Debian, WebKitGTK takes the place of Playwright's WebKit."""


def launch_arguments(browser: str, browsers: Browsers) -> dict[str, Any]:
    """What Playwright's `launch` needs to start Debian's browser of this engine, or its own where there is none."""
    if browser == "chromium":
        flags = [
            *CHROMIUM_FLAGS,
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
        ]  # its sandbox refuses to run as root
        return {"executable_path": browsers.chromium, "args": flags}
    if browser == "firefox" and browsers.firefox is not None:
        return {"executable_path": browsers.firefox, "channel": "moz-firefox"}
    return {}


def slow_down(page: Page, processor: float, *, slow_network: bool) -> None:
    """Give a page of Chromium a processor that is `processor` times slower, and a phone's network on 3G."""
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": processor})
    if slow_network:
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", SLOW_NETWORK)


@contextmanager
def webkitgtk(browsers: Browsers) -> Iterator[WebDriver]:
    """WebKitGTK's small browser on a screen of its own."""
    with _display(browsers) as display:
        options = Options()
        options.binary_location = str(browsers.mini_browser)
        for argument in ("--automation", *AT_HOME):
            options.add_argument(argument)
        environment = {**os.environ, "DISPLAY": display, "GDK_BACKEND": "x11"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Selenium's own, of its own WebKitGTK class
            driver = WebKitGTK(options=options, service=Service(str(browsers.webkit_driver), env=environment))
        try:
            driver.set_page_load_timeout(LONGEST_LOAD)
            yield driver
        finally:
            driver.quit()


@contextmanager
def _display(browsers: Browsers) -> Iterator[str]:
    """The name of a new virtual screen."""
    reader, writer = os.pipe()
    command = [str(browsers.xvfb), "-displayfd", str(writer), "-screen", "0", SCREEN, "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL)
    os.close(writer)
    with os.fdopen(reader) as told:
        number = told.readline().strip()
    try:
        yield f":{number}"
    finally:
        server.terminate()
        server.wait()
