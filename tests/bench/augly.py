"""Which copies made by AugLy are still found: a library of what people do to pictures, which nothing here was tuned to.

AugLy is installed from `augly.lock` into a folder of its own on the first run. `TAKEBACK_AUGLY_PICTURES=20` takes so
many photographs (50) for each of two seeds and two sets; the result is augly.md.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import numpy as np

from builder import WORK
from takeback.gate.rules.policy import Action
from takeback.signals import MAX_PATCHES, SignalType, patches_of, patches_value
from tests.bench._augly_copies import NEIGHBOUR
from tests.bench._matching import WAYS, Listed, Uploads, is_copy, listed, make_gate
from tests.bench._sets import COPIED, opened, saved, sets

LOCK: Final = Path(__file__).with_suffix(".lock")
SCRIPT: Final = Path(__file__).with_name("_augly_copies.py")
HOME: Final = WORK / "bench" / "augly"
SEEDS: Final = ("11", "12")
PICTURES: Final = 50
LEAST_SIDE_PIXELS: Final = 240
"""Smaller pictures are left out: AugLy's frames and letters would cover them."""
MANY: Final = {"two at once": (88, 75), "three at once": (70, 55)}
"""Per cent to find and to block of several changes; of every single one but `APART` it is `SINGLE`."""
SINGLE: Final = (95, 85)
APART: Final = "skewed"
FEWER: Final = (2, 4, 8, 12)
"""Patches a picture, of 16, with which every copy is decided as well: what each further one buys."""


class Upload(NamedTuple):
    """A copy: what was done, and the number of the picture."""

    change: str
    number: int
    file: Path


class Decided(NamedTuple):
    """What the gate says of a copy: the action for its own picture in each way, and how many others are matched.

    `fewer` has the action of everything for a list with so many patches a picture.
    """

    change: str
    actions: dict[str, Action]
    others: dict[str, int]
    fewer: dict[int, Action]


@dataclass(frozen=True, slots=True)
class Run:
    """One seed and set."""

    name: str
    decided: list[Decided]
    pictures: int

    def share(self, change: str, way: str, least: Action) -> float:
        """The share of the copies after a change that lead to at least this action."""
        some = [
            one.actions.get(way, Action.ALLOW).weight >= least.weight for one in self.decided if one.change == change
        ]
        return float(np.mean(some)) if some else 0.0

    def curve(self, changes: Sequence[str], least: Action) -> list[float]:
        """The share of the copies after some changes that lead to at least this action, for each of `FEWER` and all."""
        some = [one for one in self.decided if one.change in changes]
        numbers = [[one.fewer[most].weight >= least.weight for one in some] for most in FEWER]
        whole = [one.actions.get("everything", Action.ALLOW).weight >= least.weight for one in some]
        return [float(np.mean(one)) for one in (*numbers, whole)]


def main() -> None:
    """Prints the table, and keeps it beside this file."""
    install()
    most = int(os.environ.get("TAKEBACK_AUGLY_PICTURES", PICTURES))
    runs = [run(seed, kind, most) for seed in SEEDS for kind in COPIED[:2]]
    text = "\n".join(report([one for one in runs if one.pictures])) + "\n"
    print(text)
    Path(__file__).with_suffix(".md").write_text(text)


def install() -> None:
    """AugLy as its lock file has it, unless it is there."""
    done = HOME / LOCK.name
    if done.is_file() and done.read_bytes() == LOCK.read_bytes():
        return
    python = HOME / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--clear", HOME], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", LOCK], check=True)
    done.write_bytes(LOCK.read_bytes())


def run(seed: str, kind: str, most: int) -> Run:
    """Makes the copies of a set for a seed, and decides on them."""
    with tempfile.TemporaryDirectory() as folder:
        pictures, copies = Path(folder, "pictures"), Path(folder, "copies")
        pictures.mkdir()
        copies.mkdir()
        names = _choose(seed, kind, most, pictures)
        python = HOME / "bin" / "python"
        # -P, because this module would be found as AugLy itself.
        subprocess.run([python, "-P", SCRIPT, seed, pictures, copies], check=True)
        entries = [listed((pictures / f"{number:03d}.png").read_bytes()) for number in range(len(names))]
        kept = [one or Listed(()) for one in entries]
        uploads = []
        for file in sorted(copies.iterdir()):
            change, number = file.stem.split("__")
            uploads.append(Upload(change, int(number), file))
        gates = {}
        for patches in (*FEWER, MAX_PATCHES):
            home = Path(folder, f"gate-{patches}")
            gates[patches] = (home, make_gate(home, [shortened(one, patches) for one in kept]))
        start = (gates, len(names))
        with ProcessPoolExecutor(os.cpu_count(), initializer=_start, initargs=start) as processes:
            decided = list(processes.map(_decide, uploads, chunksize=16))
    return Run(f"{kind}, seed {seed}", decided, len(names))


def shortened(picture: Listed, patches: int) -> Listed:
    """The picture with so many of its patches; which ones is as good as random, because they are sorted."""
    signals = [
        one._replace(value=patches_value([frame[:patches] for frame in patches_of(one.value)]))
        if one.type is SignalType.PATCHES
        else one
        for one in picture.signals
    ]
    return Listed(tuple(signals), picture.forms)


