"""Leaving quickly: at once, by button or by key, and with nothing left behind."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Route

from tests.e2e.hands import Hands, PlaywrightHands
from tests.e2e.product import Registry
from tests.e2e.screens import Start, way_to_review

HARMLESS = "https://www.bbc.com/weather"
FIRST = "Stop a picture from spreading"
STORED = """
(async () => [
  document.cookie.length, localStorage.length, sessionStorage.length,
  (await indexedDB.databases?.() ?? []).length, (await caches.keys()).length,
  (await navigator.serviceWorker?.getRegistrations() ?? []).length,
])()
"""


def _button(hands: Hands) -> None:
    hands.press("button", "Leave quickly")


def _shift(hands: Hands) -> None:
    for _ in range(3):
        hands.key("Shift")


@pytest.mark.parametrize("leave", [_button, _shift])
def test_leaving_quickly_leaves_nothing(
    person: PlaywrightHands, registry: Registry, picture: Path, leave: Callable[[Hands], None]
) -> None:
    """Leaving in the middle opens a harmless page in this one's place, and Back shows nothing of the journey."""
    person.page.context.route("https://www.bbc.com/**", serve_weather)
    review = way_to_review(person, registry.url, [picture])
    message = review.message()
    length = person.run("history.length")
    leave(person)
    person.page.wait_for_url(HARMLESS)
    assert person.run("history.length") == length
    person.page.go_back()
    assert not person.page.url.startswith(registry.url)
    assert message not in person.page.content()
    assert registry.recorder.to("POST", "/") == []


@pytest.mark.parametrize(
    ("code", "weather"), [("zh-Hans", "https://www.weather.com.cn/"), ("fa", "https://www.irimo.ir/")]
)
def test_leaving_goes_where_the_language_is_spoken(
    person: PlaywrightHands, registry: Registry, code: str, weather: str
) -> None:
    """Where the weather page of most languages cannot be reached, one of that country opens, chosen by the language."""
    person.page.context.route(f"{weather}**", serve_weather)
    Start.open(person, registry.url)
    person.page.get_by_role("combobox", name="Language").select_option(code)
    person.page.locator(f"html[lang={code}]").wait_for()
    person.key("Shift")
    person.key("Shift")
    person.key("Shift")
    person.page.wait_for_url(weather)


@pytest.mark.only_browser("chromium")
def test_a_restored_tab_has_no_entry_of_the_page(person: PlaywrightHands, registry: Registry, picture: Path) -> None:
    """After leaving, no entry of the tab's own history, which is what a browser restores, leads to the page."""
    person.page.context.route("https://www.bbc.com/**", serve_weather)
    way_to_review(person, registry.url, [picture])
    person.press("button", "Leave quickly")
    person.page.wait_for_url(HARMLESS)
    history = person.page.context.new_cdp_session(person.page).send("Page.getNavigationHistory")
    assert [entry["url"] for entry in history["entries"] if entry["url"].startswith(registry.url)] == []


@pytest.mark.parametrize("leave", [_button, _shift])
def test_leaving_covers_the_page_in_every_browser(
    engine: Hands, registry: Registry, picture: Path, leave: Callable[[Hands], None]
) -> None:
    """In each engine the words of the journey are gone at once, and neither Back nor loading anew brings them back."""
    way_to_review(engine, registry.url, [picture])
    leave(engine)
    assert "This is all we send" not in engine.text()
    engine.wait_until_away(registry.url)
    engine.back()
    assert "This is all we send" not in engine.text()
    engine.open(registry.url)
    engine.wait_for("heading", FIRST)
    engine.reload()
    engine.wait_for("heading", FIRST)
    assert engine.run(STORED) == [0, 0, 0, 0, 0, 0]


def test_a_tab_that_is_loaded_anew_begins_anew(engine: Hands, registry: Registry, picture: Path) -> None:
    """In each engine a page that is loaded again, as a restored tab is, shows the first screen and keeps nothing."""
    address = registry.url
    review = way_to_review(engine, address, [picture])
    if isinstance(engine, PlaywrightHands):
        engine.page.on("dialog", lambda dialog: dialog.accept())
        review.hands.reload()
    else:
        engine.open(address)
    engine.wait_for("heading", FIRST)
    engine.press("button", "Start")
    engine.wait_for("heading", "Who is in the picture?")
    assert engine.run("location.href") == f"{address}/"
    assert engine.run(STORED) == [0, 0, 0, 0, 0, 0]


def test_coming_back_begins_anew(person: PlaywrightHands, registry: Registry, picture: Path) -> None:
    """A person who follows a link away and comes back finds the first screen, and nothing of what they did."""
    person.page.on("dialog", lambda dialog: dialog.accept())
    person.page.context.route("https://www.bbc.com/**", serve_weather)
    way_to_review(person, registry.url, [picture])
    person.page.goto(HARMLESS)
    person.page.go_back()
    person.wait_for("heading", FIRST)
    assert "This is all we send" not in person.text()


def test_two_presses_and_another_key_do_not_leave(person: PlaywrightHands, registry: Registry) -> None:
    """Shift twice, a letter and Shift again is typing: the page stays, and says how many presses are left."""
    Start.open(person, registry.url)
    for key in ("Shift", "Shift", "a", "Shift"):
        person.key(key)
    person.wait_for_text("Press Shift 2 more times to leave.")
    person.wait_for("heading", FIRST)


def serve_weather(route: Route) -> None:
    """A weather page that needs no network."""
    route.fulfill(status=200, content_type="text/html", body="<title>Weather</title><h1>Weather</h1>")
