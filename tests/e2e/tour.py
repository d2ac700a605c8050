"""A walk over the screens of the page, for tests that look at every one of them in the same way."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from PIL import Image

from tests.e2e.hands import PlaywrightHands
from tests.e2e.product import ROOT
from tests.e2e.screens import UNDER_18, Case, Notice, Receipt, Start

SCREENS: Final = ROOT / "web" / "page" / "screens"
LONG_LINK: Final = f"https://example.com/{'a' * 200}"

ASIDES: Final = (
    ("Someone is threatening me", "If someone makes threats"),
    ("It is already posted", "If it is already posted"),
    ("Help lines", "Help lines"),
    ("Questions and answers", "Questions and answers"),
    ("How it works", "How it works, and how to check us"),
    ("Look up your case", "Look up your case"),
)


SUBMIT: Final = "**/v1/cases"


def tour(person: PlaywrightHands, url: str, picture: Path, look: Callable[[], None]) -> None:
    """Go from the first screen to a withdrawn case, with what stands beside the way, and look at each screen once."""
    seen = set[str]()

    def see() -> None:
        seen.add(str(person.run("document.querySelector('main').dataset.screen")))
        look()

    _asides(person, url, see)
    _posted(person, url, see)
    _way(person, url, picture, see)
    person.page.add_init_script("delete globalThis.WebAssembly")
    person.open(url)
    person.wait_for("heading", "This browser cannot do it")
    see()
    assert seen == {screen.stem for screen in SCREENS.glob("*.js")} - {"side"}


def flat_picture(beside: Path) -> Path:
    """A picture of one colour: there is something to say of it, so the page stays on the screen of hashing."""
    flat = beside.with_name("flat.png")
    Image.new("RGB", (64, 64), "grey").save(flat)
    return flat


def _asides(person: PlaywrightHands, url: str, see: Callable[[], None]) -> None:
    """The first screen, and those that help without a case."""
    Start.open(person, url)
    see()
    for button, heading in ASIDES:
        person.page.get_by_role("navigation", name="More help").get_by_role("button", name=button).click()
        person.wait_for("heading", heading)
        if person.page.get_by_label("Your country").count():
            person.select("Your country", "Canada")
        see()


def _posted(person: PlaywrightHands, url: str, see: Callable[[], None]) -> None:
    """Where the picture is, a guide, and the notice: asked, refused, made and sent."""
    where = Start.open(person, url).begin().say(UNDER_18)
    see()
    where.posted().guide("Discord")
    see()
    person.press("button", "Write a notice")
    notice = Notice(person).make()
    person.wait_for_text("5 things are missing.")
    see()
    person.select("App or site", "Reddit")
    notice.write("Links to the picture", LONG_LINK).tick("The person in it was under 18.")
    notice.tick("I believe in good faith that the person in it did not agree to this.")
    notice.write("Phone", "555 0100").write("Sign by typing your name", "Sam Example").make().letters()
    person.press("button", "I have sent it")
    see()


def _way(person: PlaywrightHands, url: str, picture: Path, see: Callable[[], None]) -> None:
    """The way from whose picture it is to the question before a case is withdrawn; the first sending fails."""
    age = Start.open(person, url).begin()
    see()
    age.answer_adult()
    see()
    pictures = Start.open(person, url).begin().answer(UNDER_18)
    pictures.without_file()
    see()
    chosen = Start.open(person, url).begin().answer(UNDER_18).choose(picture, flat_picture(picture))
    see()
    hashing = chosen.go_on().wait_until_done(2)
    see()
    review = hashing.go_on()
    see()
    person.page.route(SUBMIT, lambda route: route.abort())
    sending = review.send()
    person.wait_for_text("No connection. We keep trying. Nothing is lost.")
    see()
    person.page.unroute(SUBMIT)  # the page tries again by itself
    receipt: Receipt = sending.arrive()
    see()
    case: Case = receipt.keep().see_case()
    see()
    case.ask_to_withdraw()
    see()
