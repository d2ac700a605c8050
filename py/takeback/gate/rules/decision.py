"""What to do with an upload, and why. Pure: signals and hits in, a decision that explains itself out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Final

from takeback.errors import PictureError
from takeback.gate.index.multi_index import Hit, usable
from takeback.gate.rules.media import MediaKind
from takeback.gate.rules.policy import Action, Policy, weaker
from takeback.protocol import EntryStatus
from takeback.signals import Signal, SignalType, Variant

UPRIGHT: Final = "orig"
"""The name of the dihedral form that is the picture itself, neither turned nor mirrored."""
DEFAULT_POLICY: Final = Policy()
_VARIANT_TEXTS: Final[Mapping[str, str]] = {Variant.WHOLE: "", Variant.STORED: ", pixels as stored"}
_RANK: Final = {SignalType.SHA256: 0, SignalType.MD5: 1, SignalType.PDQ: 2, SignalType.VPDQ: 3, SignalType.PHASH: 4}


@dataclass(frozen=True, slots=True)
class Probe:
    """One signal of an upload to look up, and the dihedral form and the view of the picture that it describes."""

    signal: Signal
    dihedral: str = UPRIGHT
    view: str = ""
    """The name of a view that the gate made (`views`); without one the signal's own variant says it."""


@dataclass(frozen=True, slots=True)
class Match:
    """Why an upload is stopped: the entry it matched and the signal that matched.

    `distance` in bits, 0 for an exact hash; `quality` of the upload's PDQ; `variant` and `dihedral` say which view
    of the upload it was. `action` is what it leads to, and `because` why that is less than matches of its kind do.
    `shares` of a video's frames, the upload's and the entry's, are near one of the other's.
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

    def explain(self) -> str:
        """Half a sentence for a person."""
        return f"{self._explain()}, entry {self.entry}" + (f", {self.because}" if self.because else "")

    def _explain(self) -> str:
        if self.shares is not None:
            upload, entry = self.shares
            return f"{self.type} of {upload:.0%} of the upload's frames and {entry:.0%} of the entry's"
        if self.type is SignalType.PHASH and self.distance:
            return f"{self.type} at distance {self.distance}"
        if self.type is not SignalType.PDQ:
            return f"{self.type} equal"
        view = _VARIANT_TEXTS.get(self.variant, f", {self.variant}")
        view += "" if self.dihedral == UPRIGHT else f", turned or mirrored ({self.dihedral})"
        return f"{self.type} at distance {self.distance}, quality {self.quality}{view}"


@dataclass(frozen=True, slots=True)
class Freshness:
    """How fresh the gate's knowledge is: its checkpoint, and seconds since the feed was read to its end."""

    checkpoint: int
    age: float | None
    """None when it never was."""
    stale_after: float = DEFAULT_POLICY.stale_hours * 3600
    """Seconds without news after which every decision says so: a day misses a day of withdrawals."""

    @property
    def is_stale(self) -> bool:
        """Whether it was read, but not for too long."""
        return self.age is not None and self.age > self.stale_after

    def warning(self) -> str | None:
        """What a person must know about the freshness, if anything."""
        if self.age is None:
            return "this gate has never read the feed to its end: run `takeback gate sync`"
        if self.is_stale:
            return f"the feed was last read {self.age / 3600:.0f} hours ago: run `takeback gate sync`"
        return None


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with an upload. `id` names this check; `matches` are best first; `notes` are what else matters.

    `kind` says what the file turned out to be, and `why` by a stable code what an unreadable one lacks.
    """

    id: str
    action: Action
    matches: tuple[Match, ...]
    notes: tuple[str, ...]
    checkpoint: int
    kind: MediaKind = MediaKind.SIGNALS
    why: str = ""

    def explain(self) -> str:
        """The reasons in one line; empty when there is nothing to say."""
        more = f" (and {len(self.matches) - 1} more)" if len(self.matches) > 1 else ""
        reasons = [self.matches[0].explain() + more] if self.matches else []
        return "; ".join([*reasons, *self.notes])

    def as_dict(self) -> dict[str, object]:
        """The same for programs, ready for JSON. It holds no hash."""
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
class Knowledge:
    """What a decision goes by besides the hits: the policy, and what is known of the entries that were hit.

    `standings` of those that are there, None where all of them block; `floods` are entries that match too much;
    `well_known` says that the upload is on the platform's own list of pictures that stop nothing.
    """

    policy: Policy = DEFAULT_POLICY
    statuses: Mapping[str, EntryStatus] | None = None
    braked: frozenset[str] = field(default=frozenset())
    is_benign: bool = False


def probes(
    signals: Iterable[Signal],
    dihedral: Mapping[str, str] | None = None,
    views: Iterable[Probe] = (),
    *,
    policy: Policy = DEFAULT_POLICY,
) -> list[Probe]:
    """All that is worth looking up: `signals`, with the whole picture's PDQ its other `dihedral` hashes, and `views`.

    A PDQ signal below the quality floor is looked up only if the policy has a use for it, and the phash of such a
    picture is not: all flat pictures have the same.
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
    feed: Freshness,
    knows: Knowledge | None = None,
) -> Decision:
    """Decides on the upload with these `signals` from what the index said of the probes `asked`.

    1. Each hit leads to what the policy says of its type and distance, limited by its entry's standing, by a flood and
       by a stale feed. 2. The best match of each entry stands for it: what blocks before what asks for a review. 3. The
       strongest match decides; without one, how fresh the feed is.
    """
    knows = knows or Knowledge()
    found = [_limited(match, knows, feed) for hit in hits if (match := _match(asked[hit.asked], hit, knows.policy))]
    best: dict[str, Match] = {}
    for match in sorted((match for match in found if match.action is not Action.ALLOW), key=_rank):
        best.setdefault(match.entry, match)
    action = max([_unmatched(feed, knows.policy), *(m.action for m in best.values())], key=lambda action: action.weight)
    ignored = {match.entry: match.because for match in found if match.entry not in best}
    notes = [f"entry {entry} does not count: {because}" for entry, because in sorted(ignored.items()) if because]
    notes += [
        f"pdq not used: quality {signal.quality} is below {knows.policy.quality_floor}"
        for signal in signals
        if not usable(signal, knows.policy.least_quality)
    ]
    warning = feed.warning()
    notes += [warning] if warning else []
    return Decision(check, action, tuple(best.values()), tuple(notes), feed.checkpoint)


