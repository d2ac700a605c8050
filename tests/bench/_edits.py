"""Changes to a picture itself, by which a copy differs from it. Every amount is drawn anew for each picture."""

import io
import math
from collections.abc import Callable
from random import Random
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

type Edit = Callable[[Image.Image, Random], Image.Image]
type Colour = tuple[int, int, int]

WORDS: Final = ("when", "you", "see", "it", "tell", "me", "why", "nobody", "told", "anyone", "about", "this", "look")


def same(picture: Image.Image, _: Random) -> Image.Image:
    return picture


def resized(picture: Image.Image, chance: Random) -> Image.Image:
    return scaled(picture, chance.uniform(0.25, 2.0 if max(picture.size) < 2000 else 1.0))


def scaled(picture: Image.Image, scale: float) -> Image.Image:
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def platform(picture: Image.Image, _: Random) -> Image.Image:
    """Through a platform twice: 1080 pixels wide, sharpened, JPEG at 70."""
    for _time in range(2):
        smaller = picture if picture.width <= 1080 else scaled(picture, 1080 / picture.width)
        out = io.BytesIO()
        smaller.filter(ImageFilter.UnsharpMask(1.5, 60, 2)).save(out, "JPEG", quality=70)
        picture = Image.open(io.BytesIO(out.getvalue()))
    return picture


def grey(picture: Image.Image, _: Random) -> Image.Image:
    return picture.convert("L")


def light(picture: Image.Image, chance: Random) -> Image.Image:
    brighter = ImageEnhance.Brightness(picture).enhance(chance.uniform(0.7, 1.3))
    return ImageEnhance.Contrast(brighter).enhance(chance.uniform(0.7, 1.3))


def mirror(picture: Image.Image, _: Random) -> Image.Image:
    return ImageOps.mirror(picture)


def quarter(picture: Image.Image, chance: Random) -> Image.Image:
    turn = chance.choice([Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270])
    return picture.transpose(turn)


def aspect(wide: int, high: int) -> Edit:
    def crop(picture: Image.Image, _: Random) -> Image.Image:
        width = min(picture.width, picture.height * wide / high)
        height = min(picture.height, picture.width * high / wide)
        left, top = (picture.width - width) / 2, (picture.height - height) / 2
        return picture.crop((round(left), round(top), round(left + width), round(top + height)))

    return crop


def emoji(picture: Image.Image, chance: Random, least: float = 0.05, most: float = 0.12) -> Image.Image:
    """A laughing face over 5-12 % of the area, anywhere; `least` and `most` are other shares."""
    side = round((picture.width * picture.height * chance.uniform(least, most)) ** 0.5)
    side = min(side, *picture.size)
    face = Image.new("RGBA", (256, 256))
    draw = ImageDraw.Draw(face)
    draw.ellipse((2, 2, 253, 253), fill=(255, 204, 50, 255), outline=(220, 150, 20, 255), width=5)
    for x in (86, 170):
        draw.ellipse((x - 20, 70, x + 20, 122), fill=(90, 50, 20, 255))
    draw.chord((56, 90, 200, 220), 0, 180, fill=(130, 40, 30, 255))
    at = (chance.randint(0, picture.width - side), chance.randint(0, picture.height - side))
    copy = picture.copy()
    sticker = face.resize((side, side), Image.Resampling.LANCZOS)
    copy.paste(sticker, at, sticker)
    return copy


