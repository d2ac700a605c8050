from dataclasses import replace

import pytest

from takeback.gate.index.multi_index import Hit
from takeback.gate.rules.corroboration import is_region_of_region
from takeback.gate.rules.decision import Decision, DecisionFacts, Feed, Probe, decide
from takeback.gate.rules.policy import Action, Policy
from takeback.gate.rules.votes import Votes
from takeback.signals import SignalType, Variant
from tests.gate.feeds import signal

WHOLE, REGION = Probe(signal(1, quality=90)), Probe(signal(2, quality=90), view="without its frame")
VARIANTS = {"whole": Variant.WHOLE, "square": Variant.SHAPE_1_1, "trimmed": Variant.TRIMMED}
FACTS = DecisionFacts(variants=VARIANTS)


def decided(*hits: Hit, facts: DecisionFacts = FACTS, votes: tuple[Votes, ...] = ()) -> Decision:
    """The decision on an upload of which the whole (0) and a region (1) were looked up."""
    return decide("c", [], [WHOLE, REGION], hits, Feed(1, 1.0), replace(facts, votes=votes))


@pytest.mark.parametrize(
    ("view", "is_part"),
    [
        *((view, False) for view in ("whole", "stored", "reduced", "cut", "turned by +1 degrees", "inner-3-3")),
        *((view, True) for view in ("without its frame", "left-third", "shape-1-1", "trimmed")),
    ],
)
@pytest.mark.parametrize("variant", [*Variant, None])
def test_what_is_a_region(view: str, is_part: bool, variant: Variant | None) -> None:
    """A match is one of regions if neither side is nearly a whole picture; an entry of unknown variant is none."""
    whole = {Variant.WHOLE, Variant.STORED, None, *(one for one in Variant if one.startswith("inner"))}
    assert is_region_of_region(view, variant) is (is_part and variant not in whole)


def test_a_lone_region() -> None:
    """A region of the upload that matches a region of one picture, and nothing else, asks for a review and says why."""
    decision = decided(Hit(1, "trimmed", 3))
    assert decision.action is Action.REVIEW
    assert decision.explain().endswith("entry trimmed, where only one region matches, and nothing else does")
    assert decided(
        Hit(1, "trimmed", 3), facts=DecisionFacts(Policy(lone_region=Action.BLOCK), variants=VARIANTS)
    ).action is (Action.BLOCK)


@pytest.mark.parametrize(
    "beside",
    [
        Hit(0, "trimmed", 20),
        Hit(0, "trimmed", 33),
        Hit(1, "whole", 25),
        Hit(1, "square", 30),
        Hit(1, "square", 33),
        Hit(0, "square", 34),
    ],
)
def test_what_confirms_it(beside: Hit) -> None:
    """The whole upload, the whole picture or another entry confirms a region, even at a distance for reviews."""
    assert decided(Hit(1, "trimmed", 3), beside).action is Action.BLOCK


def test_votes_confirm_it() -> None:
    """Parts that match confirm a region, and so does an exact hash."""
    assert decided(Hit(1, "trimmed", 3), votes=(Votes("p", 2, 36.0, 2, 36.0, 0, 5),)).action is Action.BLOCK
    facts = DecisionFacts(variants={**VARIANTS, "exact": Variant.WHOLE})
    asked = [WHOLE, REGION, Probe(signal(3, SignalType.SHA256))]
    assert decide("c", [], asked, [Hit(2, "exact", 0)], Feed(1, 1.0), facts).action is Action.BLOCK


def test_ignored_matches_do_not_confirm() -> None:
    """A match that the policy does not count confirms nothing."""
    assert decided(Hit(1, "trimmed", 3), Hit(0, "square", 41)).action is Action.REVIEW


def test_a_forged_picture_of_eight() -> None:
    """Eight hashes of other people's pictures still block uploads of these, whatever their variants are."""
    names = [Variant.WHOLE, Variant.STORED, Variant.TRIMMED, *(one for one in Variant if one.startswith("shape-"))]
    assert len(names) == 8
    for name in names:
        facts = DecisionFacts(variants={"forged": name})
        assert decided(Hit(0, "forged", 0), facts=facts).action is Action.BLOCK
        expected = Action.BLOCK if name in {Variant.WHOLE, Variant.STORED} else Action.REVIEW
        assert decided(Hit(1, "forged", 0), facts=facts).action is expected
