"""How much of a picture can be rebuilt from what is sent of it: `python3 build.py bench reveal`.

Two rebuilders learn thumbnails of 32 x 32 pixels from the bits of crops of photographs, and are tried on crops of
others: least squares with a penalty, and a network of one hidden layer. They see the bits as a thief of the registry's
database would: which belong to one picture and which view each PDQ is of, but of local hashes neither place nor order.
The figure is the mean correlation with the true thumbnail; 0 is a guess.
"""

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from random import Random
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from takeback.hashing.kernel import hash_region
from takeback.hashing.patches import sent_patches
from takeback.hashing.pdq import Pixels, hash_pixels
from takeback.hashing.views import SHAPES, Box, centre_crop, region_of
from takeback.signals import MAX_PATCHES
from tests.bench._photographs import second_set
from tests.bench._sets import TUNED, opened

CROPS: Final = 16
"""Crops of each photograph."""
SIDE: Final = 32
TRIED_SHARE: Final = 6
"""Every so many photographs are for the trial."""
FORMER: Final[tuple[Box, ...]] = (
    *((0.03, 0.03, 0.97, 0.97), (0.05, 0.05, 0.95, 0.95), (0.07, 0.07, 0.93, 0.93)),
    *((0.03, 0.07, 0.97, 0.93), (0.07, 0.03, 0.93, 0.97), (0, 0, 1 / 3, 1), (2 / 3, 0, 1, 1)),
)
"""The views that were sent before local hashes, besides the whole and the shapes."""
FEATURES: Final = 512
"""Of the set of local hashes, whatever their order: means of that many random functions of each."""
HIDDEN: Final = 256
ROUNDS: Final = 20
LOT: Final = 128

type Floats = NDArray[np.float32]


class Sample(NamedTuple):
    """A crop: its thumbnail, PDQ of the whole, of the shapes and of the former views, and its local hashes."""

    thumbnail: Floats
    whole: Floats
    shapes: Floats
    former: Floats
    patches: Floats


def _bits(value: str) -> Floats:
    return np.unpackbits(np.frombuffer(bytes.fromhex(value), np.uint8)).astype(np.float32) * 2 - 1


def _sample(picture: Image.Image) -> Sample:
    grey = picture.convert("L")
    pdq = hash_pixels(Pixels(*grey.size, "L", [grey.tobytes()]))
    shape = pdq.thumbnail.across / pdq.thumbnail.down

    def views(boxes: Iterator[Box]) -> Floats:
        return np.concatenate([_bits(hash_region(pdq.thumbnail, region_of(pdq.thumbnail, box)).hash) for box in boxes])

    hashes = [_bits(one) for one in sorted(sent_patches(pdq.thumbnail))]
    patches = np.zeros((MAX_PATCHES, 64), np.float32)
    if hashes:
        patches[: len(hashes)] = hashes
    small = np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32).ravel()
    small = (small - small.mean()) / max(float(small.std()), 1.0)
    shapes = views(centre_crop(one, shape) for one in SHAPES.values())
    return Sample(small, _bits(pdq.hash), shapes, views(iter(FORMER)), patches)


def _crops(task: tuple[int, bytes]) -> list[Sample]:
    """The samples of a photograph: crops of 50 to 100 % of each side."""
    number, data = task
    picture = opened(data)
    if picture is None or min(picture.size) < 200:
        return []
    chance, found = Random(number), []
    for _ in range(CROPS):
        wide, high = (round(side * chance.uniform(0.5, 1)) for side in picture.size)
        left, top = chance.randint(0, picture.width - wide), chance.randint(0, picture.height - high)
        found.append(_sample(picture.crop((left, top, left + wide, top + high))))
    return found


