"""How the hits of a video's frames are counted."""

import pytest

from takeback.gate.index.multi_index import HeldFrame, Hit
from takeback.gate.rules.decision import DecisionFacts, Feed, Probe, decide
from takeback.gate.rules.policy import Action, Policy
from takeback.gate.rules.video_hits import MAX_VIDEOS_OF_A_FRAME, counted, pictures
from tests.gate.feeds import signal

PDQ = signal(1, quality=88)
ASKED = [Probe(PDQ, second=second) for second in (0, 0, 0, 1, 2, 3)]


def near(asked: int, place: int, entry: str = "a", seconds: int = 4, distance: int = 3) -> Hit:
    """A frame of a registered video that a probe found."""
    return Hit(asked, entry, distance, None, HeldFrame(place, seconds))


def test_seconds_are_counted() -> None:
    """Frames of one second count once on both sides; all but one of the upload's seconds must match for a share of 1.

    The distance is that of the farthest second that matches.
    """
    (hit,) = counted(ASKED, [near(0, 1), near(1, 1, distance=1), near(1, 2, distance=9), near(3, 1, distance=5)])
    assert hit == Hit(1, "a", 5, None, HeldFrame(1, 4), (2 / 3, 2 / 4))


def test_each_video_is_counted_by_itself() -> None:
    """Two registered videos have one hit each; hits of pictures and of stills stay as they are."""
    asked = [*ASKED, Probe(PDQ)]
    others = [Hit(0, "c", 2, 90), Hit(6, "c", 2, 90), near(6, 0, "a")]
    found = counted(asked, [near(0, 0), near(4, 3, "b"), *others])
    assert found[:3] == others
    assert {(hit.entry, hit.shares) for hit in found[3:]} == {("a", (1 / 3, 1 / 4)), ("b", (1 / 3, 1 / 4))}


def test_views_are_counted_among_the_frames_that_have_views() -> None:
    """If the views of all frames that stand for the upload match, the whole upload does."""
    asked = [*ASKED, Probe(PDQ, view="cut", second=0), Probe(PDQ, view="cut", second=2)]
    (half,) = counted(asked, [near(6, 0)])
    (whole,) = counted(asked, [near(6, 0), near(7, 1)])
    assert half.shares == (1 / 2, 1 / 4)
    assert whole.shares == (1.0, 2 / 4)


@pytest.mark.parametrize(("videos", "still"), [
    (MAX_VIDEOS_OF_A_FRAME, Action.BLOCK), (MAX_VIDEOS_OF_A_FRAME + 1, Action.REVIEW),
])  # fmt: skip
def test_a_frame_that_many_videos_have_does_not_block(videos: int, still: Action) -> None:
    """A still, or a short upload, of a frame that many videos have asks for a review; a whole video of them blocks."""
    fresh = Feed(1, 0.0)
    for probe in (Probe(PDQ), Probe(PDQ, second=0)):
        hits = counted([probe], [near(0, 0, str(entry)) for entry in range(videos)])
        assert decide("c", [PDQ], [probe], hits, fresh).action is still
        if still is Action.REVIEW:
            allowing = DecisionFacts(Policy(still=Action.ALLOW, part=Action.ALLOW))
            assert decide("c", [PDQ], [probe], hits, fresh, allowing).action is Action.ALLOW
    whole = counted(ASKED, [near(place, place, str(entry), 5) for entry in range(videos) for place in range(5)])
    assert decide("c", [PDQ], ASKED, whole, fresh).action is Action.BLOCK


def test_the_brake_counts_what_a_video_shows_apart() -> None:
    """Entries that match one second are one picture; those of another second are another, unless they share one."""
    asked = [*ASKED, Probe(PDQ)]
    hits = [Hit(0, "a", 1, 90), Hit(1, "b", 1, 90), Hit(3, "c", 1, 90), Hit(6, "d", 1, 90), Hit(4, "e", 1, 90)]
    apart = [{"a", "b"}, {"c"}, {"d"}, {"e"}]
    assert sorted(map(sorted, pictures(asked, hits, [], "abcde"))) == sorted(map(sorted, apart))
    bridge = [*hits, near(0, 0, "v"), near(3, 1, "v")]
    assert {frozenset("abcv"), frozenset("d")} == set(pictures(asked, bridge, [], "abcdv"))
    assert pictures(asked, hits, [], "") == []
