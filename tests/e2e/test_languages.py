"""Every language on every screen: all of its words fit the narrowest phone, and each letter is drawn."""

from pathlib import Path
from typing import Any, Final

import pytest

from builder.setup.browsers import missing_fonts
from tests.e2e.hands import PlaywrightHands
from tests.e2e.product import ROOT, Registry
from tests.e2e.screens import way_to_review
from tests.e2e.tour import tour
from tests.words import CODES, Words

NARROW: Final = 320
"""CSS pixels: the narrowest phone in use, and a laptop at 400 % zoom (WCAG 2.2, 1.4.10)."""

_IN_EVERY_LANGUAGE: Final = """
(async () => {
  const seen = [];
  const wrong = [];
  const wide = new CSSStyleSheet();
  wide.replaceSync(`* { letter-spacing: 0.12em !important; word-spacing: 0.16em !important;
    line-height: 1.5 !important } p { margin-block-end: 2em !important }`);
  document.adoptedStyleSheets = [wide];
  const codes = [...document.getElementById("language").options].map((option) => option.value);
  for (const code of [...codes.filter((one) => one !== "en"), "en"]) {
    const picker = document.getElementById("language");
    picker.value = code;
    picker.dispatchEvent(new Event("change"));
    while (document.documentElement.lang !== code) await new Promise((go) => setTimeout(go));
    document.querySelectorAll("details").forEach((one) => (one.open = true));
    const screen = document.querySelector("main").dataset.screen;
    for (const spacing of ["as it is", "spaced"]) {
      wide.disabled = spacing !== "spaced";
      for (const one of document.querySelectorAll("body *")) {
        if (one.closest(".unseen, .skip, pre, svg, select, textarea, [hidden]")) continue;
        const box = one.getBoundingClientRect();
        const beside = box.width > 0 && (box.right > innerWidth + 1 || box.left < -1);
        const over = one.clientWidth > 0 && one.scrollWidth > one.clientWidth + 1;
        const cut = getComputedStyle(one).overflowY === "hidden" && one.scrollHeight > one.clientHeight + 1;
        if (beside || over || cut) {
          wrong.push([code, screen, spacing, one.tagName, one.className, one.textContent.slice(0, 40)].join(" "));
        }
      }
      if (document.documentElement.scrollWidth > innerWidth) wrong.push([code, screen, spacing, "page"].join(" "));
    }
    seen.push(code);
  }
  document.adoptedStyleSheets = [];
  return { seen, wrong };
})()
"""
"""Speaks each language where the person is, English last, as it is and with the spacing of WCAG 2.2, 1.4.12.

Gives what stands beside the screen, or out of its own box.
"""
_NOT_DRAWN: Final = """
([code, text]) => {
  const pen = Object.assign(document.createElement("canvas"), { width: 64, height: 48 }).getContext("2d",
    { willReadFrequently: true });
  document.documentElement.lang = code;
  const drawn = (letter, font) => {
    pen.clearRect(0, 0, 64, 48);
    pen.font = font;
    pen.fillText(letter, 16, 32);
    return pen.getImageData(0, 0, 64, 48).data.join();
  };
  const fonts = ["body", "h1"].map((tag) => {
    const { fontFamily, fontWeight } = getComputedStyle(document.querySelector(tag));
    return `${fontWeight} 20px ${fontFamily}`;
  });
  const boxes = fonts.map((font) => drawn("\\u0378", font));
  const letters = [...new Set(text.match(/\\p{L}/gu))];
  return letters.filter((letter) => fonts.some((font, at) => drawn(letter, font) === boxes[at])).join("");
}
"""
"""Of the letters in a text those that are drawn as the box that stands for U+0378, which is no character."""


def _words(code: str) -> str:
    """All the words of a language, as they are kept."""
    folder = ROOT / "web" / "words"
    return (folder / ("en.js" if code == "en" else f"{code}.json")).read_text()


def _not_drawn(person: PlaywrightHands) -> dict[str, str]:
    """The letters of each language that no font on this machine has."""
    found = {code: str(person.page.evaluate(_NOT_DRAWN, [code, _words(code)])) for code in sorted(CODES)}
    return {code: letters for code, letters in found.items() if letters}


def _skip_without_fonts(person: PlaywrightHands) -> None:
    """Says so plainly where the fonts that Debian's packages would bring are neither there nor come otherwise."""
    missing = _not_drawn(person)
    if missing and missing_fonts():
        pytest.skip(f"no font here has the letters of {', '.join(missing)}; install {', '.join(missing_fonts())}")


@pytest.mark.timeout(600)  # seventy looks at each of thirty screens
def test_every_language_fits_every_screen(person: PlaywrightHands, registry: Registry, picture: Path) -> None:
    """At 320 pixels no word of any language stands out of its place on any screen, also with WCAG's text spacing."""
    person.page.set_viewport_size({"width": NARROW, "height": 640})
    wrong: list[str] = []

    def look() -> None:
        found: Any = person.run(_IN_EVERY_LANGUAGE)
        assert set(found["seen"]) == set(CODES)
        wrong.extend(found["wrong"])

    tour(person, registry.direct, picture, look)
    assert wrong == []
    person.open(registry.direct)
    _skip_without_fonts(person)


def test_every_letter_is_drawn(person: PlaywrightHands, registry: Registry) -> None:
    """Each letter in the words of each language is drawn by a font that has it, never as an empty box."""
    person.open(registry.direct)
    assert person.page.evaluate(_NOT_DRAWN, ["en", "a\ue0ffb"]) == ""  # no letter: it is not looked for
    assert person.page.evaluate(_NOT_DRAWN.replace("p{L}", "p{Co}"), ["en", "a\ue0ffb"]) == "\ue0ff"
    _skip_without_fonts(person)
    assert _not_drawn(person) == {}


@pytest.mark.parametrize(
    "code",
    [pytest.param(code, marks=pytest.mark.browser_context_args(locale=code)) for code in ("en", "es", "ar", "ja")],
)
def test_a_journey_in_the_language_of_the_browser(
    person: PlaywrightHands, words: Words, registry: Registry, picture: Path, code: str
) -> None:
    """A browser that asks for a language gets the whole way to the receipt and to the case in it, from its own side."""
    receipt = way_to_review(person, registry.url, [picture], words=words).send().arrive()
    spoken = "[document.documentElement.lang, document.documentElement.dir]"
    assert person.run(spoken) == [code, words.direction] == [code, "rtl" if code == "ar" else "ltr"]
    assert words["receipt.lead"] in receipt.text()
    assert words["case.active"] in receipt.keep().see_case().text()
