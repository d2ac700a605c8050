"""The ways to help beside the main job: threats, help lines by country, guides for platforms, no file."""

import re
from typing import Final

import pytest
from playwright.sync_api import expect

from tests.e2e.hands import PlaywrightHands
from tests.e2e.product import Registry
from tests.e2e.screens import GROWN_UP, HELPER, PARENT, UNDER_18, HelpLines, NoFile, Pictures, Start, Where
from tests.words import ENGLISH

PICTURED: Final = re.compile(
    r"picture of (me|you)\b|you (are|were) (in the picture|under 18)|threatening (me|you)\b", re.IGNORECASE
)
"""What is right only for the person in the picture."""
GET_IT: Final = re.compile(r"\b(download|screenshot|ask (them|him|her) (for|to send))\b", re.IGNORECASE)


@pytest.mark.browser_context_args(timezone_id="Europe/Rome", locale="en-GB")
def test_the_country_is_guessed_on_the_device_alone(person: PlaywrightHands, registry: Registry) -> None:
    """By the time zone, or else by the language; choosing another shows its lines and its number, and asks nobody."""
    urgent = Start.open(person, registry.url).wait_until_ready().begin().say(UNDER_18).threatened()
    before = len(registry.recorder.requests)
    assert person.page.get_by_label("Your country").input_value() == "IT"
    assert "Telefono Azzurro" in urgent.text()
    person.wait_for_text("Is anyone in danger right now? Call 112.")
    person.select("Your country", "United States")
    person.wait_for_text("Is anyone in danger right now? Call 911.")
    for name in ("988 Lifeline", "Crisis Text Line", "NCMEC CyberTipline"):
        assert name in urgent.text()
    assert "Childline" not in urgent.text()
    person.press("button", "Help lines")
    HelpLines(person)
    assert person.page.get_by_label("Your country").input_value() == "US"
    person.select("Your country", "United Kingdom")
    person.wait_for_text("Report Remove")
    assert "988 Lifeline" not in person.text()
    assert registry.recorder.requests[before:] == []


@pytest.mark.browser_context_args(timezone_id="UTC", locale="en")
def test_where_nothing_speaks_for_a_country_none_is_guessed(person: PlaywrightHands, registry: Registry) -> None:
    """Without a guess the person chooses, and the police is named without a number."""
    urgent = Start.open(person, registry.url).begin().say(UNDER_18).threatened()
    assert person.page.get_by_label("Your country").input_value() == ""
    assert "Call the police or the emergency number of your country." in urgent.text()


def test_people_come_before_what_to_do(person: PlaywrightHands, registry: Registry) -> None:
    """Under threat those who can be called stand above the steps of the next ten minutes."""
    urgent = Start.open(person, registry.url).begin().say(UNDER_18).threatened()
    assert urgent.text().index("Talk to someone now") < urgent.text().index("The next ten minutes")


def test_a_parent_and_a_friend_are_not_told_that_they_are_pictured(person: PlaywrightHands, registry: Registry) -> None:
    """Whoever helps somebody else is spoken to as that, on every screen from there to the message."""
    for band, words in ((PARENT, "my child"), (HELPER, "someone who was under 18")):
        where = Start.open(person, registry.url).begin().say(band)
        urgent = where.threatened()
        texts = [_main(person)]
        assert "Tell one adult you trust." not in urgent.text()
        person.press("button", "Back")
        Where(person).posted().guide("Discord")
        texts.append(_main(person))
        assert words in person.text()
        person.press("button", "Write a notice")
        who = "For my child. I am a parent or guardian." if band == PARENT else "For someone who asked me to"
        expect(person.page.get_by_label(who)).to_be_checked()
        Start.open(person, registry.url).begin().answer(band)
        person.wait_for_text("You do not need to look at the picture.")
        texts.append(_main(person))
        Pictures(person).without_file()
        texts.append(_main(person))
        for text in texts:
            assert PICTURED.search(text) is None, PICTURED.search(text)


def test_the_guides_for_adults_never_say_under_18(person: PlaywrightHands, registry: Registry) -> None:
    """Whoever was 18 or over reads of themselves on each screen that leads on from there."""
    Start.open(person, registry.url).begin().answer_adult()
    person.press("button", "Help now")
    seen = [person.text()]
    person.press("button", "Block the picture now")
    person.press("button", "What to do if it is already posted")
    person.select("Your country", "United States")
    seen.append(person.text())
    for name in ("Instagram", "Google", "Another app or site"):
        person.press("button", name)
        person.wait_for_text("How to report it")
        seen.append(person.text())
        person.press("button", "Choose another app or site")
    for text in seen:
        assert "under 18" not in text


def test_from_a_threat_one_gets_to_blocking(person: PlaywrightHands, registry: Registry) -> None:
    """The last step of the next ten minutes is to block the picture, and its button leads there."""
    Start.open(person, registry.url).begin().say(UNDER_18).threatened()
    person.press("button", "Block the picture now")
    Pictures(person)


def test_each_platform_has_a_guide_and_words_to_write(person: PlaywrightHands, registry: Registry) -> None:
    """A guide links to the platform's own report page and gives words that fit the person, to copy."""
    person.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    guide = Start.open(person, registry.url).begin().say(PARENT).posted().guide("Discord")
    link = person.page.get_by_role("link", name=ENGLISH.fill("platform.page", name="Discord"))
    assert link.get_attribute("href") == "https://discord.com/report"
    assert set((link.get_attribute("rel") or "").split()) == {"noopener", "noreferrer"}
    assert "This is a sexual picture of my child, who is under 18." in guide.text()
    person.press("button", "Copy these words")
    person.wait_for_text("Copied.")
    assert "my child" in str(person.run("navigator.clipboard.readText()"))
    person.press("button", "Choose another app or site")
    person.press("button", "Another app or site")
    person.wait_for("heading", "Report it to an app or site")


