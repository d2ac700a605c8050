"""The shared list of common patches: letters, keys, emoji, parts of interfaces, which say nothing about a picture.

The person's client does not choose them, and the gate does not look them up. Standard library only, because the browser
runs it too. The hashes are in `common_patch_list.py`.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Final

from takeback.common_patch_list import HASHES
from takeback.errors import InvalidSignal
from takeback.signals import PATCH_DIGITS

COMMON_DISTANCE: Final = 6
"""Bits, of 64, within which a patch is a common one: as for a match, so that no common patch can match."""
_CHUNKS: Final = COMMON_DISTANCE + 1
"""Parts of a hash, of which one is equal in two hashes within the distance."""
_CHUNK_BITS: Final = -(-4 * PATCH_DIGITS // _CHUNKS)
_CHUNK_MASK: Final = (1 << _CHUNK_BITS) - 1


class CommonPatches:
    """A set of patches that finds those near a given one."""

    def __init__(self, codes: Iterable[int]) -> None:
        self._buckets: dict[tuple[int, int], list[int]] = {}
        for code in codes:
            for key in _keys(code):
                self._buckets.setdefault(key, []).append(code)

    def __contains__(self, patch: str) -> bool:
        """Returns whether a patch, in hex, is within `COMMON_DISTANCE` bits of one of the set."""
        code = int(patch, 16)
        find: Callable[[tuple[int, int]], list[int] | None] = self._buckets.get
        return any((code ^ other).bit_count() <= COMMON_DISTANCE for key in _keys(code) for other in find(key) or ())


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


def _keys(code: int) -> list[tuple[int, int]]:
    """Returns the parts of a hash, each with its number."""
    return [(chunk, code >> chunk * _CHUNK_BITS & _CHUNK_MASK) for chunk in range(_CHUNKS)]
