from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.errors import SettingsError
from takeback.gate.index.multi_index import PatchHit
from takeback.gate.rules.decision import DecisionFacts, Feed, decide
from takeback.gate.rules.policy import Action, Policy, parse
from takeback.gate.rules.votes import (
    EVIDENCE_BITS,
    TRIED_BITS,
    PatchArea,
    PatchProbe,
    Votes,
    by_votes,
    common_pictures,
    count_votes,
    needed_evidence,
    patch_probes,
    pose_text,
)
from takeback.hashing.patches import FORM_BITS
from takeback.protocol import EntryStatus
from takeback.signals import Signal, SignalType, patches_value

CODES = [Random(seed).getrandbits(64) & ~FORM_BITS for seed in range(40)]
FRESH = Feed(7, 5.0)


def probe(number: int, turn: int = 0, spot: int | None = None, frame: int = 0) -> PatchProbe:
    """The probe of a patch, in a place of its own."""
    return PatchProbe(f"{CODES[number]:016x}", turn, number if spot is None else spot, frame)


def hit(asked: int, sent: int, entry: str = "a", frame: int = 0, near: int = 1) -> PatchHit:
    """A hit of an asked patch with a sent one."""
    return PatchHit(asked, entry, frame, CODES[sent], 2, near)


def counted(asked: list[PatchProbe], hits: list[PatchHit]) -> dict[str, tuple[int, int, int]]:
    """Votes, rare votes and pose of each entry."""
    return {one.entry: (one.votes, one.rare, one.pose) for one in count_votes(asked, hits, 0)}


def test_each_part_is_a_vote() -> None:
    """Votes are counted for each entry by itself."""
    asked = [probe(n) for n in range(5)]
    hits = [hit(0, 10), hit(1, 11), hit(2, 12), hit(3, 13, "b"), hit(4, 14, "b")]
    assert counted(asked, hits) == {"a": (3, 3, 0), "b": (2, 2, 0)}


@pytest.mark.parametrize(
    ("areas", "action"),
    [
        ([(0.1, 0.1, 0.06), (0.12, 0.11, 0.06), (0.126, 0.104, 0.05)], Action.REVIEW),
        ([(0.1, 0.1, 0.06), (0.1271, 0.11, 0.06), (0.126, 0.104, 0.05)], Action.BLOCK),
        ([(0.1, 0.1, 0.06), (0.104, 0.14, 0.06), (0.1, 0.104, 0.09)], Action.REVIEW),
        ([(0.1, 0.1, 0.06), (0.104, 0.141, 0.06), (0.1, 0.104, 0.09)], Action.BLOCK),
        ([(0.1, 0.1, 0.06), None, (0.1, 0.104, 0.09)], Action.BLOCK),
    ],
)
def test_votes_in_one_place_are_for_review(areas: list[PatchArea | None], action: Action) -> None:
    """Patches that all lie within one small thing do not block; if some places are unknown, they do."""
    asked = [probe(number)._replace(area=area) for number, area in enumerate(areas)]
    (votes,) = count_votes(asked, [hit(number, number + 10) for number in range(3)], 0)
    assert by_votes(votes, 0, Policy())[0] is action


@pytest.mark.parametrize(
    ("distances", "side", "action"),
    [
        ((2, 2, 4), 0.1, Action.BLOCK),
        ((2, 4, 4), 0.1, Action.REVIEW),
        ((2, 4, 4), 0.15, Action.BLOCK),
        ((2, 4, 4), None, Action.BLOCK),
        ((2, 4, 4, 4), 0.1, Action.BLOCK),
    ],
)
def test_few_small_votes_must_be_near(distances: tuple[int, ...], side: float | None, action: Action) -> None:
    """Three small parts, as of letters and stickers, lead to a block only if they are near; large ones and four do."""
    asked = [probe(n)._replace(area=(n / 4, n / 4, side) if side else None) for n in range(len(distances))]
    hits = [hit(n, n + 10)._replace(distance=distance, code=CODES[n]) for n, distance in enumerate(distances)]
    (votes,) = count_votes(asked, hits, 0)
    assert by_votes(votes, 0, Policy())[0] is action


