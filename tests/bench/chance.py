"""How often chance alone brings votes, on lists of 10,000, 1 million and 10 million pictures: `build.py bench chance`.

The lists hold patches of real photographs that were changed as people change them; so that each list has as many
different pictures as it says, some bits of every patch are changed as well. Photographs that no list holds are uploaded
and looked up as the gate does it. A picture's patches are kept together, because those of one picture are alike.
`TAKEBACK_BENCH_LISTS=10000,1000000` selects other lists; ten million pictures take 10 GB of memory. The table and the
plot are saved beside this file.
"""

import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from takeback.gate.index.file import IndexMarks, load, save
from takeback.gate.index.multi_index import Index, MultiIndex, Reach
from takeback.gate.index.patch_table import PatchPlan
from takeback.gate.rules.common_patches import common_patches
from takeback.gate.rules.policy import Action, Policy
from takeback.gate.rules.votes import (
    MIN_REVIEW_VOTES,
    TRIED_BITS,
    PatchProbe,
    Votes,
    by_votes,
    file_probes,
    look_up_votes,
)
from takeback.hashing import hash_picture
from takeback.hashing.patches import asked_patches, sent_patches
from takeback.signals import MAX_PATCHES
from tests.bench import _edits as edits
from tests.bench._photographs import VIDEO, second_set
from tests.bench._sets import opened, saved
from tests.bench.index import patch_rows, sizes

LISTS: Final = sizes("TAKEBACK_BENCH_LISTS", "10000,1000000,10000000")
COPIES: Final = 40
"""Changed copies of each photograph from which lists are filled."""
UPLOADS: Final = 3
"""Uploads of each photograph that no list holds: as it is, and changed."""
FLIPPED_BITS: Final = 4, 16
"""Bits of each patch that are changed, least and most: with fewer a list would hold one picture thousands of times."""
EDITS: Final = (
    *(edits.crop(0, 0.2), edits.crop(0.1, 0.3), edits.zoom(0.5), edits.mirror_cut, edits.turn(4, 15)),
    *(edits.light, edits.colour_filter, edits.scribbles, edits.text_over, edits.negative),
)
HERE: Final = Path(__file__).parent
BATCH: Final = 1 << 20

type Sets = NDArray[np.uint64]
"""The patches of pictures, shape (pictures, 16)."""


class Chance(NamedTuple):
    """What uploads that no list holds found on a list: the votes for each of their pictures, and the actions."""

    listed: int
    uploads: int
    votes: list[Votes]
    reviewed: int
    blocked: int


def photographs() -> list[bytes]:
    """One photograph of each scene, in random order."""
    first = {one.scene if one.scene != "-" else one.name: one for one in second_set().photographs if one.scene != VIDEO}
    files = [one.file for one in first.values()]
    Random(1).shuffle(files)
    return [file.read_bytes() for file in files]


def copies(data: bytes, numbers: Random) -> Iterator[bytes]:
    """The picture as it is, then changed ones without end."""
    picture = opened(data)
    if not picture:
        return
    yield data
    while True:
        changed = picture
        for edit in numbers.sample(EDITS, numbers.randint(1, 2)):
            changed = edit(changed, numbers).convert("RGB")
        yield saved(changed, numbers.randint(60, 95))


def sent(data: bytes) -> list[int]:
    """The patches that a client sends of a picture."""
    return [int.from_bytes(bytes.fromhex(patch), "little") for patch in sent_patches(hash_picture(data).thumbnail)]


def asked(data: bytes) -> list[PatchProbe]:
    """The patches that a gate looks up of an upload."""
    thumbnail = hash_picture(data, look_ups=True).thumbnail
    return file_probes(asked_patches(thumbnail), thumbnail, ())


