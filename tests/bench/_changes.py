"""What people and platforms do to a picture before it comes back. Every amount is drawn anew for each picture."""

import io
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from PIL import Image

from tests.bench import _edits as edits
from tests.bench import _scenes as scenes
from tests.bench._scenes import Chance, Compose

SINGLE: Final[Mapping[str, Compose]] = MappingProxyType(
    {
        "mirror": edits.mirror,
        "quarter turns": edits.quarter,
        "crop to 1:1": edits.aspect(1, 1),
        "crop to 4:5": edits.aspect(4, 5),
        "crop to 3:4": edits.aspect(3, 4),
        "crop to 9:16": edits.aspect(9, 16),
        "crop to 16:9": edits.aspect(16, 9),
        "small crop, 0-3 % a side": edits.crop(0, 0.03),
        "crop, 0-8 % a side": edits.crop(0, 0.08),
        "cut, 0-20 % a side": edits.crop(0, 0.20),
        "cut, 10-30 % a side": edits.crop(0.10, 0.30),
        "mirror and cut, 0-15 % a side": edits.mirror_cut,
        "zoom to 75 % of the area": edits.zoom(0.75),
        "zoom to 50 % of the area": edits.zoom(0.5),
        "turn, black corners": edits.turn(0.5, 4, "black"),
        "turn, corners cut": edits.turn(0.5, 4),
        **{
            f"turn by {least}-{most} degrees, {how}": edits.turn(least, most, fill)
            for least, most in ((4, 8), (8, 15))
            for how, fill in (("white corners", "white"), ("black corners", "black"), ("corners cut", None))
        },
        "greyscale": edits.grey,
        "brightness, contrast": edits.light,
        "colour filter": edits.colour_filter,
        "negative": edits.negative,
        "emoji on 5-12 %": edits.emoji,
        "watermark": edits.watermark,
        "scribbles": edits.scribbles,
        "3 to 6 stickers": edits.stickers,
        "text over the middle": edits.text_over,
        **{
            f"bars to {wide}:{high}, {fill}": scenes.bars(wide, high, fill)
            for wide, high in ((1, 1), (9, 16))
            for fill in ("black", "white", "blurred")
        },
        "caption band": scenes.caption,
        "collage of 2": scenes.collage(1, 2),
        "collage of 4": scenes.collage(2, 2, 6),
        "side by side": scenes.side_by_side,
        "small on another picture": scenes.on_another,
        "story": scenes.story(bar=False),
        "story, text bar across": scenes.story(bar=True),
        "screenshot": scenes.screenshot,
        "chat screenshot": scenes.chat,
        "feed screenshot": scenes.feed,
        "photograph of a screen, edges in view": scenes.photographed(edges=True),
        "photograph of a screen, edges not in view": scenes.photographed(edges=False),
        "JPEG quality 30-70": edits.same,
        "resized to 25-200 %": edits.resized,
        "a platform's chain, twice": edits.platform,
    }
)
"""Every single change by name, in the order in which a person makes several: first edits, last what saves the file."""


def several(number: int) -> Compose:
    """So many different changes drawn at random, one after the other in the order of `SINGLE`."""

    def change(picture: Image.Image, chance: Chance) -> Image.Image:
        chosen = set(chance.sample(list(SINGLE), number))
        for name, one in SINGLE.items():
            if name in chosen:
                picture = one(picture, chance).convert("RGB")
        return picture

    return change


CHANGES: Final[Mapping[str, Compose]] = MappingProxyType(
    {**SINGLE, "two changes at once": several(2), "three changes at once": several(3)}
)
"""Every change by name, in the order of the table."""


def changed(picture: Image.Image, change: str, chance: Chance) -> bytes:
    """The file of a copy: `picture`, in RGB and upright, after a change in `CHANGES`, saved as a JPEG."""
    quality = chance.randint(30, 70) if change == "JPEG quality 30-70" else chance.randint(75, 95)
    out = io.BytesIO()
    CHANGES[change](picture, chance).save(out, "JPEG", quality=quality)
    return out.getvalue()
