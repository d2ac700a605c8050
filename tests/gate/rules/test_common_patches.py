from random import Random

from hypothesis import given
from hypothesis import strategies as st

from takeback.gate.rules.common_patch_list import HASHES
from takeback.gate.rules.common_patches import COMMON_DISTANCE, CommonPatches, common_patches
from takeback.hashing.patches import FORM_BITS

CODES = st.integers(0, 2**64 - 1)


@given(st.lists(CODES, min_size=1, max_size=20), st.integers(0, 64), st.integers())
def test_against_brute_force(codes: list[int], bits: int, seed: int) -> None:
    """A patch is common if and only if it is within the distance of one on the list."""
    asked = codes[0]
    for bit in Random(seed).sample(range(64), bits):
        asked ^= 1 << bit
    expected = any(((asked ^ code) & ~FORM_BITS).bit_count() <= COMMON_DISTANCE for code in codes)
    assert (f"{asked:016x}" in CommonPatches(codes)) is expected


def test_the_shared_list() -> None:
    """The shared list is read once; what it holds is on it in every form."""
    listed = common_patches()
    assert common_patches() is listed
    first = int(HASHES.split()[0], 16)
    assert all(f"{first ^ form:016x}" in listed for form in (0, 1, 1 << 1, 1 << 8, FORM_BITS))
