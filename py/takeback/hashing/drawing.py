"""Draws random pictures for decoy entries, and hashes them as a person's picture is hashed."""

import random
import secrets
from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw

from takeback.hashing import hash_picture, with_variants
from takeback.signals import Signal, SignalType, hamming_distance

SIZES: Final = ((1080, 1350), (1440, 1080), (1080, 1440), (828, 1792), (1280, 960), (1600, 1200), (960, 1280))
"""Widths and heights in pixels that phones and messengers commonly produce."""
OCTAVE_CELLS: Final = (3, 5, 9, 17, 33, 65, 129)
"""Noise cells per side of each octave, finer ones weaker: photographs have similar energy in every octave."""
SHAPE_COUNTS: Final = (6, 40)
"""The least and the most shapes drawn into a picture."""
JPEG_QUALITIES: Final = (72, 95)
"""The lowest and the highest quality of the JPEG file."""

NEAR_BITS: Final = 60
"""Bits between the PDQ of a picture and of its nearest region: at most this many in 27 of 29 photographs."""

# Unpredictable: whoever could draw the same pictures could strike the decoys out of a leaked list.
_CHANCE: Final = random.SystemRandom()


def random_picture_signals() -> tuple[Signal, ...]:
    """Returns all signals that a person's client would send for a random picture, which is not kept.

    Draws again until the picture hashes as most photographs do: full quality, and a region close to the whole.
    """
    while True:
        file = BytesIO()
        _draw(_CHANCE.choice(SIZES)).save(file, "JPEG", quality=_CHANCE.randint(*JPEG_QUALITIES))
        signals = with_variants(hash_picture(file.getvalue())).signals
        whole, *views = [signal for signal in signals if signal.type is SignalType.PDQ]
        if whole.quality == 100 and any(hamming_distance(whole.value, view.value) <= NEAR_BITS for view in views):
            return signals


def _draw(size: tuple[int, int]) -> Image.Image:
    """A scene of soft light, shapes with edges, and texture over both."""
    scene = Image.merge("RGB", [_noise(size, OCTAVE_CELLS[:4]) for _ in range(3)])
    pen = ImageDraw.Draw(scene)
    for _ in range(_CHANCE.randint(*SHAPE_COUNTS)):
        _draw_thing(pen, size)
    texture = _noise(size, OCTAVE_CELLS[3:])
    return Image.blend(scene, Image.merge("RGB", [texture] * 3), _CHANCE.uniform(0.1, 0.3))


def _noise(size: tuple[int, int], octaves: tuple[int, ...]) -> Image.Image:
    """Grey noise; coarse octaves weigh more."""
    made = Image.new("L", size, 128)
    for cells in reversed(octaves):
        coarse = Image.frombytes("L", (cells, cells), secrets.token_bytes(cells * cells))
        made = Image.blend(made, coarse.resize(size, Image.Resampling.BICUBIC), _CHANCE.uniform(0.4, 0.65))
    return made


def _draw_thing(pen: ImageDraw.ImageDraw, size: tuple[int, int]) -> None:
    """Draws one shape at a random place; small ones are more common."""
    radius = max(size) * 0.35 * _CHANCE.random() ** 2 + 8
    x, y = _CHANCE.uniform(0, size[0]), _CHANCE.uniform(0, size[1])
    colour = tuple(secrets.token_bytes(3))
    if _CHANCE.random() < 0.4:
        tall = radius * _CHANCE.uniform(0.4, 1.8)
        pen.ellipse((x - radius, y - tall, x + radius, y + tall), fill=colour)
        return
    corners = [(x + _CHANCE.uniform(-radius, radius), y + _CHANCE.uniform(-radius, radius)) for _ in range(5)]
    pen.polygon(corners, fill=colour)
