"""PDQ natively, the kernel against pdqhash on the same pixels; and a file to all its signals, with its peak memory."""

import io
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pdqhash
from PIL import Image

from takeback.hashing import hash_picture
from takeback.hashing.kernel import PdqStream

RUNS: Final = 9
SIZES: Final = ((4000, 3000), (12_000, 9000))
"""12 megapixels, an ordinary phone's; 108, the largest that people have."""


def photograph(width: int, height: int) -> bytes:
    """A JPEG with the detail of a photograph: waves, shades and grain, the same every time."""
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    shade = 128 + 70 * np.sin(9 * x + 14 * y * y) + 40 * np.cos(60 * x * y)
    grain = np.random.default_rng(12).integers(-12, 13, (height, width), np.int8)
    grey = np.clip(shade + grain, 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.merge("RGB", [Image.fromarray(band) for band in (grey, grey[::-1], grey[:, ::-1])]).save(
        out, "JPEG", quality=88
    )
    return out.getvalue()


def timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def by_kernel(pixels: bytes, width: int, height: int) -> str:
    """PDQ of RGB pixels by the kernel."""
    stream = PdqStream(width, height, "RGB")
    stream.push(pixels)
    return stream.finish().hash


def compare(width: int, height: int) -> None:
    """Kernel and pdqhash in turns on the same RGB pixels."""
    array = np.asarray(Image.open(io.BytesIO(photograph(width, height))).convert("RGB"))
    pixels = array.tobytes()
    bits, quality = pdqhash.compute(array)
    theirs = f"{int(''.join(map(str, bits)), 2):064x}"
    pairs = [
        (timed(lambda: by_kernel(pixels, width, height)), timed(lambda: pdqhash.compute(array))) for _ in range(RUNS)
    ]
    ours, others = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(other / own for own, other in pairs)
    same = "identical" if by_kernel(pixels, width, height) == theirs else "DIFFERENT"
    print(f"{width} x {height} RGB pixels, medians of {RUNS} pairs (quality {quality}, hashes {same})")
    print(f"  kernel   {ours:8.1f} ms\n  pdqhash  {others:8.1f} ms\n  ratio    {ratio:8.1f}")


def whole(width: int, height: int) -> None:
    """A JPEG to all its signals; the peak is of a process that does nothing else."""
    data = photograph(width, height)
    times = [timed(lambda: hash_picture(data)) for _ in range(RUNS)]
    print(f"{width} x {height} JPEG of {len(data) / 1e6:.1f} MB to all signals, median of {RUNS}")
    print(f"  time     {statistics.median(times):8.1f} ms\n  peak     {peak(data):8.0f} MB, file and Python included")


def peak(data: bytes) -> float:
    """Megabytes that a fresh process needs at most to hash `data`."""
    command = [sys.executable, __file__, "--peak"]
    return float(subprocess.run(command, input=data, capture_output=True, check=True).stdout)


def main() -> None:
    """Prints everything."""
    compare(*SIZES[0])
    for size in SIZES:
        whole(*size)


if __name__ == "__main__":
    if sys.argv[1:] == ["--peak"]:
        hash_picture(sys.stdin.buffer.read())
        status = Path("/proc/self/status").read_text("ascii")  # getrusage would tell what the parent had when it forked
        print(int(status.partition("VmHWM:")[2].split()[0]) / 1024)
    else:
        main()
