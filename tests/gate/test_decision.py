import json

import pytest

from takeback.gate.decision import Action, Feed, Match, Probe, decide, probes
from takeback.gate.index import Hit
from takeback.signals import Signal, SignalType, Variant
from tests.gate.feeds import entry_id, signal

PDQ = signal(1, quality=88)
STORED = Signal(SignalType.PDQ, signal(2).value, 77, Variant.STORED)
SHA = signal(3, SignalType.SHA256)
TURNED = {"orig": PDQ.value, "rot90": signal(4).value, "flipx": signal(5).value}
SIGNALS = (PDQ, STORED, SHA)
ASKED = probes(SIGNALS, TURNED)
FRESH = Feed(checkpoint=7, age=5)


def test_probes() -> None:
    """The upright pdq is looked up in every dihedral form, the stored one and the exact hashes as they are."""
    views = [(probe.signal.variant, probe.dihedral) for probe in ASKED]
    assert views == [("whole", "orig"), ("whole", "rot90"), ("whole", "flipx"), ("stored", "orig"), ("whole", "orig")]
    assert [probe.signal.quality for probe in ASKED] == [88, 88, 88, 77, None]


def test_nothing_matches() -> None:
    """An upload that matches nothing is allowed, without a reason."""
    decision = decide("c", SIGNALS, ASKED, [], FRESH)
    assert (decision.action, decision.explain(), decision.checkpoint) == (Action.ALLOW, "", 7)


@pytest.mark.parametrize(
    ("hit", "reason"),
    [
        (Hit(0, entry_id(1), 12), f"pdq at distance 12, quality 88, entry {entry_id(1)}"),
        (Hit(2, entry_id(1), 0), f"pdq at distance 0, quality 88, turned or mirrored (flipx), entry {entry_id(1)}"),
        (Hit(3, entry_id(1), 31), f"pdq at distance 31, quality 77, pixels as stored, entry {entry_id(1)}"),
        (Hit(4, entry_id(1), 0), f"sha256 equal, entry {entry_id(1)}"),
    ],
)
def test_reasons(hit: Hit, reason: str) -> None:
    """A match blocks, and one line tells the signal, the distance, the quality, the view and the entry."""
    decision = decide("c", SIGNALS, ASKED, [hit], FRESH)
    assert (decision.action, decision.explain()) == (Action.BLOCK, reason)


def test_beyond_a_match() -> None:
    """PDQ beyond the distance of a match leads to a review and no more, unless something else blocks."""
    assert decide("c", SIGNALS, ASKED, [Hit(0, "a", 32)], FRESH).action is Action.REVIEW
    assert decide("c", SIGNALS, ASKED, [Hit(0, "a", 32), Hit(4, "b", 0)], FRESH).action is Action.BLOCK


def test_a_view_is_named() -> None:
    """A match of a view that the gate made says which."""
    view = Probe(Signal(SignalType.PDQ, PDQ.value, 90), "flipy", "turned by -2 degrees")
    asked = probes(SIGNALS, TURNED, [view])
    decision = decide("c", SIGNALS, asked, [Hit(len(asked) - 1, "a", 30)], FRESH)
    assert decision.explain() == (
        "pdq at distance 30, quality 90, turned by -2 degrees, turned or mirrored (flipy), entry a"
    )


def test_best_match_of_an_entry() -> None:
    """An entry stands once with its nearest view, and the matches stand best first."""
    hits = [Hit(0, "a", 20), Hit(1, "a", 4), Hit(3, "b", 2), Hit(0, "b", 2), Hit(4, "c", 0)]
    matches = decide("c", SIGNALS, ASKED, hits, FRESH).matches
    assert [(match.entry, match.distance, match.variant, match.dihedral) for match in matches] == [
        ("c", 0, "whole", "orig"),
        ("b", 2, "whole", "orig"),
        ("a", 4, "whole", "rot90"),
    ]
    assert "(and 2 more)" in decide("c", SIGNALS, ASKED, hits, FRESH).explain()


def test_low_quality_upload() -> None:
    """A pdq of low quality is not looked up in any form, the decision says so, and exact hashes still count."""
    low = Signal(SignalType.PDQ, PDQ.value, 49)
    asked = probes([low, SHA], TURNED)
    assert [probe.signal for probe in asked] == [SHA]
    assert decide("c", [low, SHA], asked, [], FRESH).explain() == "pdq not used: quality 49 is below 50"
    assert decide("c", [low, SHA], asked, [Hit(0, "e", 0)], FRESH).action is Action.BLOCK


def test_phash_alone_never_blocks() -> None:
    """A match by phash alone is looked at by a person; a dull picture's phash, which many share, is not looked up."""
    phash = signal(6, SignalType.PHASH)
    asked = probes((PDQ, phash))
    alone = decide("c", (PDQ, phash), asked, [Hit(1, "a", 0)], FRESH)
    assert (alone.action, [match.type for match in alone.matches]) == (Action.REVIEW, [SignalType.PHASH])
    assert decide("c", (PDQ, phash), asked, [Hit(1, "a", 0), Hit(0, "b", 9)], FRESH).action is Action.BLOCK
    assert probes((Signal(SignalType.PDQ, PDQ.value, 49), phash)) == []


def test_never_synced() -> None:
    """A gate that never read the feed to its end asks for a review, unless it knows enough to block."""
    never = Feed(0, None)
    decision = decide("c", SIGNALS, ASKED, [], never)
    assert decision.action is Action.REVIEW
    assert "never read the feed" in decision.explain()
    assert decide("c", SIGNALS, ASKED, [Hit(0, "e", 0)], never).action is Action.BLOCK


def test_stale() -> None:
    """A gate that has no news for more than a day says so in every decision."""
    assert "last read 30 hours ago" in decide("c", SIGNALS, ASKED, [], Feed(7, 30 * 3600)).explain()
    assert decide("c", SIGNALS, ASKED, [], Feed(7, 24 * 3600)).explain() == ""


def test_json() -> None:
    """As JSON a decision carries all reasons and no hash."""
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
            }
        ],
        "notes": [],
        "checkpoint": 7,
        "id": "c" * 32,
    }
    assert decision.matches == (Match(entry_id(1), SignalType.PDQ, 9, 88, Variant.WHOLE, "rot90"),)
    assert not any(value in text for value in [PDQ.value, *TURNED.values()])
