"""Helpers for tests of the index: codes of several distributions, and the expected hits by brute force."""

from collections.abc import Iterable, Mapping
from random import Random

from takeback.gate.index.multi_index import IndexRow, MultiIndex
from takeback.signals import Signal, SignalType, hamming_distance, patches_of


def pdq(code: int, quality: int = 100) -> Signal:
    """A PDQ signal with this code."""
    return Signal(SignalType.PDQ, f"{code:064x}", quality)


def flip(code: int, bits: int, seed: int, width: int = 256) -> int:
    """`code` with `bits` of its bits changed."""
    for bit in Random(seed).sample(range(width), bits):
        code ^= 1 << bit
    return code


def found(index: MultiIndex, asked: Signal) -> set[tuple[str, int]]:
    """The hits of one signal as (entry, distance), checked to be distinct; of patches, those of all its hashes."""
    if asked.type is SignalType.PATCHES:
        patches = [patch for frame in patches_of(asked.value) for patch in frame]
        return {(hit.entry, hit.distance) for hit in index.query_patches(patches)}
    hits = [(hit.entry, hit.distance) for hit in index.query([asked])]
    assert len(hits) == len(set(hits))
    return set(hits)


def near(held: Mapping[str, Signal], asked: Signal, reach: int) -> set[tuple[str, int]]:
    """The expected hits, by brute force."""
    distances = (
        (entry, hamming_distance(signal.value, asked.value))
        for entry, signal in held.items()
        if signal.type is asked.type
    )
    return {(entry, far) for entry, far in distances if far <= reach}


def shaped(shape: str, count: int, seed: int, width: int = 256) -> list[int]:
    """Codes of a distribution: `random`, `clustered`, `duplicate`, or `adversarial` (most of them in one bucket)."""
    numbers = Random(seed)
    top = numbers.getrandbits(width)
    if shape == "random":
        return [numbers.getrandbits(width) for _ in range(count)]
    if shape == "clustered":
        centres = [numbers.getrandbits(width) for _ in range(1 + count // 100)]
        return [
            flip(numbers.choice(centres), numbers.randrange(40 * width // 256), place, width) for place in range(count)
        ]
    if shape == "duplicate":
        return [numbers.choice([0, top, top ^ 1, 2**width - 1]) for _ in range(count)]
    kept = (1 << width) - (1 << width // 4)  # three quarters of all bits are the same
    return [top & kept | numbers.getrandbits(width // 4) for _ in range(count)]


def as_rows(held: Mapping[str, Signal]) -> list[IndexRow]:
    """The entries as rows of an index."""
    return [(entry, one.type, one.value, one.quality) for entry, one in held.items()]


def as_signals(codes: Iterable[int]) -> dict[str, Signal]:
    """The codes as PDQ signals by entry id."""
    return {f"{place:032x}": pdq(code) for place, code in enumerate(codes)}
