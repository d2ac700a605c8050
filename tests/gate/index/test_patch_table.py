import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from takeback.errors import StateDamaged
from takeback.gate.index.file import HEAD_BYTES, IndexMarks, load, save
from takeback.gate.index.multi_index import MERGE_ROWS, MultiIndex, PatchHit, Reach
from takeback.gate.index.native import checksum
from takeback.signals import MAX_PATCH_FRAMES, Signal, SignalType, hamming_distance, patches_of, patches_value
from tests.gate.codes import as_rows, flip, shaped
from tests.gate.feeds import entry_id

SHAPES = ("random", "clustered", "duplicate", "adversarial")
MOST_NEAR = 1024


def patches(*frames: list[int]) -> Signal:
    """A signal whose frames hold these codes."""
    return Signal(SignalType.PATCHES, patches_value([f"{code:016x}" for code in frame] for frame in frames))


def pictures(codes: list[int], each: int = 5, frames: int = 1) -> dict[str, Signal]:
    """The codes dealt out to pictures of `each` codes, in frames."""
    groups = [codes[at : at + each] for at in range(0, len(codes), each)]
    return {
        entry_id(place): patches(*(group[at::frames] for at in range(frames) if group[at::frames]))
        for place, group in enumerate(groups)
    }


def brief(hits: list[PatchHit]) -> list[tuple[int, str, int, int]]:
    """Hits as (asked, entry, frame, distance), in order."""
    return sorted((hit.asked, hit.entry, hit.frame, hit.distance) for hit in hits)


def near(held: Mapping[str, Signal], asked: list[str], reach: int, least: int = 1) -> list[tuple[int, str, int, int]]:
    """The expected hits, by brute force."""
    found = []
    for entry, signal in held.items():
        for frame, hashes in enumerate(patches_of(signal.value)):
            far = [(place, hamming_distance(one, other)) for place, one in enumerate(asked) for other in hashes]
            hits = [(place, entry, frame, distance) for place, distance in far if distance <= reach]
            found += hits if len(hits) >= least else []
    return sorted(found)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(SHAPES), st.integers(1, 600), st.integers(0, 8), st.integers(0, 2**32), st.integers(1, 3))
def test_against_brute_force(shape: str, count: int, limit: int, seed: int, frames: int) -> None:
    """For any distribution of patches and any limit, tables and growing rows find what brute force finds."""
    codes = shaped(shape, count, seed, 64)
    held = pictures(codes, 5, frames)
    numbers = Random(seed)
    asked = [f"{flip(numbers.choice(codes), numbers.randrange(12), seed + n, 64):016x}" for n in range(20)]
    least = numbers.choice([1, 2])
    filled = MultiIndex.of(Reach(patches=limit), as_rows(held))
    growing = MultiIndex(Reach(patches=limit))
    for entry, signal in held.items():
        growing.add(entry, signal)
    within = numbers.randrange(10)
    for index in (filled, growing):
        assert brief(index.query_patches(asked, least)) == near(held, asked, limit, least)
        assert brief(index.query_patches(asked, least, (), within)) == near(held, asked, min(limit, within), least)


@pytest.mark.parametrize("limit", range(9))
def test_every_distance(limit: int) -> None:
    """Built for any limit from 0 to 8, the index finds among 30,000 patches all at distances that it should."""
    code = Random(limit).getrandbits(64)
    held = pictures([flip(code, bits, bits + 99 * limit, 64) for bits in range(65)], 1)
    others = {f"{place:032x}": patches([other]) for place, other in enumerate(shaped("random", 30_000, limit, 64))}
    index = MultiIndex.of(Reach(patches=limit), as_rows({**held, **others}))
    for within in (None, *range(limit)):
        found = brief(index.query_patches([f"{code:016x}"], within=within))
        assert found == sorted(
            (0, entry_id(bits), 0, bits) for bits in range((limit if within is None else within) + 1)
        )


@pytest.mark.parametrize("shape", SHAPES)
def test_many(shape: str) -> None:
    """Among 20,000 patches that are uniform, clustered, equal or in one bucket, a look-up finds all that are near."""
    codes = shaped(shape, 20_000, 5, 64)
    held = pictures(codes, 16)
    index = MultiIndex.of(Reach(), as_rows(held))
    asked = [f"{flip(codes[place], place // 2000, place, 64):016x}" for place in range(0, 20_000, 1_000)]
    hits = index.query_patches(asked)
    expected = near(held, asked, Reach().patches)
    counts = Counter(place for place, _ in {(place, entry) for place, entry, *_ in expected})
    assert brief(hits) == [hit for hit in expected if counts[hit[0]] <= MOST_NEAR]
    assert all(hit.near == counts[hit.asked] for hit in hits)


@pytest.mark.parametrize("bucketed", [True, False])
def test_a_patch_of_too_many_pictures(bucketed: bool) -> None:
    """A patch has hits up to 1,024 pictures near it, and none with more; one picture with many codes counts once."""
    index = MultiIndex(Reach())
    codes = [f"{code:016x}" for code in (0x00FF00FF00FF00FF, 0xFF00FF00FF00FF00)]
    many = {entry_id(place): patches([int(codes[0], 16) ^ 1 << place % 60]) for place in range(MOST_NEAR - 1)}
    many[entry_id(MOST_NEAR)] = patches(*([int(codes[0], 16) ^ 1 << bit for bit in range(16)] for _ in range(12)))
    many[entry_id(5000)] = patches([int(codes[1], 16)])
    if bucketed:
        index = MultiIndex.of(Reach(), as_rows(many))
    else:
        for entry, signal in many.items():
            index.add(entry, signal)
    found = index.query_patches(codes)
    assert len(found) == MOST_NEAR - 1 + 16 * 12 + 1
    assert {hit.near for hit in found} == {MOST_NEAR, 1}
    index.add(entry_id(6000), patches([int(codes[0], 16)]))
    assert brief(index.query_patches(codes)) == [(1, entry_id(5000), 0, 0)]
    index.remove(entry_id(6000))
    assert len(index.query_patches(codes)) == MOST_NEAR - 1 + 16 * 12 + 1


