"""Chooses how codes are split into chunks for the index (index.c), so that a look-up reads little memory. Pure.

Two codes within `distance` bits differ by at most `flips` bits in at least one chunk, because the sum of `flips + 1`
over the chunks is `distance + 1`. Wide chunks have few codes in each bucket, but a look-up visits many buckets; narrow
chunks have many codes in each of few buckets. Which is faster depends on the number of codes.

Source: Norouzi, Punjani and Fleet, "Fast Exact Search in Hamming Space with Multi-Index Hashing", 2012.
"""

import math
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate, combinations_with_replacement, product
from typing import Final, NamedTuple

BUCKET_COST: Final = 1.0
"""Measured cost of opening a bucket, in the unit of `CODE_COST`."""
CODE_COST: Final = 3.0
"""Measured cost of comparing with one code of a bucket."""
MAX_FLIPS: Final = 2
"""Bits in which a look-up varies a chunk at most: with 3 it would visit thousands of buckets for each chunk."""
MAX_CHUNK_BITS: Final = 26
"""Width of the widest chunk: the limit of index.c, and enough for a hundred million codes."""
MIN_CHUNK_BITS: Final = 5
"""Width of the narrowest chunk: it fills one block of 32 buckets."""
CODE_BYTES: Final = 68
"""Memory for each code in all chunks: 4 bytes for a row number, 1.125 for a bucket. All else takes 57 bytes more."""
MIN_BUCKET_BYTES: Final = 6
"""Bucket memory that each code may use, however many chunks there are."""
SPARE_BUCKET_BYTES: Final = 1 << 16
"""Bucket memory that a table may use in addition, however few codes it has."""

LONG_LIST_CODES: Final = 4_000_000
"""PDQ hashes of half a million pictures. `TablePlan.long_list_distance` is for a longer table.

Among 70 million, 52 look-ups take 74 ms within 34 bits and 24 ms within 31; among 8 million, two take 0.47 and 0.2 ms.
"""
MAX_PATCH_DISTANCE: Final = 8
"""Bits, of 64, within which patches are searched at most: three chunks can do no more."""
LONG_LIST_PATCHES: Final = 16_000_000
"""Patches of a million pictures. A longer table is searched within `LONG_LIST_DISTANCE` bits at most.

Among ten million pictures a look-up within 8 bits takes five times as long, and more evidence is needed there anyway,
to which far votes add little.
"""
LONG_LIST_DISTANCE: Final = 6
MIN_PATCH_CHUNK_BITS: Final = 16
PATCH_BUCKET_COST: Final = 7.0
"""Measured cost of opening a bucket of patches, in the unit of `PATCH_CODE_COST`."""
PATCH_CODE_COST: Final = 1.0
PATCH_CODE_BYTES: Final = 36
"""Memory for each patch: three chunks of 10 bytes, and buckets. A picture's id takes 21 bytes more."""
SPARE_PATCH_BYTES: Final = 1 << 20
"""Memory that a table of patches may use in addition, however few it has."""


class Chunk(NamedTuple):
    """The `bits` bits of a code from bit `start` on, searched for values that differ in at most `flips` bits."""

    start: int
    bits: int
    flips: int


@lru_cache(maxsize=64)
def plan(count: int, bits: int, distance: int) -> tuple[Chunk, ...]:
    """Returns the chunks with which a look-up among `count` codes of `bits` bits finds all within `distance` bits.

    Raises `ValueError` if `distance` is negative or more than a quarter of `bits`.
    """
    if not 0 <= distance <= bits // 4:
        raise ValueError(f"the distance of {bits}-bit codes must be from 0 to {bits // 4}")
    if distance == 0:
        return (Chunk(0, bucket_bits(count), 0),)
    widths = min(_choices(count, bits, distance), key=lambda widths: _cost(widths, count))
    # `accumulate` gives one start more, the end of the last chunk, which `zip` leaves out.
    starts = accumulate((width for width, _ in widths), initial=0)
    return tuple(Chunk(start, width, flips) for start, (width, flips) in zip(starts, widths, strict=False))


