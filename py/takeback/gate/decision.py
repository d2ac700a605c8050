"""What to do with an upload, and why. Pure: signals and hits in, a decision that explains itself out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final

from takeback.gate.index import Hit, usable
from takeback.signals import PDQ_MATCH_DISTANCE, PDQ_QUALITY_FLOOR, Signal, SignalType, Variant

UPRIGHT: Final = "orig"
"""The name of the dihedral form that is the picture itself, neither turned nor mirrored."""
REVIEW_DISTANCE: Final = 40
"""Bits up to which a PDQ hash asks for a review: tests/bench/copies.py found no two different pictures under 74."""
STALE_AFTER: Final = 24 * 60 * 60
"""Seconds without news of the feed after which every decision says so: a day misses a day of withdrawals."""
_VIEWS: Final[Mapping[str, str]] = {Variant.WHOLE: "", Variant.STORED: ", pixels as stored"}
_RANK: Final = {SignalType.SHA256: 0, SignalType.MD5: 1, SignalType.PDQ: 2, SignalType.VPDQ: 3, SignalType.PHASH: 4}


class Action(StrEnum):
    """What to do with an upload."""

    ALLOW = "allow"
    REVIEW = "review"
    BLOCK = "block"


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
    of the upload it was.
    """

    entry: str
    type: SignalType
    distance: int
    quality: int | None
    variant: str
    dihedral: str

    def explain(self) -> str:
        """Half a sentence for a person."""
        if self.type is not SignalType.PDQ:
            return f"{self.type} equal, entry {self.entry}"
        view = _VIEWS.get(self.variant, f", {self.variant}")
        view += "" if self.dihedral == UPRIGHT else f", turned or mirrored ({self.dihedral})"
        return f"{self.type} at distance {self.distance}, quality {self.quality}{view}, entry {self.entry}"


@dataclass(frozen=True, slots=True)
class Feed:
    """How fresh the gate's knowledge is: its checkpoint, and seconds since the feed was read to its end."""

    checkpoint: int
    age: float | None
    """None when it never was."""

    def warning(self) -> str | None:
        """What a person must know about the freshness, if anything."""
        if self.age is None:
            return "this gate has never read the feed to its end: run `takeback gate sync`"
        if self.age > STALE_AFTER:
            return f"the feed was last read {self.age / 3600:.0f} hours ago: run `takeback gate sync`"
        return None


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with an upload. `id` names this check; `matches` are best first; `notes` are what else matters."""

    id: str
    action: Action
    matches: tuple[Match, ...]
    notes: tuple[str, ...]
    checkpoint: int

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
            "checkpoint": self.checkpoint,
            "id": self.id,
        }


def probes(
    signals: Iterable[Signal], dihedral: Mapping[str, str] | None = None, views: Iterable[Probe] = ()
) -> list[Probe]:
    """All that is worth looking up: `signals`, with the whole picture's PDQ its other `dihedral` hashes, and `views`.

    A PDQ signal below the quality floor is not used for matching, nor is the phash of such a picture: all flat pictures
    have the same.
    """
    found: list[Probe] = []
    signals = list(signals)
    dull = any(signal.type is SignalType.PDQ and not usable(signal) for signal in signals)
    for signal in filter(usable, signals):
        if dull and signal.type is SignalType.PHASH:
            continue
        found.append(Probe(signal))
        if signal.type is SignalType.PDQ and signal.variant is Variant.WHOLE:
            turned = {name: value for name, value in (dihedral or {}).items() if name != UPRIGHT}
            found += [Probe(Signal(SignalType.PDQ, value, signal.quality), name) for name, value in turned.items()]
    return found + list(views)


def decide(check: str, signals: Sequence[Signal], asked: Sequence[Probe], hits: Iterable[Hit], feed: Feed) -> Decision:
    """Decides on the upload with these `signals` from what the index said of the probes `asked`.

    A match blocks, but for PDQ beyond the distance of a match and for phash, which are too coarse for more than a
    review. Without one, a gate that has never read the feed asks for a review: it cannot know better.
    """
    best: dict[str, Match] = {}
    for match in sorted((_match(asked[hit.asked], hit) for hit in hits), key=_rank):
        best.setdefault(match.entry, match)
    notes = [
        f"pdq not used: quality {signal.quality} is below {PDQ_QUALITY_FLOOR}"
        for signal in signals
        if not usable(signal)
    ]
    warning = feed.warning()
    notes += [warning] if warning else []
    blocks = any(match.type is not SignalType.PHASH and match.distance <= PDQ_MATCH_DISTANCE for match in best.values())
    action = Action.BLOCK if blocks else Action.REVIEW if best or feed.age is None else Action.ALLOW
    return Decision(check, action, tuple(best.values()), tuple(notes), feed.checkpoint)


def _match(probe: Probe, hit: Hit) -> Match:
    signal = probe.signal
    return Match(hit.entry, signal.type, hit.distance, signal.quality, probe.view or signal.variant, probe.dihedral)


def _rank(match: Match) -> tuple[int, int, bool, bool, str]:
    """Best first: exact before near, nearer before farther, the upright whole picture before its other views."""
    upright, whole = match.dihedral == UPRIGHT, match.variant == Variant.WHOLE
    return _RANK[match.type], match.distance, not upright, not whole, match.entry
