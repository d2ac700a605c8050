"""`python3 build.py bench large`: memory and time to hash a picture of 200 megapixels natively, by format.

Each file is hashed by `takeback hash` in a process of its own; Linux and macOS tell the most memory that it had.
"""

import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from PIL import Image

from builder.runtime.heic import box, full, hevc

SIZE: Final = (12240, 16320)
TILE: Final = 1020
_MEASURE: Final = """
import resource, subprocess, sys
hashing = "from takeback.cli import main; main()"
subprocess.run([sys.executable, "-c", hashing, "hash", sys.argv[1]], stderr=subprocess.STDOUT)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_maxrss, used.ru_utime + used.ru_stime)
"""
"""A process between, because a child's peak counts from what its parent had when it was started."""
FORMATS: Final = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF")


def main() -> bool:
    """Prints megabytes and seconds for each format; returns whether one of them was not hashed."""
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        picture = drawn(SIZE)
        files = {}
        for kind in FORMATS:
            files[kind] = Path(folder, f"large.{kind.lower()}")
            options = {"quality": 80} | ({"speed": 10} if kind == "AVIF" else {"method": 0} if kind == "WEBP" else {})
            picture.save(files[kind], kind, **options)
        files["HEIC"] = Path(folder, "large.heic")
        files["HEIC"].write_bytes(grid(picture))
        del picture
        for kind, file in files.items():
            failed = _measure(kind, file) or failed
    return failed


def _measure(kind: str, file: Path) -> bool:
    """Hashes a file in a process of its own and prints its cost; returns whether no PDQ was found."""
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", _MEASURE, str(file)], capture_output=True, text=True, check=False)
    *said, figures = done.stdout.strip().splitlines()
    peak, seconds = map(float, figures.split())
    megabytes = peak / (1e6 if sys.platform == "darwin" else 1e3)
    found = "quality" in " ".join(said)
    print(
        f"{kind:5} {file.stat().st_size / 1e6:6.1f} MB: at most {megabytes:6.0f} MB, "
        f"{seconds:5.1f} s of processor, {time.monotonic() - start:5.1f} s by the clock, "
        f"{'hashed' if found else ' '.join(said)[-200:]}",
        flush=True,
    )
    return not found


def grid(picture: Image.Image) -> bytes:
    """A HEIC of a grid of tiles, as phones write large pictures; ISO/IEC 23008-12, 6.6.2.3."""
    across, down = picture.width // TILE, picture.height // TILE
    corners = [(x * TILE, y * TILE) for y in range(down) for x in range(across)]
    coded = [hevc(picture.crop((x, y, x + TILE, y + TILE))) for x, y in corners]
    count, configuration = len(coded), coded[0][0]
    tiles = [data for _, data in coded]
    shape = struct.pack(">BBBBII", 0, 1, down - 1, across - 1, *picture.size)  # 32-bit sizes
    start = box(b"ftyp", b"heic\0\0\0\0mif1heic")
    properties = (
        full(b"ispe", struct.pack(">II", *picture.size)),
        full(b"ispe", struct.pack(">II", TILE, TILE)),
        configuration,
    )

    def meta(place: int) -> bytes:
        places, at = [], place
        for number, data in enumerate([shape, *tiles], 1):
            places.append(struct.pack(">HHHII", number, 0, 1, at, len(data)))
            at += len(data)
        infos = [full(b"infe", struct.pack(">HH", 1, 0), b"grid\0", version=2)]
        infos += [full(b"infe", struct.pack(">HH", number, 0), b"hvc1\0", version=2) for number in range(2, count + 2)]
        owned = struct.pack(">HBB", 1, 1, 0x81)
        owned += b"".join(struct.pack(">HBBB", number, 2, 0x82, 0x83) for number in range(2, count + 2))
        return full(
            b"meta",
            full(b"hdlr", b"\0\0\0\0pict" + bytes(13)),
            full(b"pitm", struct.pack(">H", 1)),
            full(b"iloc", struct.pack(">HH", 0x4400, count + 1), *places),
            full(b"iinf", struct.pack(">H", count + 1), *infos),
            box(b"iprp", box(b"ipco", *properties), full(b"ipma", struct.pack(">I", count + 1), owned)),
            full(b"iref", box(b"dimg", struct.pack(f">HH{count}H", 1, count, *range(2, count + 2)))),
        )

    return start + meta(len(start) + len(meta(0)) + 8) + box(b"mdat", shape, *tiles)


def drawn(size: tuple[int, int]) -> Image.Image:
    """A picture of this size: a large gradient under the grain of a tile that is repeated over it."""
    grain = Image.effect_noise((TILE // 4, TILE // 4), 40).resize((TILE, TILE), Image.Resampling.BICUBIC)
    shapes = (Image.radial_gradient("L").resize((TILE, TILE)), Image.linear_gradient("L").resize((TILE, TILE)), grain)
    tile = Image.blend(Image.merge("RGB", shapes), Image.merge("RGB", (grain,) * 3), 0.3)
    picture = Image.merge("RGB", (Image.radial_gradient("L").resize(size),) * 3)
    for left in range(0, size[0], TILE):
        for top in range(0, size[1], TILE):
            part = picture.crop((left, top, left + TILE, top + TILE))
            picture.paste(Image.blend(part, tile, 0.4), (left, top))
    return picture