@pytest.mark.parametrize(
    ("asked", "hits"),
    [
        ([probe(0, spot=1), probe(1, spot=1)], [hit(0, 10), hit(1, 11)]),
        ([probe(0), probe(1)], [hit(0, 10), hit(1, 10)]),
        ([probe(0), probe(0, spot=9)], [hit(0, 10), hit(1, 11)]),
        ([probe(0), probe(1)], [hit(0, 10), PatchHit(1, "a", 0, CODES[10] ^ 0b111, 2, 1)]),
        ([probe(0), probe(1)], [hit(0, 10), hit(1, 11, frame=1)]),
        ([probe(0), probe(1, turn=1)], [hit(0, 10), hit(1, 11)]),
        ([probe(0), probe(1, frame=1)], [hit(0, 10), hit(1, 11)]),
    ],
    ids=[
        "place",
        "sent patch",
        "like patch of the upload",
        "like patch of the entry",
        "frame",
        "pose",
        "upload's frame",
    ],
)
def test_what_is_not_another_vote(asked: list[PatchProbe], hits: list[PatchHit]) -> None:
    """A place, a patch and what is like it vote once, and votes of two poses or frames are not added up."""
    assert counted(asked, hits)["a"][0] == 1


def test_the_best_pose_and_frame_count() -> None:
    """Of several poses and frames, the one with the most votes by rare patches counts."""
    asked = [probe(n, turn=n // 3) for n in range(9)]
    hits = [*(hit(n, 10 + n, near=99) for n in range(3)), hit(3, 13), hit(6, 16), hit(7, 17)]
    assert counted(asked, hits) == {"a": (2, 2, 2 << 3)}


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(10, 19)), max_size=40), st.randoms())
def test_order_and_bounds(pairs: list[tuple[int, int]], numbers: Random) -> None:
    """The votes do not depend on the order of the hits, and no patch on either side counts twice."""
    asked = [probe(n) for n in range(10)]
    hits = [hit(one, other) for one, other in pairs]
    found = counted(asked, hits)
    numbers.shuffle(hits)
    assert counted(asked, hits) == found
    for votes, rare, _ in found.values():
        assert 1 <= rare == votes <= min(len({one for one, _ in pairs}), len({other for _, other in pairs}))


def test_common_parts_do_not_block() -> None:
    """Parts that many pictures hold lead to a review, but to a block only with enough rare ones beside them."""
    asked = [probe(n) for n in range(6)]
    policy = Policy()
    for common, rare, action in [
        (3, 0, Action.REVIEW),
        (6, 0, Action.REVIEW),
        (3, 3, Action.BLOCK),
        (1, 1, Action.REVIEW),
        (0, 1, None),
    ]:
        hits = [hit(n, 10 + n, near=13 if n < common else 12) for n in range(common + rare)]
        (votes,) = count_votes(asked, hits, 0)
        assert (votes.votes, votes.rare, by_votes(votes, 0, policy)[0]) == (common + rare, rare, action)


def test_switching_a_victims_parts_off() -> None:
    """Whoever registers a victim's patches in hundreds of pictures turns its block into a review, not into nothing."""
    asked = [probe(n) for n in range(3)]
    hits = [hit(n, n, entry=f"{entry}", near=1000) for n in range(3) for entry in range(1000)]
    assert {by_votes(one, 0, Policy())[0] for one in count_votes(asked, hits, 0)} == {Action.REVIEW}


@given(st.integers(0, 10_000_000), st.integers(1, 10**12))
def test_a_longer_list_needs_more_evidence(listed: int, odds: int) -> None:
    """Chance brings a match to one of `odds` uploads, however long the list is."""
    unrelated = 2 ** -(needed_evidence(listed, odds) - TRIED_BITS)
    assert unrelated * max(listed, 1000) == pytest.approx(1 / odds)


@pytest.mark.parametrize(
    ("listed", "far", "near"), [(1_000, 4, 3), (100_000, 4, 3), (1_000_000, 5, 3), (10_000_000, 5, 3)]
)
def test_near_votes_weigh_more(listed: int, far: int, near: int) -> None:
    """On any list three votes of near patches block; of patches that are just near enough more are needed."""
    for distance, least in ((8, far), (3, near)):
        for count in range(2, 7):
            asked = [probe(n) for n in range(count)]
            hits = [PatchHit(n, "a", 0, CODES[10 + n], distance, 1) for n in range(count)]
            (votes,) = count_votes(asked, hits, listed)
            assert (by_votes(votes, listed, Policy())[0] is Action.BLOCK) == (count >= least), (distance, count)


