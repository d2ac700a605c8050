from hypothesis import given
from hypothesis import strategies as st

from takeback.registry.security.entry_ids import EntryIds

KEYS = st.binary(min_size=32, max_size=32)
NUMBERS = st.lists(st.integers(1, 2**63 - 1), max_size=20, unique=True)


@given(KEYS, NUMBERS)
def test_ids_are_read_back(key: bytes, numbers: list[int]) -> None:
    """Every entry has its own id of 32 hex digits, which the platform's key decrypts to the entry's number."""
    ids = EntryIds(key).of(numbers)

    assert all(len(one) == 32 and one == one.lower() for one in ids)
    assert EntryIds(key).numbers(ids) == dict(zip(ids, numbers, strict=True))


@given(KEYS, KEYS, NUMBERS)
def test_another_platforms_ids_mean_nothing(key: bytes, other: bytes, numbers: list[int]) -> None:
    """Ids made under another key belong to no entry."""
    if key != other:
        assert EntryIds(other).numbers(EntryIds(key).of(numbers)) == {}


@given(st.lists(st.binary(min_size=16, max_size=16).map(bytes.hex), max_size=20))
def test_forged_ids_are_unknown(ids: list[str]) -> None:
    """Forged ids belong to no entry."""
    assert EntryIds(bytes(32)).numbers(ids) == {}