def for_file(
    decision: Decision, kind: MediaKind, why: PictureError | None, policy: Policy = DEFAULT_POLICY
) -> Decision:
    """The decision on a file's signals as that on the file: one that is unreadable leads to what the policy says."""
    if kind is MediaKind.NOT_MEDIA:
        return replace(decision, kind=kind, notes=(f"{kind}: neither a picture nor a video", *decision.notes))
    if kind is not MediaKind.UNREADABLE or why is None:
        return replace(decision, kind=kind)
    action = max(decision.action, policy.unreadable, key=lambda action: action.weight)
    notes = (f"{kind}: {why}", *decision.notes)
    return replace(decision, action=action, kind=kind, why=why.code, notes=notes)


def _unmatched(feed: Freshness, policy: Policy) -> Action:
    """What an upload that matches nothing gets."""
    if feed.age is None:
        return policy.never_read
    return policy.stale_unmatched if feed.is_stale else Action.ALLOW


def _match(probe: Probe, hit: Hit, policy: Policy) -> Match | None:
    """What a hit leads to by its kind alone; None for one that is too far."""
    signal = probe.signal
    action, because = _by_kind(signal, hit, policy)
    if action is None:
        return None
    view = signal.quality, probe.view or signal.variant, probe.dihedral
    return Match(hit.entry, signal.type, hit.distance, *view, action, because, hit.shares)


def blocking_by_kind(asked: Sequence[Probe], hits: Iterable[Hit], policy: Policy) -> frozenset[str]:
    """The entries that would block by how they matched alone, whatever limits that: the brake counts by them."""
    return frozenset(hit.entry for hit in hits if _by_kind(asked[hit.asked].signal, hit, policy)[0] is Action.BLOCK)


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


def _limited(match: Match, knows: Knowledge, feed: Freshness) -> Match:
    """The match with the weakest action of all that limits it, and the reason."""
    policy = knows.policy
    status = EntryStatus.BLOCK if knows.statuses is None else knows.statuses.get(match.entry)
    limits = [
        (status is None, Action.ALLOW, "it was withdrawn just now"),
        (status is EntryStatus.PAUSED, policy.paused, "the registry paused it"),
        (knows.is_benign, policy.well_known, "the upload is on the list of well-known pictures"),
        (status is EntryStatus.REVIEW, policy.demoted, "the registry asks for a review of it"),
        (match.entry in knows.braked, Action.REVIEW, "which suddenly matches many uploads"),
        (feed.is_stale, policy.stale_matched, "known from a feed that is old"),
    ]
    for holds, most, because in limits:
        if holds and most.weight < match.action.weight:
            match = replace(match, action=most, because=because)
    return match


def _rank(match: Match) -> tuple[int, int, int, bool, bool, str]:
    """Best first: what blocks, then exact before near, nearer before farther, the upright whole before other views."""
    upright, whole = match.dihedral == UPRIGHT, match.variant == Variant.WHOLE
    return -match.action.weight, _RANK[match.type], match.distance, not upright, not whole, match.entry
