"""The ways to help beside the main job: threats, help lines by country, guides for platforms, no file."""

import re
from typing import Final

from playwright.sync_api import expect

from tests.e2e.hands import PlaywrightHands
from tests.e2e.product import Registry
from tests.e2e.screens import PARENT, UNDER_18, HelpLines, NoFile, Pictures, Start

GET_IT: Final = re.compile(r"\b(download|screenshot|ask (them|him|her) (for|to send))\b", re.IGNORECASE)


def test_the_country_is_chosen_and_never_guessed(page: PlaywrightHands, registry: Registry) -> None:
    """No country is set at first; choosing one shows its lines and its emergency number, and asks nobody."""
    urgent = Start.open(page, registry.url).wait_until_ready().begin().say(UNDER_18).threatened()
    before = len(registry.recorder.requests)
    assert page.page.get_by_label("Your country").input_value() == ""
    assert "Call the police or the emergency number of your country." in urgent.text()
    page.select("Your country", "United States")
    page.wait_for_text("Are you in danger right now? Call 911.")
    for name in ("988 Lifeline", "Crisis Text Line", "NCMEC CyberTipline"):
        assert name in urgent.text()
    assert "Childline" not in urgent.text()
    page.press("button", "Help lines")
    HelpLines(page)
    assert page.page.get_by_label("Your country").input_value() == "US"
    page.select("Your country", "United Kingdom")
    page.wait_for_text("Report Remove")
    assert "988 Lifeline" not in page.text()
    assert registry.recorder.requests[before:] == []


def test_from_a_threat_one_gets_to_blocking(page: PlaywrightHands, registry: Registry) -> None:
    """The last step of the next ten minutes is to block the picture, and its button leads there."""
    Start.open(page, registry.url).begin().say(UNDER_18).threatened()
    page.press("button", "Block the picture now")
    Pictures(page)


def test_each_platform_has_a_guide_and_words_to_write(page: PlaywrightHands, registry: Registry) -> None:
    """A guide links to the platform's own report page and gives words that fit the person, to copy."""
    page.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    guide = Start.open(page, registry.url).begin().say(PARENT).posted().guide("Discord")
    link = page.page.get_by_role("link", name="Open the report page of Discord")
    assert link.get_attribute("href") == "https://discord.com/report"
    assert set((link.get_attribute("rel") or "").split()) == {"noopener", "noreferrer"}
    assert "This is a sexual picture of my child, who is under 18." in guide.text()
    page.press("button", "Copy these words")
    page.wait_for_text("Copied.")
    assert "my child" in str(page.run("navigator.clipboard.readText()"))
    page.press("button", "Choose another app or site")
    page.press("button", "Another app or site")
    page.wait_for("heading", "Report it to an app or site")


def test_under_18s_see_the_tipline_first_and_adults_do_not(page: PlaywrightHands, registry: Registry) -> None:
    """For a picture of a child the CyberTipline is the first way; an adult is shown the ways for adults."""
    Start.open(page, registry.url).begin().say(UNDER_18).posted()
    parts = page.page.locator("main h2")
    expect(parts.first).to_have_text("First: tell the CyberTipline")
    Start.open(page, registry.url).begin().answer_adult()
    page.press("button", "What to do if it is already posted")
    page.wait_for("heading", "If it is already posted")
    assert "CyberTipline" not in page.text()
    assert "StopNCII.org" in page.text()


def test_nobody_is_told_to_get_the_picture(page: PlaywrightHands, registry: Registry) -> None:
    """Without the file the page asks not to look for it, and offers the notice, the report and someone to talk to."""
    nofile = Start.open(page, registry.url).begin().say(UNDER_18).without_file()
    assert "Please do not go and look for the picture." in nofile.text()
    assert GET_IT.search(nofile.text()) is None
    page.press("button", "Write a notice")
    page.wait_for("heading", "Write a notice under the 48-hour rule")
    page.press("button", "Back")
    page.press("button", "Back to where you were")
    Start.open(page, registry.url).begin().answer(UNDER_18).without_file()
    NoFile(page)


def test_questions_have_answers(page: PlaywrightHands, registry: Registry) -> None:
    """Each question unfolds to its answer, by the keyboard too."""
    Start.open(page, registry.url)
    page.press("button", "Questions and answers")
    page.wait_for("heading", "Questions and answers")
    for summary in page.page.locator("main summary").all():
        summary.focus()
        page.key("Enter")
        expect(summary.locator("..").locator("p")).to_be_visible()
