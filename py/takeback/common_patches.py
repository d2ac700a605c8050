"""The shared list of common patches: letters, keys, emoji, parts of interfaces, which say nothing about a picture.

The person's client does not choose them, and the gate does not look them up. Standard library only, because the browser
runs it too. The hashes are in `common_patch_list.py`.
"""

from collections.abc import Iterable
from functools import cache
from typing import Final

from takeback.common_patch_list import HASHES
from takeback.errors import InvalidSignal
from takeback.signals import PATCH_DIGITS

COMMON_DISTANCE: Final = 6
"""Bits, of 64, within which a patch is a common one: as for a match, so that no common patch can match."""
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
        for code in codes:
            for (start, _), buckets in zip(_CHUNKS, self._buckets, strict=True):
                buckets.setdefault(code >> start & _CHUNK_MASK, []).append(code)

    def __contains__(self, patch: object) -> bool:
        """Returns whether a patch, in hex, is within `COMMON_DISTANCE` bits of one of the set."""
        code = int(str(patch), 16)
        for (start, flips), buckets in zip(_CHUNKS, self._buckets, strict=True):
            part = code >> start & _CHUNK_MASK
            for flip in flips:
                for other in buckets.get(part ^ flip, ()):
                    if (code ^ other).bit_count() <= COMMON_DISTANCE:
                        return True
        return False


def parse(text: str) -> CommonPatches:
    """Parses a list: one hash of 16 hex digits a line; a `#` starts a comment. Raises `InvalidSignal` with the line."""
    codes = []
    for number, line in enumerate(text.splitlines(), 1):
        value = line.partition("#")[0].strip()
        if value:
            if len(value) != PATCH_DIGITS or not set(value) <= set("0123456789abcdef"):
                raise InvalidSignal(f"line {number}: a common patch is {PATCH_DIGITS} lowercase hex digits", "value")
            codes.append(int(value, 16))
    return CommonPatches(codes)


@cache
def common_patches() -> CommonPatches:
    """Returns the shared list."""
    return parse(HASHES)
