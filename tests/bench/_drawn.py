"""Drawn pictures: soft ones with little to hold on to, and what many different pictures share."""

import math
from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from tests.bench._edits import Colour, emoji, scaled, text_over
from tests.bench._scenes import PHONE, Chance, app_screen, chat, feed

type Draw = Callable[[Chance], Image.Image]

TEMPLATES: Final = 6
"""Pictures from which memes are made, each with as many different texts as there are memes of it."""


def soft_picture(number: int, seed: str) -> Image.Image:
    """The picture of this number, of each kind in `SOFT` in turn."""
    kind, draw = list(SOFT.items())[number % len(SOFT)]
    return draw(Random(f"{seed} {kind} {number}"))


def shared_picture(
    kind: str, number: int, seed: str, photographs: Mapping[str, Image.Image]
) -> tuple[Image.Image, set[str]]:
    """The picture of this number of a kind in `SHARED`, and the names of the `photographs` that it shows."""
    chance = Chance(f"{seed} {kind} {number}", photographs)
    return SHARED[kind](chance), chance.shown


def meme(number: int, seed: str, photographs: Mapping[str, Image.Image]) -> tuple[Image.Image, set[str]]:
    """The meme of this number, on the template `number % TEMPLATES`; and the names of the photographs that it shows."""
    ground = Chance(f"{seed} {number % TEMPLATES}", photographs)
    template = ground.other()
    return _meme(scaled(template, 900 / max(template.size)), Random(f"{seed} meme {number}")), ground.shown


def _grain(picture: Image.Image, chance: Random, most: float = 4) -> Image.Image:
    """With the noise of a camera."""
    levels = np.asarray(picture, np.float32)
    noise = np.random.default_rng(chance.getrandbits(32)).normal(0, chance.uniform(1, most), levels.shape)
    return Image.fromarray(np.uint8(np.clip(levels + noise, 0, 255)))


def _gradient(size: tuple[int, int], chance: Random) -> Image.Image:
    """From one colour to another, at any angle."""
    turned = (
        Image.linear_gradient("L").rotate(chance.uniform(0, 360), Image.Resampling.BILINEAR).crop((48, 48, 208, 208))
    )
    return ImageOps.colorize(turned.resize(size, Image.Resampling.BICUBIC), _colour(chance), _colour(chance))


def _colour(chance: Random, low: int = 0, high: int = 255) -> Colour:
    return chance.randint(low, high), chance.randint(low, high), chance.randint(low, high)


def _skin(chance: Random) -> Image.Image:
    """Bodies as soft shapes: trunks and limbs of one tone, shaded, on a plain ground, with folds of cloth."""
    size = chance.choice([(1080, 1440), (1440, 1080), (1200, 1200)])
    canvas = _gradient(size, chance)
    draw = ImageDraw.Draw(canvas)
    tone = chance.uniform(0.35, 1)
    for _ in range(chance.randint(4, 9)):
        shade = tone * chance.uniform(0.85, 1.1)
        colour = (min(255, round(235 * shade)), min(255, round(190 * shade)), min(255, round(160 * shade)))
        x, y = chance.uniform(0, size[0]), chance.uniform(0, size[1])
        angle, long, thick = chance.uniform(0, math.pi), chance.uniform(0.2, 0.7) * size[1], chance.uniform(60, 220)
        to = x + math.cos(angle) * long, y + math.sin(angle) * long
        draw.line((x, y, *to), colour, round(2 * thick))
        for end in ((x, y), to):
            draw.circle(end, thick, colour)
    canvas = canvas.filter(ImageFilter.GaussianBlur(chance.uniform(8, 18)))
    draw = ImageDraw.Draw(canvas, "RGBA")
    for _ in range(chance.randint(2, 6)):
        points = [(chance.uniform(0, size[0]), chance.uniform(0, size[1])) for _ in range(3)]
        draw.line(points, (40, 25, 20, chance.randint(30, 90)), chance.randint(4, 14), "curve")
    return _grain(canvas.filter(ImageFilter.GaussianBlur(3)), chance)


