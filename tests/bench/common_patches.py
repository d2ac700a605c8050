"""Makes the list of common patches: parts of letters, emoji, symbols and keys that many screens share.

`python3 build.py bench common_patches` draws screens with the fonts of Debian packages, finds the local hashes that
several of them have, writes `common_patch_list.py`, and says which share of the hashes of new screens the list holds.
apt fetches the packages; nothing is installed, and nothing of them is copied into the repository.
"""

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from builder import ROOT
from takeback.gate.rules.common_patches import COMMON_DISTANCE, CommonPatches
from takeback.hashing import hash_picture
from takeback.hashing.patches import FORM_BITS, asked_patches
from tests.bench._drawn import SHARED, shared_picture
from tests.bench._photographs import unpack
from tests.bench._sets import saved

PACKAGES: Final = (
    *("fonts-noto-color-emoji", "fonts-roboto-unhinted", "fonts-inter", "fonts-open-sans", "fonts-liberation2"),
    *("fonts-dejavu-core", "fonts-material-design-icons-iconfont", "fonts-font-awesome"),
)
LETTERS: Final = (
    *("Roboto-Regular", "Roboto-Bold", "Inter-Regular", "Inter-Bold", "OpenSans-Regular", "LiberationSans-Regular"),
    *("LiberationSerif-Regular", "DejaVuSans", "DejaVuSans-Bold"),
)
SYMBOLS: Final = ("MaterialIcons-Regular", "fontawesome-webfont", "NotoColorEmoji")
EMOJI_PIXELS: Final = 109
"""The only size of the emoji font."""
SCREENS: Final = 1200
TRIED: Final = 120
"""Screens that are drawn anew, to see what the list holds of them."""
MOST: Final = 4000
"""Hashes of the list: more would be rarely met."""
LEAST_SCREENS: Final = 6
"""Screens that share a hash: fewer may be chance."""
SIZE: Final = (1080, 1620)
LIST: Final = ROOT / "py" / "takeback" / "gate" / "rules" / "common_patch_list.py"

type Codes = NDArray[np.uint64]


def fetch_fonts(folder: Path) -> None:
    """Unpacks the packages into a folder. Raises `SystemExit` with apt's reason."""
    for package in PACKAGES:
        inside = folder / package
        inside.mkdir()
        if why := unpack(package, inside):
            raise SystemExit(f"{package}: {why}")


class _Fonts:
    """What a process draws with."""

    files: dict[str, Path]


def _start(folder: Path) -> None:
    files = {file.stem: file for kind in ("ttf", "otf") for file in sorted(folder.rglob(f"*.{kind}"))}
    _Fonts.files = {name: files[name] for name in (*LETTERS, *SYMBOLS) if name in files}


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_Fonts.files[name], size)


@cache
def _characters(name: str) -> str:
    """The symbols of a font that it has a picture of."""
    ranges = [range(0x1F600, 0x1F650), range(0x1F300, 0x1F5FF)] if name == "NotoColorEmoji" else [range(0xE000, 0xF300)]
    size = EMOJI_PIXELS if name == "NotoColorEmoji" else 32
    font = _font(name, size)
    missing = bytes(font.getmask("\uffff"))
    return "".join(chr(n) for r in ranges for n in r if any(mask := bytes(font.getmask(chr(n)))) and mask != missing)


def _symbol(canvas: Image.Image, chance: Random, at: tuple[int, int], size: int, ink: str) -> None:
    """Puts an emoji or a symbol onto the canvas."""
    name = chance.choice([name for name in SYMBOLS if name in _Fonts.files])
    # A few of the characters, because most people use a few.
    character = Random(name).sample(_characters(name), 120)[min(int(chance.expovariate(1 / 25)), 119)]
    if name == "NotoColorEmoji":
        picture = Image.new("RGBA", (136, 128))
        ImageDraw.Draw(picture).text((0, 0), character, font=_font(name, EMOJI_PIXELS), embedded_color=True)
        picture = picture.resize((size, round(size * 128 / 136)), Image.Resampling.LANCZOS)
        canvas.paste(picture, at, picture)
    else:
        ImageDraw.Draw(canvas).text(at, character, ink, _font(name, size))


