"""Browsers that lack what hashing needs: each is told what to use instead, and shown the help lines."""

from typing import Final

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.hands import PlaywrightHands
from tests.e2e.product import Registry
from tests.e2e.screens import UNDER_18, Start

HELP: Final = ("https://takeitdown.ncmec.org/", "tel:18008435678", "sms:741741", "https://www.inhope.org/")
"""Some of the help lines that every such person must see: other tools, a call, a text, any country."""
IN_APPS: Final = (
    (
        "Instagram",
        "This page is open inside Instagram",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Instagram 334",
    ),
    (
        "",
        "This page is open inside another app",
        "Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) AppleWebKit/537.36 Chrome/126.0.0.0 Mobile Safari/537.36",
    ),
)
"""Apps that show pages themselves, what the page says in them, and what they call themselves."""
LACKING: Final = {
    "WebAssembly": "delete globalThis.WebAssembly",
    "SIMD": "WebAssembly.validate = () => false",
    "workers": "delete globalThis.Worker",
    "module workers": "globalThis.Worker = class { terminate() {} }",
}
"""What a browser may lack, and the line that takes it away: a worker that never asks for its type knows no modules."""


@pytest.mark.parametrize("what", LACKING)
def test_a_browser_that_cannot_hash_is_told_what_to_use(person: PlaywrightHands, registry: Registry, what: str) -> None:
    """Without one of the features the page names browsers that work and shows help lines, and loads no worker."""
    person.page.add_init_script(LACKING[what])
    person.open(registry.url)
    person.wait_for("heading", "This browser cannot do it")
    person.wait_for_text("A newer Chrome, Firefox, Safari or Edge will work.")
    _shows_help(person)


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_without_javascript_the_help_lines_stand_there(page: Page) -> None:
    """With JavaScript off the page says so at once, names browsers that work and shows the help lines."""
    page.goto("/")
    for words in ("This page needs JavaScript, and it is turned off", "A newer Chrome, Firefox, Safari or Edge"):
        expect(page.locator("body")).to_contain_text(words, use_inner_text=True)
    for address in HELP:
        expect(page.locator(f'a[href="{address}"]')).to_be_visible()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param(name, words, marks=pytest.mark.browser_context_args(user_agent=user_agent), id=name or "some app")
        for name, words, user_agent in IN_APPS
    ],
)
def test_inside_an_app_the_page_says_how_to_leave_it(
    person: PlaywrightHands, registry: Registry, name: str, words: str
) -> None:
    """Where files often cannot be chosen and an app may look on, the first screens say how to get to the browser."""
    person.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    start = Start.open(person, registry.url)
    person.wait_for_text(words)
    assert name in start.text()
    assert "Open this page in your own browser." in start.text()
    person.press("button", "Copy the address")
    person.wait_for_text("Copied.")
    assert str(person.run("navigator.clipboard.readText()")).startswith(registry.url)
    start.begin().answer(UNDER_18)
    person.wait_for_text(words)
    person.page.add_init_script(LACKING["workers"])
    person.open(registry.url)
    person.wait_for("heading", "This browser cannot do it")
    person.wait_for_text(words)


def test_in_a_browser_of_its_own_no_app_is_named(person: PlaywrightHands, registry: Registry) -> None:
    """Chromium, Firefox and WebKitGTK show the page without that note."""
    assert "This page is open inside" not in Start.open(person, registry.url).text()


def test_a_browser_too_old_for_modules_shows_the_help_lines(person: PlaywrightHands, registry: Registry) -> None:
    """Where the page's program does not run at all, what stands in the page shows after a while."""
    person.page.route("**/page.js", lambda route: route.abort())
    person.open(registry.url)
    person.wait_for("heading", "You can get help right now")
    _shows_help(person)


def _shows_help(person: PlaywrightHands) -> None:
    for address in HELP:
        expect(person.page.locator(f'a[href="{address}"]').first).to_be_visible()
