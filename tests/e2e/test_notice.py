"""The notice under 47 U.S.C. 223a: made on the device, complete or not at all, and never sent."""

import re
from datetime import datetime, timedelta
from pathlib import Path

from playwright.sync_api import Download, expect

from tests.e2e.hands import Hands, PlaywrightHands
from tests.e2e.product import Registry
from tests.e2e.screens import UNDER_18, Letters, Notice, Start
from tests.e2e.traffic import leaks
from tests.words import ENGLISH

NAME = "Sam Q. Example"
EMAIL = "sam.example@example.com"
LINK = "https://www.reddit.com/r/example/comments/a1b2c3"
WORDS = "It was taken from my old telephone."
ELSEWHERE = "The Little Board"
FIND = "the account called example-seven"


def _notice(hands: Hands, registry: Registry) -> Notice:
    return Start.open(hands, registry.url).begin().say(UNDER_18).posted().write_notice()


def _fill(notice: Notice) -> Letters:
    hands = notice.hands
    hands.press("radio", "For myself")
    hands.select("App or site", "Reddit")
    notice.write("Links to the picture", LINK)
    notice.tick("The person in it was under 18.").tick("The person in it never agreed to share it.")
    notice.write("In your own words, if you like", WORDS)
    notice.tick("I believe in good faith that the person in it did not agree to this.")
    notice.write("E-mail", EMAIL).write("Sign by typing your name", NAME)
    return notice.make().letters()


def test_nothing_of_a_notice_is_ever_sent(engine: Hands, registry: Registry) -> None:
    """From the first question to the second letter nothing typed goes over the wire or stays in the browser."""
    Start.open(engine, registry.url).wait_until_ready()
    before = len(registry.recorder.requests)
    letters = _fill(Start(engine).begin().say(UNDER_18).posted().write_notice())
    assert NAME in letters.text("Reddit")
    engine.press("button", "I have sent it")
    engine.wait_for_text("It must be gone by")
    engine.unfold("If it is still there after 48 hours")
    assert registry.recorder.requests[before:] == []
    assert leaks(registry.recorder.requests, [], [NAME, EMAIL, LINK, WORDS]) == []
    stored = "[document.cookie, localStorage.length, sessionStorage.length, location.pathname + location.hash]"
    assert engine.run(stored) == ["", 0, 0, "/"]


def test_the_notice_works_without_a_network(person: PlaywrightHands, registry: Registry) -> None:
    """With the device offline the page says what still works, and a notice is made all the same."""
    notice = _notice(person, registry)
    person.page.context.set_offline(offline=True)
    person.wait_for_text("You are offline. You can still make the fingerprints of most pictures.")
    assert "47 U.S.C. 223a" in _fill(notice).text("Reddit")


def test_a_notice_is_refused_while_an_element_is_missing(person: PlaywrightHands, registry: Registry) -> None:
    """The page makes no notice, says which elements are missing, and leads to each of them."""
    notice = _notice(person, registry).make()
    person.wait_for_text("6 things are missing. Without them a platform may say no.")
    for told, field in (
        ("Say which app or site this is for.", "App or site"),
        ("Give a link, or say how to find the picture.", "Links to the picture"),
        ("Give an e-mail address or a phone number.", "E-mail"),
        ("Type your name to sign.", "Sign by typing your name"),
    ):
        person.press("button", told)
        assert person.run("document.activeElement.labels[0].textContent") == field
        assert told in str(person.run("document.getElementById(document.activeElement.id + '-fault').textContent"))
    notice.write("Sign by typing your name", NAME).make()
    person.wait_for_text("5 things are missing.")


def test_one_set_of_answers_makes_a_notice_for_each_platform(person: PlaywrightHands, registry: Registry) -> None:
    """Two platforms get two notices: each names its own platform and places, both carry the same statement."""
    notice = _notice(person, registry)
    person.press("button", "Add another app or site")
    second = person.page.get_by_role("group", name="Where is the picture?").nth(1)
    second.get_by_label("App or site", exact=True).select_option(label="Another one")
    second.get_by_label("Name of the app or site").fill(ELSEWHERE)
    second.get_by_label("Or how to find it").fill(FIND)
    first = person.page.get_by_role("group", name="Where is the picture?").first
    first.get_by_label("App or site", exact=True).select_option(label="Reddit")
    first.get_by_label("Links to the picture").fill(LINK)
    person.press("radio", "For my child. I am a parent or guardian.")
    notice.tick("It is fake. It was made or changed with AI.")
    notice.tick("I believe in good faith that the person in it did not agree to this.")
    notice.write("Phone", "555 0100").write("Sign by typing your name", NAME)
    letters = notice.make().letters()
    one, other = letters.text("Reddit"), letters.text(ELSEWHERE)
    assert LINK in one
    assert FIND not in one
    assert FIND in other
    assert LINK not in other
    for text in (one, other):
        assert "Parent or legal guardian of the person shown" in text
        assert "Authorized to act on behalf of the identifiable individual" in text
        assert "digital forgery" in text
        assert "Telephone: 555 0100" in text


def test_a_notice_can_be_taken_along(person: PlaywrightHands, registry: Registry, tmp_path: Path) -> None:
    """It is saved as text under a name that says nothing, and is a draft of an e-mail with every line of it."""
    letters = _fill(_notice(person, registry))
    text = letters.text("Reddit")
    saved = _download(person, "Save it as text")
    assert saved.suggested_filename == "paper.txt"
    saved.save_as(tmp_path / "paper.txt")
    assert (tmp_path / "paper.txt").read_text() == text
    address = person.page.get_by_role("link", name="Write an e-mail").first.get_attribute("href") or ""
    decoded = person.run(f"new URLSearchParams({address.partition('?')[2]!r}).get('body').replaceAll('\\r\\n', '\\n')")
    assert decoded == text


