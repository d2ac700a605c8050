"""Takes pictures of every screen of the page: `.venv/bin/python -m tests.screens.take [LANGUAGE ...]`.

The real page in Chromium, the real registry and a real platform; the pictures that are hashed are drawn by a seed.
Every screen is taken whole, in each of six languages, on a phone and on a laptop, light and dark, and put on a sheet
with the others: `LANGUAGE-DEVICE-LOOK.webp`, beside this file. The README shows three of them as a phone does.
The page has to be built first (`build.py build`).
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Final, Literal

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from builder.setup.browsers import ensure_browsers
from takeback.protocol import Verdict
from tests.e2e.desks import launch_arguments
from tests.e2e.pictures import draw
from tests.e2e.product import DIST, Platform, Registry, add_platform, running_registry

HERE: Final = Path(__file__).parent
LANGUAGES: Final = ("en", "de", "ar", "hi", "ja", "ta")
"""Among them long words, letters from right to left, high letters, and no spaces between words."""
SCALE: Final = {"phone": 0.5, "desktop": 0.35}
COLUMNS: Final = {"phone": 8, "desktop": 4}
TALLEST: Final = 2600
"""Of a screen that is taller than this, in pixels, the rest is cut off."""
GAP: Final = 12
COLOURS: Final = 192
"""A screen has few colours; a palette makes its file half as large."""
IN_PLACE: Final = """
document.adoptedStyleSheets = [new CSSStyleSheet()];
document.adoptedStyleSheets[0].replaceSync(".reach, .bar { position: static } .foot { display: none }");
"""
"""On a whole screen the row at the bottom would lie over what stands in the middle; the foot is the same everywhere."""
PATIENCE: Final = 120
"""Seconds that a screen may take to come on a busy machine."""
ANYWHERE: Final = "**/v1/cases"

type Look = Literal["light", "dark"]
type Desk = tuple[str, tuple[int, int], Look]
PHONE: Final = (390, 844)
LAPTOP: Final = (1280, 800)
DESKS: Final[tuple[Desk, ...]] = tuple(
    (name, size, look) for name, size in (("phone", PHONE), ("desktop", LAPTOP)) for look in ("light", "dark")
)


class Camera:
    """A person with a camera at the page."""

    def __init__(self, page: Page, device: str, look: Look, languages: Sequence[str]) -> None:
        self.page = page
        self.device = device
        self.look = look
        self.shots: dict[str, list[Image.Image]] = {code: [] for code in languages}

    def press(self, name: str) -> None:
        """Press the button of this name."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def see(self, words: str) -> None:
        """Wait until these words are there."""
        self.page.get_by_text(words).first.wait_for()

    def take(self, shown: str = "") -> None:
        """Keep what is on the screen now, in each language, and by this name what a phone shows of it in English."""
        self.page.mouse.move(0, 0)
        if shown and self.device == "phone":
            with Image.open(BytesIO(self.page.screenshot())) as shot:
                small = shot.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
            small.save(HERE / f"{shown}-{self.look}.png", optimize=True)
        self.page.evaluate(IN_PLACE)
        for code, shots in self.shots.items():
            self._speak(code)
            with Image.open(BytesIO(self.page.screenshot(full_page=True))) as shot:
                whole = shot.convert("RGB").crop((0, 0, shot.width, min(shot.height, TALLEST)))
                shots.append(whole.resize([round(side * SCALE[self.device]) for side in whole.size]))
        self._speak("en")
        self.page.evaluate("document.adoptedStyleSheets = []")

    def _speak(self, code: str) -> None:
        self.page.locator("#language").select_option(code)
        self.page.locator(f"html[lang={code}]").wait_for()

    def sheets(self) -> Iterator[tuple[str, Image.Image]]:
        """A sheet with all the screens, for each language."""
        for code, shots in self.shots.items():
            yield code, sheet(shots, COLUMNS[self.device])


def main(languages: Sequence[str] = LANGUAGES) -> None:
    """Take every screen on every device in every look."""
    if not (DIST / "manifest.json").is_file():
        sys.exit("There is no page in dist/. Run this first: python3 build.py build")
    with (
        tempfile.TemporaryDirectory() as name,
        running_registry(Path(name) / "data") as registry,
        sync_playwright() as playwright,
    ):
        folder = Path(name)
        platform = Platform.start(registry, add_platform(registry, "photo-club"), folder / "gate")
        browser = playwright.chromium.launch(**launch_arguments("chromium", ensure_browsers()))
        for desk in DESKS:
            print(*desk)
            with at_page(browser, registry, desk, languages) as camera:
                walk(camera, platform, folder)
            for code, whole in camera.sheets():
                whole.save(HERE / f"{code}-{desk[0]}-{desk[2]}.webp", quality=40, method=6)
        browser.close()


@contextmanager
def at_page(browser: Browser, registry: Registry, desk: Desk, languages: Sequence[str]) -> Iterator[Camera]:
    """A fresh page of this size and look; fails if the page complained about anything."""
    device, size, look = desk
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=look,
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="Europe/London",
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(registry.direct)
    yield Camera(page, device, look, languages)
    context.close()
    assert complaints == []