def watermark(picture: Image.Image, chance: Random) -> Image.Image:
    """A half-transparent name across the picture or in a corner."""
    layer = Image.new("RGBA", picture.size)
    size = max(8, round(picture.width * chance.uniform(0.04, 0.12)))
    alpha = chance.randint(60, 140)
    anchor, at = chance.choice(
        [("mm", (picture.width // 2, picture.height // 2)), ("rs", (picture.width - size, picture.height - size))]
    )
    text = "@" + "_".join(chance.sample(WORDS, 2))
    ImageDraw.Draw(layer).text(at, text, (255, 255, 255, alpha), ImageFont.load_default(size), anchor=anchor)
    return Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")


def crop(least: float, most: float) -> Edit:
    """Between `least` and `most` of the length off each side, by different amounts."""

    def cut(picture: Image.Image, chance: Random) -> Image.Image:
        left, right = (chance.uniform(least, most) * picture.width for _ in range(2))
        top, bottom = (chance.uniform(least, most) * picture.height for _ in range(2))
        return picture.crop((round(left), round(top), round(picture.width - right), round(picture.height - bottom)))

    return cut


def zoom(area: float) -> Edit:
    """A part of the picture of its own shape and of this share of its area, from anywhere in it."""

    def cut(picture: Image.Image, chance: Random) -> Image.Image:
        wide, high = round(picture.width * area**0.5), round(picture.height * area**0.5)
        left, top = chance.randint(0, picture.width - wide), chance.randint(0, picture.height - high)
        return picture.crop((left, top, left + wide, top + high))

    return cut


def mirror_cut(picture: Image.Image, chance: Random) -> Image.Image:
    """Mirrored, and up to 15 % off each side."""
    return crop(0, 0.15)(mirror(picture, chance), chance)


def turn(least: float, most: float, fill: str | None = None) -> Edit:
    """Between `least` and `most` degrees either way: the empty corners are of the colour `fill`, or cropped."""

    def turned(picture: Image.Image, chance: Random) -> Image.Image:
        degrees = chance.choice([-1, 1]) * chance.uniform(least, most)
        copy = picture.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=fill)
        if fill is not None:
            return copy
        share = inside(picture.width, picture.height, degrees)
        width, height = picture.width * share, picture.height * share
        left, top = (picture.width - width) / 2, (picture.height - height) / 2
        return copy.crop((round(left), round(top), round(left + width), round(top + height)))

    return turned


def inside(width: float, height: float, degrees: float) -> float:
    """The size of the largest picture of the same shape in the turned one, as a share of its sides."""
    sine, cosine = abs(math.sin(math.radians(degrees))), math.cos(math.radians(degrees))
    return min(width / (width * cosine + height * sine), height / (width * sine + height * cosine))


def negative(picture: Image.Image, _: Random) -> Image.Image:
    return ImageOps.invert(picture)


def colour_filter(picture: Image.Image, chance: Random) -> Image.Image:
    """What editors call a filter: a tint, sepia, other hues, faded, few levels, or dark edges."""
    return chance.choice([_tinted, _sepia, _hues, _faded, _posterized, _vignette])(picture, chance)


def _tinted(picture: Image.Image, chance: Random) -> Image.Image:
    ground = Image.new("RGB", picture.size, (chance.randrange(256), chance.randrange(256), chance.randrange(256)))
    return Image.blend(picture, ground, chance.uniform(0.15, 0.35))


def _sepia(picture: Image.Image, chance: Random) -> Image.Image:
    brown = ImageOps.colorize(picture.convert("L"), (40, 20, 5), (255, 240, 200))
    return Image.blend(picture, brown, chance.uniform(0.6, 1))


def _hues(picture: Image.Image, chance: Random) -> Image.Image:
    hue, saturation, value = picture.convert("HSV").split()
    turned = hue.point(_rolled(chance.randint(30, 225)))
    return Image.merge("HSV", (turned, saturation, value)).convert("RGB")


def _rolled(by: int) -> list[int]:
    return [(level + by) % 256 for level in range(256)]


def _faded(picture: Image.Image, chance: Random) -> Image.Image:
    lifted = picture.point([round(50 + level * 0.72) for level in range(256)] * 3)
    return ImageEnhance.Color(lifted).enhance(chance.uniform(0.3, 1.6))


def _posterized(picture: Image.Image, chance: Random) -> Image.Image:
    return ImageOps.posterize(picture, chance.randint(3, 4))


def _vignette(picture: Image.Image, chance: Random) -> Image.Image:
    dark = Image.radial_gradient("L").resize(picture.size).point([round(level * 0.85) for level in range(256)])
    shaded = ImageChops.multiply(picture, Image.merge("RGB", [ImageChops.invert(dark)] * 3))
    return Image.blend(picture, shaded, chance.uniform(0.6, 1))


def scribbles(picture: Image.Image, chance: Random) -> Image.Image:
    """Two to five lines drawn by finger over the picture."""
    copy = picture.copy()
    draw = ImageDraw.Draw(copy)
    for _ in range(chance.randint(2, 5)):
        x, y = chance.uniform(0.1, 0.9) * copy.width, chance.uniform(0.1, 0.9) * copy.height
        points, heading = [(x, y)], chance.uniform(0, 2 * math.pi)
        for _step in range(chance.randint(15, 50)):
            heading += chance.uniform(-0.7, 0.7)
            x, y = x + math.cos(heading) * copy.width * 0.025, y + math.sin(heading) * copy.height * 0.025
            points.append((x, y))
        width = max(2, round(min(copy.size) * chance.uniform(0.008, 0.03)))
        draw.line(points, chance.choice(["red", "white", "black", "yellow", "#30d158"]), width, "curve")
    return copy


def stickers(picture: Image.Image, chance: Random) -> Image.Image:
    """Three to six faces, each over 1-4 % of the area."""
    for _ in range(chance.randint(3, 6)):
        picture = emoji(picture, chance, 0.01, 0.04)
    return picture


def text_over(picture: Image.Image, chance: Random) -> Image.Image:
    """One to three lines of large text over the middle, plain or on a bar."""
    copy = picture.copy()
    draw = ImageDraw.Draw(copy)
    size = max(8, round(copy.width * chance.uniform(0.06, 0.12)))
    lines = [" ".join(chance.sample(WORDS, chance.randint(1, 3))) for _ in range(chance.randint(1, 3))]
    high = round(size * 1.3 * len(lines))
    middle = round(copy.height * chance.uniform(0.35, 0.65))
    if chance.random() < 0.4:
        draw.rectangle(
            (0, middle - high // 2, copy.width, middle + high // 2), chance.choice(["black", "white", "#333"])
        )
    font = ImageFont.load_default(size)
    draw.multiline_text(
        (copy.width // 2, middle), "\n".join(lines), chance.choice(["white", "#ffe14d", "red"]), font, anchor="mm",
        align="center", stroke_width=max(1, size // 16), stroke_fill="black",
    )  # fmt: skip
    return copy