def test_the_deadline_is_48_hours_after_it_was_sent(
    person: PlaywrightHands, registry: Registry, tmp_path: Path
) -> None:
    """The page gives the deadline as a date, and as a calendar's entry that does not say what it is for."""
    _fill(_notice(person, registry))
    sent = datetime.now().astimezone()
    person.press("button", "I have sent it")
    person.wait_for_text("It must be gone by")
    saved = _download(person, "Save a reminder for your calendar")
    saved.save_as(tmp_path / "reminder.ics")
    entry = (tmp_path / "reminder.ics").read_text()
    found = re.search(r"DTSTART:(\d{8}T\d{6}Z)", entry)
    assert found is not None
    deadline = datetime.strptime(found[1], "%Y%m%dT%H%M%S%z")
    assert abs(deadline - sent - timedelta(hours=48)) < timedelta(minutes=2)
    assert re.search("takeback|notice|picture|reddit|223a", entry + saved.suggested_filename, re.IGNORECASE) is None


def test_the_time_of_sending_can_be_corrected(person: PlaywrightHands, registry: Registry) -> None:
    """A time that the person gives moves the deadline and the second letter; one that is yet to come is refused."""
    _fill(_notice(person, registry))
    person.press("button", "I have sent it")
    field = person.page.get_by_label("When did you send it?")
    field.fill("2026-01-02T03:04")
    deadline = person.page.locator(".after .lead")
    expect(deadline).to_contain_text("4 January 2026 at 03:04")
    person.unfold("If it is still there after 48 hours")
    second = person.region(ENGLISH.fill("letter.second", name="Reddit"))
    assert "January 2, 2026 at 3:04" in second
    assert "January 4, 2026 at 3:04" in second
    field.fill("2999-01-01T00:00")
    person.wait_for_text("Choose a time that has passed.")
    expect(deadline).to_contain_text("4 January 2026 at 03:04")
    person.page.get_by_role("navigation", name="More help").get_by_role("button", name="Help lines").click()
    person.page.get_by_role("navigation", name="More help").get_by_role("button", name="It is already posted").click()
    person.press("button", "Write a notice")
    person.press("button", "Make the notice")
    expect(person.page.get_by_label("When did you send it?")).to_have_value("2026-01-02T03:04")


def test_a_long_letter_goes_along_as_a_file(person: PlaywrightHands, registry: Registry) -> None:
    """Where a mail program would cut the letter, its draft holds none of it, and the page says to attach the file."""
    notice = _notice(person, registry)
    person.press("radio", "For myself")
    person.select("App or site", "Reddit")
    notice.write("Links to the picture", "\n".join(f"{LINK}/{number}" for number in range(30)))
    notice.tick("The person in it was under 18.")
    notice.tick("I believe in good faith that the person in it did not agree to this.")
    notice.write("E-mail", EMAIL).write("Sign by typing your name", NAME)
    notice.make().letters()
    person.wait_for_text("This letter is too long for an e-mail draft. Save it as text and attach the file.")
    address = person.page.get_by_role("link", name="Write an e-mail").first.get_attribute("href") or ""
    assert len(address) <= 1800
    assert "reddit.com" not in address


def test_a_letter_is_read_out_in_english(person: PlaywrightHands, registry: Registry) -> None:
    """On a page in another language both letters are marked as English, for screen readers and for the printer."""
    _fill(_notice(person, registry))
    person.press("button", "I have sent it")
    person.unfold("If it is still there after 48 hours")
    person.page.get_by_role("combobox", name="Language").select_option("de")
    person.page.locator("html[lang=de]").wait_for()
    languages = person.run("[...document.querySelectorAll('pre.code')].map((one) => one.firstElementChild.lang)")
    assert languages == ["en", "en"]


def test_what_is_no_link_or_number_is_refused(person: PlaywrightHands, registry: Registry) -> None:
    """A link and a phone number that cannot be ones are named, and the notice is not made."""
    notice = _notice(person, registry)
    notice.write("Links to the picture", "the second picture").write("Phone", "my mother's").make()
    person.wait_for_text("This does not look like a link.")
    person.wait_for_text("This does not look like a phone number.")


def test_the_platform_of_a_guide_is_chosen_in_the_notice(person: PlaywrightHands, registry: Registry) -> None:
    """A notice that is begun from the guide of a platform is for that platform."""
    Start.open(person, registry.url).begin().say(UNDER_18).posted().guide("Discord")
    person.press("button", "Write a notice")
    expect(person.page.get_by_label("App or site", exact=True)).to_have_value("discord")


def test_the_answers_stay_while_the_person_looks_elsewhere(person: PlaywrightHands, registry: Registry) -> None:
    """What was typed is still there after a look at the help lines, and gone after leaving the page."""
    notice = _notice(person, registry)
    notice.write("Links to the picture", LINK).write("Sign by typing your name", NAME)
    person.page.get_by_role("navigation", name="More help").get_by_role("button", name="Help lines").click()
    person.page.get_by_role("navigation", name="More help").get_by_role("button", name="It is already posted").click()
    person.press("button", "Write a notice")
    assert person.page.get_by_label("Links to the picture").input_value() == LINK
    assert person.page.get_by_label("Sign by typing your name").input_value() == NAME
    person.reload()
    person.wait_for("heading", "Stop a picture from spreading")
    _notice(person, registry)
    assert person.page.get_by_label("Links to the picture").input_value() == ""


def _download(person: PlaywrightHands, button: str) -> Download:
    with person.page.expect_download() as saving:
        person.press("button", button)
    return saving.value