@lru_cache(maxsize=64)
def plan_patches(count: int, distance: int) -> tuple[Chunk, ...]:
    """Returns the chunks with which a look-up among `count` 64-bit codes finds all within `distance` bits.

    Each chunk has `MIN_PATCH_CHUNK_BITS` or more, so that what is left of a code fits into 6 bytes (patch_index.c).
    Raises `ValueError` if `distance` is not from 0 to `MAX_PATCH_DISTANCE`.
    """
    if not 0 <= distance <= MAX_PATCH_DISTANCE:
        raise ValueError(f"the distance of patches must be from 0 to {MAX_PATCH_DISTANCE}")
    room = PATCH_CODE_BYTES * count + SPARE_PATCH_BYTES
    fitting = [widths for widths in _patch_choices(distance) if _patch_bytes(widths, count) <= room]
    widths = min(fitting, key=lambda widths: _cost(widths, count, PATCH_BUCKET_COST, PATCH_CODE_COST))
    starts = accumulate((width for width, _ in widths), initial=0)
    return tuple(Chunk(start, width, flips) for start, (width, flips) in zip(starts, widths, strict=False))


def masks(bits: int, flips: int) -> tuple[int, ...]:
    """Returns every XOR mask of up to `flips` set bits, sorted so that neighbouring buckets are read together."""
    found = {0}
    for _ in range(flips):
        found |= {mask | 1 << bit for mask in found for bit in range(bits)}
    return tuple(sorted(found))


def bucket_bits(count: int) -> int:
    """Returns the chunk width with about one bucket for each of `count` codes."""
    return min(max(MIN_CHUNK_BITS, math.ceil(math.log2(max(count, 1)))), MAX_CHUNK_BITS)


type _Widths = tuple[tuple[int, int], ...]
"""(bits, flips) of each chunk, widest first."""


def _choices(count: int, bits: int, distance: int) -> Iterator[_Widths]:
    """Yields every division into chunks that may be best and whose buckets fit into the memory allowed."""
    most = min(bucket_bits(count) + 1, bits)
    # It always fits, so `plan` has at least one choice.
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
                # The first chunk has no list of rows; each other one takes 4 bytes for a code.
                each = max(CODE_BYTES - 4 * (len(chosen) - 1), MIN_BUCKET_BYTES)
                # In bits: a bucket takes a byte and a 32nd of its block's base of 4 bytes.
                if sum(9 << width for width, _ in chosen) <= 8 * (count * each + SPARE_BUCKET_BYTES):
                    yield tuple(sorted(chosen, reverse=True))


def _patch_choices(distance: int) -> Iterator[_Widths]:
    """Yields every division of a 64-bit code into chunks of which one is near in codes within `distance` bits."""
    for number in range(1, 64 // MIN_PATCH_CHUNK_BITS + 1):
        widest = min(MAX_CHUNK_BITS, 64 - (number - 1) * MIN_PATCH_CHUNK_BITS)
        for flips in combinations_with_replacement(range(MAX_FLIPS + 1), number):
            if sum(flips) + number != distance + 1:
                continue
            for bits in product(range(MIN_PATCH_CHUNK_BITS, widest + 1), repeat=number):
                if sum(bits) <= 64:
                    yield tuple(zip(bits, flips, strict=True))


def _patch_bytes(widths: _Widths, count: int) -> int:
    return sum((4 << bits) + 10 * count for bits, _ in widths)


def _narrow(bits: int, distance: int) -> _Widths:
    """Returns narrow chunks of two flips, for when no other division fits; a look-up is little faster than a scan."""
    return ((min(max(MIN_CHUNK_BITS, bits * 3 // (distance + 3)), 12), MAX_FLIPS),) * (distance // 3 + 1)


def _cost(widths: _Widths, count: int, bucket: float = BUCKET_COST, code: float = CODE_COST) -> float:
    """Returns the estimated cost of a look-up among `count` evenly distributed codes."""
    return sum(_changes(*chunk) * (bucket + code * count / (1 << chunk[0])) for chunk in widths)


def _changes(bits: int, flips: int) -> int:
    return sum(math.comb(bits, changed) for changed in range(flips + 1))
