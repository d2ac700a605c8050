"""Small valid files of every format, and what an attacker, a bad disk or a lost connection makes of them.

A mutated file has a number, which alone determines its seed and its mutations.
"""

import io
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from tests import stills

VECTORS: Final = Path(__file__).resolve().parents[1] / "vectors"
NOT_SEEDS: Final = frozenset({"cut.jpg", "cut.png", "text.jpg"})
"""Vectors that are broken already."""
CONTAINERS: Final = frozenset(
    {b"meta", b"moov", b"trak", b"mdia", b"minf", b"stbl", b"iprp", b"ipco", b"moof", b"traf"}
)
"""Boxes that hold boxes; `meta` has four bytes before them."""
TIMES: Final = (1, 1, 2, 3)
"""How many changes a file suffers: more would only make files that the first look refuses."""
HEAD: Final = 512
"""Half of the changes fall into so many bytes from the start, where a file says what it is."""
LARGEST: Final = 4 << 20
"""Bytes of a mutated file, so that repeated parts do not measure the disk."""
EXTREMES: Final = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)

type Change = Callable[[random.Random, bytearray, Sequence["Seed"]], None]
type Part = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Seed:
    """A good file."""

    name: str
    format: str
    data: bytes


def seeds() -> list[Seed]:
    """Every seed, in an order that is always the same."""
    files = sorted(file for kind in ("pictures", "videos") for file in (VECTORS / kind).iterdir())
    kept = {file.name: file.read_bytes() for file in files if file.name not in NOT_SEEDS}
    return [Seed(name, _format(name), data) for name, data in (kept | _made()).items()]


def mutated(number: int, of: Sequence[Seed]) -> tuple[Seed, bytes]:
    """The file of this number, and the seed that it was. Every format comes equally often."""
    choice = random.Random(number)
    formats = sorted({seed.format for seed in of})
    wanted = formats[number % len(formats)]
    seed = choice.choice([seed for seed in of if seed.format == wanted])
    data = bytearray(seed.data)
    for change in choice.choices(CHANGES, k=choice.choice(TIMES)):
        if len(data) > 1:
            change(choice, data, of)
    if seed.format == "PNG" and choice.random() < 0.7:  # else nearly every change ends at a checksum
        _mend_checksums(data)
    return seed, bytes(data[:LARGEST])


def _format(name: str) -> str:
    """The name of a format that a table of results shows."""
    moving, progressive = name.startswith("moving"), name.startswith("progressive")
    kind = name.rpartition(".")[2].upper().replace("JPG", "JPEG")
    return f"{kind} moving" if moving else f"{kind} progressive" if progressive else kind


def _made() -> dict[str, bytes]:
    """Seeds of the kinds that the vectors lack."""
    with Image.open(VECTORS / "pictures" / "rgb.png") as file:
        scene = file.convert("RGB")
    clear = scene.copy()
    clear.putalpha(scene.convert("L"))
    frames = [scene, scene.rotate(90), scene.transpose(Image.Transpose.FLIP_TOP_BOTTOM)]

    def saved(image: Image.Image, kind: str, **options: object) -> bytes:
        out = io.BytesIO()
        image.save(out, kind, **options)
        return out.getvalue()

    several = {"save_all": True, "append_images": frames[1:], "duration": 100}
    return {
        "moving.png": saved(scene, "PNG", **several),
        "moving.webp": saved(scene, "WEBP", **several),
        "moving.avif": stills.moving_avif(frames, 1, None),
        "still.avif": stills.avif(scene),
        "clear.avif": stills.avif(clear, 6),
        "still.heic": stills.heic(scene),
        "turned.heic": stills.heic(scene, turns=1, mirror=0),
        "still.jxl": stills.jxl(scene),
        "clear.jxl": stills.jxl(clear),
        "deflate.tiff": saved(scene, "TIFF", compression="tiff_adobe_deflate"),
        "lzw.tiff": saved(scene, "TIFF", compression="tiff_lzw"),
        "jpeg.tiff": saved(scene, "TIFF", compression="jpeg"),
        "pages.tiff": saved(scene, "TIFF", save_all=True, append_images=frames[1:]),
        "palette.bmp": saved(scene.quantize(16), "BMP"),
        "float.tiff": saved(Image.fromarray(np.asarray(scene.convert("L"), np.float32)), "TIFF"),
    }


def _place(choice: random.Random, data: bytearray) -> int:
    """Where a change falls: in the head or anywhere."""
    return choice.randrange(min(HEAD, len(data)) if choice.random() < 0.5 else len(data))


def _stretch(choice: random.Random, data: bytearray) -> Part:
    """The start and the end of a part of the file, most often a short one."""
    start = _place(choice, data)
    return start, min(len(data), start + choice.choice((4, 16, 64, 512, 4096)))


def flip(choice: random.Random, data: bytearray, _: Sequence[Seed]) -> None:
    """One to sixteen bytes become others."""
    for _number in range(choice.choice((1, 2, 4, 16))):
        data[_place(choice, data)] ^= choice.choice((1 << choice.randrange(8), choice.randrange(1, 256)))


