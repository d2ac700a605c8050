import json

import pytest

from takeback.gate.index.multi_index import HeldFrame, Hit
from takeback.gate.rules.decision import DecisionFacts, Feed, Match, Probe, decide, probes
from takeback.gate.rules.policy import Action, Policy
from takeback.protocol import EntryStatus
from takeback.signals import Frame, Signal, SignalType, Variant
from tests.gate.feeds import entry_id, signal

PDQ = signal(1, quality=88)
STORED = Signal(SignalType.PDQ, signal(2).value, 77, Variant.STORED)
SHA = signal(3, SignalType.SHA256)
TURNED = {"orig": PDQ.value, "rot90": signal(4).value, "flipx": signal(5).value}
SIGNALS = (PDQ, STORED, SHA)
ASKED = probes(SIGNALS, TURNED)
FRESH = Feed(checkpoint=7, age=5)


def test_probes() -> None:
    """The upright pdq is looked up in every form and as a negative, the stored one and the exact hashes as they are."""
    views = [(probe.signal.variant, probe.dihedral) for probe in ASKED]
    assert views == [
        ("whole", "orig"), ("whole", "rot90"), ("whole", "flipx"), ("whole", "orig"), ("stored", "orig"),
        ("whole", "orig"),
    ]  # fmt: skip
    assert [probe.signal.quality for probe in ASKED] == [88, 88, 88, 88, 77, None]
    assert [probe.view for probe in ASKED] == ["", "", "", "negative", "", ""]


def test_nothing_matches() -> None:
    """An upload that matches nothing is allowed, without a reason."""
    decision = decide("c", SIGNALS, ASKED, [], FRESH)
    assert (decision.action, decision.explain(), decision.checkpoint) == (Action.ALLOW, "", 7)


@pytest.mark.parametrize(
    ("hit", "reason"),
    [
        (Hit(0, entry_id(1), 12), f"pdq at distance 12, quality 88, entry {entry_id(1)}"),
        (Hit(2, entry_id(1), 0), f"pdq at distance 0, quality 88, turned or mirrored (flipx), entry {entry_id(1)}"),
        (Hit(4, entry_id(1), 31), f"pdq at distance 31, quality 77, pixels as stored, entry {entry_id(1)}"),
        (Hit(5, entry_id(1), 0), f"sha256 equal, entry {entry_id(1)}"),
    ],
)
def test_reasons(hit: Hit, reason: str) -> None:
    """A match blocks, and one line gives the signal, distance, quality, view and entry."""
    decision = decide("c", SIGNALS, ASKED, [hit], FRESH)
    assert (decision.action, decision.explain()) == (Action.BLOCK, reason)


def test_beyond_a_match() -> None:
    """PDQ beyond the match distance leads to a review at most, unless something else blocks."""
    assert decide("c", SIGNALS, ASKED, [Hit(0, "a", 32)], FRESH).action is Action.REVIEW
    assert decide("c", SIGNALS, ASKED, [Hit(0, "a", 32), Hit(5, "b", 0)], FRESH).action is Action.BLOCK


def test_a_view_is_named() -> None:
    """A match of a view that the gate made names the view."""
    view = Probe(Signal(SignalType.PDQ, PDQ.value, 90), "flipy", "turned by -2 degrees")
    asked = probes(SIGNALS, TURNED, [view])
    decision = decide("c", SIGNALS, asked, [Hit(len(asked) - 1, "a", 30)], FRESH)
    assert decision.explain() == (
        "pdq at distance 30, quality 90, turned by -2 degrees, turned or mirrored (flipy), entry a"
    )


def test_best_match_of_an_entry() -> None:
    """An entry is listed once, with its nearest view, and matches come best first."""
    hits = [Hit(0, "a", 20), Hit(1, "a", 4), Hit(4, "b", 2), Hit(0, "b", 2), Hit(5, "c", 0)]
    matches = decide("c", SIGNALS, ASKED, hits, FRESH).matches
    assert [(match.entry, match.distance, match.variant, match.dihedral) for match in matches] == [
        ("c", 0, "whole", "orig"),
        ("b", 2, "whole", "orig"),
        ("a", 4, "whole", "rot90"),
    ]
    assert "(and 2 more)" in decide("c", SIGNALS, ASKED, hits, FRESH).explain()


