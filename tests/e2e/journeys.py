"""How far it is for different people: each journey counts its taps, and the words that it shows on the way."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.e2e.hands import PlaywrightHands
from tests.words import ENGLISH, Words

PICKING: Final = 2
"""Taps to choose a picture: the page's button, and the picture in the device's own dialogue."""
ANY_COUNT: Final = 1

COUNT_WORDS: Final = """
globalThis.walked = [];
new MutationObserver(() => {
  const main = document.querySelector("main");
  const { screen } = main.dataset;
  if (!screen) return;
  const words = new Intl.Segmenter(document.documentElement.lang, { granularity: "word" });
  const read = (text) => [...words.segment(text)].filter(({ isWordLike }) => isWordLike).length;
  const heard = [...main.querySelectorAll(".unseen")].reduce((sum, { innerText }) => sum + read(innerText), 0);
  const count = read(main.innerText) - heard;
  const ways = main.querySelectorAll("button:not([hidden]), a[href], summary").length;
  if (walked.at(-1)?.screen === screen) walked.pop();
  walked.push({ screen, count, ways });
}).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-screen"] });
"""
"""Notes how many words each screen shows as it comes up, without what is folded, and how many ways on it has."""


@dataclass
class Walker:
    """A person on a journey."""

    hands: PlaywrightHands
    words: Words
    taps: int = 0

    def press(self, key: str) -> None:
        """Tap the button with these words, once it is there."""
        self.hands.press("button", self.words[key])
        self.taps += 1

    def see(self, key: str, **values: str | int) -> None:
        """Wait for a heading."""
        self.hands.wait_for("heading", self.words.fill(key, **values))


@dataclass(frozen=True)
class Journey:
    """What a person did, and what they had to read."""

    taps: int
    screens: dict[str, int]
    """The screens on the way, and how many words each shows."""
    dead_ends: int

    @property
    def words(self) -> int:
        """All the words that a person who skips none reads."""
        return sum(self.screens.values())


def walk(
    hands: PlaywrightHands, url: str, way: Callable[[Walker, Path], None], picture: Path, words: Words = ENGLISH
) -> Journey:
    """Go one of the ways below, from opening the page, and count."""
    hands.page.add_init_script(COUNT_WORDS)
    hands.open(url)
    walker = Walker(hands, words)
    walker.see("start.title")
    way(walker, picture)
    walked: Any = hands.run("globalThis.walked")
    return Journey(
        walker.taps,
        {one["screen"]: one["count"] for one in walked},
        sum(one["ways"] == 0 for one in walked),
    )


def to_receipt(who: str) -> Callable[[Walker, Path], None]:
    """The way to a case number, by who is in the picture."""

    def way(walker: Walker, picture: Path) -> None:
        for key in ("start.begin", who, "where.private"):
            walker.press(key)
        walker.hands.choose([picture])
        walker.taps += PICKING
        walker.press("pictures.continue")
        walker.press("review.send")
        walker.see("receipt.title")

    return way


def threatened(walker: Walker, _picture: Path) -> None:
    """To somebody to call."""
    for key in ("start.begin", "age.now", "where.threat"):
        walker.press(key)
    walker.see("urgent.title")
    walker.hands.page.locator("main a[href^='tel:']").first.wait_for()


def without_file(walker: Walker, _picture: Path) -> None:
    """To what can be done without the file."""
    for key in ("start.begin", "age.now", "where.nofile"):
        walker.press(key)
    walker.see("nofile.title")


def posted_on_instagram(walker: Walker, _picture: Path) -> None:
    """To the page where Instagram takes reports."""
    for key in ("start.begin", "age.now", "where.posted"):
        walker.press(key)
    walker.hands.press("button", "Instagram")
    walker.taps += 1
    walker.see("platform.title", name="Instagram")
    walker.hands.page.locator("main a.primary").wait_for()


def grown_up_then(walker: Walker, _picture: Path) -> None:
    """To StopNCII.org."""
    for key in ("start.begin", "age.adult"):
        walker.press(key)
    walker.hands.page.get_by_role("link", name=walker.words["adult.stop"]).wait_for()


JOURNEYS: Final[dict[str, tuple[str, Callable[[Walker, Path], None], str]]] = {
    "15 years old": ("en", to_receipt("age.now"), "case number"),
    "a parent": ("en", to_receipt("age.child"), "case number"),
    "a friend or teacher": ("en", to_receipt("age.helper"), "case number"),
    "under 18 then, older now": ("en", to_receipt("age.then"), "case number"),
    "threatened": ("en", threatened, "a number to call"),
    "no file": ("en", without_file, "what else can be done"),
    "posted on Instagram": ("en", posted_on_instagram, "its report page"),
    "18 or over": ("en", grown_up_then, "StopNCII.org"),
    "15 years old, in Arabic": ("ar", to_receipt("age.now"), "case number"),
    "15 years old, in Hindi": ("hi", to_receipt("age.now"), "case number"),
}
"""Who, in which language, by which way, and where it ends."""
