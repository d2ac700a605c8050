"""Decides what to do with an upload, and explains why. Pure: takes signals and hits, and returns a decision."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Final

from takeback.errors import PictureError
from takeback.gate.index.multi_index import Hit, usable
from takeback.gate.rules.corroboration import is_region_of_region
from takeback.gate.rules.media import MediaKind
from takeback.gate.rules.policy import Action, Policy, weaker
from takeback.gate.rules.votes import Votes, by_votes, required_votes
from takeback.protocol import EntryStatus
from takeback.signals import Signal, SignalType, Variant

UPRIGHT: Final = "orig"
"""Name of the dihedral form that is neither turned nor mirrored."""
DEFAULT_POLICY: Final = Policy()
_VARIANT_TEXTS: Final[Mapping[str, str]] = {Variant.WHOLE: "", Variant.STORED: ", pixels as stored"}
_RANK: Final = {
    SignalType.SHA256: 0,
    SignalType.MD5: 1,
    SignalType.PDQ: 2,
    SignalType.VPDQ: 3,
    SignalType.PATCHES: 4,
    SignalType.PHASH: 5,
}


@dataclass(frozen=True, slots=True)
class Probe:
    """A signal of an upload to look up, and the dihedral form and view of the picture that it was computed from."""

    signal: Signal
    dihedral: str = UPRIGHT
    view: str = ""
    """Name of the view that the gate made (`upload_views`); if empty, the signal's variant names it."""


@dataclass(frozen=True, slots=True)
class Match:
    """Why an upload is stopped: the entry that it matched, and the signal that matched.

    `distance` is in bits, 0 for an exact hash; `quality` is that of the upload's PDQ; `variant` and `dihedral` name the
    view of the upload that matched. `action` is what the match leads to, and `because` the reason if it is weaker than
    usual for its type. `shares` are, for a video, the shares of the upload's and of the entry's frames that match.
    `votes` are, for patches, the parts of the upload that match, and `pose` numbers the form of it in which they do.
    """

    entry: str
    type: SignalType
    distance: int
    quality: int | None
    variant: str
    dihedral: str
    action: Action = Action.BLOCK
    because: str = ""
    shares: tuple[float, float] | None = None
    votes: int | None = None
    pose: int | None = None

    def explain(self) -> str:
        """Returns the reason as part of a sentence."""
        return f"{self._explain()}, entry {self.entry}" + (f", {self.because}" if self.because else "")

    def _explain(self) -> str:
        if self.shares is not None:
            upload, entry = self.shares
            return f"{self.type} of {upload:.0%} of the upload's frames and {entry:.0%} of the entry's"
        if self.votes is not None:
            return f"{self.type}: {self.votes} parts of the picture match" + (
                ", turned or changed" if self.pose else ""
            )
        if self.type is SignalType.PHASH and self.distance:
            return f"{self.type} at distance {self.distance}"
        if self.type is not SignalType.PDQ:
            return f"{self.type} equal"
        view = _VARIANT_TEXTS.get(self.variant, f", {self.variant}")
        view += "" if self.dihedral == UPRIGHT else f", turned or mirrored ({self.dihedral})"
        return f"{self.type} at distance {self.distance}, quality {self.quality}{view}"