def sheet(shots: Sequence[Image.Image], columns: int) -> Image.Image:
    """The shots side by side, in rows."""
    rows = [shots[at : at + columns] for at in range(0, len(shots), columns)]
    heights = [max(shot.height for shot in row) + GAP for row in rows]
    whole = Image.new("RGB", (columns * (shots[0].width + GAP), sum(heights)), "#808080")
    for number, row in enumerate(rows):
        for at, shot in enumerate(row):
            whole.paste(shot, (at * (shot.width + GAP), sum(heights[:number])))
    return whole


def walk(camera: Camera, platform: Platform, folder: Path) -> None:
    """Go through the whole page, taking each screen."""
    camera.see("Your device is ready.")
    camera.take("start")
    look_aside(camera)
    choose(camera, folder)
    send(camera)
    look_up(camera, platform, folder)


def look_aside(camera: Camera) -> None:
    """The screens that help without a case."""
    for button in (
        "Someone is threatening me",
        "It is already posted",
        "Help lines",
        "Questions and answers",
        "How it works",
    ):
        camera.page.get_by_role("navigation", name="More help").get_by_role("button", name=button).click()
        if button == "Questions and answers":
            camera.page.get_by_text("Will anyone see my picture?").click()
        camera.take()
        camera.press("Back to where you were")
    camera.press("Start")
    camera.take()
    camera.press("Me. I was 18 or over in the picture.")
    camera.take()
    camera.press("Change my answer")
    camera.press("Me. I am under 18.")
    camera.take()
    camera.press("It is posted somewhere.")
    write_notice(camera)
    camera.press("It is not posted, as far as I know.")


def write_notice(camera: Camera) -> None:
    """A platform's guide, and a notice: refused, then made and sent."""
    camera.press("X")
    camera.take()
    camera.press("Write a notice")
    camera.take()
    camera.press("Make the notice")
    camera.see("5 things are missing.")
    camera.take()
    page = camera.page
    page.get_by_label("App or site", exact=True).select_option("reddit")
    page.get_by_label("Links to the picture").fill("https://www.reddit.com/r/example/comments/a1b2c3")
    page.get_by_label("The person in it was under 18.").check()
    page.get_by_label("I believe in good faith").check()
    page.get_by_label("E-mail").fill("sam@example.com")
    page.get_by_label("Sign by typing your name").fill("Sam Example")
    camera.press("Make the notice")
    camera.take()
    camera.press("I have sent it")
    camera.see("It must be gone by")
    camera.take()
    camera.press("Back to where you were")


def choose(camera: Camera, folder: Path) -> None:
    """Choosing and hashing: three pictures, one of them cut short, one broken."""
    camera.press("I do not have the file")
    camera.take()
    camera.press("Back to where you were")
    camera.page.locator("input[type=file]").set_input_files(_files(folder))
    camera.take()
    camera.press("Continue")
    camera.see("3 pictures are ready to send.")
    camera.take()
    camera.press("Continue")
    camera.take()
    camera.page.get_by_text("See the exact message").click()
    camera.take("message")


def send(camera: Camera) -> None:
    """Sending, first without a connection."""
    camera.page.route(ANYWHERE, lambda route: route.abort())
    camera.press("Send the fingerprints")
    camera.see("No connection.")
    camera.take()
    camera.page.unroute(ANYWHERE)  # the page tries again by itself
    camera.see("Keep these two.")
    camera.take("receipt")
    camera.page.get_by_text("Other ways to keep them").click()
    camera.page.get_by_text("Show a QR code").click()
    camera.take()
    camera.page.get_by_label("I have kept").check()


def look_up(camera: Camera, platform: Platform, folder: Path) -> None:
    """A case, once a platform has blocked its first picture, and its end."""
    number, pin = camera.page.locator(".ticket dd").all_inner_texts()
    platform.sync()
    platform.report(_files(folder)[0], Verdict.BLOCKED)
    platform.sync()
    camera.press("Finish and clear this page")
    camera.press("I have a case number")
    camera.page.get_by_label("Case number").fill(number)
    camera.page.get_by_label("PIN", exact=True).fill(pin)
    camera.take()
    camera.press("Show my case")
    camera.see("Blocked")
    camera.take()
    camera.press("Stop blocking picture 1")
    camera.take()
    camera.press("No, keep blocking")
    camera.press("Stop blocking all")
    camera.take()
    camera.press("Yes, stop blocking")
    camera.see("You stopped the blocking")
    camera.take()


def _files(folder: Path) -> list[Path]:
    """A picture, one that is cut short and a broken file, made once."""
    files = [folder / "one.jpg", folder / "cut.jpg", folder / "broken.jpg"]
    if not files[0].exists():
        draw(1, (2000, 1500)).save(files[0], quality=95)
        draw(2, (1200, 1600)).save(files[1], quality=95)
        files[1].write_bytes(files[1].read_bytes()[:-20_000])
        files[2].write_bytes(files[0].read_bytes()[:9000])
    return files


if __name__ == "__main__":
    main(sys.argv[1:] or LANGUAGES)
