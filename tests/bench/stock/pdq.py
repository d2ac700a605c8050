"""PDQ by the full-size rule in plain numpy, as one would write it for a page. Runs inside the stock page only."""

import io
import math
from typing import Any

import numpy as np
from PIL import Image


def box(values: Any, window: int) -> Any:
    """The mean over a window along the last axis, cut off at the edges."""
    length = values.shape[-1]
    half = (window + 2) // 2
    sums = np.concatenate([np.zeros((*values.shape[:-1], 1), np.float32), np.cumsum(values, axis=-1)], axis=-1)
    ends = np.minimum(np.arange(length) + half, length)
    starts = np.maximum(np.arange(length) - (window - half), 0)
    return (sums[..., ends] - sums[..., starts]) / (ends - starts).astype(np.float32)


def pdq_of_file(data: Any) -> str:
    """The PDQ hash of a picture file, in hex."""
    image = Image.open(io.BytesIO(data.to_bytes())).convert("RGB")
    pixels = np.asarray(image, dtype=np.float32)
    luma = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    rows, columns = luma.shape
    for _ in range(2):
        luma = box(luma, (columns + 127) // 128)
        luma = box(luma.T, (rows + 127) // 128).T
    at_rows = ((np.arange(64) + 0.5) * rows / 64).astype(int)
    at_columns = ((np.arange(64) + 0.5) * columns / 64).astype(int)
    small = luma[np.ix_(at_rows, at_columns)]
    frequencies, samples = np.arange(1, 17)[:, None], np.arange(64)[None, :]
    transform = math.sqrt(2 / 64) * np.cos(math.pi / 2 / 64 * frequencies * (2 * samples + 1))
    coefficients = transform @ small @ transform.T
    bits = (coefficients > np.sort(coefficients, axis=None)[127]).reshape(-1)
    return f"{sum(1 << int(k) for k in np.flatnonzero(bits)):064x}"
