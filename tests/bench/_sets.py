"""The pictures that the benchmarks list and copy: photographs of two sets, soft ones, and what many pictures share."""

import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from tests.bench._drawn import SHARED, TEMPLATES, meme, shared_picture, soft_picture
from tests.bench._photographs import VIDEO, described, second_set

TUNED: Final = Path(__file__).parents[3] / "shared" / "photos"
"""The photographs that everything was tuned on."""
SIDE_PIXELS: Final = 1000
"""Pixels of the longer side of what a copy is made of; hashing reduces every picture to 512 at most."""
GROUNDS: Final = 24
"""Photographs of a set that stand beside others in collages and screenshots."""
_PICTURES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".avif", ".heic", ".jxl"})


@dataclass(frozen=True, slots=True)
class Item:
    """A picture that is listed: its name, its `set`, and its `scene`, which different pictures of one thing share.

    Its bytes are those of `file`, or drawn by its set, number and seed.
    """

    name: str
    set: str
    scene: str
    file: Path | None = None
    number: int = 0
    seed: str = ""


@dataclass(frozen=True, slots=True)
class Sets:
    """All items; the photographs that copies may show beside the copied one; and remarks for the report."""

    items: list[Item]
    grounds: dict[str, Path]
    remarks: list[str] = field(default_factory=list)


COPIED: Final = ("photographs it was tuned on", "photographs of Debian packages", "soft pictures")
"""Sets whose pictures are copied; the others are only listed and uploaded as they are."""
SCENES: Final = "other pictures of one scene"
MEMES: Final = "memes"


def sets(seed: str, photographs: int, drawn: int) -> Sets:
    """At most so many photographs of each set and so many drawn pictures of each kind, chosen by the seed."""
    folder = Path(os.environ.get("TAKEBACK_COPIES_FOLDER", TUNED))
    tuned = {file.relative_to(folder).as_posix(): file for file in _files(folder)}
    second = second_set()
    stills = [one for one in second.photographs if one.scene != VIDEO]
    first = {one.scene: one.name for one in reversed(stills)}
    copied = {one.name: one.file for one in stills if one.scene == "-" or first[one.scene] == one.name}
    scenes = {one.name: one.scene for one in stills if one.scene != "-"}
    if not tuned and not copied:
        raise SystemExit(
            f"{folder} holds no pictures, and those of Debian packages could not be fetched: is there apt?"
        )
    items = [Item(name, COPIED[0], name, file) for name, file in _some(tuned, photographs, seed)]
    items += [Item(name, COPIED[1], scenes.get(name, name), file) for name, file in _some(copied, photographs, seed)]
    items += [Item(one.name, SCENES, one.scene, one.file) for one in stills if one.name not in copied]
    items += [Item(f"soft {number}", COPIED[2], f"soft {number}", None, number, seed) for number in range(drawn)]
    items += [Item(f"{kind} {n}", kind, f"{kind} {n}", None, n, seed) for kind in SHARED for n in range(drawn)]
    items += [Item(f"meme {n}", MEMES, f"template {n % TEMPLATES}", None, n, seed) for n in range(drawn)]
    remarks = [f"Left out: {why}" for why in second.missing]
    remarks += [] if tuned else ["Left out: the photographs it was tuned on, because their folder is not there"]
    remarks.append(f"Photographs of Debian packages: {described(stills)}")
    # Only listed ones, so that a match with one that an upload shows is known to be no mistake.
    shown = {item.name: item.file for item in items if item.file and item.set == (COPIED[1] if copied else COPIED[0])}
    return Sets(items, dict(_some(shown, GROUNDS, f"{seed} grounds")), remarks)


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.rglob("*")) if file.suffix.lower() in _PICTURES)


def _some(files: Mapping[str, Path], most: int, seed: str) -> list[tuple[str, Path]]:
    names = sorted(files)
    chosen = names if len(names) <= most else Random(seed).sample(names, most)
    return [(name, files[name]) for name in sorted(chosen)]


def opened(data: bytes) -> Image.Image | None:
    """A file as an upright picture in RGB, its longer side at most `SIDE_PIXELS`; nothing if Pillow cannot read it."""
    try:
        with Image.open(io.BytesIO(data)) as file:
            picture = ImageOps.exif_transpose(file).convert("RGB")
    except (UnidentifiedImageError, OSError):
        return None
    picture.thumbnail((SIDE_PIXELS, SIDE_PIXELS), Image.Resampling.LANCZOS)
    return picture


class Pictures:
    """Makes the bytes of items, in a process of its own."""

    def __init__(self, grounds: Mapping[str, Path]) -> None:
        self.grounds = {name: picture for name, file in grounds.items() if (picture := opened(file.read_bytes()))}

    def data(self, item: Item) -> tuple[bytes, set[str]]:
        """The file of an item, and the names of the photographs that it shows."""
        if item.file is not None:
            return item.file.read_bytes(), set()
        if item.set == COPIED[2]:
            picture, shown = soft_picture(item.number, item.seed), set[str]()
        elif item.set == MEMES:
            picture, shown = meme(item.number, item.seed, self.grounds)
        else:
            picture, shown = shared_picture(item.set, item.number, item.seed, self.grounds)
        return saved(picture, 92), shown


def saved(picture: Image.Image, quality: int) -> bytes:
    """A picture as a JPEG."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()