@dataclass(frozen=True, slots=True)
class Feed:
    """How fresh the gate's list is: its checkpoint, and the seconds since the feed was read to its end."""

    checkpoint: int
    age: float | None
    """None if the feed was never read to its end."""
    stale_after: float = DEFAULT_POLICY.stale_hours * 3600
    """Age in seconds from which every decision carries a warning, because it may miss that many withdrawals."""

    @property
    def is_stale(self) -> bool:
        """Returns whether the feed was read to its end, but too long ago."""
        return self.age is not None and self.age > self.stale_after

    def warning(self) -> str | None:
        """Returns a warning for people, None if the feed is fresh."""
        if self.age is None:
            return "this gate has never read the feed to its end: run `takeback gate sync`"
        if self.is_stale:
            return f"the feed was last read {self.age / 3600:.0f} hours ago: run `takeback gate sync`"
        return None


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with an upload. `id` identifies this check, `matches` come best first, `notes` are further remarks.

    `kind` says what the file turned out to be. `why` is a stable code for the reason why a file is unreadable.
    """

    id: str
    action: Action
    matches: tuple[Match, ...]
    notes: tuple[str, ...]
    checkpoint: int
    kind: MediaKind = MediaKind.SIGNALS
    why: str = ""

    def explain(self) -> str:
        """Returns the reasons in one line; empty if there are none."""
        more = f" (and {len(self.matches) - 1} more)" if len(self.matches) > 1 else ""
        reasons = [self.matches[0].explain() + more] if self.matches else []
        return "; ".join([*reasons, *self.notes])

    def as_dict(self) -> dict[str, object]:
        """Returns the decision as a dictionary for JSON. It contains no hash."""
        return {
            "decision": self.action.value,
            "explanation": self.explain(),
            "matches": [asdict(match) for match in self.matches],
            "notes": list(self.notes),
            "kind": self.kind.value,
            "why": self.why,
            "checkpoint": self.checkpoint,
            "id": self.id,
        }


@dataclass(frozen=True, slots=True)
class DecisionFacts:
    """What a decision depends on besides the hits: the policy, and facts about the entries that were hit.

    `statuses` are the entry statuses of active entries, None if all may block; `braked` are the entries to which the
    rate brake applies; `is_benign` says that the upload is on the platform's benign list. `variants` are those of the
    entries. `votes` are those of the upload's patches; how many are needed depends on `listed_pictures`, about how many
    pictures have patches on the list.
    """

    policy: Policy = DEFAULT_POLICY
    statuses: Mapping[str, EntryStatus] | None = None
    braked: frozenset[str] = field(default=frozenset())
    is_benign: bool = False
    variants: Mapping[str, Variant] = field(default_factory=dict)
    votes: Sequence[Votes] = ()
    listed_pictures: int = 0


def probes(
    signals: Iterable[Signal],
    dihedral: Mapping[str, str] | None = None,
    views: Iterable[Probe] = (),
    *,
    policy: Policy = DEFAULT_POLICY,
) -> list[Probe]:
    """Returns everything to look up: `signals`, the `dihedral` hashes of the whole picture, and the `views`.

    A PDQ hash below the quality floor is looked up only if the policy uses it. The phash of such a picture never is,
    because all flat pictures share one phash.
    """
    found: list[Probe] = []
    signals = list(signals)
    dull = any(signal.type is SignalType.PDQ and not usable(signal, policy.quality_floor) for signal in signals)
    for signal in signals:
        if not usable(signal, policy.least_quality) or (dull and signal.type is SignalType.PHASH):
            continue
        found.append(Probe(signal))
        if signal.type is SignalType.PDQ and signal.variant is Variant.WHOLE:
            turned = {name: value for name, value in (dihedral or {}).items() if name != UPRIGHT}
            found += [Probe(Signal(SignalType.PDQ, value, signal.quality), name) for name, value in turned.items()]
    return found + list(views)


def decide(
    check: str,
    signals: Sequence[Signal],
    asked: Sequence[Probe],
    hits: Iterable[Hit],
    feed: Feed,
    facts: DecisionFacts | None = None,
) -> Decision:
    """Decides on the upload with these `signals`, given the `hits` that the index found for the probes `asked`.

    1. The policy gives each hit an action by its type and distance, and the `votes` for an entry one by their number,
    limited by the entry status, the benign list, the rate brake and a stale feed. 2. The best match of each entry
    counts, one that blocks before one for review; a match of two regions with nothing beside it is limited as well.
    3. The strongest match decides; without a match, the freshness of the feed does.

    `check` is the decision's id.
    """
    facts = facts or DecisionFacts()
    matches = [_match(asked[hit.asked], hit, facts.policy) for hit in hits]
    matches += [_vote_match(one, facts) for one in facts.votes]
    found = [_limited(match, facts, feed) for match in matches if match]
    best: dict[str, Match] = {}
    counting = [match for match in found if match.action is not Action.ALLOW]
    for match in sorted(counting, key=_rank):
        best.setdefault(match.entry, match)
    if len(best) == 1 and all(_is_region_of_region(match, facts) for match in counting):
        best = {entry: _limited_region(match, facts.policy) for entry, match in best.items()}
    # A match never leads to less than no match would, such as `stale.unmatched`.
    action = max([_unmatched(feed, facts.policy), *(m.action for m in best.values())], key=lambda action: action.weight)
    ignored = {match.entry: match.because for match in found if match.entry not in best}
    notes = [f"entry {entry} does not count: {because}" for entry, because in sorted(ignored.items()) if because]
    notes += [
        f"pdq not used: quality {signal.quality} is below {facts.policy.quality_floor}"
        for signal in signals
        if not usable(signal, facts.policy.least_quality)
    ]
    warning = feed.warning()
    notes += [warning] if warning else []
    return Decision(check, action, tuple(best.values()), tuple(notes), feed.checkpoint)


def for_file(
    decision: Decision, kind: MediaKind, why: PictureError | None, policy: Policy = DEFAULT_POLICY
) -> Decision:
    """Returns the decision on a file, made from that on its signals: for an unreadable one, the policy's action."""
    if kind is MediaKind.NOT_MEDIA:
        return replace(decision, kind=kind, notes=(f"{kind}: neither a picture nor a video", *decision.notes))
    if kind is not MediaKind.UNREADABLE or why is None:
        return replace(decision, kind=kind)
    action = max(decision.action, policy.unreadable, key=lambda action: action.weight)
    notes = (f"{kind}: {why}", *decision.notes)
    return replace(decision, action=action, kind=kind, why=why.code, notes=notes)


