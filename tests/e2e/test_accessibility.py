"""axe on every screen: light and dark, on a phone and on a desktop."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import sit_down
from tests.e2e.hands import PlaywrightHands
from tests.e2e.product import ROOT, Registry
from tests.e2e.screens import NOT_POSTED, PARENT, UNDER_18, Notice, Start

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
SCREENS = ROOT / "web" / "page" / "screens"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
ASIDES = {
    "It is already posted": "If it is already posted",
    "Someone is threatening me": "If someone is threatening you",
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

    def __init__(self, page: PlaywrightHands) -> None:
        self.page = page
        self.found: list[str] = []
        self.seen: set[str] = set()

    def look(self, screen: str) -> None:
        """Judge what is on the screen now."""
        if not self.page.run("'axe' in globalThis"):
            self.page.page.evaluate(AXE.read_text())
        self.page.page.wait_for_function(_AT_REST, polling=50)
        run = f"axe.run(document, {{ runOnly: {json.dumps(RULES)}, resultTypes: ['violations'] }})"
        result: Any = self.page.run(run)
        for violation in result["violations"]:
            places = [" ".join(map(str, node["target"])) for node in violation["nodes"]]
            self.found.append(f"{screen}: {violation['id']}: {violation['help']} at {places}")
        self.seen.add(screen)


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("desk", ["desktop", "iphone"])
def test_axe_finds_nothing_on_any_screen(
    request: pytest.FixtureRequest, registry: Registry, picture: Path, desk: str, colours: Any
) -> None:
    """On every screen that there is, in its usual and in its troubled state, axe has nothing to say."""
    with sit_down(request, desk, registry) as page:
        assert isinstance(page, PlaywrightHands)
        page.page.emulate_media(color_scheme=colours)
        inspector = Inspector(page)
        _asides(page, registry, inspector)
        _way(page, registry, picture, inspector)
        _too_old(page, registry, inspector)
        assert inspector.found == []
        assert inspector.seen == {screen.stem for screen in SCREENS.glob("*.js")}


def _asides(page: PlaywrightHands, registry: Registry, inspector: Inspector) -> None:
    """The screens beside the way, with all that can be unfolded."""
    Start.open(page, registry.url).wait_until_ready()
    _unfold(page)
    inspector.look("start")
    for button, heading in ASIDES.items():
        page.page.get_by_role("navigation", name="More help").get_by_role("button", name=button).click()
        page.wait_for("heading", heading)
        if page.page.get_by_label("Your country").count():
            page.select("Your country", "United States")
        _unfold(page)
        inspector.look(str(page.run("document.querySelector('main').dataset.screen")))
    _notice(page, registry, inspector)


def _notice(page: PlaywrightHands, registry: Registry, inspector: Inspector) -> None:
    """A guide, and the notice: asked, refused and made."""
    posted = Start.open(page, registry.url).begin().say(UNDER_18).posted()
    posted.guide("X")
    inspector.look("platform")
    page.press("button", "Write a notice")
    notice = Notice(page)
    notice.make()
    page.wait_for_text("6 things are missing.")
    inspector.look("notice")
    page.select("App or site", "Reddit")
    notice.write("Links to the picture", "https://example.com/").tick("The person in it was under 18.")
    notice.tick("I believe in good faith that the person in it did not agree to this.")
    notice.write("Phone", "555 0100").write("Sign by typing your name", "Sam Example").make().letters()
    page.press("button", "I have sent it")
    _unfold(page)
    inspector.look("letters")


def _way(page: PlaywrightHands, registry: Registry, picture: Path, inspector: Inspector) -> None:
    """The way from the first screen to a withdrawn case, with what can go wrong on it."""
    age = Start.open(page, registry.url).begin()
    inspector.look("age")
    age.answer_adult()
    inspector.look("adult")
    where = Start.open(page, registry.url).begin().say(PARENT)
    inspector.look("where")
    where.answer(NOT_POSTED).without_file()
    inspector.look("nofile")
    chosen = Start.open(page, registry.url).begin().answer(UNDER_18)
    page.press("button", "Continue")
    page.wait_for_text("Choose at least one picture first.")
    inspector.look("pictures")
    chosen.choose(picture)
    inspector.look("pictures")
    hashing = chosen.go_on().wait_until_done(1)
    inspector.look("hashing")
    review = hashing.go_on()
    _unfold(page)
    inspector.look("review")
    registry.recorder.cut()
    sending = review.send()
    page.wait_for_text("No connection. We keep trying. Nothing is lost.")
    inspector.look("sending")
    registry.recorder.mend()
    receipt = sending.arrive()
    page.press("button", "See my case")
    page.wait_for_text("Please tick this box first, so that you do not lose them.")
    _unfold(page)
    inspector.look("receipt")
    number, pin = receipt.number(), receipt.pin()
    look_up = receipt.keep().finish().look_up()
    look_up.type(number, "2222-2222-2222")
    page.wait_for_text("We found no case with this number and PIN.")
    inspector.look("lookup")
    case = look_up.show(number, pin)
    inspector.look("case")
    question = case.ask_to_withdraw()
    inspector.look("withdraw")
    question.yes()
    inspector.look("case")


def _unfold(page: PlaywrightHands) -> None:
    """Opens all that is folded away."""
    page.run("document.querySelectorAll('details').forEach((details) => (details.open = true))")


def _too_old(page: PlaywrightHands, registry: Registry, inspector: Inspector) -> None:
    """What a browser that cannot hash shows."""
    page.page.add_init_script("delete globalThis.WebAssembly")
    page.open(registry.url)
    page.wait_for("heading", "This browser cannot do it")
    inspector.look("unsupported")