def _choose(seed: str, kind: str, most: int, folder: Path) -> list[str]:
    """Writes pictures of a set, in the order that the seed gives them; returns their names."""
    chosen = [item for item in sets(seed, sys.maxsize, 1).items if item.set == kind and item.file]
    Random(seed).shuffle(chosen)
    names: list[str] = []
    before: list[str] = []
    for item in chosen:
        picture = opened(item.file.read_bytes()) if item.file else None
        if picture and min(picture.size) >= LEAST_SIDE_PIXELS and len(names) < most:
            found = listed(saved(picture, 92)) or Listed(())
            if not is_copy(found, before):
                picture.save(folder / f"{len(names):03d}.png")
                names.append(item.name)
                before += found.forms[:1]
    return names


class _Worker:
    """What a process of the pool keeps: gates by their patches a picture, and how many pictures each lists."""

    gates: Mapping[int, Uploads]
    pictures: int


def _start(gates: Mapping[int, tuple[Path, Mapping[str, int]]], pictures: int) -> None:
    _Worker.gates = {patches: Uploads(home, owners) for patches, (home, owners) in gates.items()}
    _Worker.pictures = pictures


def _decide(upload: Upload) -> Decided:
    read = _Worker.gates[MAX_PATCHES].read(upload.file.read_bytes())
    found = _Worker.gates[MAX_PATCHES].decide(read)
    fewer = {patches: _Worker.gates[patches].decide(read)["everything"] for patches in FEWER}
    shown = {upload.number, (upload.number + NEIGHBOUR) % _Worker.pictures}
    return Decided(
        upload.change,
        {way: actions[upload.number] for way, actions in found.items() if upload.number in actions},
        {way: len(actions.keys() - shown) for way, actions in found.items()},
        {patches: actions.get(upload.number, Action.ALLOW) for patches, actions in fewer.items()},
    )


def report(runs: Sequence[Run]) -> Iterator[str]:
    """The report as Markdown: the figures to reach, then every change."""
    changes = sorted({one.change for run in runs for one in run.decided}, key=lambda name: (name in MANY, name))
    yield from ("# Copies made by AugLy", "", "Made by `python3 build.py bench augly`; not edited by hand.", "")
    yield f"{', '.join(f'{one.pictures} {one.name}' for one in runs)}. Found is blocked or sent to review."
    yield from ("", "## Figures to reach", "")
    yield f"| | to reach: found, blocked | {' | '.join(one.name for one in runs)} | |"
    yield f"| --- | ---: |{' ---: |' * len(runs)} --- |"
    single = [change for change in changes if change not in MANY and change != APART]
    yield _figure(runs, f"every single change but {APART}, the worst", single, SINGLE)
    for change, aim in MANY.items():
        yield _figure(runs, change, [change], aim)
    yield from curves(runs, {"every single change": [*single, APART], **{change: [change] for change in MANY}})
    for one in runs:
        yield from ("", f"## {one.name.capitalize()}", "")
        yield f"| change | {' | '.join(f'{way}: blocked | found' for way in WAYS)} |"
        yield f"| --- |{' ---: |' * (2 * len(WAYS))}"
        for change in changes:
            cells = [
                f"{one.share(change, way, action):.0%}" for way in WAYS for action in (Action.BLOCK, Action.REVIEW)
            ]
            yield f"| {change} | {' | '.join(cells)} |"
        yield ""
        pairs = len(one.decided) * (one.pictures - 2)
        others: Mapping[str, int] = {way: sum(copy.others[way] for copy in one.decided) for way in WAYS}
        yield f"False matches in {pairs:,} pairs: {', '.join(f'{way} {number}' for way, number in others.items())}."


def curves(runs: Sequence[Run], groups: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """What is found and blocked with fewer patches a picture, the mean of all runs."""
    heads = [f"{patches}: found, blocked" for patches in (*FEWER, MAX_PATCHES)]
    yield from ("", "## What each further patch buys", "")
    yield f"| patches a picture | {' | '.join(heads)} |"
    yield f"| --- |{' ---: |' * len(heads)}"
    for name, changes in groups.items():
        found, blocked = (
            np.mean([one.curve(changes, action) for one in runs], axis=0) for action in (Action.REVIEW, Action.BLOCK)
        )
        cells = [f"{a:.0%} {b:.0%}" for a, b in zip(found, blocked, strict=True)]
        yield f"| {name} | {' | '.join(cells)} |"


def _figure(runs: Sequence[Run], name: str, changes: Sequence[str], aim: tuple[int, int]) -> str:
    least = [
        [min(one.share(change, "everything", action) for change in changes) for action in (Action.REVIEW, Action.BLOCK)]
        for one in runs
    ]
    reached = all(found * 100 >= aim[0] and blocked * 100 >= aim[1] for found, blocked in least)
    cells = " | ".join(f"{found:.0%} {blocked:.0%}" for found, blocked in least)
    return f"| {name} | {aim[0]} {aim[1]} | {cells} | {'reached' if reached else '**short**'} |"


if __name__ == "__main__":
    main()