def cut(choice: random.Random, data: bytearray, _: Sequence[Seed]) -> None:
    """The end is missing, sometimes a few bytes alone."""
    del data[max(1, len(data) - choice.randint(1, 16)) if choice.random() < 0.3 else choice.randrange(1, len(data)) :]


def leave_out(choice: random.Random, data: bytearray, _: Sequence[Seed]) -> None:
    """A part in the middle is missing."""
    start, end = _stretch(choice, data)
    del data[start:end]


def splice(choice: random.Random, data: bytearray, of: Sequence[Seed]) -> None:
    """A part of another file, of any format, stands in the middle: put in, or in the place of what was there."""
    other = bytearray(choice.choice(of).data)
    start, end = _stretch(choice, other)
    at = _place(choice, data)
    data[at : at + choice.choice((0, end - start))] = other[start:end]


def repeat(choice: random.Random, data: bytearray, _: Sequence[Seed]) -> None:
    """A part comes again and again: one of the format's own, or any."""
    parts = _parts(data)
    start, end = choice.choice(parts) if parts and choice.random() < 0.6 else _stretch(choice, data)
    times = min(choice.choice((1, 2, 10, 300, 5000)), LARGEST // max(1, end - start))
    data[end:end] = data[start:end] * times


def extreme(choice: random.Random, data: bytearray, _: Sequence[Seed]) -> None:
    """A number in the file becomes one at the edge of what its bytes can hold."""
    width = choice.choice((1, 2, 4, 8))
    value = choice.choice(EXTREMES) & ((1 << 8 * width) - 1)
    at = _place(choice, data)
    data[at : at + width] = value.to_bytes(width, choice.choice(("big", "little")))


def length(choice: random.Random, data: bytearray, _: Sequence[Seed]) -> None:
    """The length of one of the format's own parts becomes an extreme."""
    parts = _parts(data)
    if not parts:
        return
    start, end = choice.choice(parts)
    value = choice.choice((*EXTREMES, end - start - 1, end - start + 1, len(data)))
    jpeg, riff = data[:2] == b"\xff\xd8", data[:4] == b"RIFF"
    at, width = (start + 2, 2) if jpeg else (start + 4, 4) if riff else (start, 4)
    data[at : at + width] = (value & ((1 << 8 * width) - 1)).to_bytes(width, "little" if riff else "big")


def swap(choice: random.Random, data: bytearray, _: Sequence[Seed]) -> None:
    """Two of the format's own parts change places; where there are none, two parts of any kind."""
    parts = _parts(data)
    if len(parts) < 2:
        first, second = sorted((_stretch(choice, data), _stretch(choice, data)))
    else:
        first, second = sorted(choice.sample(parts, 2))
    if first[1] <= second[0]:
        data[first[0] : second[1]] = data[slice(*second)] + data[first[1] : second[0]] + data[slice(*first)]


CHANGES: Final[tuple[Change, ...]] = (flip, flip, cut, leave_out, splice, repeat, extreme, extreme, length, swap)


def _parts(data: bytearray) -> list[Part]:
    """The start and the end of each part that the format itself knows: boxes, chunks, segments."""
    if data[:4] == b"\x89PNG":
        return _walk(data, 8, len(data), lambda at: 12 + int.from_bytes(data[at : at + 4], "big"))
    if data[:4] == b"RIFF":
        return _walk(data, 12, len(data), lambda at: 8 + int.from_bytes(data[at + 4 : at + 8], "little") + 1 & ~1)
    if data[:2] == b"\xff\xd8":
        return _walk(data, 2, len(data), lambda at: 2 + int.from_bytes(data[at + 2 : at + 4], "big"))
    if bytes(data[4:8]) in {b"ftyp", b"moov", b"mdat", b"free", b"wide", b"JXL "}:
        return _boxes(data, 0, len(data))
    return []


def _walk(data: bytearray, at: int, end: int, size: Callable[[int], int]) -> list[Part]:
    """Parts one behind the other, for as long as they fit."""
    parts = list[Part]()
    while at + 8 <= end and (following := at + size(at)) <= len(data) and len(parts) < 10_000:
        parts.append((at, following))
        at = following
    return parts


def _boxes(data: bytearray, start: int, end: int) -> list[Part]:
    """Boxes, and the boxes inside of them."""
    outer = _walk(data, start, end, lambda at: max(8, int.from_bytes(data[at : at + 4], "big")))
    inner = [
        part
        for at, after in outer
        if bytes(data[at + 4 : at + 8]) in CONTAINERS
        for part in _boxes(data, at + (12 if data[at + 4 : at + 8] == b"meta" else 8), after)
    ]
    return outer + inner


def _mend_checksums(data: bytearray) -> None:
    """Gives every chunk of a PNG the checksum that it should have."""
    for start, end in _parts(data):
        struct.pack_into(">I", data, end - 4, zlib.crc32(data[start + 4 : end - 4]))
