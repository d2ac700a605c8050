from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.common_patches import COMMON_DISTANCE, CommonPatches, common_patches, parse
from takeback.errors import InvalidSignal

CODES = st.integers(0, 2**64 - 1)


@given(st.lists(CODES, min_size=1, max_size=20), st.integers(0, 64), st.integers())
def test_against_brute_force(codes: list[int], bits: int, seed: int) -> None:
    """A patch is common if and only if it is within the distance of one on the list."""
    asked = codes[0]
    for bit in Random(seed).sample(range(64), bits):
        asked ^= 1 << bit
    expected = any((asked ^ code).bit_count() <= COMMON_DISTANCE for code in codes)
    assert (f"{asked:016x}" in CommonPatches(codes)) is expected


def test_format() -> None:
    """A list has one hash a line; comments and empty lines are skipped."""
    listed = parse("# letters\n\n00000000000000ff # e\nff00000000000000\n")
    assert "00000000000000fe" in listed
    assert "ff00000000000000" in listed
    assert "0000000000000000" not in listed


@pytest.mark.parametrize("line", ["12", "0" * 17, "0" * 15 + "G", "0" * 15 + "A", "0" * 16 + " x"])
def test_malformed(line: str) -> None:
    """A malformed line is named by its number."""
    with pytest.raises(InvalidSignal, match="line 2: a common patch is 16 lowercase hex digits"):
        parse(f"# list\n{line}\n")


def test_the_shared_list() -> None:
    """The shared list can be read, once."""
    assert common_patches() is common_patches()
