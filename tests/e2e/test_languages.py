"""Every language on every main screen: all of its words fit the narrowest phone."""

from pathlib import Path
from typing import Any, Final

from tests.e2e.hands import PlaywrightHands
from tests.e2e.product import ROOT, Registry
from tests.e2e.tour import tour

NARROW: Final = 320
"""CSS pixels: the narrowest phone in use, and a laptop at 400 % zoom (WCAG 2.2, 1.4.10)."""
LANGUAGES: Final = {"en", *(path.stem for path in (ROOT / "web" / "words").glob("*.json"))}

_IN_EVERY_LANGUAGE: Final = """
(async () => {
  const seen = [];
  const wrong = [];
  const codes = [...document.getElementById("language").options].map((option) => option.value);
  for (const code of [...codes.filter((one) => one !== "en"), "en"]) {
    const picker = document.getElementById("language");
    picker.value = code;
    picker.dispatchEvent(new Event("change"));
    while (document.documentElement.lang !== code) await new Promise((go) => setTimeout(go));
    document.querySelectorAll("details").forEach((one) => (one.open = true));
    const screen = document.querySelector("main").dataset.screen;
    for (const one of document.querySelectorAll("body *")) {
      if (one.closest(".unseen, .skip, pre, svg, select, textarea, [hidden]")) continue;
      const box = one.getBoundingClientRect();
      const beside = box.width > 0 && (box.right > innerWidth + 1 || box.left < -1);
      const over = one.clientWidth > 0 && one.scrollWidth > one.clientWidth + 1;
      if (beside || over) wrong.push([code, screen, one.tagName, one.textContent.slice(0, 60)].join(" "));
    }
    if (document.documentElement.scrollWidth > innerWidth) wrong.push([code, screen, "the page"].join(" "));
    seen.push(code);
  }
  return { seen, wrong };
})()
"""
"""Speaks each language where the person is, English last; what stands beside the screen, or out of its own box."""


def test_every_language_fits_every_screen(page: PlaywrightHands, registry: Registry, picture: Path) -> None:
    """At 320 pixels no word of any language stands out of its place on any main screen, from left or from right."""
    page.page.set_viewport_size({"width": NARROW, "height": 640})
    wrong: list[str] = []

    def look() -> None:
        found: Any = page.run(_IN_EVERY_LANGUAGE)
        assert set(found["seen"]) == LANGUAGES
        wrong.extend(found["wrong"])

    tour(page, registry.direct, picture, look)
    assert wrong == []
