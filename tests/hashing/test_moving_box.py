"""The part of a video that moves."""

from takeback.hashing.frames import HashedFrame
from takeback.hashing.kernel import Thumbnail
from takeback.hashing.moving_box import moving_frames
from takeback.hashing.pdq import Pixels, hash_pixels
from takeback.signals import PDQ_MATCH_DISTANCE, hamming_distance
from tests.gate.pictures import drawing


def alone(seed: int) -> str:
    """The PDQ of a slide."""
    picture = drawing(seed, (160, 120)).convert("L")
    return hash_pixels(Pixels(160, 120, "L", [picture.tobytes()])).hash


def recorded(seed: int, left: int, top: int) -> HashedFrame:
    """A frame of a screen recording of a slide show."""
    screen = drawing(99, (240, 300)).convert("L")
    screen.paste(drawing(seed, (160, 120)).convert("L"), (left, top))
    thumbnail = Thumbnail(240, 300, screen.tobytes(), 240, 300)
    return HashedFrame(float(seed), 100, ("0" * 64,) * 8, thumbnail)


def test_the_moving_part_of_a_recording_is_hashed() -> None:
    """What moves on a still screen is hashed as if it had been cut out, at all places of the screen."""
    for left, top in ((0, 0), (80, 180), (30, 70)):
        found = moving_frames([recorded(seed, left, top) for seed in range(1, 7)])
        assert [frame.seconds for frame in found] == [1, 2, 3, 4, 5, 6]
        for seed, frame in enumerate(found, 1):
            assert frame.is_part
            assert hamming_distance(frame.dihedral[0], alone(seed)) <= PDQ_MATCH_DISTANCE


def test_no_part_is_hashed_if_everything_or_nothing_moves() -> None:
    """A video that moves all over, a still one, one of few frames and one whose size changes have no moving part."""

    def whole(seed: int, side: int = 120) -> HashedFrame:
        picture = drawing(seed, (side, side)).convert("L")
        return HashedFrame(0.0, 100, ("0" * 64,) * 8, Thumbnail(side, side, picture.tobytes(), side, side))

    assert moving_frames([whole(seed) for seed in range(8)]) == []
    assert moving_frames([whole(1)] * 8) == []
    assert moving_frames([recorded(seed, 30, 70) for seed in range(3)]) == []
    assert moving_frames([*(recorded(seed, 30, 70) for seed in range(8)), whole(1)]) == []
    assert moving_frames([]) == []
