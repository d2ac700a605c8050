"""Which changed copies are still found, by kind of change, without a false positive among different pictures.

`TAKEBACK_COPIES_SEED=7 TAKEBACK_COPIES_FOLDER=/srv/photos python3 build.py bench copies`: the amounts of change are
drawn from the seed (1), and the pictures are all in the folder (`../shared/photos`). It compares what `takeback hash`
makes of the picture to what `Gate.check` looks up of the copy, by the same code.
"""

import io
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from takeback.errors import PictureError
from takeback.gate.index.multi_index import usable
from takeback.gate.rules.decision import probes
from takeback.gate.rules.policy import PDQ_REVIEW_DISTANCE as REVIEW_DISTANCE
from takeback.gate.upload_views.look_ups import look_ups
from takeback.hashing import hash_picture, with_variants
from takeback.signals import PDQ_MATCH_DISTANCE, Signal, SignalType, Variant
from tests.bench._changes import CHANGES, changed

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
COLUMNS: Final = (
    "PDQ alone",
    "PDQ and the gate's 8 turned and mirrored look-ups",
    "PDQ alone, against all our entries",
    "everything we do: blocked",
    "everything we do: blocked or reviewed",
)
COLOURS: Final = ("#b9bec7", "#7d8796", "#7fb2e5", "#1c5fa8", "#e0872b")
ENTRIES: Final = {
    "whole": ("whole", "stored"),
    "inner": ("inner-",),
    "shapes": ("shape-",),
    "thirds": ("left-", "right-"),
    "trimmed": ("trimmed",),
}
LOOK_UPS: Final = {
    "whole": ("whole", "stored", "reduced"),
    "thirds": ("left-", "right-"),
    "cuts": ("cut",),
    "turns": ("turned",),
    "frames": ("without",),
}
"""Kinds of entries in the feed and of the gate's look-ups, by how their names begin."""
VARIANTS: Final = tuple(Variant)
SHOWN: Final = (
    "screenshot", "caption band", "emoji on 5-12 %", "crop to 1:1", "crop to 9:16", "small crop, 0-3 % a side",
    "crop, 0-8 % a side", "turn, corners cut",
)  # fmt: skip
"""Changes whose curve is drawn: those that single entries decide."""
ANY: Final = 256

type Codes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Copy:
    """A changed copy, as the gate looks it up: the code, the kind and the name of each look-up."""

    change: str
    codes: Codes
    kinds: NDArray[np.int8]
    dihedrals: NDArray[np.bool_]
    """Whether the look-up was made before there were views: the whole picture in one of its eight forms."""


@dataclass(frozen=True, slots=True)
class Studied:
    """A picture: the codes, kinds and variants of its entries, and its copies. The first entry is PDQ of the whole."""

    codes: Codes
    kinds: NDArray[np.int8]
    variants: NDArray[np.int8]
    whole: Codes
    copies: list[Copy]


def codes_of(signals: Sequence[Signal]) -> Codes:
    """Hashes as rows of four words."""
    return np.frombuffer(b"".join(bytes.fromhex(s.value) for s in signals), ">u8").astype(np.uint64).reshape(-1, 4)


def distances(a: Codes, b: Codes) -> NDArray[np.uint16]:
    """Bits between every code of `a` and every one of `b`."""
    far: NDArray[np.uint16] = np.bitwise_count(a[:, None] ^ b[None]).sum(axis=2, dtype=np.uint16)
    return far


def kind_of(name: str, kinds: dict[str, tuple[str, ...]]) -> int:
    """The place in `kinds` of what begins as `name` does."""
    return next(place for place, begins in enumerate(kinds.values()) if name.startswith(begins))


def study(file: Path, seed: str) -> Studied | None:
    """Everything about one picture, or nothing when it cannot be read or is too plain to be matched at all."""
    data = file.read_bytes()
    try:
        hashed = with_variants(hash_picture(data))
        with Image.open(io.BytesIO(data)) as opened:
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except (PictureError, UnidentifiedImageError):
        return None
    entries = [s for s in hashed.signals if s.type is SignalType.PDQ and usable(s)]
    if not entries or entries[0].variant is not Variant.WHOLE:
        return None
    copies = [looked_up(change, changed(picture, change, Random(f"{seed} {file.name} {change}"))) for change in CHANGES]
    kinds = np.array([kind_of(s.variant, ENTRIES) for s in entries], np.int8)
    forms = [Signal(SignalType.PDQ, value, hashed.quality) for value in hashed.dihedral.values()]
    variants = np.array([VARIANTS.index(s.variant) for s in entries], np.int8)
    return Studied(codes_of(entries), kinds, variants, codes_of(forms), copies)


