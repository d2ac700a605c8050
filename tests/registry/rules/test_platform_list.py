import unicodedata
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.errors import SettingsError
from takeback.protocol import MAX_SMALL_SITES, PlatformList, decode, encode
from takeback.registry.rules.platform_list import (
    FOLLOWING_SECONDS,
    follows,
    is_same_name,
    published_name,
    small_sites,
    small_sites_told,
)

NAMES = st.text(max_size=70) | st.text(st.characters(categories=["L", "N", "P", "S", "Z"]), max_size=70)
"""Texts of any characters, and texts that are mostly names."""


@given(NAMES)
def test_a_name_can_be_shown_in_one_line(text: str) -> None:
    """What is accepted has 1 to 60 printable characters, no spaces at its ends, and is accepted again unchanged."""
    with suppress(SettingsError):
        name = published_name(text)
        assert 1 <= len(name) <= 60
        assert name == name.strip() == published_name(name) == unicodedata.normalize("NFC", name)
        assert name.isprintable()
        assert len(name.splitlines()) == 1
        assert decode(encode(PlatformList([name], 0)), PlatformList).platforms == [name]


@given(NAMES)
def test_what_is_refused_is_no_name(text: str) -> None:
    """A text is refused only if it is empty, too long, or has characters that are not printable."""
    name = unicodedata.normalize("NFC", text.strip())
    try:
        published_name(text)
    except SettingsError as error:
        assert not name.isprintable() or not 1 <= len(name) <= 60
        assert "\n" not in str(error)


@pytest.mark.parametrize("text", ["", "  ", "x" * 61, "a\nb", "a\rb", "a\u2028b", "a\x00b", "a\u202eb", "a\ud800b"])
def test_such_names_are_refused(text: str) -> None:
    """Empty and long names, line breaks, control characters and those that turn a line around are refused."""
    with pytest.raises(SettingsError, match="the name to show must be 1 to 60 printable characters"):
        published_name(text)


@given(NAMES, NAMES)
def test_likeness_is_an_equivalence(one: str, other: str) -> None:
    """A name is like itself, in any case and with other spaces, and likeness has no direction."""
    assert is_same_name(one, one)
    assert is_same_name(one, f" {one}  ")
    assert is_same_name(one.casefold(), one)
    assert is_same_name(one, other) == is_same_name(other, one)


@given(st.integers(1, 2**40), st.integers(0, 2 * FOLLOWING_SECONDS), st.none() | st.integers(1, 2**40))
def test_only_who_reads_follows(told_at: int, ago: int, revoked_at: int | None) -> None:
    """A platform follows exactly if it has read the feed in the last 7 days and its key is valid."""
    assert follows(told_at, revoked_at, told_at + ago) == (ago <= 7 * 86_400 and revoked_at is None)
    assert not follows(0, None, ago)


@given(st.integers(0, MAX_SMALL_SITES))
def test_a_number_of_small_sites_is_read(sites: int) -> None:
    """A whole number up to a million is the number of small sites, written in one way alone."""
    assert small_sites_told([str(sites)]) == sites
    assert small_sites_told([f"0{sites}"]) is None
    assert small_sites_told([f"-{sites}"]) is None
    assert small_sites_told([str(MAX_SMALL_SITES + 1 + sites)]) is None


@given(st.lists(st.text(max_size=9) | st.text("0123456789", max_size=9), max_size=3))
def test_no_other_text_is_a_number_of_small_sites(values: list[str]) -> None:
    """Anything else than one number from 0 to a million tells nothing."""
    told = small_sites_told(values)
    assert told is None or (values == [str(told)] and 0 <= told <= MAX_SMALL_SITES)


@given(st.integers(0, MAX_SMALL_SITES), st.integers(1, 2**40), st.integers(0, 2 * FOLLOWING_SECONDS))
def test_small_sites_are_forgotten(sites: int, told_at: int, ago: int) -> None:
    """A number of small sites counts for 7 days, and not at all if none was told."""
    assert small_sites(sites, told_at, told_at + ago) == (sites if ago <= 7 * 86_400 else 0)
    assert small_sites(sites, None, told_at) == 0
