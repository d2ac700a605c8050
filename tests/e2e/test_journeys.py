"""Nobody has far to go: taps and words of the journeys of different people, on a phone."""

from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.hands import PlaywrightHands
from tests.e2e.journeys import JOURNEYS, walk
from tests.e2e.product import Registry
from tests.words import LANGUAGES

MOST_TAPS: Final = 8
MOST_WORDS: Final = 500
FIRST: Final = "15 years old"
PHONE: Final[dict[str, Any]] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.mark.parametrize(
    "who",
    [
        pytest.param(who, marks=pytest.mark.browser_context_args(locale=code, timezone_id="Europe/London", **PHONE))
        for who, (code, _, _) in JOURNEYS.items()
    ],
)
def test_the_way_is_short(person: PlaywrightHands, registry: Registry, picture: Path, who: str) -> None:
    """At most 8 taps for everybody, and for whom the page is made at most 500 words; no screen is without a way on."""
    code, way, _ = JOURNEYS[who]
    journey = walk(person, registry.url, way, picture, LANGUAGES[code])
    assert journey.taps <= MOST_TAPS
    assert journey.dead_ends == 0
    if who == FIRST:
        assert journey.words <= MOST_WORDS
