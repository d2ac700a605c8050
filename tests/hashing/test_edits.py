"""Edit lists: which frames of an MP4 are shown, and when."""

import io
import json
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.errors import PictureTooLarge
from takeback.hashing.edits import Edit, edits_of, shown_frames
from tests.vectors.make_videos import EDITS

HERE: Final = Path(__file__).parents[1] / "vectors"
VECTORS: Final[list[dict[str, Any]]] = json.loads((HERE / "vpdq.json").read_text("utf-8"))["edits"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["edits"]))
def test_the_vectors_of_edits(vector: dict[str, Any]) -> None:
    """The frames and times are those that the vectors name."""
    found = shown_frames(vector["starts"], [Edit(*edit) for edit in vector["edits"]], len(vector["starts"]))
    assert [list(part) for part in found] == vector["shown"]


@given(
    st.lists(st.integers(-50, 500), max_size=40).map(sorted),
    st.lists(st.tuples(st.integers(-1, 600), st.integers(0, 300)), max_size=6),
)
def test_what_is_shown_is_in_order_and_never_nothing(starts: list[int], edits: list[tuple[int, int]]) -> None:
    """Whatever the edits, times never decrease, every frame is the track's, and a video always shows something."""
    found = shown_frames(starts, [Edit(start, float(length)) for start, length in edits], 1000)
    assert [at for at, _ in found] == sorted(at for at, _ in found)
    assert all(0 <= frame < len(starts) for _, frame in found)
    assert bool(found) == bool(starts)


def test_a_list_that_repeats_without_end_is_refused() -> None:
    """Edits that show the same frames again and again are stopped at the limit."""
    with pytest.raises(PictureTooLarge, match="frames"):
        shown_frames(range(100), [Edit(0, 100.0)] * 50, 4000)


@pytest.mark.parametrize("name", EDITS)
def test_edits_are_read_from_a_file(name: str) -> None:
    """The edits read from a file are those written into it, in ticks of its track."""
    ((track, found),) = edits_of(io.BytesIO((HERE / "videos" / name).read_bytes())).items()
    assert track == 1
    begin, ticks = 2048, 10240
    assert [edit.start for edit in found] == [
        -1 if start < 0 else begin + round(start * ticks) for _, start in EDITS[name]
    ]
    assert [edit.length for edit in found] == [length * ticks for length, _ in EDITS[name]]


@given(place=st.integers(0, 2**20), value=st.binary(min_size=1, max_size=8), cut=st.booleans())
def test_damage_anywhere_gives_edits_or_none(place: int, value: bytes, cut: bool) -> None:
    """A damaged file has some edits or none, and never raises an error."""
    data = bytearray((HERE / "videos" / "gap.mov").read_bytes())
    place %= len(data)
    data[place : place + len(value)] = value
    assert isinstance(edits_of(io.BytesIO(data[:place] if cut else data)), dict)