def test_low_quality_upload() -> None:
    """A pdq of low quality is not looked up in any form, a note says so, and exact hashes still count."""
    low = Signal(SignalType.PDQ, PDQ.value, 49)
    asked = probes([low, SHA], TURNED)
    assert [probe.signal for probe in asked] == [SHA]
    assert decide("c", [low, SHA], asked, [], FRESH).explain() == "pdq not used: quality 49 is below 50"
    assert decide("c", [low, SHA], asked, [Hit(0, "e", 0)], FRESH).action is Action.BLOCK


def test_phash_alone_never_blocks() -> None:
    """A match by phash alone asks for a review; the phash of a plain picture is not looked up."""
    phash = signal(6, SignalType.PHASH)
    asked = probes((PDQ, phash))
    alone = decide("c", (PDQ, phash), asked, [Hit(2, "a", 0)], FRESH)
    assert (alone.action, [match.type for match in alone.matches]) == (Action.REVIEW, [SignalType.PHASH])
    assert decide("c", (PDQ, phash), asked, [Hit(2, "a", 0), Hit(0, "b", 9)], FRESH).action is Action.BLOCK
    assert probes((Signal(SignalType.PDQ, PDQ.value, 49), phash)) == []


def test_never_synced() -> None:
    """A gate that never read the feed to its end asks for a review, unless it knows enough to block."""
    never = Feed(0, None)
    decision = decide("c", SIGNALS, ASKED, [], never)
    assert decision.action is Action.REVIEW
    assert "never read the feed" in decision.explain()
    assert decide("c", SIGNALS, ASKED, [Hit(0, "e", 0)], never).action is Action.BLOCK


def test_stale() -> None:
    """After more than a day without news every decision says so."""
    assert "last read 30 hours ago" in decide("c", SIGNALS, ASKED, [], Feed(7, 30 * 3600)).explain()
    assert decide("c", SIGNALS, ASKED, [], Feed(7, 24 * 3600)).explain() == ""


def test_json() -> None:
    """A decision's JSON has all reasons and no hash."""
    decision = decide("c" * 32, SIGNALS, ASKED, [Hit(1, entry_id(1), 9)], FRESH)
    text = json.dumps(decision.as_dict())
    assert json.loads(text) == {
        "decision": "block",
        "explanation": decision.explain(),
        "matches": [
            {
                "entry": entry_id(1),
                "type": "pdq",
                "distance": 9,
                "quality": 88,
                "variant": "whole",
                "dihedral": "rot90",
                "action": "block",
                "because": "",
                "shares": None,
                "second": None,
                "frame": False,
                "votes": None,
                "pose": None,
            }
        ],
        "notes": [],
        "checkpoint": 7,
        "id": "c" * 32,
        "kind": "signals",
        "why": "",
    }
    assert decision.matches == (Match(entry_id(1), SignalType.PDQ, 9, 88, Variant.WHOLE, "rot90"),)
    assert not any(value in text for value in [PDQ.value, *TURNED.values()])


def led(hit: Hit, facts: DecisionFacts, feed: Feed = FRESH) -> tuple[Action, str]:
    """What one hit leads to, and why."""
    decision = decide("c", SIGNALS, ASKED, [hit], feed, facts)
    return decision.action, decision.explain()


@pytest.mark.parametrize(
    ("distance", "changes", "action"),
    [
        (31, {}, Action.BLOCK),
        (32, {}, Action.REVIEW),
        (41, {}, Action.ALLOW),
        (20, {"distance": 19, "review_distance": 19}, Action.ALLOW),
        (20, {"distance": 19, "review_distance": 20}, Action.REVIEW),
        (40, {"distance": 31, "review_distance": 40}, Action.REVIEW),
        (40, {"distance": 40, "review_distance": 40}, Action.BLOCK),
        (0, {"pdq": Action.REVIEW}, Action.REVIEW),
        (0, {"pdq": Action.ALLOW}, Action.ALLOW),
    ],
)
def test_distances(distance: int, changes: dict[str, object], action: Action) -> None:
    """The policy sets the distances at which a pdq blocks or asks for a review."""
    policy = Policy(**changes)  # type: ignore[arg-type]
    assert led(Hit(0, "e", distance), DecisionFacts(policy))[0] is action