def _bokeh(chance: Random) -> Image.Image:
    """Discs of light, out of focus."""
    canvas = _gradient((1200, 900), chance).point(lambda level: level * 0.35)
    draw = ImageDraw.Draw(canvas, "RGBA")
    for _ in range(chance.randint(15, 60)):
        draw.circle(
            (chance.uniform(0, 1200), chance.uniform(0, 900)),
            chance.uniform(20, 90),
            (*_colour(chance, 100), chance.randint(50, 140)),
        )
    return _grain(canvas.filter(ImageFilter.GaussianBlur(chance.uniform(3, 12))), chance)


def _blurred(chance: Random) -> Image.Image:
    """A picture out of focus: shapes of many sizes, blurred by 1-3 % of its width."""
    canvas = _gradient((1200, 900), chance)
    draw = ImageDraw.Draw(canvas)
    for _ in range(chance.randint(20, 80)):
        x, y, side = chance.uniform(0, 1200), chance.uniform(0, 900), chance.uniform(20, 300)
        shape = draw.ellipse if chance.random() < 0.5 else draw.rectangle
        shape((x, y, x + side, y + side * chance.uniform(0.4, 1.6)), fill=_colour(chance))
    return _grain(canvas.filter(ImageFilter.GaussianBlur(chance.uniform(12, 36))), chance)


def _flat(chance: Random) -> Image.Image:
    """A sky or a wall, with one or two things on it."""
    canvas = _gradient((1200, 900), chance)
    draw = ImageDraw.Draw(canvas)
    for _ in range(chance.randint(1, 2)):
        x, y, side = chance.uniform(100, 900), chance.uniform(100, 700), chance.uniform(40, 220)
        points = [
            (x + side * math.cos(a / 7 * 6.28), y + side * chance.uniform(0.5, 1) * math.sin(a / 7 * 6.28))
            for a in range(7)
        ]
        draw.polygon(points, fill=_colour(chance))
    return _grain(canvas.filter(ImageFilter.GaussianBlur(2)), chance, 6)


SOFT: Final[Mapping[str, Callable[[Random], Image.Image]]] = MappingProxyType(
    {"skin": _skin, "bokeh": _bokeh, "blurred": _blurred, "flat": _flat}
)
"""Kinds of soft pictures."""


def _sentence(chance: Random, words: int) -> str:
    """Words of random letters, so that no two texts are alike."""
    letters = "etaoinshrdlucmfwyp"
    return " ".join("".join(chance.choices(letters, k=chance.randint(1, 9))) for _ in range(words))


