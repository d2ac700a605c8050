"""Which changed copies are still found, by kind of change, and which different pictures are taken for copies.

`TAKEBACK_COPIES_SEED=7 TAKEBACK_COPIES_MOST=1000 python3 build.py bench copies`: everything is drawn from the seed (1),
with at most so many photographs of each set (60); `TAKEBACK_COPIES_FOLDER=/srv/photos` replaces the first set. It lists
what `takeback hash` makes of a picture, and decides on the copies as `Gate.check` does, by the same code.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from takeback.errors import PictureError
from tests.bench._changes import CHANGES, changed
from tests.bench._matching import (
    ANY,
    Codes,
    Listed,
    Uploads,
    by_variant,
    codes_of,
    distances,
    is_copy,
    listed,
    look_up_codes,
    make_gate,
    stock,
)
from tests.bench._report import FalseMatch, Outcome, Study, write
from tests.bench._scenes import Chance
from tests.bench._sets import COPIED, Item, Pictures, Sets, opened, saved, sets

HERE: Final = Path(__file__).parent
PHOTOGRAPHS: Final = 60
"""Photographs of each set, so that a run takes less than twelve minutes on two cores."""
DRAWN_SHARE: Final = 1 / 4
"""Drawn pictures of a kind for each photograph of a set."""
UNCHANGED: Final = "none"
"""The change of an upload that is not a copy."""

type Named = tuple[Item, Listed, frozenset[str]]
"""An item, what is listed of it, and the names of the pictures that it shows, its own among them."""


class _Worker:
    """What a process of the pool keeps: pictures, and in the second half the gate and what its pictures show."""

    seed: str
    pictures: Pictures
    uploads: Uploads
    kept: Sequence[Named]
    codes: Codes
    owners: NDArray[np.int64]


def _start(seed: str, of: Sets) -> None:
    _Worker.seed, _Worker.pictures = seed, Pictures(of.grounds)


def _start_gate(seed: str, of: Sets, kept: Sequence[Named], home: Path, owners: dict[str, int]) -> None:
    _start(seed, of)
    _Worker.uploads, _Worker.kept = Uploads(home, owners), kept
    _Worker.codes = codes_of(signal.value for _, entries, _ in kept for signal in entries.pdq)
    _Worker.owners = np.repeat(np.arange(len(kept)), [len(entries.pdq) for _, entries, _ in kept])


def _list(item: Item) -> Named | None:
    """What is listed of an item; nothing if it cannot be read or is too plain to be matched."""
    data, shown = _Worker.pictures.data(item)
    try:
        found = listed(data)
    except PictureError:
        return None
    return (item, found, frozenset({item.name, *shown})) if found and opened(data) else None


def _upload(task: tuple[int, Item]) -> list[Outcome]:
    """The decisions on the copies of an item, or on the item itself."""
    number, item = task
    data, shown = _Worker.pictures.data(item)
    picture = opened(data)
    assert picture is not None
    if item.set not in COPIED:
        return [_outcome(number, UNCHANGED, saved(picture, 85), {item.name, *_with_scenes(shown)})]
    outcomes = []
    others = {name: one for name, one in _Worker.pictures.grounds.items() if name != item.name}
    for change in CHANGES:
        chance = Chance(f"{_Worker.seed} {item.name} {change}", others)
        upload = changed(picture, change, chance)
        outcomes.append(_outcome(number, change, upload, {item.name, *_with_scenes(chance.shown)}))
    return outcomes


def _with_scenes(shown: Iterable[str]) -> set[str]:
    """The pictures beside the copied one, and all other pictures of their scenes: a match with them is no mistake."""
    names = set(shown)
    scenes = {item.scene for item, _, _ in _Worker.kept if item.name in names}
    return names | {item.name for item, _, _ in _Worker.kept if item.scene in scenes}


def _outcome(number: int, change: str, upload: bytes, names: set[str]) -> Outcome:
    """What the gate says of an upload that shows the pictures of these names."""
    read = _Worker.uploads.read(upload)
    found, asked = _Worker.uploads.decide(read), look_up_codes(read)
    shown = [place for place, (_, _, others) in enumerate(_Worker.kept) if others & names]
    wrong = [
        FalseMatch(other, way, action)
        for way, actions in found.items()
        for other, action in actions.items()
        if other not in shown
    ]
    item, entries, _ = _Worker.kept[number]
    alike = [place for place, (other, _, _) in enumerate(_Worker.kept) if other.scene == item.scene]
    return Outcome(
        number,
        change,
        {way: actions[number] for way, actions in found.items() if number in actions},
        stock(read, entries),
        by_variant(asked, entries),
        len(asked),
        shown,
        wrong,
        int(distances(asked, _Worker.codes[~np.isin(_Worker.owners, [*shown, *alike])]).min(initial=ANY)),
    )


def study(seed: str, of: Sets) -> Study:
    """Lists every item and uploads its copies, in a process for each core."""
    with ProcessPoolExecutor(os.cpu_count(), initializer=_start, initargs=(seed, of)) as processes:
        kept = list(_different(filter(None, processes.map(_list, of.items, chunksize=4))))
    items, entries = [item for item, _, _ in kept], [entries for _, entries, _ in kept]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "gate")
        start = (seed, of, kept, home, make_gate(home, entries))
        with ProcessPoolExecutor(os.cpu_count(), initializer=_start_gate, initargs=start) as processes:
            outcomes = [one for several in processes.map(_upload, enumerate(items)) for one in several]
    return Study(seed, items, entries, outcomes, of.remarks)


def _different(found: Iterable[Named]) -> Iterator[Named]:
    """Each photograph once: a copy of one that came before is not a different picture."""
    before: list[str] = []
    for item, entries, names in found:
        if item.set not in COPIED or not is_copy(entries, before):
            before.append(entries.forms[0])
            yield item, entries, names


def main() -> None:
    """Prints the report and keeps it, with its plots, beside this file."""
    seed = os.environ.get("TAKEBACK_COPIES_SEED", "1")
    most = int(os.environ.get("TAKEBACK_COPIES_MOST", PHOTOGRAPHS))
    found = study(seed, sets(seed, most, max(4, round(most * DRAWN_SHARE))))
    write(found, HERE)


if __name__ == "__main__":
    main()
