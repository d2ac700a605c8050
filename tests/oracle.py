"""A second implementation of PDQ, in numpy and float32 in the reference's order, to which the kernel is compared.

Steps and numbers are those of PDQ's published description (Meta, 2019). Slow and plain on purpose.
"""

import numpy as np
import numpy.typing as npt

type Floats = npt.NDArray[np.float32]
NAMES = ("orig", "rot90", "rot180", "rot270", "flipx", "flipy", "flipp", "flipm")


def luma(pixels: npt.NDArray[np.uint8]) -> Floats:
    """`pixels` are height x width, or height x width x 3."""
    values = pixels.astype(np.float32)
    if values.ndim == 2:
        return values
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    red, green, blue = (values[..., channel] * weights[channel] for channel in range(3))
    total: Floats = (red + green) + blue
    return total


def box(values: Floats, window: int) -> Floats:
    """One box filter down the first axis, as a running sum; the window is clipped at the edges."""
    length = len(values)
    half = (window + 2) // 2
    total = np.zeros(values.shape[1:], np.float32)
    out = np.empty_like(values)
    right = left = done = count = 0
    for _ in range(half - 1):
        total = total + values[right]
        right, count = right + 1, count + 1
    for _ in range(window - half + 1):
        total = total + values[right]
        right, count = right + 1, count + 1
        out[done] = total / np.float32(count)
        done += 1
    for _ in range(length - window):
        total = (total + values[right]) - values[left]
        right, left = right + 1, left + 1
        out[done] = total / np.float32(count)
        done += 1
    for _ in range(half - 1):
        total = total - values[left]
        left, count = left + 1, count - 1
        out[done] = total / np.float32(count)
        done += 1
    return out


def sample(values: Floats) -> Floats:
    """The tent filter, then the centre of each of 64 x 64 blocks."""
    rows, columns = values.shape
    across, down = (columns + 127) // 128, (rows + 127) // 128
    for _ in range(2):
        values = box(np.ascontiguousarray(values.T), across).T
        values = box(np.ascontiguousarray(values), down)
    y = [int((i + 0.5) * rows / 64) for i in range(64)]
    x = [int((j + 0.5) * columns / 64) for j in range(64)]
    return np.ascontiguousarray(values[np.ix_(y, x)])


def quality(buffer: Floats) -> int:
    """The sum of rounded gradients in both directions."""
    total = 0
    for step in (buffer[:-1] - buffer[1:], buffer[:, :-1] - buffer[:, 1:]):
        total += int(np.abs(np.trunc((step * np.float32(100)) / np.float32(255)).astype(np.int64)).sum())
    return min(100, total // 90)


def dct(buffer: Floats) -> Floats:
    """Frequencies 1 to 16 of both axes; each sum runs from 0 to 63, one float32 addition after another."""
    i, j = np.arange(1, 17)[:, None], np.arange(64)[None, :]
    scale = np.float32(np.sqrt(2.0 / 64))
    matrix = (float(scale) * np.cos((np.pi / 2 / 64) * i * (2 * j + 1))).astype(np.float32)
    half = np.zeros((16, 64), np.float32)
    for k in range(64):
        half = half + matrix[:, k, None] * buffer[k]
    out = np.zeros((16, 16), np.float32)
    for k in range(64):
        out = out + half[:, k, None] * matrix[:, k]
    return out


def to_hex(coefficients: Floats) -> str:
    """One bit per coefficient, set above the lower median; the first coefficient is the last bit."""
    flat = coefficients.ravel()
    bits = flat > np.sort(flat)[127]
    return f"{sum(1 << k for k, bit in enumerate(bits) if bit):064x}"


def turned(b: Floats) -> dict[str, Floats]:
    """The coefficients of the eight rotations and reflections."""
    i, j = np.indices((16, 16))
    even_row, even_column = np.where(i % 2 == 0, -1, 1), np.where(j % 2 == 0, -1, 1)
    odd_sum = np.where((i + j) % 2 == 1, -1, 1)
    forms = (b, (b * even_column).T, b * odd_sum, (b * even_row).T, b * even_row, b * even_column, b.T, (b * odd_sum).T)
    return {name: form.astype(np.float32) for name, form in zip(NAMES, forms, strict=True)}


def pdq(pixels: npt.NDArray[np.uint8]) -> tuple[dict[str, str], int]:
    """All eight hashes by name, and the quality. A picture of 64 x 64 is not filtered for the first hash."""
    if min(pixels.shape[:2]) < 5:
        return dict.fromkeys(NAMES, "0" * 64), 0
    values = luma(pixels)
    buffer = sample(values)
    hashes = {name: to_hex(form) for name, form in turned(dct(buffer)).items()}
    return hashes, quality(buffer)
