"""What a file in the container of HEIC, AVIF and MP4 is, by its brands."""

import json
from pathlib import Path
from typing import Any

import pytest

from takeback.hashing.boxes import STILLS, kind_of
from takeback.hashing.video import video_format

DOCUMENT = json.loads((Path(__file__).parents[1] / "vectors" / "brands.json").read_text("utf-8"))


@pytest.mark.parametrize("case", DOCUMENT["starts"], ids=lambda case: case["what"])
def test_pictures_are_told_from_videos_by_all_their_brands(case: dict[str, Any]) -> None:
    """Any brand of a picture makes a picture, unless another comes first and a video follows."""
    start = bytes.fromhex(case["start"])
    assert (kind_of(start) or video_format(start)) == case["kind"]
    assert kind_of(start) is None or video_format(start) is None


def test_the_brands_are_those_of_the_page() -> None:
    """The list is the one that the page is held to."""
    assert sorted(brand.decode() for brand in STILLS) == DOCUMENT["stills"]
