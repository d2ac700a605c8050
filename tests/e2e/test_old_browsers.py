"""Browsers that lack what hashing needs: each is told what to use instead, and shown the help lines."""

from typing import Final

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.hands import PlaywrightHands
from tests.e2e.product import Registry

HELP: Final = ("https://takeitdown.ncmec.org/", "tel:18008435678", "sms:741741", "https://www.inhope.org/")
"""Some of the help lines that every such person must see: other tools, a call, a text, any country."""
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


def test_a_browser_too_old_for_modules_shows_the_help_lines(person: PlaywrightHands, registry: Registry) -> None:
    """Where the page's program does not run at all, what stands in the page shows after a while."""
    person.page.route("**/page.js", lambda route: route.abort())
    person.open(registry.url)
    person.wait_for("heading", "You can get help right now")
    _shows_help(person)


def _shows_help(person: PlaywrightHands) -> None:
    for address in HELP:
        expect(person.page.locator(f'a[href="{address}"]').first).to_be_visible()