def looked_up(change: str, data: bytes) -> Copy:
    """What the gate looks up of a file, as `Gate.check` does."""
    hashed = hash_picture(data)
    asked = [
        probe
        for probe in probes(hashed.signals, hashed.dihedral, look_ups(hashed.thumbnail))
        if probe.signal.type is SignalType.PDQ
    ]
    names = [probe.view or probe.signal.variant for probe in asked]
    return Copy(
        change,
        codes_of([probe.signal for probe in asked]),
        np.array([kind_of(name, LOOK_UPS) for name in names], np.int8),
        np.array([not probe.view for probe in asked], bool),
    )


def pictures(folder: Path, seed: str) -> Iterator[Studied]:
    """The pictures of a folder, each once: a copy of one that came before is not a different picture."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    before: list[Studied] = []
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        for found in processes.map(study, files, [seed] * len(files)):
            if found and not any(distances(found.whole, one.whole[:1]).min() <= PDQ_MATCH_DISTANCE for one in before):
                before.append(found)
                yield found


def nearest(copy: Copy, entries: Studied) -> NDArray[np.int64]:
    """The least distance by kind of look-up and kind of entry."""
    least = np.full((len(LOOK_UPS), len(ENTRIES)), ANY)
    np.minimum.at(least, (copy.kinds[:, None], entries.kinds[None]), distances(copy.codes, entries.codes))
    return least


def columns(copy: Copy, own: Studied) -> list[bool]:
    """Whether each of `COLUMNS` finds the copy. The first entry, and the first look-up of old, are PDQ of the whole."""
    far = distances(copy.codes, own.codes)
    known = far[copy.dihedrals]
    compared = (known[:1, :1], known[:, own.kinds == 0], known[:1], far, far)
    limits = (*[PDQ_MATCH_DISTANCE] * 4, REVIEW_DISTANCE)
    return [bool(some.min(initial=ANY) <= limit) for some, limit in zip(compared, limits, strict=True)]


def earned(least: dict[str, NDArray[np.int64]]) -> Iterator[tuple[str, str, str]]:
    """For every kind of entry and look-up: what is lost without it, where most."""
    for axis, kinds in ((2, ENTRIES), (1, LOOK_UPS)):
        for place, kind in enumerate(kinds):
            lost = {
                change: np.mean(all_.min((1, 2)) <= PDQ_MATCH_DISTANCE)
                - np.mean(np.delete(all_, place, axis).min((1, 2)) <= PDQ_MATCH_DISTANCE)
                for change, all_ in least.items()
            }
            most = sorted(lost, key=lambda change: -lost[change])[:3]
            yield (
                "entries" if axis == 2 else "look-ups",
                kind,
                ", ".join(f"{change} {lost[change]:.0%}" for change in most if lost[change] > 0) or "nothing",
            )


def bought(found: Sequence[Studied]) -> tuple[list[str], NDArray[np.float64]]:
    """What each further entry buys: the variants, the one that finds most first, and the recall by step and change."""
    least = np.full((len(found), len(CHANGES), len(VARIANTS)), ANY)
    for at, one in enumerate(found):
        for place, copy in enumerate(one.copies):
            np.minimum.at(least[at, place], one.variants, distances(copy.codes, one.codes).min(axis=0, initial=ANY))
    hit = least <= PDQ_MATCH_DISTANCE
    reached = np.zeros(hit.shape[:2], bool)
    order, curve = [], []
    left = sorted({int(variant) for one in found for variant in one.variants})
    while left:
        best = max(left, key=lambda variant: int((reached | hit[:, :, variant]).sum()))
        left.remove(best)
        reached |= hit[:, :, best]
        order.append(str(VARIANTS[best]))
        curve.append(reached.mean(axis=0))
    return order, np.array(curve)


def others(found: Sequence[Studied]) -> tuple[dict[str, int], int, int]:
    """Over all copies and all other pictures: the least distance by change, the number of pairs, and of comparisons."""
    every = np.concatenate([one.codes for one in found])
    owner = np.repeat(np.arange(len(found)), [len(one.codes) for one in found])
    least = dict.fromkeys(CHANGES, ANY)
    pairs = comparisons = 0
    for number, one in enumerate(found):
        rest = every[owner != number]
        for copy in one.copies:
            far = int(distances(copy.codes, rest).min(initial=ANY))
            least[copy.change] = min(least[copy.change], far)
            pairs += len(found) - 1
            comparisons += len(copy.codes) * len(rest)
    return least, pairs, comparisons


def table(
    found: Sequence[Studied], seed: str, curve: tuple[list[str], NDArray[np.float64]]
) -> tuple[str, NDArray[np.float64]]:
    """The report as Markdown, and the recall by change and column."""
    recall = np.array(
        [np.mean([columns(one.copies[place], one) for one in found], axis=0) for place in range(len(CHANGES))]
    )
    far, pairs, comparisons = others(found)
    least = {
        change: np.array([nearest(one.copies[place], one) for one in found]) for place, change in enumerate(CHANGES)
    }
    rows = [
        f"| {change} | {' | '.join(f'{share:.1%}' for share in recall[place])} | {far[change]} |"
        for place, change in enumerate(CHANGES)
    ]
    entries = np.array([len(one.codes) for one in found])
    asked = np.array([len(copy.codes) for one in found for copy in one.copies])
    wrong = sum(distance <= REVIEW_DISTANCE for distance in far.values())
    size = (
        f"{len(found)} different pictures, seed {seed}. PDQ entries a picture: {entries.mean():.1f} on average, "
        f"{entries.max()} at most. Look-ups an upload: {asked.mean():.0f} on average, {asked.max()} at most."
    )
    safety = (
        f"False matches: {wrong} of {len(CHANGES)} changes have any, in {pairs:,} pairs of a copy and a different "
        f"picture ({comparisons:,} comparisons of hashes); the least distance was {min(far.values())} bits. "
        f"Blocked is up to {PDQ_MATCH_DISTANCE} bits, reviewed up to {REVIEW_DISTANCE}."
    )
    head = [
        "# Copies that were changed",
        "",
        "Made by `python3 build.py bench copies`; not edited by hand.",
        "",
        size,
        "",
        safety,
        "",
        f"| change | {' | '.join(COLUMNS)} | least bits to a different picture |",
        f"| --- |{' ---: |' * (len(COLUMNS) + 1)}",
        *rows,
        "",
        "What would no longer be blocked without one kind of entry or of look-up (the three changes that lose most):",
        "",
        "| | kind | lost |",
        "| --- | --- | --- |",
        *(f"| {' | '.join(row)} |" for row in earned(least)),
        "",
        "What each further entry of a picture buys, the one that finds most first (blocked, with all look-ups):",
        "",
        f"| entries | the one that is added | all changes | {' | '.join(SHOWN)} |",
        f"| ---: | --- |{' ---: |' * (len(SHOWN) + 1)}",
        *(
            f"| {step} | {name} | {shares.mean():.1%} | {' | '.join(f'{shares[at]:.1%}' for at in _shown())} |"
            for step, (name, shares) in enumerate(zip(*curve, strict=True), 1)
        ),
    ]
    return "\n".join(head) + "\n", recall


def _shown() -> list[int]:
    """The places of the changes whose curve is drawn."""
    return [list(CHANGES).index(change) for change in SHOWN]


def plot_bought(order: Sequence[str], curve: NDArray[np.float64], file: Path) -> None:
    """The recall as entries are added, a line a change."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 5.5), layout="constrained")
    steps = np.arange(1, len(order) + 1)
    for at in _shown():
        axes.plot(steps, curve[:, at] * 100, marker=".", label=list(CHANGES)[at])
    axes.plot(steps, curve.mean(axis=1) * 100, color="black", linewidth=2.5, label=f"all {len(CHANGES)} changes")
    axes.set_xticks(steps, order, rotation=40, ha="right")
    axes.set_ylim(0, 101)
    axes.set_ylabel("copies blocked, %")
    axes.set_xlabel("entries of a picture in the feed: each further one is added to those on its left")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(file, dpi=80, metadata={"Software": None})
    plt.close(figure)


