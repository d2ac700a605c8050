"""The report on copies: tables as Markdown, and plots."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from takeback.gate.rules.policy import Action
from takeback.signals import PDQ_MATCH_DISTANCE
from tests.bench._changes import CHANGES
from tests.bench._matching import VARIANTS, WAYS, Listed
from tests.bench._plots import plot_lines, plot_shares
from tests.bench._sets import COPIED, MEMES, SCENES, Item


class FalseMatch(NamedTuple):
    """An upload matched a picture that it does not show: that picture's number, the way, and the action."""

    other: int
    way: str
    action: Action


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a gate says of an upload: for the picture that it is a copy of, and by mistake for others.

    `actions` are by way, without an entry where the picture is not found; `stock` is whether stock clients find it;
    `least` is the least PDQ distance to each variant, and `other` to any picture that the upload does not show.
    """

    picture: int
    change: str
    actions: dict[str, Action]
    stock: tuple[bool, bool]
    least: NDArray[np.int16]
    asked: int
    shown: list[int]
    wrong: list[FalseMatch]
    other: int


@dataclass(frozen=True, slots=True)
class Study:
    """Everything that was listed, by its number, and what became of every upload."""

    seed: str
    items: list[Item]
    listed: list[Listed]
    outcomes: list[Outcome]
    remarks: list[str]

    def of(self, kind: str, change: str | None = None) -> list[Outcome]:
        """The uploads of a set, after one change or any."""
        return [one for one in self.outcomes if self.items[one.picture].set == kind and change in {None, one.change}]


class Figure(NamedTuple):
    """A figure to reach: every one of the changes found in so many per cent, and blocked in so many."""

    name: str
    changes: tuple[str, ...]
    found: int
    blocked: int


FULL: Final = (
    "JPEG quality 30-70", "resized to 25-200 %", "a platform's chain, twice", "greyscale", "brightness, contrast",
    "mirror", "quarter turns", "crop to 1:1", "crop to 4:5", "crop to 3:4", "crop to 9:16", "crop to 16:9",
    "bars to 1:1, black", "bars to 1:1, white", "bars to 1:1, blurred", "bars to 9:16, black", "bars to 9:16, white",
    "bars to 9:16, blurred", "screenshot", "watermark", "turn, black corners", "turn, corners cut",
)  # fmt: skip
"""Changes of which every copy was blocked by views alone."""
TURNS: Final = tuple(change for change in CHANGES if change.startswith("turn"))
FIGURES: Final = (
    Figure("everything that views alone find", FULL, 100, 100),
    Figure("cut 0-20 % a side; zoom to 75 %", ("cut, 0-20 % a side", "zoom to 75 % of the area"), 98, 95),
    Figure("cut 10-30 %; zoom to 50 %", ("cut, 10-30 % a side", "zoom to 50 % of the area"), 85, 70),
    Figure(
        "story, story with bar, collages, side by side, on another picture",
        ("story", "story, text bar across", "collage of 2", "collage of 4", "side by side", "small on another picture"),
        90, 80,
    ),
    Figure("photograph of a screen", tuple(change for change in CHANGES if change.startswith("photograph")), 90, 75),
    Figure("turned up to 15 degrees", TURNS, 97, 95),
    Figure("chat screenshot", ("chat screenshot",), 85, 70),
    Figure("two changes at once", ("two changes at once",), 95, 90),
    Figure("three changes at once", ("three changes at once",), 85, 75),
)  # fmt: skip
MOST_REVIEWED: Final = 20
"""Different pictures that may be sent to review, of `PAIRS`; none may be blocked."""
PAIRS: Final = 2_000_000
MOST_ENTRIES: Final = 10
FIRST: Final = 8
"""False matches of a class that are named."""
APART: Final = (SCENES, "memes of one template")
"""Classes of pairs that are apart from the figure: their pictures do show the same thing."""


def share(outcomes: Sequence[Outcome], way: str, least: Action) -> float:
    """The share of uploads whose own picture leads to at least this action."""
    hits = [one.actions.get(way, Action.ALLOW).weight >= least.weight for one in outcomes]
    return float(np.mean(hits)) if hits else 0.0


def class_of(upload: Item, other: Item) -> str:
    """The class of a pair of different pictures."""
    if upload.scene == other.scene:
        return "memes of one template" if upload.set == MEMES else SCENES
    if upload.set == other.set and upload.set not in (*COPIED, SCENES):
        return f"two {upload.set}"
    soft = COPIED[2] in {upload.set, other.set}
    if {upload.set, other.set} <= {*COPIED, SCENES}:
        return "a soft picture and another" if soft else "two photographs"
    return "pictures of two kinds"


def pairs(found: Study) -> Counter[str]:
    """How many pairs of an upload and a different picture there are of each class."""
    rows = [Counter(class_of(upload, other) for other in found.items) for upload in found.items]
    count: Counter[str] = Counter()
    for one in found.outcomes:
        count.update(rows[one.picture])
        count.subtract(class_of(found.items[one.picture], found.items[other]) for other in one.shown)
    return +count


def wrong(found: Study) -> Counter[tuple[str, str, Action]]:
    """How many false matches there are by class, way and action."""
    return Counter(
        (class_of(found.items[one.picture], found.items[match.other]), match.way, match.action)
        for one in found.outcomes
        for match in one.wrong
    )


def figures(found: Study) -> Iterator[str]:
    """The figures to reach, each with the least of its changes on every set of photographs."""
    yield f"| | to reach: found, blocked | {' | '.join(COPIED[:2])} | |"
    yield "| --- | ---: | ---: | ---: | --- |"
    for figure in FIGURES:
        cells, reached = [], False
        for kind in COPIED[:2]:
            by_change = [found.of(kind, change) for change in figure.changes]
            if not any(by_change):
                cells.append("not measured")
                continue
            least = [min(share(some, "everything", action) for some in by_change) for action in _ACTIONS]
            cells.append(" ".join(f"{value:.1%}" for value in least))
            reached = least[0] * 100 >= figure.found and least[1] * 100 >= figure.blocked
        yield f"| {figure.name} | {figure.found} {figure.blocked} | {' | '.join(cells)} | {_mark(reached=reached)} |"
    yield _figure_of_false(found)
    entries = [len(one.signals) for one in found.listed]
    yield (
        f"| entries of a picture, at most | {MOST_ENTRIES} | {np.mean(entries):.1f} on average, {max(entries)} |"
        f" | {_mark(reached=max(entries) <= MOST_ENTRIES)} |"
    )


_ACTIONS: Final = (Action.REVIEW, Action.BLOCK)


def _figure_of_false(found: Study) -> str:
    there, count = wrong(found), pairs(found)
    total = sum(number for kind, number in count.items() if kind not in APART)
    blocked, reviewed = (
        sum(n for (kind, way, of), n in there.items() if kind not in APART and (way, of) == ("everything", action))
        for action in (Action.BLOCK, Action.REVIEW)
    )
    reached = not blocked and reviewed <= MOST_REVIEWED * max(1, total / PAIRS) and total >= PAIRS
    return (
        f"| different pictures, blocked and sent to review, of {total:,} pairs | 0 and {MOST_REVIEWED} of {PAIRS:,} |"
        f" {blocked} and {reviewed} | | {_mark(reached=reached)} |"
    )


def _mark(*, reached: bool) -> str:
    return "reached" if reached else "**short**"


def changes_table(found: Study, kind: str) -> Iterator[str]:
    """A row for each change: what stock clients find, and what is blocked and found in each way."""
    ways = [f"{way}: blocked | found" for way in WAYS]
    yield f"| change | stock: whole | stock: all entries | {' | '.join(ways)} | least bits to another |"
    yield f"| --- |{' ---: |' * (3 + 2 * len(WAYS))}"
    for change in CHANGES:
        some = found.of(kind, change)
        if some:
            cells = [f"{np.mean([one.stock[place] for one in some]):.1%}" for place in range(2)]
            cells += [f"{share(some, way, action):.1%}" for way in WAYS for action in (Action.BLOCK, Action.REVIEW)]
            yield f"| {change} | {' | '.join(cells)} | {min(one.other for one in some)} |"


def false_table(found: Study) -> Iterator[str]:
    """A row for each class of pairs."""
    there, count = wrong(found), pairs(found)
    yield f"| different pictures | pairs | {' | '.join(f'{way}: blocked | reviewed' for way in WAYS)} |"
    yield f"| --- |{' ---: |' * (1 + 2 * len(WAYS))}"
    for kind, number in sorted(count.items()):
        cells = [str(there[kind, way, action]) for way in WAYS for action in (Action.BLOCK, Action.REVIEW)]
        yield f"| {kind} | {number:,} | {' | '.join(cells)} |"
    first: dict[str, list[str]] = defaultdict(list)
    for one in found.outcomes:
        for match in one.wrong:
            upload, other = found.items[one.picture], found.items[match.other]
            if match.way == "everything" and (kind := class_of(upload, other)) not in APART:
                first[kind].append(f"{upload.name}, {one.change} - {other.name} ({match.action})")
    yield ""
    yield "The first of them:" if first else "There is none among different things."
    for kind, some in sorted(first.items()):
        yield f"- {kind}: {'; '.join(some[:FIRST])}"


def bought(found: Study) -> tuple[list[str], NDArray[np.float64]]:
    """What each further view buys: the variants, the one that blocks most first, and the recall by step and change."""
    names = list(CHANGES)
    some = [one for kind in COPIED[:2] for one in found.of(kind)]
    hit = np.array([one.least <= PDQ_MATCH_DISTANCE for one in some])
    place = np.array([names.index(one.change) for one in some])
    reached, order, curve = np.zeros(len(some), bool), list[str](), []
    left = [number for number in range(len(VARIANTS)) if hit[:, number].any()]
    while left:
        best = max(left, key=lambda number: int((reached | hit[:, number]).sum()))
        left.remove(best)
        reached |= hit[:, best]
        order.append(str(VARIANTS[best]))
        curve.append([reached[place == number].mean() for number in range(len(names))])
    return order, np.array(curve)


def report(found: Study) -> str:
    """The report as Markdown."""
    pdq = [len(one.pdq) for one in found.listed]
    asked = [one.asked for one in found.outcomes]
    counts = Counter(item.set for item in found.items)
    order, curve = bought(found)
    lines = [
        "# Copies that were changed",
        "",
        "Made by `python3 build.py bench copies`; not edited by hand.",
        "",
        f"Seed {found.seed}. Listed: {', '.join(f'{number} {kind}' for kind, number in counts.items())}.",
        f"PDQ entries a picture: {np.mean(pdq):.1f} on average, {max(pdq)} at most.",
        f"PDQ look-ups an upload: {np.mean(asked):.0f} on average, {max(asked)} at most.",
        "Found is blocked or sent to review.",
        "",
        *(line for remark in found.remarks for line in (f"{remark}.", "")),
        "## Figures to reach",
        "",
        "Of several changes the worst counts; the second set decides.",
        "",
        *figures(found),
        "",
        *(line for kind in COPIED for line in (f"## Copies of {kind}", "", *changes_table(found, kind), "")),
        "## Different pictures",
        "",
        *false_table(found),
        "",
        "## What each further view buys",
        "",
        "Views alone, blocked, of both sets of photographs; the view that finds most comes first.",
        "",
        f"| views | the one that is added | all changes | {' | '.join(SHOWN)} |",
        f"| ---: | --- |{' ---: |' * (len(SHOWN) + 1)}",
        *(
            f"| {step} | {name} | {row.mean():.1%} | {' | '.join(f'{row[at]:.1%}' for at in _shown())} |"
            for step, (name, row) in enumerate(zip(order, curve, strict=True), 1)
        ),
    ]
    return "\n".join(lines) + "\n"


SHOWN: Final = (
    "screenshot", "caption band", "emoji on 5-12 %", "crop to 1:1", "crop to 9:16", "small crop, 0-3 % a side",
    "crop, 0-8 % a side", "turn, corners cut",
)  # fmt: skip
"""Changes whose curve is drawn: those that single views decide."""


def _shown() -> list[int]:
    return [list(CHANGES).index(change) for change in SHOWN]


def write(found: Study, folder: Path) -> None:
    """Prints the report, and writes it and its plots into a folder."""
    text = report(found)
    print(text)
    (folder / "copies.md").write_text(text)
    shares = {
        f"{way}, {name}": [share(found.of(COPIED[1], change), way, action) for change in CHANGES]
        for way in WAYS
        for name, action in (("blocked", Action.BLOCK), ("found", Action.REVIEW))
    }
    plot_shares(list(CHANGES), shares, folder / "copies.png")
    order, curve = bought(found)
    lines = {list(CHANGES)[at]: curve[:, at] for at in _shown()} | {"all changes": curve.mean(axis=1)}
    plot_lines(order, lines, "each further view is added to those on its left", folder / "copies-entries.png")
