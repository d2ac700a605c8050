"""Pictures that tests make for themselves: drawn by a seed, detailed enough to hash, and easy to find in traffic."""

import random
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw

SECRET_NAME: Final = "zephyr-quartz-private"
"""Stands in every file name; it must never be seen outside the device."""
SECRET_WORDS: Final = "vexing-jackdaw-metadata"
"""Stands in the metadata of every picture; it must never be seen either."""
_DESCRIPTION: Final = 0x010E
_ARTIST: Final = 0x013B
_SHAPES: Final = 60


def draw(seed: int, size: tuple[int, int] = (640, 480)) -> Image.Image:
    """A picture of overlapping boxes and ellipses, the same for the same seed, unlike any other."""
    dice = random.Random(seed)
    picture = Image.new("RGB", size, _colour(dice))
    pen = ImageDraw.Draw(picture)
    for _ in range(_SHAPES):
        x, y = dice.randrange(size[0]), dice.randrange(size[1])
        box = (x, y, x + dice.randrange(20, size[0] // 2), y + dice.randrange(20, size[1] // 2))
        (pen.ellipse if dice.random() < 0.5 else pen.rectangle)(box, fill=_colour(dice))
    return picture


def save(folder: Path, seed: int, kind: str, size: tuple[int, int] = (640, 480)) -> Path:
    """Write the picture of `seed` as `kind`, a suffix such as `jpg`, with secrets in its name and its metadata."""
    path = folder / f"{SECRET_NAME}-{seed}.{kind}"
    exif = Image.Exif()
    exif[_DESCRIPTION] = SECRET_WORDS
    exif[_ARTIST] = SECRET_WORDS
    picture = draw(seed, size)
    if kind in {"gif", "bmp"}:
        picture.save(path)
    else:
        picture.save(path, exif=exif)
    return path


def resave(path: Path, folder: Path) -> Path:
    """The picture as somebody else would post it: saved again as a JPEG of quality 60."""
    copy = folder / f"resaved-{path.stem}.jpg"
    with Image.open(path) as picture:
        picture.convert("RGB").save(copy, quality=60)
    return copy


def halve(path: Path, folder: Path) -> Path:
    """The picture at half its width and height."""
    copy = folder / f"halved-{path.stem}.jpg"
    with Image.open(path) as picture:
        half = (picture.width // 2, picture.height // 2)
        picture.convert("RGB").resize(half, Image.Resampling.LANCZOS).save(copy, quality=90)
    return copy


def damage(path: Path, folder: Path) -> Path:
    """The picture's file cut off in its first half."""
    copy = folder / f"damaged-{path.name}"
    data = path.read_bytes()
    copy.write_bytes(data[: len(data) // 3])
    return copy


def _colour(dice: random.Random) -> tuple[int, int, int]:
    return (dice.randrange(256), dice.randrange(256), dice.randrange(256))
