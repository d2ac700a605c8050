"""What people and platforms do to a picture before it comes back. Every amount is drawn anew for each picture."""

import io
import math
from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType
from typing import Final

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

type Change = Callable[[Image.Image, Random], Image.Image]
type Colour = tuple[int, int, int]

WORDS: Final = ("when", "you", "see", "it", "tell", "me", "why", "nobody", "told", "anyone", "about", "this", "look")
PHONE: Final = (1080, 2340)
"""Pixels of a phone's screen."""


def changed(picture: Image.Image, change: str, chance: Random) -> bytes:
    """The file of a copy: `picture`, in RGB and upright, after a change in `CHANGES`, saved as a JPEG."""
    quality = chance.randint(30, 70) if change == "JPEG quality 30-70" else chance.randint(75, 95)
    out = io.BytesIO()
    CHANGES[change](picture, chance).save(out, "JPEG", quality=quality)
    return out.getvalue()


def _same(picture: Image.Image, _: Random) -> Image.Image:
    return picture


def _resized(picture: Image.Image, chance: Random) -> Image.Image:
    return _scaled(picture, chance.uniform(0.25, 2.0 if max(picture.size) < 2000 else 1.0))


def _scaled(picture: Image.Image, scale: float) -> Image.Image:
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _platform(picture: Image.Image, _: Random) -> Image.Image:
    """Through a platform twice: 1080 pixels wide, sharpened, JPEG at 70."""
    for _time in range(2):
        smaller = picture if picture.width <= 1080 else _scaled(picture, 1080 / picture.width)
        out = io.BytesIO()
        smaller.filter(ImageFilter.UnsharpMask(1.5, 60, 2)).save(out, "JPEG", quality=70)
        picture = Image.open(io.BytesIO(out.getvalue()))
    return picture


def _grey(picture: Image.Image, _: Random) -> Image.Image:
    return picture.convert("L")


def _light(picture: Image.Image, chance: Random) -> Image.Image:
    brighter = ImageEnhance.Brightness(picture).enhance(chance.uniform(0.7, 1.3))
    return ImageEnhance.Contrast(brighter).enhance(chance.uniform(0.7, 1.3))


def _mirror(picture: Image.Image, _: Random) -> Image.Image:
    return ImageOps.mirror(picture)


def _quarter(picture: Image.Image, chance: Random) -> Image.Image:
    turn = chance.choice([Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270])
    return picture.transpose(turn)


def _aspect(wide: int, high: int) -> Change:
    def crop(picture: Image.Image, _: Random) -> Image.Image:
        width = min(picture.width, picture.height * wide / high)
        height = min(picture.height, picture.width * high / wide)
        left, top = (picture.width - width) / 2, (picture.height - height) / 2
        return picture.crop((round(left), round(top), round(left + width), round(top + height)))

    return crop


def _bars(wide: int, high: int, fill: str) -> Change:
    """The picture in the middle of a canvas of another shape; a bar is at least as long as 4 % of the canvas."""

    def pad(picture: Image.Image, _: Random) -> Image.Image:
        shape = wide / high
        width, height = max(picture.width, picture.height * shape), max(picture.height, picture.width / shape)
        canvas = Image.new("RGB", (round(width), round(height)), "black" if fill == "blurred" else fill)
        if fill == "blurred":
            cover = ImageOps.fit(picture, canvas.size)
            small = _scaled(cover, 64 / max(cover.size)).filter(ImageFilter.GaussianBlur(3))
            canvas = small.resize(canvas.size, Image.Resampling.BICUBIC)
        canvas.paste(picture, ((canvas.width - picture.width) // 2, (canvas.height - picture.height) // 2))
        return canvas

    return pad


def _screenshot(picture: Image.Image, chance: Random) -> Image.Image:
    """The picture on a phone's screen: status bar, a name, varying margins, buttons, a line of text."""
    dark = chance.random() < 0.5
    ground: Colour = _shade(chance, 0, 30) if dark else _shade(chance, 235, 255)
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


def _shade(chance: Random, low: int, high: int) -> Colour:
    level = chance.randint(low, high)
    return (level, level, level)


def _caption(picture: Image.Image, chance: Random) -> Image.Image:
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


def _emoji(picture: Image.Image, chance: Random) -> Image.Image:
    """A laughing face over 5-12 % of the area, anywhere."""
    side = round((picture.width * picture.height * chance.uniform(0.05, 0.12)) ** 0.5)
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


def _watermark(picture: Image.Image, chance: Random) -> Image.Image:
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


def _crop(most: float) -> Change:
    """Up to `most` of the length off each side, by different amounts."""

    def crop(picture: Image.Image, chance: Random) -> Image.Image:
        left, right = (chance.uniform(0, most) * picture.width for _ in range(2))
        top, bottom = (chance.uniform(0, most) * picture.height for _ in range(2))
        return picture.crop((round(left), round(top), round(picture.width - right), round(picture.height - bottom)))

    return crop


def _turn(*, cut: bool) -> Change:
    """0.5-4 degrees either way: the empty corners are black, or cropped."""

    def turn(picture: Image.Image, chance: Random) -> Image.Image:
        degrees = chance.choice([-1, 1]) * chance.uniform(0.5, 4)
        turned = picture.rotate(degrees, Image.Resampling.BICUBIC)
        if not cut:
            return turned
        share = inside(picture.width, picture.height, degrees)
        width, height = picture.width * share, picture.height * share
        left, top = (picture.width - width) / 2, (picture.height - height) / 2
        return turned.crop((round(left), round(top), round(left + width), round(top + height)))

    return turn


def inside(width: float, height: float, degrees: float) -> float:
    """The size of the largest picture of the same shape in the turned one, as a share of its sides."""
    sine, cosine = abs(math.sin(math.radians(degrees))), math.cos(math.radians(degrees))
    return min(width / (width * cosine + height * sine), height / (width * sine + height * cosine))


CHANGES: Final[Mapping[str, Change]] = MappingProxyType(
    {
        "JPEG quality 30-70": _same,
        "resized to 25-200 %": _resized,
        "a platform's chain, twice": _platform,
        "greyscale": _grey,
        "brightness, contrast": _light,
        "mirror": _mirror,
        "quarter turns": _quarter,
        "crop to 1:1": _aspect(1, 1),
        "crop to 4:5": _aspect(4, 5),
        "crop to 3:4": _aspect(3, 4),
        "crop to 9:16": _aspect(9, 16),
        "crop to 16:9": _aspect(16, 9),
        **{
            f"bars to {wide}:{high}, {fill}": _bars(wide, high, fill)
            for wide, high in ((1, 1), (9, 16))
            for fill in ("black", "white", "blurred")
        },
        "screenshot": _screenshot,
        "caption band": _caption,
        "emoji on 5-12 %": _emoji,
        "watermark": _watermark,
        "small crop, 0-3 % a side": _crop(0.03),
        "crop, 0-8 % a side": _crop(0.08),
        "large crop, 0-20 % a side": _crop(0.20),
        "turn, black corners": _turn(cut=False),
        "turn, corners cut": _turn(cut=True),
    }
)
"""Every change by name, in the order of the table."""