def samples() -> tuple[list[Sample], list[Sample]]:
    """The samples to learn from, and those of other photographs to be tried on."""
    files = [one.file for one in second_set().photographs if one.scene == "-"]
    files += sorted(file for file in TUNED.rglob("*") if file.suffix in {".jpg", ".webp", ".png"})
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        found = list(processes.map(_crops, enumerate(file.read_bytes() for file in files), chunksize=4))
    learned = [one for number, some in enumerate(found) if number % TRIED_SHARE for one in some]
    return learned, [one for some in found[::TRIED_SHARE] for one in some]


def _inputs(some: list[Sample], parts: tuple[str, ...]) -> Floats:
    """The chosen parts of each sample side by side; local hashes as sorted bits, and as a set."""
    mix = np.random.default_rng(1).normal(0, 1 / 8, (64, FEATURES)).astype(np.float32)
    rows = []
    for one in some:
        row = [getattr(one, part).ravel() for part in parts]
        if "patches" in parts:
            row.append(np.maximum(one.patches @ mix, 0).mean(0))
        rows.append(np.concatenate(row))
    return np.array(rows, np.float32)


def _by_least_squares(inputs: Floats, wanted: Floats, tried: Floats, penalty: float) -> Floats:
    gram = inputs.T @ inputs + penalty * np.eye(inputs.shape[1], dtype=np.float32)
    rebuilt: Floats = tried @ np.linalg.solve(gram, inputs.T @ wanted)
    return rebuilt


def _by_network(inputs: Floats, wanted: Floats, tried: Floats) -> Iterator[Floats]:
    """What a network rebuilds, after each round of learning."""
    numbers = np.random.default_rng(2)
    sizes = (inputs.shape[1], HIDDEN), (HIDDEN, wanted.shape[1])
    weights = [numbers.normal(0, (2 / size[0]) ** 0.5, size).astype(np.float32) for size in sizes]
    speed, steep = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    step = 0
    for _ in range(ROUNDS):
        for places in np.array_split(numbers.permutation(len(inputs)), max(1, len(inputs) // LOT)):
            kept = inputs[places] * (numbers.random((len(places), inputs.shape[1])) < 0.8)
            hidden = np.maximum(kept @ weights[0], 0)
            error = (hidden @ weights[1] - wanted[places]) / len(places)
            slopes = [kept.T @ ((error @ weights[1].T) * (hidden > 0)), hidden.T @ error]
            step += 1
            for place, slope in enumerate(slopes):
                speed[place] += 0.1 * (slope - speed[place])
                steep[place] += 0.001 * (slope**2 - steep[place])
                along, across = speed[place] / (1 - 0.9**step), steep[place] / (1 - 0.999**step)
                weights[place] -= 1e-3 * along / (np.sqrt(across) + 1e-8) + 1e-5 * weights[place]
        yield np.maximum(0.8 * tried @ weights[0], 0) @ weights[1]


def _likeness(rebuilt: Floats, true: Floats) -> float:
    """The mean correlation."""
    return float(np.mean([np.corrcoef(a, b)[0, 1] if a.std() else 0 for a, b in zip(rebuilt, true, strict=True)]))


SENT: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "PDQ of the whole": ("whole",),
        "what was sent before: whole, shapes, inner views, thirds": ("whole", "shapes", "former"),
        "local hashes alone": ("patches",),
        "what is sent: whole, shapes, local hashes": ("whole", "shapes", "patches"),
    }
)


def main() -> None:
    """Prints the likeness of what each rebuilder makes of each choice of signals, at its best setting."""
    learned, tried = samples()
    wanted, true = (np.array([one.thumbnail for one in some], np.float32) for some in (learned, tried))
    print(f"{len(learned)} crops to learn from, {len(tried)} of other photographs to try")
    for name, parts in SENT.items():
        inputs, asked = _inputs(learned, parts), _inputs(tried, parts)
        linear = max(_likeness(_by_least_squares(inputs, wanted, asked, p), true) for p in (1e2, 1e3, 1e4))
        network = max(_likeness(rebuilt, true) for rebuilt in _by_network(inputs, wanted, asked))
        print(f"{name}: least squares {linear:.2f}, network {network:.2f}", flush=True)


if __name__ == "__main__":
    main()
