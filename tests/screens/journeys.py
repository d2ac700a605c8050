"""Writes `journeys.md`: how far it is for different people. `.venv/bin/python -m tests.screens.journeys` does it.

The real page in Chromium on a phone, the real registry. The page has to be built first (`python3 build.py build`).
"""

import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from builder.setup.browsers import ensure_browsers
from tests.e2e.desks import launch_arguments
from tests.e2e.hands import PlaywrightHands
from tests.e2e.journeys import JOURNEYS, Journey, walk
from tests.e2e.pictures import draw
from tests.e2e.product import Registry, running_registry
from tests.e2e.watch import Watch
from tests.words import LANGUAGES

TABLE: Final = Path(__file__).with_name("journeys.md")
HEAD: Final = """\
# How far it is

From opening the page, on a phone in the United Kingdom: what each person taps, and all the words that stand on the
screens on the way, without what is folded. Choosing a picture counts as two taps. A dead end is a screen without a way
on. Made by `.venv/bin/python -m tests.screens.journeys`; `tests/e2e/test_journeys.py` holds the limits.

| who | to | taps | words | dead ends | words by screen |
| --- | --- | --: | --: | --: | --- |
"""


def main() -> None:
    """Walk every journey and write the table."""
    with (
        tempfile.TemporaryDirectory() as name,
        running_registry(Path(name) / "data") as registry,
        sync_playwright() as playwright,
    ):
        picture = Path(name) / "one.jpg"
        draw(1, (2000, 1500)).save(picture, quality=95)
        browser = playwright.chromium.launch(**launch_arguments("chromium", ensure_browsers()))
        rows = [_row(who, _walked(browser, registry, who, picture)) for who in JOURNEYS]
        browser.close()
    TABLE.write_text(HEAD + "".join(rows))
    print(TABLE.read_text())


def _walked(browser: Browser, registry: Registry, who: str, picture: Path) -> Journey:
    code, way, _ = JOURNEYS[who]
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, locale=code, timezone_id="Europe/London"
    )
    hands = PlaywrightHands(context.new_page(), Watch(context, registry.url))
    journey = walk(hands, registry.url, way, picture, LANGUAGES[code])
    context.close()
    return journey


def _row(who: str, journey: Journey) -> str:
    screens = ", ".join(f"{screen} {count}" for screen, count in journey.screens.items())
    cells = (who, JOURNEYS[who][2], journey.taps, journey.words, journey.dead_ends, screens)
    return f"| {' | '.join(map(str, cells))} |\n"


if __name__ == "__main__":
    main()
