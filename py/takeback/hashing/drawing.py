"""Draws pictures that never were, for entries that must look like anybody's: hashed as a person's picture is."""

import random
import secrets
from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw

from takeback.hashing import hash_picture, with_variants
from takeback.signals import Signal, SignalType, hamming_distance

SIZES: Final = ((1080, 1350), (1440, 1080), (1080, 1440), (828, 1792), (1280, 960), (1600, 1200), (960, 1280))
"""Pixels of what phones and chats make of photographs."""
OCTAVES: Final = (3, 5, 9, 17, 33, 65, 129)
"""Noise of so many cells to a side, each finer one weaker: photographs have as much in every octave."""
SHAPES: Final = (6, 40)
"""The least and the most edges of things that are drawn into it."""
QUALITIES: Final = (72, 95)
"""Of the JPEG file."""

NEAR: Final = 60
"""Bits between PDQ of a picture and of its nearest view: at most so many in 27 of 29 photographs."""

_CHANCE: Final = random.SystemRandom()


def drawn_signals() -> tuple[Signal, ...]:
    """All signals that a person would send of a picture of chance, which is not kept.

    Drawn anew until it hashes as most photographs do: with the best quality, and a view close to the whole.
    """
    while True:
        file = BytesIO()
        _draw(_CHANCE.choice(SIZES)).save(file, "JPEG", quality=_CHANCE.randint(*QUALITIES))
        signals = with_variants(hash_picture(file.getvalue())).signals
        whole, *views = [signal for signal in signals if signal.type is SignalType.PDQ]
        if whole.quality == 100 and any(hamming_distance(whole.value, view.value) <= NEAR for view in views):
            return signals


def _draw(size: tuple[int, int]) -> Image.Image:
    """A scene of soft light, things with edges, and texture over both."""
    scene = Image.merge("RGB", [_noise(size, OCTAVES[:4]) for _ in range(3)])
    pen = ImageDraw.Draw(scene)
    for _ in range(_CHANCE.randint(*SHAPES)):
        _draw_thing(pen, size)
    texture = _noise(size, OCTAVES[3:])
    return Image.blend(scene, Image.merge("RGB", [texture] * 3), _CHANCE.uniform(0.1, 0.3))


def _noise(size: tuple[int, int], octaves: tuple[int, ...]) -> Image.Image:
    """Grey noise, the coarse octaves stronger."""
    made = Image.new("L", size, 128)
    for cells in reversed(octaves):
        coarse = Image.frombytes("L", (cells, cells), secrets.token_bytes(cells * cells))
        made = Image.blend(made, coarse.resize(size, Image.Resampling.BICUBIC), _CHANCE.uniform(0.4, 0.65))
    return made


def _draw_thing(pen: ImageDraw.ImageDraw, size: tuple[int, int]) -> None:
    """One thing with edges, somewhere, the smaller ones more often."""
    radius = max(size) * 0.35 * _CHANCE.random() ** 2 + 8
    x, y = _CHANCE.uniform(0, size[0]), _CHANCE.uniform(0, size[1])
    colour = tuple(secrets.token_bytes(3))
    if _CHANCE.random() < 0.4:
        tall = radius * _CHANCE.uniform(0.4, 1.8)
        pen.ellipse((x - radius, y - tall, x + radius, y + tall), fill=colour)
        return
    corners = [(x + _CHANCE.uniform(-radius, radius), y + _CHANCE.uniform(-radius, radius)) for _ in range(5)]
    pen.polygon(corners, fill=colour)
