"""Decides what to do with an upload, and explains why. Pure: takes signals and hits, and returns a decision."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Final

from takeback.errors import PictureError
from takeback.gate.index.multi_index import Hit, usable
from takeback.gate.rules.corroboration import is_region_of_region
from takeback.gate.rules.media import MediaKind
from takeback.gate.rules.policy import Action, Policy, weaker
from takeback.gate.rules.votes import Votes, by_votes, pose_text
from takeback.protocol import EntryStatus
from takeback.signals import Signal, SignalType, Variant, frames_of, is_informative, negative_of, second_of

UPRIGHT: Final = "orig"
"""Name of the dihedral form that is neither turned nor mirrored."""
MIRRORED: Final = "flipy"
"""Name of the form with left and right swapped."""
NEGATIVE: Final = "negative"
"""Name of the view with light and dark swapped."""
DEFAULT_POLICY: Final = Policy()
MOVING: Final = "the moving part"
"""Name of the view of what moves in a video."""
EACH_FRAME: Final = frozenset({"", NEGATIVE, MOVING})
"""The views in which each frame of a video is looked up; others are looked up of a few frames."""
_NEGATED: Final = frozenset({UPRIGHT, MIRRORED})
"""The forms in which a negative is looked up."""
_VARIANT_TEXTS: Final[Mapping[str, str]] = {Variant.WHOLE: "", Variant.STORED: ", pixels as stored"}
_RANK: Final = {
    SignalType.SHA256: 0,
    SignalType.MD5: 1,
    SignalType.PDQ: 2,
    SignalType.VPDQ: 3,
    SignalType.PATCHES: 4,
    SignalType.PHASH: 6,
}
_FRAME_RANK: Final = 5
"""The rank of a picture that matches a frame; an animation's first frame does so too, and the video says more."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A signal of an upload to look up, and the dihedral form and view of the picture that it was computed from."""

    signal: Signal
    dihedral: str = UPRIGHT
    view: str = ""
    """Name of the view that the gate made (`upload_views`); if empty, the signal's variant names it."""
    second: int | None = None
    """The second of a video in which the frame is shown, None for a picture."""


@dataclass(frozen=True, slots=True)
class Match:
    """Why an upload is stopped: the entry that it matched, and the signal that matched.

    `distance` is in bits, 0 for an exact hash; `quality` is that of the upload's PDQ; `variant` and `dihedral` name the
    view of the upload that matched. `action` is what the match leads to, and `because` the reason if it is weaker than
    usual for its type. `shares` are, for two videos, the shares of the upload's and of the entry's seconds that match.
    `second` is when a video shows the picture that matched; `frame` says that a picture matched a frame of a registered
    video. `votes` are, for patches, the parts of the upload that match, and `pose` numbers the form of it in which they
    do.
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
    second: int | None = None
    frame: bool = False
    votes: int | None = None
    pose: int | None = None

    def explain(self) -> str:
        """Returns the reason as part of a sentence."""
        return f"{self._explain()}, entry {self.entry}" + (f", {self.because}" if self.because else "")

    def _explain(self) -> str:
        if self.shares is not None:
            upload, entry = self.shares
            return f"{self.type} of {upload:.0%} of the upload's seconds and {entry:.0%} of the entry's{self._view()}"
        if self.votes is not None:
            pose = pose_text(self.pose or 0)
            return f"{self.type}: {self.votes} parts of the picture match" + (f", {pose}" if pose else "")
        if self.type is SignalType.PHASH and self.distance:
            return f"{self.type} at distance {self.distance}"
        if self.type is not SignalType.PDQ:
            return f"{self.type} equal"
        where = "" if self.second is None else f" at second {self.second}"
        where += " of a frame" if self.frame else ""
        return f"{self.type}{where} at distance {self.distance}, quality {self.quality}{self._view()}"

    def _view(self) -> str:
        """Returns the view and the form of the upload that matched."""
        view = _VARIANT_TEXTS.get(self.variant, f", {self.variant}")
        return view + ("" if self.dihedral == UPRIGHT else f", turned or mirrored ({self.dihedral})")


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

    The frames of a vpdq are looked up one by one, unless `views` holds those of the video already.

    A PDQ hash below the quality floor is looked up only if the policy uses it. The phash of such a picture never is,
    because all flat pictures share one phash.
    """
    found: list[Probe] = []
    signals, views = list(signals), list(views)
    has_frames = any(view.second is not None for view in views)
    dull = any(signal.type is SignalType.PDQ and not usable(signal, policy.quality_floor) for signal in signals)
    for signal in signals:
        if not usable(signal, policy.least_quality) or (dull and signal.type is SignalType.PHASH):
            continue
        if signal.type is SignalType.VPDQ:
            found += [] if has_frames else _frame_probes(signal, policy)
            continue
        found.append(Probe(signal))
        if signal.type is SignalType.PDQ and signal.variant is Variant.WHOLE:
            forms = {**(dihedral or {}), UPRIGHT: signal.value}
            pdq = {name: Signal(SignalType.PDQ, value, signal.quality) for name, value in forms.items()}
            found += [Probe(one, name) for name, one in pdq.items() if name != UPRIGHT]
            for name in sorted(pdq.keys() & _NEGATED, reverse=True):
                negative = Signal(SignalType.PDQ, negative_of(pdq[name].value), signal.quality)
                found.append(Probe(negative, name, NEGATIVE))
    return found + views


