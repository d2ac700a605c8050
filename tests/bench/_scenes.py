"""Where a picture is placed: between bars, on screens, in stories, beside others, in front of a camera."""

import math
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from tests.bench._edits import WORDS, Colour, Edit, scaled

type Compose = Callable[[Image.Image, Chance], Image.Image]
type Box = tuple[int, int, int, int]

PHONE: Final = (1080, 2340)
"""Pixels of a phone's screen."""


class Chance(Random):
    """Chance that also draws other pictures, by name, and remembers which: a copy that shows them may match them."""

    def __init__(self, seed: str, others: Mapping[str, Image.Image]) -> None:
        super().__init__(seed)
        self._others = others
        self.shown: set[str] = set()

    def other(self) -> Image.Image:
        """A picture that was not drawn yet."""
        name = self.choice(sorted(self._others.keys() - self.shown))
        self.shown.add(name)
        return self._others[name]


def bars(wide: int, high: int, fill: str) -> Edit:
    """The picture in the middle of a canvas of another shape; a bar is at least as long as 4 % of the canvas."""

    def pad(picture: Image.Image, _: Random) -> Image.Image:
        shape = wide / high
        width, height = max(picture.width, picture.height * shape), max(picture.height, picture.width / shape)
        canvas = Image.new("RGB", (round(width), round(height)), "black" if fill == "blurred" else fill)
        if fill == "blurred":
            cover = ImageOps.fit(picture, canvas.size)
            small = scaled(cover, 64 / max(cover.size)).filter(ImageFilter.GaussianBlur(3))
            canvas = small.resize(canvas.size, Image.Resampling.BICUBIC)
        canvas.paste(picture, ((canvas.width - picture.width) // 2, (canvas.height - picture.height) // 2))
        return canvas

    return pad


def screenshot(picture: Image.Image, chance: Random) -> Image.Image:
    """The picture on a phone's screen: status bar, a name, varying margins, buttons, a line of text."""
    dark = chance.random() < 0.5
    ground: Colour = shade(chance, 0, 30) if dark else shade(chance, 235, 255)
    ink: Colour = (235, 235, 235) if dark else (20, 20, 20)
    screen = Image.new("RGB", PHONE, ground)
    draw = ImageDraw.Draw(screen)
    draw.text((60, 30), f"{chance.randint(0, 23)}:{chance.randint(10, 59)}", ink, ImageFont.load_default(44))
    for icon in range(3):
        draw.rounded_rectangle((840 + 70 * icon, 36, 890 + 70 * icon, 72), 8, outline=ink, width=5)
    left, right = (chance.choice([0, chance.randint(8, 70)]) for _ in range(2))
    top, low = chance.randint(110, 420), PHONE[1] - chance.randint(160, 500)
    scale = min((PHONE[0] - left - right) / picture.width, (low - top) / picture.height)
    shown = picture.resize(
        (max(1, int(picture.width * scale)), max(1, int(picture.height * scale))), Image.Resampling.LANCZOS
    )
    spare = PHONE[0] - left - right - shown.width
    left, top = left + spare // 2, top + chance.randint(0, low - top - shown.height)
    if top > 220:
        draw.ellipse((40, top - 100, 120, top - 20), fill=(120, 140, 200))
        draw.text((150, top - 85), " ".join(chance.sample(WORDS, 2)), ink, ImageFont.load_default(42))
    screen.paste(shown, (left, top))
    bottom = top + shown.height
    for place in range(4):
        x = 60 + 260 * place
        if bottom + 110 < PHONE[1]:
            draw.ellipse((x, bottom + 30, x + 66, bottom + 96), outline=ink, width=6)
    if bottom + 200 < PHONE[1]:
        draw.text((60, bottom + 130), " ".join(chance.sample(WORDS, 6)), ink, ImageFont.load_default(40))
    draw.rounded_rectangle((380, PHONE[1] - 24, 700, PHONE[1] - 14), 5, fill=ink)
    return screen


def shade(chance: Random, low: int, high: int) -> Colour:
    level = chance.randint(low, high)
    return (level, level, level)


def caption(picture: Image.Image, chance: Random) -> Image.Image:
    """A band of 10-25 % of the height above or below, with one to three lines of text."""
    band = round(picture.height * chance.uniform(0.10, 0.25))
    above = chance.random() < 0.5
    ground, ink = chance.choice([("white", "black"), ("black", "white"), ("white", "black"), ("#ffe14d", "black")])
    canvas = Image.new("RGB", (picture.width, picture.height + band), ground)
    canvas.paste(picture, (0, band if above else 0))
    draw = ImageDraw.Draw(canvas)
    lines = chance.randint(1, 3)
    size = max(6, min(int(band * 0.8 / lines), picture.width // 10))
    text = "\n".join(" ".join(chance.sample(WORDS, chance.randint(2, 4))) for _ in range(lines))
    middle = (canvas.width // 2, band // 2 if above else picture.height + band // 2)
    draw.multiline_text(middle, text, ink, ImageFont.load_default(size), anchor="mm", align="center")
    return canvas


def story(*, bar: bool) -> Compose:
    """A story: the picture at 60-95 % of a phone's width on its own colours, blurred, and perhaps a text across."""

    def post(picture: Image.Image, chance: Chance) -> Image.Image:
        ground = scaled(ImageOps.fit(picture, (720, 1280)), 0.05).filter(ImageFilter.GaussianBlur(2))
        canvas = ground.resize((720, 1280), Image.Resampling.BICUBIC)
        box = _put(canvas, picture, chance, (0.6, 0.95))
        if bar:
            middle, high = chance.randint(box[1], box[3]), chance.randint(35, 75)
            draw = ImageDraw.Draw(canvas, "RGBA")
            draw.rectangle((0, middle - high, 720, middle + high), (0, 0, 0, chance.choice([150, 255])))
            text = " ".join(chance.sample(WORDS, 4))
            draw.text((360, middle), text, "white", ImageFont.load_default(high * 0.8), anchor="mm")
        return canvas

    return post


def _put(canvas: Image.Image, picture: Image.Image, chance: Random, share: tuple[float, float]) -> Box:
    """Pastes the picture at a share of the canvas' width, 80 % of its height at most, anywhere; returns where."""
    scale = min(chance.uniform(*share) * canvas.width / picture.width, 0.8 * canvas.height / picture.height)
    shown = scaled(picture, scale)
    left, top = chance.randint(0, canvas.width - shown.width), chance.randint(0, canvas.height - shown.height)
    canvas.paste(shown, (left, top))
    return left, top, left + shown.width, top + shown.height


def collage(columns: int, rows: int, gap: int = 0) -> Compose:
    """Pictures in a grid, each cut to a cell's shape; this one is anywhere among them."""

    def grid(picture: Image.Image, chance: Chance) -> Image.Image:
        wide, high = chance.choice([(1, 1), (4, 5), (3, 4), (4, 3)]) if columns == rows else (4, 5)
        cell = (1080 // columns, round(1080 // columns * high / wide))
        places = [chance.other() for _ in range(columns * rows - 1)]
        places.insert(chance.randrange(columns * rows), picture)
        canvas = Image.new("RGB", (columns * (cell[0] + gap) - gap, rows * (cell[1] + gap) - gap), "white")
        for number, one in enumerate(places):
            at = number % columns * (cell[0] + gap), number // columns * (cell[1] + gap)
            canvas.paste(ImageOps.fit(one, cell, Image.Resampling.LANCZOS), at)
        return canvas

    return grid


def side_by_side(picture: Image.Image, chance: Chance) -> Image.Image:
    """Two whole pictures of one height, beside or below each other."""
    both = [picture, chance.other()]
    chance.shuffle(both)
    if chance.random() < 0.5:
        left, right = (scaled(one, 720 / one.height) for one in both)
        canvas = Image.new("RGB", (left.width + right.width, 720))
        canvas.paste(left, (0, 0))
        canvas.paste(right, (left.width, 0))
        return canvas
    upper, lower = (scaled(one, 800 / one.width) for one in both)
    canvas = Image.new("RGB", (800, upper.height + lower.height))
    canvas.paste(upper, (0, 0))
    canvas.paste(lower, (0, upper.height))
    return canvas


def on_another(picture: Image.Image, chance: Chance) -> Image.Image:
    """Small on another picture: 30-45 % of its width."""
    canvas = scaled(other := chance.other(), 1080 / max(other.size))
    _put(canvas, picture, chance, (0.3, 0.45))
    return canvas


def photographed(*, edges: bool) -> Edit:
    """A photograph of a screen: at an angle, with moire, gamma, blur and noise; its edges are in view or not."""

    def photograph(picture: Image.Image, chance: Random) -> Image.Image:
        screen = scaled(picture, min(1, 1280 / max(picture.size)))
        # How far inside the picture each corner of the photograph lies, as a share of its sides: outside if negative.
        inset = (-0.16, -0.02) if edges else (0.0, 0.05)
        seen = [
            (x + (1 - 2 * x) * chance.uniform(*inset), y + (1 - 2 * y) * chance.uniform(*inset))
            for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))
        ]
        room = (chance.randint(5, 60), chance.randint(5, 60), chance.randint(5, 60))
        taken = screen.transform(
            screen.size,
            Image.Transform.PERSPECTIVE,
            _perspective(screen.size, seen),
            Image.Resampling.BICUBIC,
            fillcolor=room,
        )
        light = np.asarray(taken, np.float32) / 255
        light = light ** chance.uniform(0.8, 1.3) * (1 + _moire(screen.size, chance)[..., None])
        light *= [chance.uniform(0.92, 1.05) for _ in range(3)]
        noise = np.random.default_rng(chance.getrandbits(32)).normal(0, chance.uniform(0.01, 0.03), light.shape)
        copy = Image.fromarray(np.uint8(np.clip(light + noise, 0, 1) * 255))
        return copy.filter(ImageFilter.GaussianBlur(chance.uniform(0.4, 1.1)))

    return photograph


def _perspective(size: tuple[int, int], seen: Sequence[tuple[float, float]]) -> list[float]:
    """Pillow's coefficients that take a photograph's corners to these places, shares of the picture's sides."""
    wide, high = size
    rows, places = [], []
    for (x, y), to in zip(((0, 0), (wide, 0), (wide, high), (0, high)), seen, strict=True):
        u, v = to[0] * wide, to[1] * high
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        places += [u, v]
    solved: list[float] = np.linalg.solve(np.array(rows, float), np.array(places, float)).tolist()
    return solved


def _moire(size: tuple[int, int], chance: Random) -> NDArray[np.float32]:
    """Two waves, fine and coarse, as a camera's grid makes of a screen's: a factor less 1 for each pixel."""
    y, x = np.ogrid[: size[1], : size[0]]
    waves = np.zeros((size[1], size[0]), np.float32)
    for least, most in ((3, 9), (40, 200)):
        turn, period = chance.uniform(0, math.pi), chance.uniform(least, most)
        bend = chance.uniform(0, 0.002)
        across = np.float32(x * math.cos(turn) + y * math.sin(turn) + bend * x * y / 50)
        waves += np.float32(chance.uniform(0.02, 0.06)) * np.sin(across * np.float32(2 * math.pi / period))
    return waves


def chat(picture: Image.Image, chance: Random) -> Image.Image:
    """A screenshot of a chat: the picture is a message, 50-75 % of the screen wide, among messages of text."""
    screen, draw, ink = app_screen(chance)
    mine = ["#0a84ff", "#34c759", "#dcf8c6", "#7a5cff"][chance.randrange(4)]
    width = round(PHONE[0] * chance.uniform(0.5, 0.75))
    shown = scaled(picture, min(width / picture.width, 1300 / picture.height))
    before, y = chance.randint(0, 3), 210
    for number in range(14):
        left_side = chance.random() < 0.5
        if number == before:
            x = 40 if left_side else PHONE[0] - 40 - shown.width
            corners = Image.new("L", shown.size)
            ImageDraw.Draw(corners).rounded_rectangle((0, 0, shown.width - 1, shown.height - 1), 36, fill=255)
            screen.paste(shown, (x, y), corners)
            y += shown.height + 30
            continue
        text = "\n".join(" ".join(chance.sample(WORDS, chance.randint(1, 5))) for _ in range(chance.randint(1, 3)))
        y = _bubble(draw, (left_side, y), text, mine, ink)
        if y > PHONE[1] - 260 and number > before:
            break
    draw.rectangle((0, PHONE[1] - 190, *PHONE), fill=ink.ground)
    draw.rounded_rectangle((120, PHONE[1] - 160, 860, PHONE[1] - 70), 45, outline=ink.text, width=3)
    draw.text((160, PHONE[1] - 140), "Message", "grey", ImageFont.load_default(44))
    return screen


class Ink(NamedTuple):
    """Colours of an app: ground, text, and messages of others."""

    ground: str
    text: str
    bubble: str


INKS: Final = (
    Ink("#ffffff", "#111111", "#e9e9eb"),
    Ink("#000000", "#f2f2f2", "#26262a"),
    Ink("#efe7de", "#222", "white"),
)


def app_screen(chance: Random) -> tuple[Image.Image, ImageDraw.ImageDraw, Ink]:
    """An empty app: status bar, a head with a face and a name."""
    ink = chance.choice(INKS)
    screen = Image.new("RGB", PHONE, ink.ground)
    draw = ImageDraw.Draw(screen)
    draw.text((60, 24), f"{chance.randint(0, 23)}:{chance.randint(10, 59)}", ink.text, ImageFont.load_default(42))
    for icon in range(3):
        draw.rounded_rectangle((840 + 70 * icon, 30, 890 + 70 * icon, 64), 8, outline=ink.text, width=5)
    draw.line((40, 140, 70, 110), ink.text, 6)
    draw.line((40, 140, 70, 170), ink.text, 6)
    draw.ellipse((110, 95, 200, 185), fill=(chance.randrange(256), chance.randrange(256), chance.randrange(256)))
    draw.text((230, 112), " ".join(chance.sample(WORDS, 2)), ink.text, ImageFont.load_default(46))
    draw.line((0, 198, PHONE[0], 198), "grey", 1)
    return screen, draw, ink


def _bubble(draw: ImageDraw.ImageDraw, at: tuple[bool, int], text: str, mine: str, ink: Ink) -> int:
    """A message of text on the left or the right; returns where the next one begins."""
    left_side, y = at
    font = ImageFont.load_default(42)
    _, _, wide, high = draw.multiline_textbbox((0, 0), text, font)
    x = 40 if left_side else PHONE[0] - 100 - wide
    draw.rounded_rectangle((x, y, x + wide + 60, y + high + 50), 40, fill=ink.bubble if left_side else mine)
    draw.multiline_text((x + 30, y + 22), text, ink.text if left_side else "#101010", font)
    return round(y + high + 80)


def feed(picture: Image.Image, chance: Chance) -> Image.Image:
    """A screenshot of a feed: the picture across the screen, buttons and text below it, and a part of the next post."""
    screen, draw, ink = app_screen(chance)
    y = 220
    for one in (picture, chance.other()):
        draw.ellipse((40, y, 120, y + 80), fill=(chance.randrange(256), chance.randrange(256), chance.randrange(256)))
        draw.text((150, y + 16), " ".join(chance.sample(WORDS, 2)), ink.text, ImageFont.load_default(42))
        y += 110
        shown = scaled(one, min(PHONE[0] / one.width, 1350 / one.height))
        screen.paste(shown, ((PHONE[0] - shown.width) // 2, y))
        y += shown.height + 30
        for place in range(3):
            draw.ellipse((50 + 120 * place, y, 120 + 120 * place, y + 70), outline=ink.text, width=6)
        draw.text((40, y + 95), f"{chance.randint(2, 9999)} likes", ink.text, ImageFont.load_default(38))
        draw.text((40, y + 150), " ".join(chance.sample(WORDS, 6)), ink.text, ImageFont.load_default(38))
        y += 260
    draw.rectangle((0, PHONE[1] - 150, *PHONE), fill=ink.ground)
    for place in range(5):
        draw.rounded_rectangle(
            (70 + 210 * place, PHONE[1] - 120, 140 + 210 * place, PHONE[1] - 50), 14, outline=ink.text, width=6
        )
    return screen
