"""What is listed of a picture, what is asked of an upload, and what a gate decides: by the code of client and gate."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from takeback.gate.index.multi_index import Hit, MultiIndex, usable
from takeback.gate.rules.decision import DecisionFacts, Feed, Probe, decide, probes
from takeback.gate.rules.policy import Action, Policy
from takeback.gate.upload_views.look_ups import look_ups
from takeback.hashing import hash_picture, with_variants
from takeback.signals import PDQ_MATCH_DISTANCE, Signal, SignalType, Variant

ANY: Final = 256
"""More bits than any two PDQ hashes differ in."""
POLICY: Final = Policy()
VARIANTS: Final = tuple(Variant)
_FEED: Final = Feed(1, 0.0)

type Codes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Listed:
    """A picture in the feed: its signals, and PDQ of the eight forms of the whole."""

    signals: tuple[Signal, ...]
    forms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """An upload as the gate asks for it: its signals, and everything that is looked up."""

    signals: tuple[Signal, ...]
    probes: tuple[Probe, ...]


def listed(data: bytes) -> Listed | None:
    """What a client sends of a picture, without the exact hashes; nothing if it is too plain to be matched.

    Raises `PictureError`.
    """
    hashed = with_variants(hash_picture(data))
    signals = tuple(signal for signal in hashed.signals if signal.type in NEAR and usable(signal))
    return Listed(signals, tuple(hashed.dihedral.values())) if signals else None


def asked(data: bytes) -> Asked:
    """What a gate looks up of an upload, as `Gate.check` does, without the exact hashes. Raises `PictureError`."""
    hashed = hash_picture(data)
    every = probes(hashed.signals, hashed.dihedral, look_ups(hashed.thumbnail), policy=POLICY)
    return Asked(hashed.signals, tuple(probe for probe in every if probe.signal.type in NEAR))


NEAR: Final = frozenset({SignalType.PDQ})
"""Types that match copies; phash would only hide what they miss, and exact hashes find no changed copy."""
WAYS: Final[Mapping[str, frozenset[SignalType]]] = MappingProxyType({"everything": NEAR})
"""Ways to decide by the hits of some types alone."""


class GateIndex:
    """The index of a gate that lists these pictures, each under its number, and the gate's decision."""

    def __init__(self, pictures: Sequence[Listed]) -> None:
        self.pictures = pictures
        rows = [
            (f"{number:016x}{place:016x}", signal.type.value, signal.value, signal.quality)
            for number, picture in enumerate(pictures)
            for place, signal in enumerate(picture.signals)
        ]
        rows.sort(key=lambda row: row[1])
        self._index = MultiIndex.of(POLICY.reach, rows)
        pdq = [[s for s in picture.signals if s.type is SignalType.PDQ] for picture in pictures]
        self.codes = codes_of(signal.value for signals in pdq for signal in signals)
        self.owners = np.repeat(np.arange(len(pictures)), [len(signals) for signals in pdq])

    def decide(self, upload: Asked) -> dict[str, dict[int, Action]]:
        """Looks everything up once, and decides in each of `WAYS`: for each matched picture the strongest action."""
        hits = self._index.query([probe.signal for probe in upload.probes])
        return {way: self._actions(upload, hits, types) for way, types in WAYS.items()}

    def _actions(self, upload: Asked, hits: Iterable[Hit], types: frozenset[SignalType]) -> dict[int, Action]:
        chosen = [hit for hit in hits if upload.probes[hit.asked].signal.type in types]
        decision = decide("", upload.signals, upload.probes, chosen, _FEED, DecisionFacts(POLICY))
        actions: dict[int, Action] = {}
        for match in decision.matches:
            number = int(match.entry[:16], 16)
            actions[number] = max(actions.get(number, Action.ALLOW), match.action, key=lambda action: action.weight)
        return actions


def codes_of(values: Iterable[str]) -> Codes:
    """PDQ hashes as rows of four words."""
    return np.frombuffer(b"".join(map(bytes.fromhex, values)), ">u8").astype(np.uint64).reshape(-1, 4)


def distances(a: Codes, b: Codes) -> NDArray[np.uint16]:
    """Bits between every code of `a` and every one of `b`."""
    far: NDArray[np.uint16] = np.bitwise_count(a[:, None] ^ b[None]).sum(axis=2, dtype=np.uint16)
    return far


def stock(upload: Asked, picture: Listed) -> tuple[bool, bool]:
    """Whether a stock client finds the copy: PDQ of the whole against our first entry, and against all of them."""
    whole = codes_of(s.value for s in upload.signals[:1] if s.type is SignalType.PDQ)
    entries = [s for s in picture.signals if s.type is SignalType.PDQ]
    far = distances(whole, codes_of(s.value for s in entries))
    return bool(far[:, :1].min(initial=ANY) <= PDQ_MATCH_DISTANCE), bool(far.min(initial=ANY) <= PDQ_MATCH_DISTANCE)


def by_variant(upload: Asked, picture: Listed) -> NDArray[np.int16]:
    """The least distance of any PDQ look-up to the entry of each variant."""
    least = np.full(len(VARIANTS), ANY, np.int16)
    entries = [s for s in picture.signals if s.type is SignalType.PDQ]
    asking = codes_of(p.signal.value for p in upload.probes if p.signal.type is SignalType.PDQ)
    nearest = distances(asking, codes_of(s.value for s in entries)).min(axis=0, initial=ANY)
    np.minimum.at(least, [VARIANTS.index(s.variant) for s in entries], nearest)
    return least
