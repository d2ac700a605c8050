"""The rules of the list of platforms that everybody can see: who is on it, and what a name on it may be.

The list is for people who decide whether sending helps them, so it must never name a platform that does not follow.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final, NamedTuple

from takeback.errors import SettingsError
from takeback.protocol import MAX_PUBLISHED_NAME_CHARACTERS, MAX_SMALL_SITES
from takeback.times import DAY_SECONDS

FOLLOWING_SECONDS: Final = 7 * DAY_SECONDS
"""Seconds since a platform was last sent the feed after which it no longer counts as following.

Longer than a platform's fault that nobody notices over a weekend, and short enough that nobody relies for long on a
platform that has left.
"""


def follows(told_at: int, revoked_at: int | None, now: float) -> bool:
    """Whether a platform follows the feed at the time `now`.

    It was last sent the feed at `told_at`, 0 for never: the same time by which a case counts the platforms that have
    received it. Its key was revoked at `revoked_at`, if ever. All times are seconds since 1970.
    """
    return revoked_at is None and told_at > 0 and now - told_at <= FOLLOWING_SECONDS


class Reached(NamedTuple):
    """How many platforms have received something, and how many small sites ask look-up services that have.

    A look-up service counts as its sites, and not as a platform as well.
    """

    platforms: int
    small_sites: int


def small_sites_told(values: Sequence[str]) -> int | None:
    """The number of small sites in the values of a request's header, or `None` without a valid one.

    An invalid number is ignored, because a wrong count must not keep a withdrawal from arriving.
    """
    if len(values) != 1 or not re.fullmatch("0|[1-9][0-9]{0,6}", values[0]) or int(values[0]) > MAX_SMALL_SITES:
        return None
    return int(values[0])


def small_sites(told: int, told_at: int | None, now: float) -> int:
    """The number of small sites that count at the time `now`: those told at `told_at`, none once that is too long ago.

    Both times are seconds since 1970.
    """
    return told if told_at is not None and now - told_at <= FOLLOWING_SECONDS else 0


def published_name(text: str) -> str:
    """The name that everybody sees, of what the operator typed: without spaces at its ends, in Unicode's form NFC.

    Raises `SettingsError` unless that has 1 to 60 printable characters.
    """
    name = unicodedata.normalize("NFC", text.strip())
    if not (name.isprintable() and 1 <= len(name) <= MAX_PUBLISHED_NAME_CHARACTERS):
        raise SettingsError(
            f"the name to show must be 1 to {MAX_PUBLISHED_NAME_CHARACTERS} printable characters, without line breaks"
        )
    return name


def is_same_name(one: str, other: str) -> bool:
    """Whether people would take two names for one: they differ at most in case, spaces or the form of letters."""
    return _compared(one) == _compared(other)


def _compared(name: str) -> str:
    # Composed again after the folding, which may take letters apart.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(folded.split())