@pytest.mark.parametrize(
    ("status", "changes", "action", "reason"),
    [
        (EntryStatus.BLOCK, {}, Action.BLOCK, "sha256 equal, entry e"),
        (EntryStatus.REVIEW, {}, Action.REVIEW, "sha256 equal, entry e, the registry asks for a review of it"),
        (EntryStatus.REVIEW, {"demoted": Action.ALLOW}, Action.ALLOW, "the registry asks for a review of it"),
        (EntryStatus.PAUSED, {"paused": Action.ALLOW}, Action.ALLOW, "entry e does not count: the registry paused it"),
        (EntryStatus.PAUSED, {}, Action.REVIEW, "the registry paused it"),
        (None, {}, Action.ALLOW, "entry e does not count: it was withdrawn just now"),
    ],
)
def test_entry_statuses(status: EntryStatus | None, changes: dict[str, object], action: Action, reason: str) -> None:
    """A demoted, a paused and a withdrawn entry lead to what the policy says, with the reason."""
    statuses = {} if status is None else {"e": status}
    policy = Policy(**changes)  # type: ignore[arg-type]
    found, why = led(Hit(5, "e", 0), DecisionFacts(policy, statuses))
    assert (found, reason in why) == (action, True)


def test_rate_brake_and_benign_list() -> None:
    """A braked entry asks for a review; an upload on the benign list passes, or asks for one by policy."""
    assert led(Hit(5, "e", 0), DecisionFacts(braked=frozenset({"e"}))) == (
        Action.REVIEW,
        "sha256 equal, entry e, which suddenly matches many uploads",
    )
    assert led(Hit(5, "e", 0), DecisionFacts(braked=frozenset({"other"})))[0] is Action.BLOCK
    assert led(Hit(5, "e", 0), DecisionFacts(is_benign=True))[0] is Action.ALLOW
    careful = DecisionFacts(Policy(well_known=Action.REVIEW), is_benign=True)
    assert decide("c", SIGNALS, ASKED, [Hit(5, "e", 0)], FRESH, careful).action is Action.REVIEW


def test_stale_policy() -> None:
    """The policy sets what a stale feed leads to, for a match and without one."""
    old = Feed(7, 25 * 3600)
    assert led(Hit(5, "e", 0), DecisionFacts(), old)[0] is Action.BLOCK
    assert led(Hit(5, "e", 0), DecisionFacts(Policy(stale_matched=Action.REVIEW)), old)[0] is Action.REVIEW
    careful = DecisionFacts(Policy(stale_unmatched=Action.REVIEW))
    assert decide("c", SIGNALS, ASKED, [], old, careful).action is Action.REVIEW
    assert decide("c", SIGNALS, ASKED, [], FRESH, careful).action is Action.ALLOW
    assert (
        decide("c", SIGNALS, ASKED, [], Feed(0, None), DecisionFacts(Policy(never_read=Action.ALLOW))).action
        is Action.ALLOW
    )


@pytest.mark.parametrize(("asked", "held", "distance", "action"), [
    (90, 49, 8, Action.REVIEW), (49, 90, 8, Action.REVIEW), (49, 90, 9, Action.ALLOW), (50, 50, 9, Action.BLOCK),
])  # fmt: skip
def test_low_but_near(asked: int, held: int, distance: int, action: Action) -> None:
    """A pdq of low quality on either side leads to what the policy says if it is very near."""
    policy = Policy(low_quality=Action.REVIEW)
    upload = [Signal(SignalType.PDQ, PDQ.value, asked)]
    sought = probes(upload, policy=policy)
    decision = decide("c", upload, sought, [Hit(0, "e", distance, held)], FRESH, DecisionFacts(policy))
    assert decision.action is action


def test_phash_distance() -> None:
    """A phash beyond the policy's distance does not match."""
    upload = [PDQ, signal(6, SignalType.PHASH)]
    for far, action in ((6, Action.REVIEW), (7, Action.ALLOW)):
        assert decide("c", upload, probes(upload), [Hit(2, "a", far)], FRESH).action is action


