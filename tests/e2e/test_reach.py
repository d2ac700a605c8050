"""Narrow screens, large letters, the keyboard alone, and fingers: the page can be used by all of them."""

from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import ViewportSize

from tests.e2e.hands import PlaywrightHands
from tests.e2e.product import Registry
from tests.e2e.screens import NOT_POSTED, UNDER_18, Start
from tests.e2e.tour import tour
from tests.words import CODES, ENGLISH

NARROW: Final = 320
"""CSS pixels: the narrowest phone in use, and a laptop at 400 % zoom (WCAG 2.2, 1.4.10)."""
SMALLEST: Final = 44
"""CSS pixels of a target, each way."""
_TOO_WIDE: Final = """
[...document.querySelectorAll("body *")].filter((one) => {
  const box = one.getBoundingClientRect();
  const clipped = one.closest(".unseen, .skip, pre, svg, [hidden]");
  return !clipped && box.width > 0 && (box.right > innerWidth + 1 || box.left < -1);
}).map((one) => `${one.tagName}.${one.className} ${one.textContent.slice(0, 40)}`)
"""
_TOO_SMALL: Final = f"""
[...document.querySelectorAll("button, select, textarea, summary, a[href], input:not([type=file])")].filter((one) => {{
  const box = (one.closest(".tick") ?? one).getBoundingClientRect();
  const seen = one.checkVisibility() && !one.closest(".skip");
  return seen && (box.height < {SMALLEST} - 0.5 || box.width < {SMALLEST} - 0.5);
}}).map((one) => `${{one.tagName}} ${{one.textContent.slice(0, 40)}} ${{one.getBoundingClientRect().height}}`)
"""


SMALL_PHONE: Final[ViewportSize] = {"width": 375, "height": 553}
"""CSS pixels that the browser of a small iPhone leaves to a page."""
_HIDDEN_STARTS: Final = """
async (codes) => {
  const hidden = [];
  for (const code of codes) {
    const picker = document.getElementById("language");
    picker.value = code;
    picker.dispatchEvent(new Event("change"));
    while (document.documentElement.lang !== code) await new Promise((go) => setTimeout(go));
    scrollTo(0, 0);
    const start = document.querySelector("main .primary").getBoundingClientRect();
    const bar = document.querySelector(".reach").getBoundingClientRect();
    if (start.bottom > bar.top) hidden.push([code, start.bottom - bar.top]);
  }
  return hidden;
}
"""
"""The languages in which the first button is not whole above the row at the bottom, and by how many pixels."""


def _look(person: PlaywrightHands) -> None:
    """Nothing is cut off at the side, nothing is too small to press."""
    person.run("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    assert person.run("document.documentElement.scrollWidth <= innerWidth") is True, person.run(_TOO_WIDE)
    assert person.run(_TOO_WIDE) == []
    assert person.run(_TOO_SMALL) == []


@pytest.mark.parametrize(("width", "letters"), [(NARROW, 100), (2 * NARROW, 100), (2 * NARROW, 200)])
def test_every_screen_fits(
    person: PlaywrightHands, registry: Registry, picture: Path, width: int, letters: int
) -> None:
    """On a narrow phone, at 200 % and with letters twice as large nothing is cut off or smaller than a finger."""
    person.page.set_viewport_size({"width": width, "height": 640})
    larger = f"() => (document.documentElement.style.fontSize = '{letters}%')"
    person.page.add_init_script(f"addEventListener('DOMContentLoaded', {larger})")
    tour(person, registry.url, picture, lambda: _look(person))


def test_the_first_step_is_under_the_thumb(person: PlaywrightHands, registry: Registry) -> None:
    """On the smallest phone in use "Start" stands above the row at the bottom, whole, in every language."""
    person.page.set_viewport_size(SMALL_PHONE)
    Start.open(person, registry.url)
    assert person.page.evaluate(_HIDDEN_STARTS, list(CODES)) == []


def test_the_journey_by_keyboard_alone(person: PlaywrightHands, registry: Registry, picture: Path) -> None:
    """From the first screen to a withdrawn case no mouse is needed, and each step moves the focus to its heading."""
    Start.open(person, registry.url).wait_until_ready()
    _press(person, "Start")
    _focused_heading(person, "Who is in the picture?")
    _press(person, ENGLISH[UNDER_18])
    _focused_heading(person, "Where is the picture?")
    _press(person, ENGLISH[NOT_POSTED])
    _focused_heading(person, "Choose the pictures")
    person.choose([picture])
    _press(person, "Continue")
    person.wait_for("heading", "This is all we send")
    _focused_heading(person, "This is all we send")
    _press(person, "Send the fingerprints")
    person.wait_for("heading", "Done. Your pictures are on the block list")
    _focused_heading(person, "Done. Your pictures are on the block list")
    _tab_to(person, "document.activeElement.type === 'checkbox'")
    person.key("Space")
    _press(person, "See my case")
    person.wait_for_text("Blocking is on")
    _press(person, "Stop blocking all")
    _focused_heading(person, "Stop blocking all pictures?")
    _press(person, "Yes, stop blocking")
    person.wait_for_text("You stopped the blocking")


def _press(person: PlaywrightHands, name: str) -> None:
    """Tab to the button of this name and press Enter."""
    _tab_to(person, f"document.activeElement.textContent === {name!r}")
    person.key("Enter")


def _tab_to(person: PlaywrightHands, condition: str) -> None:
    for _ in range(60):
        person.key("Tab")
        if person.run(condition):
            return
    raise AssertionError(f"no Tab leads to {condition}")


def _focused_heading(person: PlaywrightHands, words: str) -> None:
    person.wait_for("heading", words)
    assert person.run("[document.activeElement.tagName, document.activeElement.textContent]") == ["H1", words]