def test_common_patches_have_no_hits() -> None:
    """A patch on the list of common ones is not a hit, and does not help a frame to enough hits."""
    codes = shaped("random", 3, 7, 64)
    index = MultiIndex.of(Reach(), as_rows({entry_id(1): patches(codes), entry_id(2): patches(codes[:2])}))
    asked = [f"{code:016x}" for code in codes]
    assert brief(index.query_patches(asked, 2, {asked[0]})) == [(n, entry_id(1), 0, 0) for n in (1, 2)]


def test_merging() -> None:
    """After thousands of additions, replacements and removals the index finds exactly what is left."""
    index = MultiIndex(Reach())
    codes = shaped("clustered", 4 * MERGE_ROWS, 3, 64)
    held = pictures(codes, 16)
    for place, (entry, signal) in enumerate(list(held.items())):
        index.add(entry, signal)
        if place % 3 == 1:
            index.remove(entry)
            del held[entry]
        elif place % 3 == 2:
            held[entry] = patches(shaped("random", 8, place, 64))
            index.add(entry, held[entry])
    index.wait()
    asked = [f"{code:016x}" for code in codes[::997]]
    assert brief(index.query_patches(asked)) == near(held, asked, Reach().patches)
    for entry in list(held)[::2]:
        index.remove(entry)
        del held[entry]
    assert brief(index.query_patches(asked)) == near(held, asked, Reach().patches)
    assert index.pictures() == -(-sum(signal.value.count(",") + 1 for signal in held.values()) // 16)


class Changes(RuleBasedStateMachine):
    """Any sequence of changes and mergers leaves an index that equals the plain dictionary of its entries."""

    def __init__(self) -> None:
        super().__init__()
        self.index = MultiIndex(Reach())
        self.held: dict[str, Signal] = {}

    @rule(entry=st.integers(0, 5), seed=st.integers(0, 3), frames=st.integers(1, MAX_PATCH_FRAMES))
    def add(self, entry: int, seed: int, frames: int) -> None:
        """Adds or replaces an entry."""
        signal = patches(*(shaped("duplicate", 3, seed + frame, 64) for frame in range(frames)))
        self.held[entry_id(entry)] = signal
        self.index.add(entry_id(entry), signal)

    @rule(entry=st.integers(0, 5))
    def remove(self, entry: int) -> None:
        """Removes an entry, or none."""
        self.held.pop(entry_id(entry), None)
        self.index.remove(entry_id(entry))

    @rule()
    def rebuild(self) -> None:
        """Builds tables of what is there."""
        tables = {name: plan.table() for name, plan in self.index.contents().items()}
        self.index = MultiIndex(Reach(), {name: table for name, table in tables.items() if table})

    @invariant()
    def equals(self) -> None:
        """Compares all look-ups."""
        asked = sorted({patch for one in self.held.values() for frame in patches_of(one.value) for patch in frame})
        assert brief(self.index.query_patches([*asked, "0" * 16])) == near(
            self.held, [*asked, "0" * 16], Reach().patches
        )


TestChanges = Changes.TestCase
TestChanges.settings = settings(max_examples=30, stateful_step_count=15, deadline=None)


def test_file(tmp_path: Path) -> None:
    """Patches are saved and loaded with the other types, and a changed byte in them is found."""
    path, held = tmp_path / "index.bin", pictures(shaped("clustered", 2000, 1, 64), 16)
    index = MultiIndex.of(Reach(), as_rows(held))
    save(path, IndexMarks(1, 1, {}), index.contents())
    asked = [patch for signal in list(held.values())[:3] for patch in patches_of(signal.value)[0]]
    assert brief(MultiIndex(Reach(), load(path)[1]).query_patches(asked)) == near(held, asked, Reach().patches)
    data = bytearray(path.read_bytes())
    data[-5000] ^= 1
    path.write_bytes(data)
    with pytest.raises(StateDamaged, match="checksum of table patches does not match"):
        load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"pictures": 0},
        {"pictures": 10**9},
        {"count": 0},
        {"count": 1 << 40},
        {"distance": 9},
        {"chunks": []},
        {"chunks": [[0, 15, 2], [15, 24, 2], [40, 24, 2]]},
        {"chunks": [[0, 16, 2], [16, 24, 2], [41, 24, 2]]},
        {"chunks": [[0, 16, 1], [16, 24, 1], [40, 24, 1]]},
        {"chunks": [[0, 16, 3], [16, 24, 2], [40, 24, 2]]},
    ],
)
def test_a_shape_that_is_wrong(tmp_path: Path, change: dict[str, object]) -> None:
    """A file whose header is whole but describes an impossible table of patches is refused."""
    path, held = tmp_path / "index.bin", pictures(shaped("random", 1000, 1, 64), 16)
    save(path, IndexMarks(1, 1, {}), MultiIndex.of(Reach(), as_rows(held)).contents())
    data = path.read_bytes()
    head = json.loads(data[24:HEAD_BYTES])
    head["tables"]["patches"]["shape"] |= change
    text = json.dumps(head).encode().ljust(HEAD_BYTES - 24)
    total = checksum(np.frombuffer(text, np.uint8)).to_bytes(8, "little")
    path.write_bytes(data[:16] + total + text + data[HEAD_BYTES:])
    with pytest.raises(StateDamaged, match="is truncated, or its table patches is malformed"):
        load(path)
