"""What a person can do with a page, by role and name, the same for every browser and driver.

Playwright drives Chromium and Firefox; Selenium drives WebKitGTK, which Playwright cannot. A screen of `screens.py`
knows only `Hands`, so that one journey runs in all of them. Every act waits until it is possible.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol, override

from playwright.sync_api import Page, expect
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    StaleElementReferenceException,
)
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.e2e.watch import Watch

PATIENCE: Final = 60
"""Seconds that an act may wait: the slowest browser gets the runtime ready in a few, on a busy machine in many."""
LOOK_AGAIN: Final = 0.05
"""Seconds between two looks at a page through Selenium."""
ELEMENTS: Final = {
    "button": "button, [role=button]",
    "checkbox": "input[type=checkbox]",
    "heading": "h1, h2, h3",
    "link": "a[href]",
    "region": "[role=region], section[aria-label]",
    "textbox": "input:not([type]), input[type=text], textarea",
    "combobox": "select",
    "radio": "input[type=radio]",
}
"""Where elements of a role are looked for; the driver then asks the browser for role and name."""

_MOVING: Final = (ElementClickInterceptedException, ElementNotInteractableException, StaleElementReferenceException)
"""What WebDriver says while a screen is changing; Playwright waits for that by itself."""
_SCROLL: Final = "arguments[0].scrollIntoView({ block: 'center', behavior: 'instant' })"
"""WebKit's driver scrolls as the page asks, smoothly, and then clicks before the button has come."""
_CHOOSE: Final = """
const [list, words] = arguments;
list.value = [...list.options].find((option) => option.text === words).value;
list.dispatchEvent(new Event("change", { bubbles: true }));
"""
"""WebKit's driver cannot press in the list that opens outside the page."""
_RUN: Final = """
const done = arguments[0];
Promise.resolve(%s).then((value) => done([value]), (fault) => done(String(fault)));
"""


class Hands(Protocol):
    """A person at a page."""

    def open(self, url: str) -> None:
        """Go to an address."""

    def press(self, role: str, name: str) -> None:
        """Press the one element of this role and name."""

    def write(self, label: str, text: str) -> None:
        """Fill the text box with this label."""

    def choose(self, files: Sequence[Path]) -> None:
        """Pick files for the page's file input."""

    def wait_for(self, role: str, name: str) -> None:
        """Wait until an element of this role and name is on the screen."""

    def wait_for_text(self, text: str) -> None:
        """Wait until these words are on the screen."""

    def wait_for_any(self, *texts: str) -> None:
        """Wait until one of these is on the screen."""

    def unfold(self, name: str) -> None:
        """Open what is folded away under these words."""

    def region(self, name: str) -> str:
        """The text of a named region, letter for letter."""

    def text(self) -> str:
        """All the words on the screen."""

    def run(self, script: str) -> object:
        """The value of a JavaScript expression in the page; a promise is waited for."""

    def back(self) -> None:
        """The browser's Back button."""

    def reload(self) -> None:
        """Load the page anew, as a browser does with a tab that it restores."""

    def wait_until_away(self, url: str) -> None:
        """Wait until the browser shows no page whose address begins so."""

    def key(self, name: str) -> None:
        """Press a key and let it go."""

    def select(self, label: str, choice: str) -> None:
        """Choose from the list with this label."""


class PlaywrightHands(Hands):
    """Hands on a page that Playwright drives."""

    def __init__(self, page: Page, watch: Watch) -> None:
        self.page = page
        self.watch = watch
        page.set_default_timeout(PATIENCE * 1000)

    @override
    def open(self, url: str) -> None:
        self.page.goto(url)

    @override
    def press(self, role: str, name: str) -> None:
        self.page.get_by_role(role, name=name, exact=True).click()  # type: ignore[arg-type]

    @override
    def write(self, label: str, text: str) -> None:
        self.page.get_by_role("textbox", name=label, exact=True).fill(text)

    @override
    def choose(self, files: Sequence[Path]) -> None:
        self.page.locator("input[type=file]").set_input_files(files)

    @override
    def wait_for(self, role: str, name: str) -> None:
        found = self.page.get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]
        expect(found.first).to_be_visible(timeout=PATIENCE * 1000)

    @override
    def wait_for_text(self, text: str) -> None:
        expect(self.page.locator("body")).to_contain_text(text, timeout=PATIENCE * 1000, use_inner_text=True)

    @override
    def wait_for_any(self, *texts: str) -> None:
        either = re.compile("|".join(map(re.escape, texts)))
        expect(self.page.locator("body")).to_contain_text(either, timeout=PATIENCE * 1000, use_inner_text=True)

    @override
    def unfold(self, name: str) -> None:
        self.page.locator("summary").filter(has_text=name).click()

    @override
    def region(self, name: str) -> str:
        return self.page.get_by_role("region", name=name, exact=True).text_content() or ""

    @override
    def text(self) -> str:
        return self.page.locator("body").inner_text()

    @override
    def run(self, script: str) -> object:
        return self.page.evaluate(script)

    @override
    def back(self) -> None:
        self.page.go_back()

    @override
    def reload(self) -> None:
        self.page.reload()

    @override
    def wait_until_away(self, url: str) -> None:
        expect(self.page).not_to_have_url(re.compile(f"^{re.escape(url)}"), timeout=PATIENCE * 1000)

    @override
    def key(self, name: str) -> None:
        self.page.keyboard.press(name)

    @override
    def select(self, label: str, choice: str) -> None:
        self.page.get_by_role("combobox", name=label, exact=True).select_option(label=choice)


