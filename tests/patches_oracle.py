"""A second implementation of the local hashes, in numpy and float32, to which the kernel is compared.

Steps and numbers are those of PROTOCOL.md, "The local hashes of a picture". Slow and plain on purpose.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

type Floats = npt.NDArray[np.float32]

F: Final = np.float32
SCALES: Final = 3
SIGMA: Final = 1.6
DIFFERENCES: Final = 5
OCTAVES: Final = 6
MIN_SIDE: Final = 16
REACH: Final = F(6)
SAMPLES: Final = 16
WAVES: Final = 8
FORM: Final = 1 | 1 << 1 | 1 << 8
ODD_COLUMNS: Final = sum(1 << 8 * row + column for row in range(8) for column in (1, 3, 5, 7))
ODD_ROWS: Final = sum(1 << 8 * row + column for row in (1, 3, 5, 7) for column in range(8))
EVERY_BIT: Final = (1 << 64) - 1


class Rehearsal(NamedTuple):
    """A copy in which patches must be found again.

    Its sides as shares of the picture's, the matrix that leads from the copy to the picture, row by row, whether the
    second octave is read instead of the picture, and the weight of its points.
    """

    across: float
    down: float
    matrix: tuple[float, float, float, float]
    halves: bool
    weight: int


REHEARSALS: Final = (
    Rehearsal(0.62, 0.62, (1.612903, 0, 0, 1.612903), False, 1),
    Rehearsal(0.4, 0.4, (2.5, 0, 0, 2.5), True, 2),
    Rehearsal(0.8, 0.8, (1.246955, 0.08719559, -0.08719559, 1.246955), False, 1),
    Rehearsal(0.8, 0.8, (0.9818543, -0.06865795, 0.06865795, 0.9818543), False, 1),
    Rehearsal(0.8, 0.7, (1.25, 0, 0, 1.428571), False, 1),
)


class Blob(NamedTuple):
    """Centre and sigma in pixels, rank, and whether it is bright on dark."""

    x: np.float32
    y: np.float32
    sigma: np.float32
    rank: np.float32
    bright: bool


class Pyramid(NamedTuple):
    """A picture, and the first level of each octave."""

    picture: Floats
    octaves: list[Floats]


def sent(thumbnail: npt.NDArray[np.uint8]) -> list[str]:
    """The hashes that a person sends of a thumbnail, height x width."""
    picture = thumbnail.astype(F)
    blobs, pyramid = find(picture, 80)
    patches = [sample(pyramid, blob) for blob in blobs]
    if 8 * sum(map(is_drawn, patches)) > 3 * len(patches):
        return []
    kept = [(blob, hash_of(patch, blob)) for blob, patch in zip(blobs, patches, strict=True) if has_shape(patch)]
    hashes = [value for _, value in kept]
    scores = [F(8) * (F(1) - F(i) / F(len(kept))) for i in range(len(kept))]
    for rehearsal in REHEARSALS:
        for i, points in enumerate(found_again(pyramid, rehearsal, hashes)):
            scores[i] = scores[i] + F(points)
    left = {i: score for i, score in enumerate(scores) if not is_ordinary(kept, i)}
    return [f"{settled(hashes[i]):016x}" for i in chosen([blob for blob, _ in kept], hashes, left, picture.shape)]


def thumbnail(luma: Floats) -> npt.NDArray[np.uint8]:
    """Means of squares, of which the longer side has at most 512."""
    side = -(-max(luma.shape) // 512)
    lefts, tops = range(0, luma.shape[1], side), range(0, luma.shape[0], side)
    means = [[total(square := luma[y : y + side, x : x + side]) / F(square.size) for x in lefts] for y in tops]
    return (np.array(means, F) + F(0.5)).astype(np.uint8)


def gaussian(level: int) -> tuple[np.float32, ...]:
    """Half of the Gaussian from one level to the next; level 0 is that from the thumbnail."""
    radius = (5, 4, 5, 6, 8, 10)[level]
    if level:
        s = SIGMA * math.sqrt(2 ** (2 * level / SCALES) - 2 ** (2 * (level - 1) / SCALES))
    else:
        s = math.sqrt(SIGMA**2 - 0.5**2)
    weights = [math.exp(-k * k / (2 * s * s)) for k in range(radius + 1)]
    total = weights[0] + 2 * sum(weights[1:])
    return tuple(F(weight / total) for weight in weights)


def blur(picture: Floats, level: int) -> Floats:
    """Rows first, then columns; pixels beyond the edge are those of the edge."""
    for _ in range(2):
        weights = gaussian(level)
        radius, length = len(weights) - 1, picture.shape[1]
        padded = np.pad(picture, ((0, 0), (radius, radius)), mode="edge")
        total = weights[0] * picture
        for i in range(1, radius + 1):
            pair = padded[:, radius - i : radius - i + length] + padded[:, radius + i : radius + i + length]
            total = total + weights[i] * pair
        picture = total.T
    return np.ascontiguousarray(picture)


def find(picture: Floats, most: int) -> tuple[list[Blob], Pyramid]:
    """The strongest blobs of a picture that are apart from each other, the strongest first."""
    pyramid = Pyramid(picture, [])
    found: list[Blob] = []
    level = blur(picture, 0) if min(picture.shape) >= MIN_SIDE else picture
    while min(level.shape) >= MIN_SIDE and len(pyramid.octaves) < OCTAVES:
        pyramid.octaves.append(level)
        levels = [level]
        for i in range(1, DIFFERENCES + 1):
            levels.append(blur(levels[-1], i))
        differences = np.stack([after - before for before, after in pairwise(levels)])
        found += extrema(differences, len(pyramid.octaves) - 1, picture.shape)
        level = halved(levels[SCALES])
    found = found[:8192]
    kept: list[Blob] = []
    for i in sorted(range(len(found)), key=lambda i: (-found[i].rank, i)):
        if len(kept) < most and found[i].rank > 0 and not any(is_near(found[i], other) for other in kept):
            kept.append(found[i])
    return kept, pyramid


def halved(level: Floats) -> Floats:
    """Means of 2 x 2 pixels."""
    high, wide = level.shape[0] // 2 * 2, level.shape[1] // 2 * 2
    a, b = level[0:high:2, 0:wide:2], level[0:high:2, 1:wide:2]
    c, d = level[1:high:2, 0:wide:2], level[1:high:2, 1:wide:2]
    return (a + b + c + d) / F(4)


def extrema(differences: Floats, octave: int, shape: tuple[int, ...]) -> list[Blob]:
    """The blobs of an octave: by scale, then row by row."""
    found = []
    for scale in range(1, SCALES + 1):
        own = differences[scale, 1:-1, 1:-1]
        above, below = own >= F(1.5), own <= F(-1.5)
        high, wide = differences.shape[1:]
        for k in (-1, 0, 1):
            for y in (-1, 0, 1):
                for x in (-1, 0, 1):
                    if (k, y, x) != (0, 0, 0):
                        other = differences[scale + k, 1 + y : high - 1 + y, 1 + x : wide - 1 + x]
                        above &= own > other
                        below &= own < other
        for y, x in np.argwhere(above | below) + 1:
            blob = measure(differences, octave, scale, int(y), int(x))
            if blob and is_inside(blob, shape):
                found.append(blob)
    return found


def vertex(slope: np.float32, curve: np.float32) -> np.float32:
    """Where a parabola has its vertex, at most half a pixel away."""
    return F(0) if curve == 0 else np.clip(-slope / curve, F(-0.5), F(0.5))


def measure(differences: Floats, octave: int, scale: int, y: int, x: int) -> Blob | None:
    """The blob of an extremum; None for one on an edge."""
    d = differences[scale]
    value, above, below = d[y, x], differences[scale + 1, y, x], differences[scale - 1, y, x]
    slope_x, slope_y = (d[y, x + 1] - d[y, x - 1]) / F(2), (d[y + 1, x] - d[y - 1, x]) / F(2)
    slope_s = (above - below) / F(2)
    xx = d[y, x + 1] + d[y, x - 1] - F(2) * value
    yy = d[y + 1, x] + d[y - 1, x] - F(2) * value
    ss = above + below - F(2) * value
    xy = (d[y + 1, x + 1] - d[y + 1, x - 1] - d[y - 1, x + 1] + d[y - 1, x - 1]) / F(4)
    trace, determinant = xx + yy, xx * yy - xy * xy
    if determinant <= 0 or trace * trace * F(10) >= F(11) * F(11) * determinant:
        return None
    off_x, off_y, off_s = vertex(slope_x, xx), vertex(slope_y, yy), vertex(slope_s, ss)
    pixels, t = F(1 << octave), off_s * F(0.23104906)
    size = F(2 ** (scale / SCALES)) * (F(1) + t * (F(1) + t * (F(0.5) + t * F(0.16666667))))
    peak = value + F(0.5) * (slope_x * off_x + slope_y * off_y + slope_s * off_s)
    sigma = F(SIGMA) * size * pixels
    across = (F(x) + off_x + F(0.5)) * pixels - F(0.5)
    down = (F(y) + off_y + F(0.5)) * pixels - F(0.5)
    return Blob(across, down, sigma, peak * peak * sigma, bool(value < 0))


def is_inside(blob: Blob, shape: tuple[int, ...]) -> bool:
    """Whether the patch around a blob lies in the picture, give or take two pixels."""
    r, (high, wide) = REACH * blob.sigma, shape
    return bool(
        blob.sigma <= F(60)
        and blob.x - r > F(-2)
        and blob.y - r > F(-2)
        and blob.x + r < F(wide) + F(2)
        and blob.y + r < F(high) + F(2)
    )


def is_near(a: Blob, b: Blob) -> bool:
    """Whether two blobs are of one thing."""
    x, y, small, large = a.x - b.x, a.y - b.y, min(a.sigma, b.sigma), max(a.sigma, b.sigma)
    return bool(x * x + y * y <= F(4) * small * small and large * large <= F(2) * small * small)


def pixels_at(image: Floats, x: Floats, y: Floats) -> Floats:
    """Bilinear interpolation."""
    high, wide = image.shape
    x, y = np.clip(x, F(0), F(wide - 1)), np.clip(y, F(0), F(high - 1))
    left, top = x.astype(int), y.astype(int)
    right, bottom = np.minimum(left + 1, wide - 1), np.minimum(top + 1, high - 1)
    u, v = x - left.astype(F), y - top.astype(F)
    upper = image[top, left] + (image[top, right] - image[top, left]) * u
    lower = image[bottom, left] + (image[bottom, right] - image[bottom, left]) * u
    out: Floats = upper + (lower - upper) * v
    return out


def sample(pyramid: Pyramid, blob: Blob) -> Floats:
    """The 16 x 16 samples of the patch around a blob."""
    step = F(2) * REACH * blob.sigma / F(SAMPLES)
    image, scale = pyramid.picture, F(1)
    for number, octave in enumerate(pyramid.octaves):
        if step < F(1.5) * F(1 << number):
            break
        image, scale = octave, F(1 << number)
    offsets = (np.arange(SAMPLES, dtype=F) + F(0.5) - F(SAMPLES / 2)) * step
    x, y = np.meshgrid(blob.x + offsets, blob.y + offsets)
    return pixels_at(image, (x + F(0.5)) / scale - F(0.5), (y + F(0.5)) / scale - F(0.5))


def total(values: Floats) -> np.float32:
    """The sum in order, rounded at each step."""
    return F(np.cumsum(values.ravel(), dtype=F)[-1])


def has_shape(patch: Floats) -> bool:
    """Whether a patch is neither flat nor drawn."""
    mean = total(patch) / F(SAMPLES**2)
    return bool(total(patch * patch) / F(SAMPLES**2) - mean * mean >= F(64)) and not is_drawn(patch)


def is_drawn(patch: Floats) -> bool:
    """Whether two bands of five grey levels hold more than 154 samples."""
    levels = np.bincount((patch + F(0.5)).astype(int).ravel(), minlength=256)
    held = 0
    for _ in range(2):
        bands = [int(levels[max(0, last - 4) : last + 1].sum()) for last in range(256)]
        last = bands.index(max(bands))
        held += bands[last]
        levels[max(0, last - 4) : last + 1] = 0
    return held > 154


def hash_of(patch: Floats, blob: Blob) -> int:
    """The signs of the 8 x 8 lowest waves, bit 8 * row + column; bit 0 says whether the blob is bright."""
    cosines = [[F(math.cos(math.pi / 32 * i * (2 * x + 1))) for x in range(SAMPLES)] for i in range(WAVES)]
    half = np.zeros((WAVES, SAMPLES), F)
    for y in range(SAMPLES):
        half = half + np.array([row[y] for row in cosines], F)[:, None] * patch[y]
    waves = np.zeros((WAVES, WAVES), F)
    for x in range(SAMPLES):
        waves = waves + half[:, x, None] * np.array([row[x] for row in cosines], F)
    bits = [bool(wave > 0) for wave in waves.ravel()]
    return sum(1 << k for k, bit in enumerate([blob.bright, *bits[1:]]) if bit)


def settled(value: int) -> int:
    """The hash of the bright patch that begins high, with three bits for how the patch was changed to be that one."""
    form = 0
    for bit, change in ((0, EVERY_BIT), (1, ODD_COLUMNS), (8, ODD_ROWS)):
        if not value >> bit & 1:
            value, form = value ^ change, form | 1 << bit
    return value & ~FORM | form


def found_again(pyramid: Pyramid, rehearsal: Rehearsal, hashes: Sequence[int]) -> list[int]:
    """The points of each patch for being found in a copy."""
    halves = rehearsal.halves and len(pyramid.octaves) > 1
    image, scale = (pyramid.octaves[1], F(2)) if halves else (pyramid.picture, F(1))
    high, wide = pyramid.picture.shape
    width, height = int(F(wide) * F(rehearsal.across)), int(F(high) * F(rehearsal.down))
    if not width or not height:
        return [0] * len(hashes)
    a, b, c, d = map(F, rehearsal.matrix)
    u = np.arange(width, dtype=F) + F(0.5) - F(width) / F(2)
    v = (np.arange(height, dtype=F) + F(0.5) - F(height) / F(2))[:, None]
    x = ((F(wide) / F(2) + a * u + b * v) / scale - F(0.5)).astype(F)
    y = ((F(high) / F(2) + c * u + d * v) / scale - F(0.5)).astype(F)
    blobs, own = find(pixels_at(image, x, y), 80)
    rivals = [hash_of(patch, blob) for blob in blobs if has_shape(patch := sample(own, blob))]
    least = [min(((value ^ rival).bit_count() for rival in rivals), default=11) for value in hashes]
    return [rehearsal.weight * (11 - min(bits, 11)) for bits in least]


def is_ordinary(kept: Sequence[tuple[Blob, int]], which: int) -> bool:
    """Whether a patch is seen in several places, or has hardly any shape."""
    blob, value = kept[which][0], settled(kept[which][1])
    apart, places = REACH * blob.sigma / F(2), 1
    for other, found in kept:
        if max(abs(other.x - blob.x), abs(other.y - blob.y)) > apart:
            places += ((settled(found) ^ value) & ~FORM).bit_count() <= 10
    return places >= 3 or not 16 <= value.bit_count() <= 48


def chosen(
    blobs: Sequence[Blob], hashes: Sequence[int], scores: dict[int, np.float32], shape: tuple[int, ...]
) -> list[int]:
    """The patches with the best scores, spread over the picture."""
    held: list[int] = []
    while scores and len(held) < 16:
        best = max(scores, key=lambda i: (scores[i], -i))
        held.append(best)
        for i in list(scores):
            x = (blobs[i].x - blobs[best].x) / F(shape[1])
            y = (blobs[i].y - blobs[best].y) / F(shape[0])
            near = F(1) - (x * x + y * y) / F(0.04)
            if near > 0:
                scores[i] = scores[i] - F(6) * near * near
            if (hashes[i] ^ hashes[best]).bit_count() <= 12:
                del scores[i]
    return held
