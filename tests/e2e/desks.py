"""Browsers, started the same way for every test: which executable, which flags, which kind of device."""

import os
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from playwright.sync_api import Browser, Page, Playwright
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
DEVICES: Final = {"desktop": "Desktop Chrome", "iphone": "iPhone 15", "pixel": "Pixel 7"}
"""Our names of the devices, and Playwright's."""
SLOW_NETWORK: Final = {"offline": False, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 94_000}
"""A phone on 3G: 1.6 Mbit/s down, 750 kbit/s up; throughput is in bytes a second."""
SCREEN: Final = "1280x1024x24"
AT_HOME: Final = ("--proxy=http://127.0.0.1:9", "--ignore-host=127.0.0.1", "--ignore-host=localhost")
"""A proxy that nobody runs: WebKitGTK, whose traffic no test can route, fails at once outside this machine.

As WebDriver's capability it would make the browser crash now and then at its start, over the hosts that are excepted.
"""
LONGEST_LOAD: Final = 60
"""Seconds until a page that WebKitGTK does not finish loading is an error; its own limit is that of a whole test."""


def device(playwright: Playwright, name: str) -> dict[str, Any]:
    """The settings of a device, less the browser that it would come with: they are used in Chromium."""
    settings = dict(playwright.devices[DEVICES[name]])
    del settings["default_browser_type"]
    return settings


@dataclass(frozen=True, slots=True)
class Manner:
    """How browsers are used: seen or not, `slow_motion` in milliseconds, `processor` times slower, on which network."""

    headed: bool = False
    slow_motion: int = 0
    processor: float = 1
    slow_network: bool = False
    locale: str = "en-GB"

    def slow_down(self, page: Page) -> None:
        """Give a page of Chromium the processor and the network of an old phone; other browsers cannot."""
        if self.processor == 1 and not self.slow_network:
            return
        session = page.context.new_cdp_session(page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": self.processor})
        if self.slow_network:
            session.send("Network.enable")
            session.send("Network.emulateNetworkConditions", SLOW_NETWORK)


def start_chromium(playwright: Playwright, browsers: Browsers, manner: Manner = Manner()) -> Browser:
    """Debian's Chromium, or Playwright's own."""
    args = list(CHROMIUM_FLAGS)
    if os.geteuid() == 0:
        args.append("--no-sandbox")  # Chromium's own sandbox refuses to run as root
    return playwright.chromium.launch(
        executable_path=browsers.chromium, args=args, headless=not manner.headed, slow_mo=manner.slow_motion
    )


def start_firefox(playwright: Playwright, browsers: Browsers, manner: Manner = Manner()) -> Browser:
    """Debian's Firefox ESR as it is, or Playwright's own."""
    seen: dict[str, Any] = {"headless": not manner.headed, "slow_mo": manner.slow_motion}
    if browsers.firefox is None:
        return playwright.firefox.launch(**seen)
    return playwright.firefox.launch(channel="moz-firefox", executable_path=browsers.firefox, **seen)


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