def test_a_form_costs_no_evidence() -> None:
    """A mirrored, upside-down or inverted copy is as good a match, and the decision names the form."""
    asked = [probe(n) for n in range(3)]
    for form, text in [
        (1, "inverted"),
        (2, "mirrored"),
        (1 << 8, "mirrored, upside down"),
        (2 | 1 << 8, "upside down"),
    ]:
        hits = [PatchHit(n, "a", 0, CODES[n] ^ form ^ 0b11100, 3 + form.bit_count(), 1) for n in range(3)]
        (votes,) = count_votes(asked, hits, 0)
        assert (votes.votes, votes.evidence) == (3, 3 * EVIDENCE_BITS[3])
        assert pose_text(votes.pose) == text


@pytest.mark.parametrize(
    ("pose", "text"),
    [
        (0, ""),
        (1 << 3, "turned by about 7 degrees"),
        (4 << 3 | 2, "mirrored, turned by about 14 degrees"),
        (5 << 3 | 2, "turned by a quarter"),
        (5 << 3 | 4, "turned by a quarter"),
        (5 << 3, "turned by a quarter and mirrored"),
        (5 << 3 | 7, "turned by a quarter and mirrored, inverted"),
    ],
)
def test_poses_in_words(pose: int, text: str) -> None:
    """A pose is named by how the upload differs from the listed picture."""
    assert pose_text(pose) == text


def test_a_longer_list_has_more_chance_hits() -> None:
    """The more pictures are listed, the more of them a patch may be near before it is common."""
    assert [common_pictures(listed) for listed in (0, 1_000_000, 10_000_000)] == [12, 22, 112]


def test_patches_that_the_platform_made() -> None:
    """Every hash of a `patches` signal is looked up upright, by frame and place; other signals are not."""
    signals = [
        Signal(SignalType.PATCHES, patches_value([["0" * 15 + "1", "f" * 16], ["0" * 15 + "1"]])),
        Signal(SignalType.MD5, "0" * 32),
    ]
    assert patch_probes(signals) == [
        PatchProbe("0" * 15 + "1", 0, 0, 0),
        PatchProbe("f" * 16, 0, 1, 0),
        PatchProbe("0" * 15 + "1", 0, 0, 1),
    ]


def test_decision() -> None:
    """A decision by votes says in plain words how many parts match, and has the limits of every other match."""
    votes = [
        Votes("a", 4, 60.0, 4, 60.0, 0, 5),
        Votes("b", 2, 28.0, 2, 28.0, 2, 6),
        Votes("c", 1, 18.0, 1, 18.0, 0, 0),
    ]
    decision = decide("id", [], [], [], FRESH, DecisionFacts(votes=votes))
    assert decision.action is Action.BLOCK
    assert decision.explain() == "patches: 4 parts of the picture match, entry a (and 1 more)"
    match = decision.matches[1]
    assert (match.votes, match.pose, match.distance, match.action) == (2, 2, 6, Action.REVIEW)
    assert match.explain() == (
        "patches: 2 parts of the picture match, mirrored, entry b, which are enough for a review alone"
    )
    demoted = DecisionFacts(statuses={"a": EntryStatus.REVIEW}, votes=votes)
    assert decide("id", [], [], [], FRESH, demoted).action is Action.REVIEW
    assert decide("id", [], [], [], FRESH, DecisionFacts(is_benign=True, votes=votes)).action is Action.ALLOW
    milder = DecisionFacts(Policy(patches=Action.REVIEW), votes=votes)
    assert decide("id", [], [], [], FRESH, milder).action is Action.REVIEW


def test_a_policy_that_contradicts_itself() -> None:
    """A review that needs less chance than a block is refused with its line."""
    with pytest.raises(SettingsError, match=r"line 3: patches\.review_odds is more than patches\.block_odds, 30"):
        parse("[patches]\nblock_odds = 30\nreview_odds = 40\n")
