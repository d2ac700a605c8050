"""What is listed of a picture, and what a gate says of an upload: by the code of client and gate, through `Gate`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from takeback.gate import Gate
from takeback.gate.processes.hashing_process import HashedFile
from takeback.gate.rules.decision import probes
from takeback.gate.rules.policy import POLICY_FILE, Action
from takeback.gate.settings import GateSettings, save
from takeback.gate.upload_views.look_ups import look_ups
from takeback.hashing import hash_picture, with_variants
from takeback.signals import PDQ_MATCH_DISTANCE, PDQ_QUALITY_FLOOR, Signal, SignalType, Variant
from tests.gate.feeds import KEY
from tests.gate.servers import running

ANY: Final = 256
"""More bits than any two PDQ hashes differ in."""
VARIANTS: Final = tuple(Variant)
NEAR: Final = frozenset({"pdq", "patches", "vpdq"})
"""Types that match copies; phash would only hide what they miss, and exact hashes find no changed copy."""
WAYS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {"views alone": frozenset({"pdq"}), "patches alone": frozenset({"patches"}), "everything": NEAR}
)
"""Ways to decide: by the matches of some types alone."""

type Codes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Listed:
    """A picture in the feed: its signals, and PDQ of the eight forms of the whole."""

    signals: tuple[Signal, ...]
    forms: tuple[str, ...] = ()

    @property
    def pdq(self) -> list[Signal]:
        """Its PDQ entries, the whole picture first."""
        return [signal for signal in self.signals if signal.type is SignalType.PDQ]


def listed(data: bytes) -> Listed | None:
    """What a client sends of a picture, without the exact hashes; nothing if it is too plain to be matched.

    Raises `PictureError`.
    """
    hashed = with_variants(hash_picture(data))
    signals = tuple(
        s for s in hashed.signals if s.type in NEAR and (s.quality is None or s.quality >= PDQ_QUALITY_FLOOR)
    )
    return Listed(signals, tuple(hashed.dihedral.values())) if signals else None


def make_gate(home: Path, pictures: Sequence[Listed]) -> dict[str, int]:
    """Makes a gate in `home` that follows a registry with these pictures; returns the picture of each entry."""
    owners: dict[str, int] = {}
    seen: set[tuple[SignalType, str]] = set()
    with running() as registry:
        for number, picture in enumerate(pictures):
            # As a registry does: what two pictures share is one entry.
            new = [signal for signal in picture.signals if (signal.type, signal.value) not in seen]
            seen.update((signal.type, signal.value) for signal in new)
            owners |= dict.fromkeys(map(registry.log.add, new), number)
        save(home, GateSettings(registry.url, KEY))
        (home / POLICY_FILE).write_text("[budget]\nprocesses = 1\nvideo_seconds = 600.0\n")
        with Gate.open(home) as gate:
            gate.sync()
    return owners


class Uploads:
    """Uploads to the gate in a folder; `owners` are the pictures of its entries."""

    def __init__(self, home: Path, owners: Mapping[str, int]) -> None:
        self._gate = Gate.open(home)
        # One upload after the other is a copy of the same picture.
        self._gate.uses_rate_brake = False
        self._owners = owners

    def read(self, data: bytes, given: str = "") -> HashedFile:
        """Hashes an upload in the gate's confined process."""
        return self._gate.read(BytesIO(data), given).result()

    def decide(self, read: HashedFile) -> dict[str, dict[int, Action]]:
        """The gate's decision on an upload in each of `WAYS`: for each picture that matches the strongest action."""
        decision = self._gate.judge(read)
        found: dict[str, dict[int, Action]] = {way: {} for way in WAYS}
        for match in decision.matches:
            number = self._owners[match.entry]
            for actions in (found[way] for way, types in WAYS.items() if match.type in types):
                actions[number] = max(actions.get(number, Action.ALLOW), match.action, key=lambda action: action.weight)
        return found


def look_up_codes(read: HashedFile) -> Codes:
    """All PDQ hashes that a gate looks up of a picture."""
    views = look_ups(read.thumbnail) if read.thumbnail else ()
    asked = probes(read.signals, read.dihedral, views)
    return codes_of(probe.signal.value for probe in asked if probe.signal.type is SignalType.PDQ)


def codes_of(values: Iterable[str]) -> Codes:
    """PDQ hashes as rows of four words."""
    return np.frombuffer(b"".join(map(bytes.fromhex, values)), ">u8").astype(np.uint64).reshape(-1, 4)


def is_copy(picture: Listed, before: Iterable[str]) -> bool:
    """Whether a picture is a copy of one whose PDQ is among those `before`, however it is turned."""
    return bool(distances(codes_of(picture.forms), codes_of(before)).min(initial=ANY) <= PDQ_MATCH_DISTANCE)


def distances(a: Codes, b: Codes) -> NDArray[np.uint16]:
    """Bits between every code of `a` and every one of `b`."""
    far: NDArray[np.uint16] = np.bitwise_count(a[:, None] ^ b[None]).sum(axis=2, dtype=np.uint16)
    return far


def stock(read: HashedFile, picture: Listed) -> tuple[bool, bool]:
    """Whether a stock client finds the copy: PDQ of the whole against our first entry, and against all of them."""
    whole = codes_of([signal.value for signal in read.signals if signal.type is SignalType.PDQ][:1])
    far = distances(whole, codes_of(signal.value for signal in picture.pdq))
    return bool(far[:, :1].min(initial=ANY) <= PDQ_MATCH_DISTANCE), bool(far.min(initial=ANY) <= PDQ_MATCH_DISTANCE)


def by_variant(asked: Codes, picture: Listed) -> NDArray[np.int16]:
    """The least distance of any PDQ look-up to the entry of each variant."""
    least = np.full(len(VARIANTS), ANY, np.int16)
    nearest = distances(asked, codes_of(s.value for s in picture.pdq)).min(axis=0, initial=ANY)
    np.minimum.at(least, [VARIANTS.index(s.variant) for s in picture.pdq], nearest)
    return least
