"""What all tests share: hypothesis's settings, the order of the tests, and the material beside the repository."""

import os
import signal
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
IN_BROWSER: Final = 2
"""Tests that drive a browser run after all others."""

settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background: what tests start must hear Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options that change the browsers; `tests/README.md` explains when to use them."""
    group = parser.getgroup("browsers", "how the end-to-end tests use their browsers")
    group.addoption("--headed", action="store_true", help="show the browser's window")
    group.addoption("--slow-motion", type=int, default=0, metavar="MS", help="wait so long after each act")
    group.addoption("--processor", type=float, default=1, metavar="N", help="Chromium on a processor N times slower")
    group.addoption("--network", choices=("fast", "slow"), default="fast", help="slow: 1.6 Mbit/s with 150 ms delay")
    group.addoption("--browser-reruns", type=int, default=0, metavar="N", help="try a failed test so often again")
    group.addoption("--locale", default="en-GB", metavar="CODE", help="the language that the browser asks for")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Runs fast tests first: plain ones, then those of hypothesis, then those that drive a browser.

    The last alone may be tried again, because browsers on a busy machine sometimes hang; elsewhere that hides a race.
    """
    items.sort(key=_slowness)
    if config.getoption("reruns", None):
        raise pytest.UsageError(
            "--reruns would try every test again; --browser-reruns N is for those in browsers alone"
        )
    reruns: int = config.getoption("browser_reruns")
    for item in items:
        if _slowness(item) == IN_BROWSER:
            if reruns:
                item.add_marker(pytest.mark.flaky(reruns=reruns))
        elif item.get_closest_marker("flaky"):
            raise pytest.UsageError(f"{item.nodeid} drives no browser and may not be tried again: mend its race")


def _slowness(item: pytest.Item) -> int:
    """0 for a plain test, 1 for a property test, 2 for a browser test."""
    if "e2e" in item.path.relative_to(ROOT).parts or item.get_closest_marker("e2e"):
        return IN_BROWSER
    return 1 if item.get_closest_marker("hypothesis") else 0


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of photographs and vectors beside the repository; if it is absent, the test is skipped."""
    folder = ROOT.parent / "shared"
    if not (folder / "photos").is_dir():
        pytest.skip("needs the photographs and vectors of ../shared, which is not here")
    return folder
