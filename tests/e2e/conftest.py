"""What the end-to-end tests share: one registry, one gate, and pytest-playwright's browsers, set up for this page.

`page` is pytest-playwright's own page. `hands` is a person at a fresh page in every browser, `engine` one in each
browser engine, and `person` one in Chromium on a desktop. Each failed try leaves its message, its screenshots and,
where Playwright drives, its trace in a folder of its own in `test-results/`, also if a later try passes. Where a failed
test is tried again (`--browser-reruns`), only the later tries are traced.
"""

import itertools
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Page

from builder.setup.browsers import Browsers, ensure_browsers
from tests.e2e import pictures
from tests.e2e.desks import DESKS, Desk, launch_arguments, slow_down, webkitgtk
from tests.e2e.hands import PATIENCE, Hands, PlaywrightHands, SeleniumHands
from tests.e2e.product import DIST, Platform, Registry, add_platform, running_registry
from tests.e2e.watch import Watch
from tests.words import ENGLISH, LANGUAGES, Words

ONE_OF_EACH: Final = ("desktop", "firefox", "webkit")
"""A desk for each browser engine."""
REMAINS: Final = pytest.StashKey[Path]()
SEEDS: Final = itertools.count(10_000, 100)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test here, and gives it the time that three browsers on a busy machine need."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(300))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Traces only later tries where there are any: a trace costs a seventh of a journey's processor time."""
    option = item.config.option
    if option.browser_reruns and option.tracing in {"off", "retain-on-failure"}:
        option.tracing = "retain-on-failure" if getattr(item, "execution_count", 1) > 1 else "off"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs a test that takes `hands` or `engine` at each of its desks, or at those that have the named `--browser`."""
    for fixture, desks in (("hands", tuple(DESKS)), ("engine", ONE_OF_EACH)):
        if fixture in metafunc.fixturenames:
            engines = metafunc.config.getoption("browser") or ["chromium", "firefox", "webkit"]
            chosen = [desk for desk in desks if DESKS[desk].browser in engines]
            metafunc.parametrize("desk", chosen, indirect=True, scope="session")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keeps what was said of a try that failed, beside its screenshots and its trace."""
    report = yield
    if report.failed and REMAINS in item.stash:
        (_made(item.stash[REMAINS]) / f"{report.when}.txt").write_text(report.longreprtext)
    return report


@pytest.fixture(scope="session")
def browsers() -> Browsers:
    """The browsers, installed if they were not there."""
    return ensure_browsers()


@pytest.fixture(scope="session")
def desk(request: pytest.FixtureRequest) -> Desk:
    """Where the person of this test sits: at the desktop unless the test runs at several desks."""
    return DESKS[getattr(request, "param", "desktop")]


@pytest.fixture(scope="session")
def browser_name(request: pytest.FixtureRequest, desk: Desk) -> str:
    """The desk's browser; for a test that takes `page` or `person`, the one of `--browser` or Chromium."""
    return str(getattr(request, "param", desk.browser))


@pytest.fixture(scope="session")
def device(pytestconfig: pytest.Config, desk: Desk, browser_name: str) -> str | None:
    """The desk's device; `--device` takes the place of the desktop. A phone cannot be emulated in Firefox."""
    named: str | None = pytestconfig.getoption("device")
    if named and desk == DESKS["desktop"]:
        return named
    return desk.device if browser_name == desk.browser else None


@pytest.fixture(scope="session")
def base_url(registry: Registry) -> str:
    """The page's address, so that `page.goto("/")` opens it."""
    return registry.url


@pytest.fixture(scope="session")
def browser_type_launch_args(
    browser_type_launch_args: dict[str, Any], browser_name: str, browsers: Browsers
) -> dict[str, Any]:
    """The options of the command line, and Debian's browser."""
    return browser_type_launch_args | launch_arguments(browser_name, browsers)


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any], pytestconfig: pytest.Config) -> dict[str, Any]:
    """The device and the address, and the language that the browser asks for."""
    return {"locale": pytestconfig.getoption("locale")} | browser_context_args


@pytest.fixture
def page(page: Page, browser_name: str, pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> Page:
    """A fresh page of Playwright's, on the processor and the network that the command line asks for."""
    page.set_default_timeout(PATIENCE * 1000)
    if pytestconfig.getoption("tracing") == "retain-on-failure":
        # The film that pytest-playwright adds costs a sixth of a test's processor time; each act's page is enough.
        page.context.tracing.stop()
        page.context.tracing.start(title=request.node.nodeid, snapshots=True, sources=True)
    processor, network = pytestconfig.getoption("processor"), pytestconfig.getoption("network")
    if browser_name == "chromium" and (processor != 1 or network == "slow"):
        slow_down(page, processor, slow_network=network == "slow")
    return page


@pytest.fixture
def words(request: pytest.FixtureRequest, pytestconfig: pytest.Config, desk: Desk, browsers: Browsers) -> Words:
    """The words in which the page speaks to this test's browser; WebKitGTK, which takes no `--locale`, gets English."""
    marker = request.node.get_closest_marker("browser_context_args")
    locale = marker.kwargs.get("locale") if marker else None
    if desk.browser == "webkit" and browsers.webkit_driver is not None:
        return ENGLISH
    return LANGUAGES.spoken_to(locale or pytestconfig.getoption("locale"))


@pytest.fixture
def person(page: Page, registry: Registry) -> PlaywrightHands:
    """A person at a fresh page in Chromium on a desktop, or in the browser of `--browser`."""
    return PlaywrightHands(page, Watch(page.context, registry.url))


@pytest.fixture
def hands(request: pytest.FixtureRequest, desk: Desk) -> Iterator[Hands]:
    """A person at a fresh page, at every desk."""
    with _sit_down(request, desk) as at_page:
        yield at_page


@pytest.fixture
def engine(request: pytest.FixtureRequest, desk: Desk) -> Iterator[Hands]:
    """A person at a fresh page, once in each browser engine."""
    with _sit_down(request, desk) as at_page:
        yield at_page


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
def remains(request: pytest.FixtureRequest, output_path: str) -> None:
    """Notes for the hooks where pytest-playwright puts what is left of this try."""
    request.node.stash[REMAINS] = Path(output_path)


@pytest.fixture(autouse=True)
def whole_wire(registry: Registry) -> Iterator[None]:
    """Every test begins and ends with a wire that works and a record that is empty."""
    registry.recorder.reset()
    yield
    registry.recorder.reset()


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
def _sit_down(request: pytest.FixtureRequest, desk: Desk) -> Iterator[Hands]:
    """A person at a fresh page at this desk: by Selenium in Debian's WebKitGTK, else as in `person`."""
    browsers: Browsers = request.getfixturevalue("browsers")
    if desk.browser != "webkit" or browsers.webkit_driver is None:
        yield request.getfixturevalue("person")
        return
    with webkitgtk(browsers) as driver:
        yield SeleniumHands(driver)
        if getattr(request.node, "rep_call", None) is None or request.node.rep_call.failed:
            driver.save_screenshot(str(_made(request.node.stash[REMAINS]) / "test-failed-1.png"))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