def test_the_tipline_is_first_in_the_united_states_alone(person: PlaywrightHands, registry: Registry) -> None:
    """For a picture of a child the CyberTipline is first in its own country; an adult is shown the ways for adults."""
    Start.open(person, registry.url).begin().say(UNDER_18).posted()
    first = person.page.get_by_text("First: tell the CyberTipline")
    names = person.page.locator("main .line .name")
    expect(first).to_be_hidden()
    person.select("Your country", "Spain")
    expect(names.first).to_contain_text("AEPD Canal prioritario")
    expect(first).to_be_hidden()
    person.select("Your country", "United States")
    expect(first).to_be_visible()
    expect(names.first).to_contain_text("NCMEC CyberTipline")
    Start.open(person, registry.url).begin().answer_adult()
    person.press("button", "What to do if it is already posted")
    person.wait_for("heading", "If it is already posted")
    assert "CyberTipline" not in person.text()
    assert "StopNCII.org" in person.text()


def test_in_a_threat_those_who_remove_pictures_come_first(person: PlaywrightHands, registry: Registry) -> None:
    """Under threat the first line is one that stops the picture, then people to talk to, then the police."""
    Start.open(person, registry.url).begin().say(UNDER_18).threatened()
    person.select("Your country", "United Kingdom")
    names = [name.strip() for name in person.page.locator("main .line .name").all_text_contents()]
    assert names[0].startswith("Report Remove")
    assert any(name.startswith("CEOP Safety Centre") for name in names)
    person.wait_for_text("Is anyone in danger right now? Call 999.")
    person.select("Your country", "Germany")
    person.wait_for_text("Is anyone in danger right now? Call 110.")
    person.select("Your country", "United States")
    assert person.page.get_by_role("link", name="Text 988").get_attribute("href") == "sms:988"
    assert person.page.get_by_role("link", name="FBI").get_attribute("href") == "https://tips.fbi.gov/"


def test_a_country_without_a_number_for_danger_has_its_lines(person: PlaywrightHands, registry: Registry) -> None:
    """Where no number for danger has two sources, the page names the police without one, and shows the lines."""
    Start.open(person, registry.url).begin().say(UNDER_18).threatened()
    person.select("Your country", "Egypt")
    person.wait_for_text("Call 16000")
    person.wait_for_text("Call the police or the emergency number of your country.")


def test_an_adult_is_not_sent_to_services_for_children(person: PlaywrightHands, registry: Registry) -> None:
    """Whoever was 18 or over is shown lines that take adults, and the page of a platform for adults."""
    Start.open(person, registry.url).begin().answer_adult()
    person.press("button", "What to do if it is already posted")
    person.select("Your country", "United Kingdom")
    assert "Report Remove" not in person.text()
    person.press("button", "Google")
    page = person.page.get_by_role("link", name=ENGLISH.fill("platform.page", name="Google"))
    assert page.get_attribute("href") == "https://support.google.com/websearch/answer/6302812"


def test_who_is_older_now_is_not_sent_to_services_for_those_under_18(
    person: PlaywrightHands, registry: Registry
) -> None:
    """Report Remove takes only people who are under 18 now; who was then is shown the other ways."""
    Start.open(person, registry.url).begin().say(GROWN_UP).posted()
    person.select("Your country", "United Kingdom")
    person.wait_for_text("Internet Watch Foundation")
    assert "Report Remove" not in person.text()
    assert "NCMEC Take It Down" in person.text()


def test_each_kind_of_platform_has_its_way(person: PlaywrightHands, registry: Registry) -> None:
    """Under 18 Google has a form of its own; some take e-mail; where there is no page the app itself is named."""
    guides = Start.open(person, registry.url).begin().say(UNDER_18).posted()
    guides.guide("Google")
    page = person.page.get_by_role("link", name=ENGLISH.fill("platform.page", name="Google"))
    assert page.get_attribute("href") == "https://support.google.com/websearch/answer/15300563"
    person.press("button", "Choose another app or site")
    guides.guide("Telegram")
    mail = person.page.get_by_role("link", name=ENGLISH.fill("platform.mail", mail="stopCA@telegram.org"))
    assert mail.get_attribute("href") == "mailto:stopCA@telegram.org"
    person.press("button", "Choose another app or site")
    guides.guide("WhatsApp")
    person.wait_for_text("You report this in the app itself.")


def test_nobody_is_told_to_get_the_picture(person: PlaywrightHands, registry: Registry) -> None:
    """Without the file the page asks not to look for it, and offers the notice, the report and someone to talk to."""
    nofile = Start.open(person, registry.url).begin().say(UNDER_18).without_file()
    assert "Please do not go and look for the picture." in nofile.text()
    assert GET_IT.search(nofile.text()) is None
    person.press("button", "Write a notice")
    person.wait_for("heading", "Write a notice under the 48-hour rule")
    person.press("button", "Back")
    person.press("button", "Back to where you were")
    Start.open(person, registry.url).begin().answer(UNDER_18).without_file()
    NoFile(person)


def test_questions_have_answers(person: PlaywrightHands, registry: Registry) -> None:
    """Each question unfolds to its answer, by the keyboard too."""
    Start.open(person, registry.url)
    person.press("button", "Questions and answers")
    person.wait_for("heading", "Questions and answers")
    for summary in person.page.locator("main summary").all():
        summary.focus()
        person.key("Enter")
        expect(summary.locator("..").locator("p")).to_be_visible()


def _main(person: PlaywrightHands) -> str:
    """The words of the screen, without those around it."""
    return person.page.locator("main").inner_text()
