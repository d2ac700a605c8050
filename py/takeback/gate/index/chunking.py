"""How codes are cut into chunks for the index (index.c), so that a look-up reads as little memory as possible. Pure.

Two codes within `distance` bits are within `flips` bits in one chunk at least, because the sum of `flips + 1` over the
chunks is `distance + 1`. Few wide chunks have few codes in a bucket, and many buckets to look into; many narrow ones
the other way round. Which is best depends on how many codes there are.
"""

import math
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from typing import Final, NamedTuple

BUCKET_COST: Final = 1.0
"""Of looking into a bucket, and of comparing with a code that lies in it: measured, relative to each other."""
CODE_COST: Final = 3.0
MAX_FLIPS: Final = 2
"""With 3 a look-up goes through thousands of buckets for each chunk."""
MAX_CHUNK_BITS: Final = 26
"""Of a chunk: what index.c has room for, and more than a hundred million codes need."""
MIN_CHUNK_BITS: Final = 5
"""A block of buckets."""
CODE_BYTES: Final = 68
"""For each code, of all chunks' lists of rows, 4 each, and buckets, 1 and an eighth each; 57 more is all the rest."""
MIN_BUCKET_BYTES: Final = 6
"""For each code, however many chunks there are."""
SPARE_BUCKET_BYTES: Final = 1 << 16
"""What the buckets may take besides, however few codes there are."""


class Chunk(NamedTuple):
    """The bits of a code from `start` on, in which a match differs by at most `flips`."""

    start: int
    bits: int
    flips: int


@lru_cache(maxsize=64)
def plan(count: int, bits: int, distance: int) -> tuple[Chunk, ...]:
    """The chunks for `count` codes of `bits` bits, of which those within `distance`, at most a quarter, are found."""
    if not 0 <= distance <= bits // 4:
        raise ValueError(f"a distance is from 0 to {bits // 4} in {bits} bits")
    if distance == 0:
        return (Chunk(0, bucket_bits(count), 0),)
    widths = min(_choices(count, bits, distance), key=lambda widths: _cost(widths, count))
    starts = accumulate((width for width, _ in widths), initial=0)
    return tuple(Chunk(start, width, flips) for start, (width, flips) in zip(starts, widths, strict=False))


def masks(bits: int, flips: int) -> tuple[int, ...]:
    """Every change of up to `flips` bits of a chunk, in order, so that neighbours lie together in memory."""
    found = {0}
    for _ in range(flips):
        found |= {mask | 1 << bit for mask in found for bit in range(bits)}
    return tuple(sorted(found))


def bucket_bits(count: int) -> int:
    """As many bits as give each code a bucket of its own."""
    return min(max(MIN_CHUNK_BITS, math.ceil(math.log2(max(count, 1)))), MAX_CHUNK_BITS)


type _Widths = tuple[tuple[int, int], ...]
"""Bits and flips of each chunk, the widest first."""


def _choices(count: int, bits: int, distance: int) -> Iterator[_Widths]:
    """Every way to cut codes that is worth a thought and has buckets of a bearable size."""
    most = min(bucket_bits(count) + 1, bits)
    yield _narrow(bits, distance)
    for twos in range((distance + 1) // 3 + 1):
        rest = distance + 1 - 3 * twos
        ones, zeros = divmod(rest, 2)
        for one in range(MIN_CHUNK_BITS, most + 1) if ones else (0,):
            for zero in range(MIN_CHUNK_BITS, most + 1) if zeros else (0,):
                left = bits - ones * one - zeros * zero
                if left < twos * MIN_CHUNK_BITS:
                    continue
                two, more = divmod(min(left, twos * most), twos) if twos else (0, 0)
                chosen = [(two + 1, 2)] * more + [(two, 2)] * (twos - more) + [(one, 1)] * ones + [(zero, 0)] * zeros
                each = max(CODE_BYTES - 4 * (len(chosen) - 1), MIN_BUCKET_BYTES)
                if sum(9 << width for width, _ in chosen) <= 8 * (count * each + SPARE_BUCKET_BYTES):
                    yield tuple(sorted(chosen, reverse=True))


def _narrow(bits: int, distance: int) -> _Widths:
    """Chunks of two flips and as few bits as there can be, for what nothing better fits: hardly more than a scan."""
    return ((min(max(MIN_CHUNK_BITS, bits * 3 // (distance + 3)), 12), MAX_FLIPS),) * (distance // 3 + 1)


def _cost(widths: _Widths, count: int) -> float:
    """What a look-up among `count` codes costs that lie evenly."""
    return sum(_changes(*chunk) * (BUCKET_COST + CODE_COST * count / (1 << chunk[0])) for chunk in widths)


def _changes(bits: int, flips: int) -> int:
    return sum(math.comb(bits, changed) for changed in range(flips + 1))
