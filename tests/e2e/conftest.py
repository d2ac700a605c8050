"""What the end-to-end tests share: one registry, one gate, one session of each browser; for each test a fresh page.

A test that takes `hands` runs in every browser; one that takes `page` runs in Chromium on a desktop. When a test fails,
what was said of it, its screen and (where Playwright drives) its trace lie in `test-results/`, also if it passes later.
"""

import itertools
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from builder.setup.browsers import Browsers, ensure_browsers
from tests.e2e import pictures
from tests.e2e.desks import Manner, device, start_chromium, start_firefox, webkitgtk
from tests.e2e.hands import Hands, PlaywrightHands, SeleniumHands
from tests.e2e.product import DIST, ROOT, Platform, Registry, add_platform, running_registry
from tests.e2e.watch import Watch

RESULTS: Final = ROOT / "test-results"
EVERY_DESK: Final = ("desktop", "iphone", "pixel", "firefox", "webkit")
FAILED: Final = pytest.StashKey[bool]()
SEEDS: Final = itertools.count(10_000, 100)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test here, and gives it the time that three browsers on a busy machine need."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(300))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Lets a fixture know that its test failed in this try, and keeps what was said of it."""
    report = yield
    item.stash[FAILED] = report.failed or (report.when != "setup" and item.stash.get(FAILED, False))
    if report.failed:
        (_results(item) / f"{report.when}.txt").write_text(report.longreprtext)
    return report


@pytest.fixture(scope="session")
def browsers() -> Browsers:
    """The browsers, installed if they were not there."""
    return ensure_browsers()


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Playwright, running."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def manner(pytestconfig: pytest.Config) -> Manner:
    """How browsers are used, by the options of the command line."""
    return Manner(
        headed=pytestconfig.getoption("headed"),
        slow_motion=pytestconfig.getoption("slow_motion"),
        processor=pytestconfig.getoption("processor"),
        slow_network=pytestconfig.getoption("network") == "slow",
        locale=pytestconfig.getoption("locale"),
    )


@pytest.fixture(scope="session")
def chromium(playwright: Playwright, browsers: Browsers, manner: Manner) -> Iterator[Browser]:
    """Chromium, running."""
    browser = start_chromium(playwright, browsers, manner)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def firefox(playwright: Playwright, browsers: Browsers, manner: Manner) -> Iterator[Browser]:
    """Firefox, running."""
    browser = start_firefox(playwright, browsers, manner)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """The real registry with the built page, behind the recorder."""
    assert (DIST / "manifest.json").is_file(), "there is no page in dist/: run `python3 build.py build` first"
    with running_registry(tmp_path_factory.mktemp("registry") / "data") as running:
        yield running


@pytest.fixture(scope="session")
def platform(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A platform with a key and a gate."""
    key = add_platform(registry, "photo-club")
    return Platform.start(registry, key, tmp_path_factory.mktemp("gate") / "home")


@pytest.fixture(autouse=True)
def whole_wire(registry: Registry) -> Iterator[None]:
    """Every test begins and ends with a wire that works and a record that is empty."""
    registry.recorder.reset()
    yield
    registry.recorder.reset()


@pytest.fixture(params=EVERY_DESK)
def hands(request: pytest.FixtureRequest, registry: Registry) -> Iterator[Hands]:
    """A person at a fresh page, in every browser."""
    with sit_down(request, request.param, registry) as at_page:
        yield at_page


@pytest.fixture(params=("desktop", "firefox", "webkit"))
def engine(request: pytest.FixtureRequest, registry: Registry) -> Iterator[Hands]:
    """A person at a fresh page, once in each browser engine."""
    with sit_down(request, request.param, registry) as at_page:
        yield at_page


@pytest.fixture
def page(request: pytest.FixtureRequest, registry: Registry) -> Iterator[PlaywrightHands]:
    """A person at a fresh page in Chromium on a desktop."""
    with sit_down(request, "desktop", registry) as at_page:
        assert isinstance(at_page, PlaywrightHands)
        yield at_page


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for a test's own pictures."""
    return tmp_path


@pytest.fixture
def seed() -> int:
    """The first of a hundred seeds of pictures that no case in the registry holds: no other test and no try before."""
    return next(SEEDS)


@pytest.fixture
def picture(folder: Path) -> Path:
    """One picture of somebody's."""
    return pictures.save(folder, seed=1, kind="jpg")


@contextmanager
def sit_down(request: pytest.FixtureRequest, desk: str, registry: Registry) -> Iterator[Hands]:
    """A fresh page at one of the desks."""
    browsers: Browsers = request.getfixturevalue("browsers")
    if desk == "webkit" and browsers.webkit_driver is not None:
        with webkitgtk(browsers) as driver:
            yield SeleniumHands(driver)
            if request.node.stash.get(FAILED, False):
                driver.save_screenshot(str(_results(request.node) / "screen.png"))
        return
    with _context(request, desk) as context:
        page = context.new_page()
        if context.browser is not None and context.browser.browser_type.name == "chromium":
            manner: Manner = request.getfixturevalue("manner")
            manner.slow_down(page)
        yield PlaywrightHands(page, Watch(context, registry.url))


@contextmanager
def _context(request: pytest.FixtureRequest, desk: str) -> Iterator[BrowserContext]:
    """A browser's fresh profile. Its trace is kept if the test fails."""
    playwright: Playwright = request.getfixturevalue("playwright")
    manner: Manner = request.getfixturevalue("manner")
    if desk in {"firefox", "webkit"}:
        browser: Browser = request.getfixturevalue(desk)
        context = browser.new_context(locale=manner.locale)
    else:
        chromium: Browser = request.getfixturevalue("chromium")
        context = chromium.new_context(**device(playwright, desk), locale=manner.locale)
    context.tracing.start(screenshots=True, snapshots=True)
    try:
        yield context
        failed = request.node.stash.get(FAILED, False)
        context.tracing.stop(path=_results(request.node) / "trace.zip" if failed else None)
        if failed:
            _screenshots(context.pages, _results(request.node))
    finally:
        context.close()


def _screenshots(pages: list[Page], folder: Path) -> None:
    for number, page in enumerate(pages):
        page.screenshot(path=folder / f"screen-{number}.png", full_page=True)


def _results(item: pytest.Item) -> Path:
    """Where the remains of a failed test go."""
    folder = RESULTS / re.sub(r"[^\w.-]+", "-", item.nodeid.removeprefix("tests/e2e/"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
