"""Recognising HEIC, AVIF and MP4 files by their brands."""

import json
from pathlib import Path
from typing import Any

import pytest

from takeback.hashing.boxes import STILLS, format_by_brands
from takeback.hashing.video import video_format

DOCUMENT = json.loads((Path(__file__).parents[1] / "vectors" / "brands.json").read_text("utf-8"))


@pytest.mark.parametrize("case", DOCUMENT["starts"], ids=lambda case: case["what"])
def test_pictures_are_told_from_videos_by_all_their_brands(case: dict[str, Any]) -> None:
    """Any brand of a picture makes a picture, unless another brand comes first and a video's box follows."""
    start = bytes.fromhex(case["start"])
    assert (format_by_brands(start) or video_format(start)) == case["kind"]
    assert format_by_brands(start) is None or video_format(start) is None


def test_the_brands_are_those_of_the_page() -> None:
    """The list of brands is the one that the page is tested against."""
    assert sorted(brand.decode() for brand in STILLS) == DOCUMENT["stills"]