def _frame_probes(video: Signal, policy: Policy) -> list[Probe]:
    return [
        Probe(Signal(SignalType.PDQ, frame.hash, frame.quality), second=second_of(frame.seconds))
        for frame in frames_of(video.value)
        if frame.quality >= policy.quality_floor and is_informative(frame.hash)
    ]


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
    action, because = _by_kind(probe, hit, policy)
    if action is None:
        return None
    view = signal.quality, probe.view or signal.variant, probe.dihedral
    if hit.shares:
        return Match(hit.entry, SignalType.VPDQ, hit.distance, *view, action, because, hit.shares)
    is_frame = hit.frame is not None
    return Match(hit.entry, signal.type, hit.distance, *view, action, because, None, probe.second, is_frame)


def _vote_match(votes: Votes, facts: DecisionFacts) -> Match | None:
    """Returns the match for votes, None if they are too few."""
    action, because = by_votes(votes, facts.listed_pictures, facts.policy)
    if action is None:
        return None
    match = Match(votes.entry, SignalType.PATCHES, votes.distance, None, Variant.WHOLE, UPRIGHT, action, because)
    return replace(match, votes=votes.votes, pose=votes.pose)


def blocking_by_kind(asked: Sequence[Probe], hits: Iterable[Hit], facts: DecisionFacts) -> frozenset[str]:
    """Returns the entries that would block but for the limits of `decide`; the rate brake counts these."""
    matches = [_match(asked[hit.asked], hit, facts.policy) for hit in hits]
    matches += [_vote_match(one, facts) for one in facts.votes]
    return frozenset(match.entry for match in matches if match and match.action is Action.BLOCK)


def _by_kind(probe: Probe, hit: Hit, policy: Policy) -> tuple[Action | None, str]:
    if hit.shares:
        return _video(hit.shares, policy, is_common=hit.is_common)
    if hit.frame:
        return _still(hit, policy)
    if probe.signal.type is SignalType.PDQ:
        action, because = _pdq(probe.signal, hit, policy)
        return (action if action is None or probe.second is None else weaker(action, policy.shown)), because
    if probe.signal.type is SignalType.PHASH:
        return (policy.phash if hit.distance <= policy.phash_distance else None), ""
    exact = {SignalType.SHA256: policy.sha256, SignalType.MD5: policy.md5}
    return exact.get(probe.signal.type), ""


def _video(shares: tuple[float, float], policy: Policy, *, is_common: bool) -> tuple[Action, str]:
    upload, entry = shares
    if entry >= policy.entry_share or (upload >= policy.upload_share and not is_common):
        return policy.vpdq, ""
    return policy.part, "which is a part of each"


def _still(hit: Hit, policy: Policy) -> tuple[Action | None, str]:
    if hit.distance > policy.frame_distance:
        return None, ""
    if hit.is_common:
        return weaker(policy.still, Action.REVIEW), "a frame that many registered videos have"
    return policy.still, ""


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
    rank = _FRAME_RANK if match.frame else _RANK[match.type]
    return -match.action.weight, rank, match.distance, not upright, not whole, match.entry