@pytest.mark.parametrize(("shares", "action"), [
    ((0.8, 0.1), Action.BLOCK), ((0.1, 0.8), Action.BLOCK), ((0.79, 0.79), Action.REVIEW),
])  # fmt: skip
def test_videos(shares: tuple[float, float], action: Action) -> None:
    """A video blocks if enough of its seconds or of the entry's match; a smaller part asks for a review."""
    asked = [Probe(PDQ, "flipy", second=3)]
    decision = decide("c", [PDQ], asked, [Hit(0, "a", 3, None, None, shares)], FRESH)
    assert decision.action is action
    upload, entry = (f"{share:.0%}" for share in shares)
    text = f"vpdq of {upload} of the upload's seconds and {entry} of the entry's, turned or mirrored (flipy), entry a"
    assert decision.explain() == text + (", which is a part of each" if action is Action.REVIEW else "")


@pytest.mark.parametrize(("distance", "is_common", "changes", "action"), [
    (31, False, {}, Action.BLOCK), (31, True, {}, Action.REVIEW), (31, False, {"still": Action.ALLOW}, Action.ALLOW),
    (32, False, {"frame_distance": 40}, Action.BLOCK), (32, False, {}, Action.ALLOW),
    (0, True, {"still": Action.ALLOW}, Action.ALLOW),
])  # fmt: skip
def test_a_still_of_a_video(distance: int, is_common: bool, changes: dict[str, object], action: Action) -> None:
    """A picture near a frame of a registered video blocks, unless many such videos have that frame."""
    facts = DecisionFacts(Policy(**changes))  # type: ignore[arg-type]
    decision = decide(
        "c", [PDQ], [Probe(PDQ)], [Hit(0, "a", distance, None, HeldFrame(1, 9), None, is_common)], FRESH, facts
    )
    assert decision.action is action
    if action is Action.BLOCK:
        assert decision.explain() == f"pdq of a frame at distance {distance}, quality 88, entry a"


def test_a_picture_in_a_video() -> None:
    """A frame near a registered picture blocks, as far as the policy says so, and the reason says when it is shown."""
    asked = [Probe(PDQ, second=12)]
    decision = decide("c", [PDQ], asked, [Hit(0, "a", 4, 90)], FRESH)
    assert (decision.action, decision.explain()) == (
        Action.BLOCK, "pdq at second 12 at distance 4, quality 88, entry a",
    )  # fmt: skip
    assert decide("c", [PDQ], asked, [Hit(0, "a", 34, 90)], FRESH).action is Action.REVIEW
    careful = DecisionFacts(Policy(shown=Action.ALLOW))
    assert decide("c", [PDQ], asked, [Hit(0, "a", 4, 90)], FRESH, careful).action is Action.ALLOW


def test_the_frames_of_a_vpdq_are_looked_up_one_by_one() -> None:
    """Frames of a vpdq that say something are probes with their second, unless the frames themselves were hashed."""
    frames = (Frame(0, 90, PDQ.value, 0.0), Frame(40, 49, STORED.value, 1.3), Frame(50, 80, STORED.value, 1.6))
    video = Signal(SignalType.VPDQ, ";".join(map(str, (*frames, Frame(60, 100, "0" * 64, 2.0)))))
    asked = probes([video, SHA])
    assert [(probe.signal.value, probe.second) for probe in asked] == [
        (PDQ.value, 0), (STORED.value, 2), (SHA.value, None),
    ]  # fmt: skip
    frame = Probe(PDQ, "rot90", second=5)
    assert probes([video, SHA], views=[frame]) == [Probe(SHA), frame]


def test_what_blocks_stands_first() -> None:
    """An entry that blocks comes before a nearer one that only asks for a review."""
    facts = DecisionFacts(statuses={"a": EntryStatus.REVIEW, "b": EntryStatus.BLOCK})
    decision = decide("c", SIGNALS, ASKED, [Hit(5, "a", 0), Hit(0, "b", 30)], FRESH, facts)
    assert [match.entry for match in decision.matches] == ["b", "a"]
    assert decision.action is Action.BLOCK