def _document(chance: Chance) -> Image.Image:
    """A page of text: a title, paragraphs, sometimes a table."""
    page = Image.new("RGB", (1000, 1414), chance.choice(["white", "#fdfdf8"]))
    draw = ImageDraw.Draw(page)
    draw.text((90, 80), _sentence(chance, 4).capitalize(), "black", ImageFont.load_default(chance.randint(34, 52)))
    size, y = chance.randint(17, 26), 190
    while y < 1280:
        if chance.random() < 0.06:
            for row in range(5):
                draw.rectangle((90, y + row * 40, 910, y + row * 40 + 40), outline="black")
                draw.text((100, y + row * 40 + 8), _sentence(chance, 4), "black", ImageFont.load_default(20))
            y += 240
        draw.text((90, y), _sentence(chance, 820 // (size * 3)), "black", ImageFont.load_default(size))
        y += round(size * (1.5 if chance.random() < 0.85 else 3))
    return page


def _meme(template: Image.Image, chance: Random) -> Image.Image:
    """A picture that everybody uses, with a text of its own above and below."""
    band = template.height // 6
    canvas = Image.new("RGB", (template.width, template.height + 2 * band), "white")
    canvas.paste(template, (0, band))
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(max(14, template.width // 18))
    for y in (band // 2, canvas.height - band // 2):
        draw.text((canvas.width // 2, y), _sentence(chance, 5), "black", font, anchor="mm")
    return text_over(canvas, chance) if chance.random() < 0.3 else canvas


def _keyboard(chance: Chance) -> Image.Image:
    """A phone's keyboard below a message that somebody types."""
    screen, draw, ink = app_screen(chance)
    for line in range(chance.randint(3, 9)):
        draw.text((60, 260 + 110 * line), _sentence(chance, chance.randint(1, 6)), ink.text, ImageFont.load_default(50))
    top, high = chance.randint(1380, 1560), chance.randint(130, 165)
    draw.rectangle((0, top, *PHONE), fill="#c9ccd3" if ink.ground != "#000000" else "#2b2b2d")
    layout = chance.choice(
        [("qwertyuiop", "asdfghjkl", "zxcvbnm"), ("azertyuiop", "qsdfghjklm", "wxcvbn"), ("123", "456", "789")]
    )
    for row, keys in enumerate((*layout, " ")):
        wide = 100 if len(keys) > 3 else 930 // len(keys)
        left = (PHONE[0] - len(keys) * (wide + 6)) // 2
        for place, key in enumerate(keys):
            x, y = left + place * (wide + 6), top + 40 + row * high
            draw.rounded_rectangle((x, y, x + wide, y + high - 25), 14, fill=ink.ground)
            draw.text((x + wide // 2, y + high // 2 - 12), key, ink.text, ImageFont.load_default(56), anchor="mm")
    return screen


def _settings(chance: Chance) -> Image.Image:
    """A list of settings with switches."""
    screen, draw, ink = app_screen(chance)
    for row in range(13):
        y = 240 + row * 150
        draw.rounded_rectangle((40, y, 120, y + 80), 18, fill=_colour(chance))
        draw.text((150, y + 18), _sentence(chance, chance.randint(1, 3)), ink.text, ImageFont.load_default(42))
        on = chance.random() < 0.5
        draw.rounded_rectangle((920, y + 10, 1030, y + 70), 30, fill="#34c759" if on else "#8e8e93")
        draw.circle((1000 if on else 950, y + 40), 26, "white")
    return screen


def _emoji_page(chance: Chance) -> Image.Image:
    """Faces in rows on a plain ground."""
    canvas = Image.new("RGB", (1080, 1080), _colour(chance, 180))
    for _ in range(chance.randint(4, 14)):
        canvas = emoji(canvas, chance, 0.01, 0.05)
    return canvas


def _logo(chance: Chance) -> Image.Image:
    """A platform's letter in a frame, and its name, on its colour."""
    canvas = Image.new("RGB", (1080, chance.choice([720, 1080, 1440])), _colour(chance, 150))
    draw = ImageDraw.Draw(canvas)
    middle, half = (chance.randint(300, 780), canvas.height * 2 // 5), chance.randint(140, 280)
    box = (middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half)
    frame = chance.choice([draw.ellipse, draw.rectangle])
    frame(box, fill=_colour(chance), outline=_colour(chance), width=chance.randint(1, 40))
    letter = chance.choice("abdefgkmpqrstxz").upper()
    draw.text(middle, letter, _colour(chance), ImageFont.load_default(half * chance.uniform(0.8, 1.5)), anchor="mm")
    name = _sentence(chance, chance.randint(1, 2))
    draw.text((middle[0], canvas.height * 0.87), name, "black", ImageFont.load_default(90), anchor="mm")
    return canvas


def _text_message(chance: Chance) -> Image.Image:
    """A chat without a picture."""
    return chat(Image.new("RGB", (2, 2), "white"), chance)


SHARED: Final[Mapping[str, Draw]] = MappingProxyType(
    {
        "chat screenshots": lambda chance: chat(chance.other(), chance),
        "feed screenshots": lambda chance: feed(chance.other(), chance),
        "chats of text": _text_message,
        "documents": _document,
        "interface: keyboards": _keyboard,
        "interface: settings": _settings,
        "interface: faces": _emoji_page,
        "interface: names of platforms": _logo,
    }
)
"""Kinds of pictures that share what is not theirs alone: frames, letters, keys, symbols."""