def _unmatched(feed: Feed, policy: Policy) -> Action:
    """Returns the action for an upload that matches nothing."""
    if feed.age is None:
        return policy.never_read
    return policy.stale_unmatched if feed.is_stale else Action.ALLOW


def _match(probe: Probe, hit: Hit, policy: Policy) -> Match | None:
    """Returns the match for a hit, by its type and distance only; None if it is too far."""
    signal = probe.signal
    action, because = _by_kind(signal, hit, policy)
    if action is None:
        return None
    view = signal.quality, probe.view or signal.variant, probe.dihedral
    return Match(hit.entry, signal.type, hit.distance, *view, action, because, hit.shares)


def _vote_match(votes: Votes, facts: DecisionFacts) -> Match | None:
    """Returns the match for votes, None if they are too few."""
    policy = facts.policy
    action, because = by_votes(votes, required_votes(facts.listed_pictures, policy), policy)
    if action is None:
        return None
    view = None, Variant.WHOLE, UPRIGHT
    counted = votes.votes, votes.pose
    return Match(votes.entry, SignalType.PATCHES, votes.distance, *view, action, because, None, *counted)


def blocking_by_kind(asked: Sequence[Probe], hits: Iterable[Hit], facts: DecisionFacts) -> frozenset[str]:
    """Returns the entries that would block but for the limits of `decide`; the rate brake counts these."""
    matches = [_match(asked[hit.asked], hit, facts.policy) for hit in hits]
    matches += [_vote_match(one, facts) for one in facts.votes]
    return frozenset(match.entry for match in matches if match and match.action is Action.BLOCK)


def _by_kind(signal: Signal, hit: Hit, policy: Policy) -> tuple[Action | None, str]:
    match signal.type:
        case SignalType.PDQ:
            return _pdq(signal, hit, policy)
        case SignalType.PHASH:
            return (policy.phash if hit.distance <= policy.phash_distance else None), ""
        case SignalType.VPDQ:
            upload, entry = hit.shares or (1.0, 1.0)
            enough = upload >= policy.upload_share and entry >= policy.entry_share
            return (policy.vpdq if enough else None), ""
        case SignalType.PATCHES:  # the index gives no hits for it: its votes are counted
            return None, ""
        case SignalType.SHA256:
            return policy.sha256, ""
        case SignalType.MD5:
            return policy.md5, ""


def _pdq(signal: Signal, hit: Hit, policy: Policy) -> tuple[Action | None, str]:
    if min(signal.quality or 0, policy.quality_floor if hit.quality is None else hit.quality) < policy.quality_floor:
        near = hit.distance <= policy.low_quality_distance
        return (policy.low_quality if near else None), "of low quality"
    if hit.distance <= policy.distance:
        return policy.pdq, ""
    if hit.distance <= policy.review_distance:
        return weaker(policy.pdq, Action.REVIEW), "which is near enough for a review alone"
    return None, ""


def _limited(match: Match, facts: DecisionFacts, feed: Feed) -> Match:
    """Returns the match with its action reduced to the weakest limit that applies, and the reason."""
    policy = facts.policy
    status = EntryStatus.BLOCK if facts.statuses is None else facts.statuses.get(match.entry)
    limits = [
        (status is None, Action.ALLOW, "it was withdrawn just now"),
        (status is EntryStatus.PAUSED, policy.paused, "the registry paused it"),
        (facts.is_benign, policy.well_known, "the upload is on the list of well-known pictures"),
        (status is EntryStatus.REVIEW, policy.demoted, "the registry asks for a review of it"),
        (match.entry in facts.braked, Action.REVIEW, "which suddenly matches many uploads"),
        (feed.is_stale, policy.stale_matched, "known from a feed that is old"),
    ]
    for holds, most, because in limits:
        # Only a strictly weaker limit replaces the reason, so that of equal ones the first is named.
        if holds and most.weight < match.action.weight:
            match = replace(match, action=most, because=because)
    return match


def _is_region_of_region(match: Match, facts: DecisionFacts) -> bool:
    return match.type is SignalType.PDQ and is_region_of_region(match.variant, facts.variants.get(match.entry))


def _limited_region(match: Match, policy: Policy) -> Match:
    """Returns the match with the action that it may have if nothing else confirms it."""
    if policy.lone_region.weight >= match.action.weight:
        return match
    return replace(match, action=policy.lone_region, because="where only one region matches, and nothing else does")


def _rank(match: Match) -> tuple[int, int, int, bool, bool, str]:
    """Sort key, best first: blocking, then exact hashes, then near ones, then the whole upright picture."""
    upright, whole = match.dihedral == UPRIGHT, match.variant == Variant.WHOLE
    return -match.action.weight, _RANK[match.type], match.distance, not upright, not whole, match.entry