class SeleniumHands(Hands):
    """Hands on a window that Selenium drives."""

    def __init__(self, driver: WebDriver) -> None:
        self.driver = driver
        driver.set_script_timeout(PATIENCE * 3)

    @override
    def open(self, url: str) -> None:
        self.driver.get(url)

    @override
    def press(self, role: str, name: str) -> None:
        self._when(lambda: self._press(role, name))

    @override
    def write(self, label: str, text: str) -> None:
        self._when(lambda: self._write(label, text))

    @override
    def choose(self, files: Sequence[Path]) -> None:
        field = self._when(lambda: next(iter(self.driver.find_elements(By.CSS_SELECTOR, "input[type=file]")), None))
        field.send_keys("\n".join(str(file) for file in files))

    @override
    def wait_for(self, role: str, name: str) -> None:
        self._when(lambda: self._find(role, name))

    @override
    def wait_for_text(self, text: str) -> None:
        self._when(lambda: text in self.text())

    @override
    def wait_for_any(self, *texts: str) -> None:
        self._when(lambda: any(text in self.text() for text in texts))

    @override
    def unfold(self, name: str) -> None:
        self._when(lambda: self._unfold(name))

    @override
    def region(self, name: str) -> str:
        return self._when(lambda: self._find("region", name)).get_attribute("textContent") or ""

    @override
    def text(self) -> str:
        return str(self.driver.execute_script("return document.body.innerText"))

    @override
    def run(self, script: str) -> object:
        answer = self.driver.execute_async_script(_RUN % script)
        assert isinstance(answer, list), answer
        return answer[0]

    @override
    def back(self) -> None:
        self.driver.back()

    @override
    def reload(self) -> None:
        self.driver.refresh()

    @override
    def wait_until_away(self, url: str) -> None:
        self._when(lambda: not self.driver.current_url.startswith(url))

    @override
    def key(self, name: str) -> None:
        pressed = getattr(Keys, name.upper(), name)
        ActionChains(self.driver).key_down(pressed).key_up(pressed).perform()

    @override
    def select(self, label: str, choice: str) -> None:
        self.driver.execute_script(_CHOOSE, self._when(lambda: self._find("combobox", label)), choice)

    def _find(self, role: str, name: str) -> WebElement | None:
        """The first visible element whose computed role and name are these."""
        for element in self.driver.find_elements(By.CSS_SELECTOR, ELEMENTS[role]):
            if element.is_displayed() and element.accessible_name == name:
                return element
        return None

    def _press(self, role: str, name: str) -> bool:
        element = self._find(role, name)
        if element is None or not element.is_enabled():
            return False
        self.driver.execute_script(_SCROLL, element)
        element.click()
        return True

    def _unfold(self, name: str) -> bool:
        summaries = self.driver.find_elements(By.TAG_NAME, "summary")
        summary = next((one for one in summaries if one.text.strip() == name), None)
        if summary is None:
            return False
        self.driver.execute_script(_SCROLL, summary)
        summary.click()
        return True

    def _write(self, label: str, text: str) -> bool:
        box = self._find("textbox", label)
        if box is None:
            return False
        self.driver.execute_script(_SCROLL, box)
        box.clear()
        box.send_keys(text)
        return True

    def _when[T](self, attempt: Callable[[], T | None]) -> T:
        """What `attempt` gives as soon as it gives something."""
        waiting = WebDriverWait(self.driver, PATIENCE, LOOK_AGAIN, _MOVING)
        return waiting.until(lambda _: attempt())  # type: ignore[return-value]
