"""Makes AugLy's copies of a folder of pictures; it runs in AugLy's own environment, made from augly.lock.

`python -P _augly_copies.py SEED PICTURES COPIES` reads NNN.png and writes CHANGE__NNN.jpg, the amounts drawn at random.
A copy may also show the picture whose number is seven higher, and begins again after the last.
"""

import importlib
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

NEIGHBOUR: Final = 7
"""A copy may show the picture whose number is so much higher."""
QUALITY: Final = 70
"""JPEG quality of the copies."""


class Draw:
    """A picture, another one, and amounts that are drawn anew for each change."""

    def __init__(self, picture: Image.Image, other: Image.Image, chance: Random) -> None:
        self.picture, self.other, self.chance = picture, other, chance

    def __call__(self, least: float, most: float) -> float:
        """An amount between two limits."""
        return self.chance.uniform(least, most)

    def colour(self) -> tuple[int, int, int]:
        """Any colour."""
        return self.chance.randrange(256), self.chance.randrange(256), self.chance.randrange(256)


type Change = Callable[[Draw], Image.Image]


def _mend() -> Any:
    """Loads AugLy 1.0.0, of 2022, with what newer numpy and Pillow no longer have."""
    for kind in (float, int, bool):
        setattr(np, kind.__name__, kind)

    def size(font: ImageFont.FreeTypeFont, text: str, *_: object, **_named: object) -> tuple[float, float]:
        box = ImageDraw.Draw(Image.new("RGB", (1, 1))).multiline_textbbox((0, 0), text, font)
        return box[2] - box[0], box[3] - box[1]

    for name in ("getsize", "getsize_multiline"):
        setattr(ImageFont.FreeTypeFont, name, size)
    return importlib.import_module("augly.image")


def changes(augly: Any) -> Mapping[str, Change]:
    """AugLy's changes by name, with amounts as people choose them."""
    return {
        "aspect ratio": lambda r: augly.change_aspect_ratio(
            r.picture, ratio=r.picture.width / r.picture.height * r(0.75, 1.33)
        ),
        "crop 10-30 % a side": lambda r: augly.crop(
            r.picture, x1=r(0.1, 0.3), y1=r(0.1, 0.3), x2=r(0.7, 0.9), y2=r(0.7, 0.9)
        ),
        "colour jitter": lambda r: augly.color_jitter(
            r.picture, brightness_factor=r(0.7, 1.4), contrast_factor=r(0.7, 1.4), saturation_factor=r(0.5, 1.5)
        ),
        "blur": lambda r: augly.blur(r.picture, radius=r(1, 4)),
        "meme format": lambda r: augly.meme_format(r.picture),
        "big emoji": lambda r: augly.overlay_emoji(
            r.picture, emoji_size=r(0.25, 0.5), x_pos=r(0.1, 0.6), y_pos=r(0.1, 0.6)
        ),
        "text over it": lambda r: augly.overlay_text(
            r.picture, font_size=r(0.1, 0.2), x_pos=r(0, 0.3), y_pos=r(0.2, 0.6)
        ),
        "stripes": lambda r: augly.overlay_stripes(r.picture, line_width=r(0.2, 0.5)),
        "onto a screenshot": lambda r: augly.overlay_onto_screenshot(r.picture),
        "onto another picture": lambda r: augly.overlay_onto_background_image(
            r.picture, r.other, opacity=1.0, overlay_size=r(0.4, 0.7), x_pos=r(0.05, 0.3), y_pos=r(0.05, 0.3)
        ),
        "another picture on it": lambda r: augly.overlay_image(
            r.picture, r.other, opacity=1.0, overlay_size=r(0.3, 0.5), x_pos=r(0, 0.5), y_pos=r(0, 0.5)
        ),
        "blended with another": lambda r: augly.overlay_image(
            r.picture, r.other.resize(r.picture.size), opacity=r(0.2, 0.35), overlay_size=1.0, x_pos=0, y_pos=0
        ),
        "padded to a square": lambda r: augly.pad_square(r.picture, color=r.colour()),
        "perspective": lambda r: augly.perspective_transform(r.picture, sigma=r(20, 60), seed=r.chance.randrange(9999)),
        "pixelated": lambda r: augly.pixelization(r.picture, ratio=r(0.15, 0.4)),
        "noise": lambda r: augly.random_noise(r.picture, var=r(0.005, 0.03)),
        "turned 5-20 degrees": lambda r: augly.rotate(r.picture, degrees=r.chance.choice((-1, 1)) * r(5, 20)),
        "shuffled pixels": lambda r: augly.shuffle_pixels(r.picture, factor=r(0.05, 0.15)),
        "skewed": lambda r: augly.skew(r.picture, skew_factor=r(0.1, 0.35)),
        "mirrored and cropped": lambda r: augly.crop(
            augly.hflip(r.picture), x1=r(0, 0.15), y1=r(0, 0.15), x2=r(0.85, 1), y2=r(0.85, 1)
        ),
        "upside down mirror": lambda r: augly.vflip(r.picture),
        "thin stripes and colour": lambda r: augly.overlay_stripes(
            augly.color_jitter(r.picture, brightness_factor=1.2, contrast_factor=1.2, saturation_factor=1.2),
            line_width=0.1,
            line_angle=45,
        ),
    }


def several(single: Mapping[str, Change], number: int) -> Change:
    """So many different changes drawn at random."""

    def change(draw: Draw) -> Image.Image:
        for name in draw.chance.sample(sorted(single), number):
            draw.picture = single[name](draw).convert("RGB")
        return draw.picture

    return change


def main(seed: str, pictures: Path, copies: Path) -> None:
    """Writes a copy of each picture after each change. A change that AugLy fails at is left out, and told."""
    warnings.filterwarnings("ignore")
    single = changes(_mend())
    every = {**single, "two at once": several(single, 2), "three at once": several(single, 3)}
    found = [Image.open(file).convert("RGB") for file in sorted(pictures.glob("*.png"))]
    for name, change in every.items():
        for number, picture in enumerate(found):
            chance = Random(f"{seed} {name} {number}")
            other = found[(number + NEIGHBOUR) % len(found)]
            # AugLy draws some amounts and templates from the shared generators.
            importlib.import_module("random").seed(f"{seed} {name} {number}")
            np.random.seed(chance.getrandbits(32))  # noqa: NPY002 - what AugLy uses
            try:
                copy = change(Draw(picture.copy(), other.copy(), chance)).convert("RGB")
            except Exception as error:  # noqa: BLE001 - whatever AugLy stumbles over
                print(f"{name} of {number}: {error!r}"[:160], file=sys.stderr)
                continue
            copy.save(copies / f"{name}__{number:03d}.jpg", quality=QUALITY)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
