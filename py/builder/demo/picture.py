"""Draws the picture that a newcomer may send: hills under a sun, with enough detail to hash well."""

import random
from typing import Final

from PIL import Image, ImageDraw

SIZE: Final = (1600, 1200)


def draw() -> Image.Image:
    """Draws the picture, in RGB, always the same."""
    chance = random.Random(7)  # noqa: S311 - a drawing needs no secrets
    picture = Image.linear_gradient("L").resize(SIZE)
    picture = Image.merge(
        "RGB", (picture.point(_scaled(0.9)), picture.point(_scaled(0.6)), picture.point(_scaled(0.8)))
    )
    pen = ImageDraw.Draw(picture)
    pen.ellipse((1050, 130, 1330, 410), fill=(255, 226, 140))
    for layer in range(5):
        _draw_hills(pen, chance, top=480 + 140 * layer, shade=200 - 38 * layer)
    for _ in range(60):
        x, y, size = chance.randrange(1600), chance.randrange(760, 1180), chance.randrange(8, 44)
        pen.polygon([(x, y - 3 * size), (x - size, y), (x + size, y)], fill=(18, chance.randrange(40, 110), 48))
    return picture


def _scaled(by: float) -> list[int]:
    """A table that scales grey values by `by` and inverts them."""
    return [int(255 - by * value) for value in range(256)]


def _draw_hills(pen: ImageDraw.ImageDraw, chance: random.Random, top: int, shade: int) -> None:
    """Draws one row of hills across the picture."""
    line = [(x, top + chance.randrange(-90, 90)) for x in range(-100, 1701, 150)]
    pen.polygon([*line, (1700, 1200), (-100, 1200)], fill=(shade // 3, shade, shade // 2))