def fill(path: Path, bases: Sets, pictures: int) -> None:
    """Writes the index of a list with so many pictures."""
    numbers = np.random.default_rng(pictures)
    codes = bases[numbers.integers(0, len(bases), pictures)].reshape(-1)
    for start in range(0, len(codes), BATCH):
        part = codes[start : start + BATCH]
        flips = numbers.integers(FLIPPED_BITS[0], FLIPPED_BITS[1] + 1, len(part))
        for number in range(FLIPPED_BITS[1]):
            part ^= np.where(
                number < flips, np.uint64(1) << numbers.integers(0, 64, len(part), np.uint64), np.uint64(0)
            )
    save(path, IndexMarks(1, 1, {}), {"patches": PatchPlan(Reach().patches, 1, [patch_rows(codes, numbers)])})


def votes_for(index: Index, probes: Sequence[PatchProbe], policy: Policy) -> list[Votes]:
    """As the gate counts them."""
    hashes = [one.hash for one in probes]
    return look_up_votes(
        probes,
        index.pictures(),
        policy.patches_distance,
        lambda within: index.query_patches(hashes, MIN_REVIEW_VOTES, common_patches(), within),
    )


def measure(path: Path, uploads: Sequence[Sequence[PatchProbe]]) -> Chance:
    """Looks up all uploads in the index."""
    policy = Policy()
    index = MultiIndex(policy.reach, load(path)[1])
    listed, every, actions = index.pictures(), list[Votes](), list[set[Action | None]]()
    for probes in uploads:
        votes = votes_for(index, probes, policy)
        every += votes
        actions.append({by_votes(one, listed, policy)[0] for one in votes})
    blocked = sum(Action.BLOCK in some for some in actions)
    reviewed = sum(Action.REVIEW in some and Action.BLOCK not in some for some in actions)
    return Chance(listed, len(uploads), every, reviewed, blocked)


def beyond(chance: Chance, evidence: float) -> float:
    """The share of pairs of an upload and a listed picture with at least so many bits of evidence."""
    return sum(one.evidence >= evidence for one in chance.votes) / (chance.uploads * chance.listed)


def draw(found: Sequence[Chance]) -> None:
    """The share of pairs over the evidence, beside what the rules take it for."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    bits = np.arange(20, 56, 0.5)
    axes.plot(bits, 2.0 ** (TRIED_BITS - bits), color="black", label="taken for by the rules")
    for chance in found:
        shares = np.array([beyond(chance, bit) for bit in bits])
        axes.plot(bits[shares > 0], shares[shares > 0], marker=".", label=f"{chance.listed:,} pictures listed")
    axes.set(yscale="log", xlabel="bits of evidence, at least", ylabel="share of pairs", title="Votes by chance")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.savefig(HERE / "chance.png", dpi=110)
    plt.close(figure)


def main() -> None:
    """Prints a line for each list, and draws the plot."""
    every, numbers = photographs(), Random(2)
    half = len(every) // 2
    sets = [sent(copy) for data in every[:half] for copy in islice(copies(data, numbers), COPIES)]
    bases = np.array([one for one in sets if len(one) == MAX_PATCHES], np.uint64)
    uploads = [asked(copy) for data in every[half:] for copy in islice(copies(data, numbers), UPLOADS)]
    several = f"{np.mean([len(one) for one in uploads]):.0f} patches each"
    lines = [
        f"{len(bases)} sets of patches of {half} photographs; {len(uploads)} uploads of {len(every) - half}, {several}",
        f"{'listed':>10} {'pairs':>14} {'two votes':>10} {'most bits':>10} {'review':>7} {'block':>6}",
    ]
    print("\n".join(lines), flush=True)
    found: list[Chance] = []
    for pictures in LISTS:
        with tempfile.TemporaryDirectory(dir=HERE) as folder:
            fill(Path(folder, "index.bin"), bases, pictures)
            one = measure(Path(folder, "index.bin"), uploads)
        found.append(one)
        two = sum(votes.votes >= MIN_REVIEW_VOTES for votes in one.votes)
        most = max((votes.evidence for votes in one.votes), default=0.0)
        pairs = one.listed * one.uploads
        lines.append(f"{one.listed:10} {pairs:14} {two:10} {most:10.1f} {one.reviewed:7} {one.blocked:6}")
        print(lines[-1], flush=True)
        (HERE / "chance.txt").write_text("\n".join(lines) + "\n")
        draw(found)


if __name__ == "__main__":
    main()
