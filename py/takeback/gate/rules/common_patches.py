"""The shared list of common patches: letters, keys, emoji, parts of interfaces, which say nothing about a picture.

A gate does not count them as votes. `tests/bench/common_patches.py` makes the list, `common_patch_list.py`.
"""

from collections.abc import Iterable
from functools import cache
from typing import Final

from takeback.gate.rules.common_patch_list import HASHES
from takeback.hashing.patches import FORM_BITS

COMMON_DISTANCE: Final = 6
"""Bits, without those of the form, within which a patch is a common one."""
_CHUNK_BITS: Final = 16
_CHUNK_MASK: Final = (1 << _CHUNK_BITS) - 1
_SAME: Final = (0,)
_FLIPS: Final = (0, *(1 << bit for bit in range(_CHUNK_BITS)))
_CHUNKS: Final = ((0, _FLIPS), (16, _FLIPS), (32, _FLIPS), (48, _SAME))
"""Where each quarter of a hash starts, and how it may differ.

Two hashes within 6 bits either differ by at most one bit in one of the first three quarters, or are equal in the last.
"""


class CommonPatches:
    """A set of patches that finds those near a given one."""

    def __init__(self, codes: Iterable[int]) -> None:
        self._buckets: tuple[dict[int, list[int]], ...] = tuple({} for _ in _CHUNKS)
        for code in (code & ~FORM_BITS for code in codes):
            for (start, _), buckets in zip(_CHUNKS, self._buckets, strict=True):
                buckets.setdefault(code >> start & _CHUNK_MASK, []).append(code)

    def __contains__(self, patch: object) -> bool:
        """Returns whether a patch, in hex, is in any form within `COMMON_DISTANCE` bits of one of the set."""
        code = int(str(patch), 16) & ~FORM_BITS
        for (start, flips), buckets in zip(_CHUNKS, self._buckets, strict=True):
            part = code >> start & _CHUNK_MASK
            for flip in flips:
                for other in buckets.get(part ^ flip, ()):
                    if (code ^ other).bit_count() <= COMMON_DISTANCE:
                        return True
        return False


@cache
def common_patches() -> CommonPatches:
    """Returns the shared list."""
    return CommonPatches(int(code, 16) for code in HASHES.split())
