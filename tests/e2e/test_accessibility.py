"""axe on every screen: light and dark, on a phone and on a desktop."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.hands import PlaywrightHands
from tests.e2e.product import ROOT, Registry
from tests.e2e.screens import NOT_POSTED, PARENT, UNDER_18, Notice, Start
from tests.e2e.tour import flat_picture

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
SCREENS = ROOT / "web" / "page" / "screens"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
ASIDES = {
    "It is already posted": "If it is already posted",
    "Someone is threatening me": "If someone makes threats",
    "Help lines": "Help lines",
    "Questions and answers": "Questions and answers",
    "How it works": "How it works, and how to check us",
}

_AT_REST = """
() => document.getAnimations().every(
  (motion) => motion.playState === "finished" || motion.effect.getComputedTiming().endTime === Infinity)
"""
"""Colours are judged when nothing fades in any more; a bar that waits moves for ever."""


class Inspector:
    """Looks at one screen after the other with axe and keeps what it finds."""

    def __init__(self, person: PlaywrightHands) -> None:
        self.person = person
        self.found: list[str] = []
        self.seen: set[str] = set()

    def look(self, screen: str) -> None:
        """Judge the screen of this name, which is there now."""
        assert self.person.run("document.querySelector('main').dataset.screen") == screen
        if not self.person.run("'axe' in globalThis"):
            self.person.page.evaluate(AXE.read_text())
        self.person.page.wait_for_function(_AT_REST, polling=50)
        run = f"axe.run(document, {{ runOnly: {json.dumps(RULES)}, resultTypes: ['violations'] }})"
        result: Any = self.person.run(run)
        for violation in result["violations"]:
            places = [" ".join(map(str, node["target"])) for node in violation["nodes"]]
            self.found.append(f"{screen}: {violation['id']}: {violation['help']} at {places}")
        self.seen.add(screen)


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("desk", ["desktop", "iphone"], indirect=True, scope="session")
def test_axe_finds_nothing_on_any_screen(
    person: PlaywrightHands, registry: Registry, picture: Path, colours: Any
) -> None:
    """On every screen that there is, in its usual and in its troubled state, axe has nothing to say."""
    person.page.emulate_media(color_scheme=colours)
    inspector = Inspector(person)
    _asides(person, registry, inspector)
    _way(person, registry, picture, inspector)
    _too_old(person, registry, inspector)
    assert inspector.found == []
    assert inspector.seen == {screen.stem for screen in SCREENS.glob("*.js")} - {"side"}


def _asides(person: PlaywrightHands, registry: Registry, inspector: Inspector) -> None:
    """The screens beside the way, with all that can be unfolded."""
    Start.open(person, registry.url).wait_until_ready()
    _unfold(person)
    inspector.look("start")
    for button, heading in ASIDES.items():
        person.page.get_by_role("navigation", name="More help").get_by_role("button", name=button).click()
        person.wait_for("heading", heading)
        if person.page.get_by_label("Your country").count():
            person.select("Your country", "United States")
        _unfold(person)
        inspector.look(str(person.run("document.querySelector('main').dataset.screen")))
    _notice(person, registry, inspector)


def _notice(person: PlaywrightHands, registry: Registry, inspector: Inspector) -> None:
    """A guide, and the notice: asked, refused and made."""
    posted = Start.open(person, registry.url).begin().say(UNDER_18).posted()
    posted.guide("X")
    inspector.look("platform")
    person.press("button", "Write a notice")
    notice = Notice(person)
    notice.make()
    person.wait_for_text("5 things are missing.")
    inspector.look("notice")
    person.select("App or site", "Reddit")
    notice.write("Links to the picture", "https://example.com/").tick("The person in it was under 18.")
    notice.tick("I believe in good faith that the person in it did not agree to this.")
    notice.write("Phone", "555 0100").write("Sign by typing your name", "Sam Example").make().letters()
    person.press("button", "I have sent it")
    _unfold(person)
    inspector.look("letters")


def _way(person: PlaywrightHands, registry: Registry, picture: Path, inspector: Inspector) -> None:
    """The way from the first screen to a withdrawn case, with what can go wrong on it."""
    age = Start.open(person, registry.url).begin()
    inspector.look("age")
    age.answer_adult()
    inspector.look("adult")
    where = Start.open(person, registry.url).begin().say(PARENT)
    inspector.look("where")
    where.answer(NOT_POSTED).without_file()
    inspector.look("nofile")
    chosen = Start.open(person, registry.url).begin().answer(UNDER_18)
    person.press("button", "Continue")
    person.wait_for_text("Choose at least one picture first.")
    inspector.look("pictures")
    chosen.choose(picture, flat_picture(picture))
    inspector.look("pictures")
    hashing = chosen.go_on().wait_until_done(2)
    inspector.look("hashing")
    review = hashing.go_on()
    _unfold(person)
    inspector.look("review")
    registry.recorder.cut()
    sending = review.send()
    person.wait_for_text("No connection. We keep trying. Nothing is lost.")
    inspector.look("sending")
    registry.recorder.mend()
    receipt = sending.arrive()
    person.press("button", "See my case")
    person.wait_for_text("Please tick this box first, so that you do not lose them.")
    _unfold(person)
    inspector.look("receipt")
    number, pin = receipt.number(), receipt.pin()
    look_up = receipt.keep().finish().look_up()
    look_up.type(number, "2222-2222-2222")
    person.wait_for_text("We found no case with this number and PIN.")
    inspector.look("lookup")
    case = look_up.show(number, pin)
    inspector.look("case")
    question = case.ask_to_withdraw()
    inspector.look("withdraw")
    question.yes()
    inspector.look("case")


def _unfold(person: PlaywrightHands) -> None:
    """Opens all that is folded away."""
    person.run("document.querySelectorAll('details').forEach((details) => (details.open = true))")


def _too_old(person: PlaywrightHands, registry: Registry, inspector: Inspector) -> None:
    """What a browser that cannot hash shows."""
    person.page.add_init_script("delete globalThis.WebAssembly")
    person.open(registry.url)
    person.wait_for("heading", "This browser cannot do it")
    inspector.look("unsupported")