def plot(recall: NDArray[np.float64], file: Path) -> None:
    """The recall by change, a bar a column."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 13), layout="constrained")
    height = 0.8 / len(COLUMNS)
    places = np.arange(len(CHANGES))
    for number, (name, colour) in enumerate(zip(COLUMNS, COLOURS, strict=True)):
        axes.barh(places + (number - 2) * height, recall[:, number] * 100, height, label=name, color=colour)
    axes.set_yticks(places, list(CHANGES))
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("copies found, %")
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=1, frameon=False)
    figure.savefig(file, dpi=80, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    """Prints the table and keeps it, and the plot, beside this file."""
    seed = os.environ.get("TAKEBACK_COPIES_SEED", "1")
    folder = Path(os.environ.get("TAKEBACK_COPIES_FOLDER", ROOT.parent / "shared" / "photos"))
    found = list(pictures(folder, seed))
    if len(found) < 2:
        raise SystemExit(f"{folder} holds {len(found)} pictures that can be used: name a folder of at least two")
    curve = bought(found)
    text, recall = table(found, seed, curve)
    print(text)
    HERE.joinpath("copies.md").write_text(text)
    plot(recall, HERE / "copies.png")
    plot_bought(*curve, HERE / "copies-entries.png")


if __name__ == "__main__":
    main()