def screen(number: int) -> Image.Image:
    """A screen of symbols, words, single letters and keys, in a few colours."""
    chance = Random(f"screen {number}")
    dark = chance.random() < 0.4
    ground = chance.choice(["#000000", "#121212", "#1e1e28"] if dark else ["#ffffff", "#f2f2f7", "#efe7de"])
    canvas, ink = (
        Image.new("RGB", SIZE, ground),
        chance.choice(["#f2f2f2", "#0a84ff"] if dark else ["#111111", "#0a84ff"]),
    )
    draw, y = ImageDraw.Draw(canvas), 40
    while y < SIZE[1] - 200:
        size, x = chance.choice([36, 48, 72, 110, 170]), 40
        kind, name = chance.randrange(4), chance.choice([name for name in LETTERS if name in _Fonts.files])
        while x < SIZE[0] - size - 40:
            if kind == 0:
                _symbol(canvas, chance, (x, y), size, ink)
                x += round(size * chance.uniform(1.3, 3))
            elif kind == 1:
                words = chance.sample(["Message", "Send", "Like", "Reply", "Share", "Follow", "OK", "Search", "now"], 2)
                draw.text((x, y), " ".join(words), ink, _font(name, size))
                x += size * 8
            else:
                letter = chance.choice("abcdefghijklmnopqrstuvwxyzABCDEGHKMRSTX0123456789")
                if kind == 2:
                    key = (x - size // 4, y - size // 8, x + size, y + size + size // 3)
                    draw.rounded_rectangle(key, size // 6, fill="#6b6b70" if dark else "#ffffff", outline=ink)
                draw.text((x, y), letter, ink, _font(name, size))
                x += round(size * chance.uniform(1.4, 3))
        y += round(size * chance.uniform(1.5, 2.2))
    return canvas


def _codes(number: int) -> Codes:
    """The hashes of a screen without the bits of their form."""
    thumbnail = hash_picture(saved(screen(number), 90)).thumbnail
    return _plain([one.hash for one in asked_patches(thumbnail, turned=False)])


def _plain(hashes: Sequence[str]) -> Codes:
    return np.unique(np.array([int(one, 16) & ~FORM_BITS for one in hashes], np.uint64))


def shared(screens: Sequence[Codes]) -> Iterator[tuple[int, int]]:
    """The hashes that most screens have, with their number, while it is `LEAST_SCREENS` or more; none near another."""
    codes = np.concatenate(screens)
    owners = np.repeat(np.arange(len(screens)), [len(own) for own in screens])
    near = [np.flatnonzero(np.bitwise_count(codes ^ code) <= COMMON_DISTANCE) for code in codes]
    counts = np.array([len(np.unique(owners[found])) for found in near])
    taken = np.zeros(len(codes), bool)
    for place in np.argsort(-counts, kind="stable"):
        if counts[place] < LEAST_SCREENS:
            return
        if not taken[place]:
            taken[near[place]] = True
            yield int(codes[place]), int(counts[place])


def _held(listed: CommonPatches, codes: Codes) -> float:
    return float(np.mean([f"{code:016x}" in listed for code in codes.tolist()])) if len(codes) else 0.0


def main() -> None:
    """Writes the list, and prints what it holds of new screens and of those that the other benchmarks draw."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fetch_fonts(folder)
        with ProcessPoolExecutor(initializer=_start, initargs=(folder,)) as processes:
            screens = list(processes.map(_codes, range(SCREENS), chunksize=8))
            tried = list(processes.map(_codes, range(SCREENS, SCREENS + TRIED), chunksize=8))
    found = [code for code, _ in shared(screens)][:MOST]
    lines = "\n".join(f"{code:016x}" for code in sorted(found))
    head = LIST.read_text("utf-8").partition('HASHES: Final = """')[0]
    LIST.write_text(f'{head}HASHES: Final = """\n{lines}\n"""\n', "utf-8")
    listed = CommonPatches(found)
    print(f"{len(found)} hashes; of those of {TRIED} new screens {np.mean([_held(listed, one) for one in tried]):.0%}")
    grounds = {str(level): Image.new("RGB", (40, 30), (level, level, level)) for level in (60, 120, 180)}
    for kind in SHARED:
        pictures = (shared_picture(kind, number, "1", grounds)[0] for number in range(20))
        asked = [asked_patches(hash_picture(saved(one, 90)).thumbnail, turned=False) for one in pictures]
        held = [_held(listed, _plain([one.hash for one in own])) for own in asked]
        print(f"{kind}: {np.mean(held):.0%} of the hashes of a picture are listed")


if __name__ == "__main__":
    main()
