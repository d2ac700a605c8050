"""The platform's benign list: pictures that must not be stopped (`entries.well_known` in the policy).

The list is the file `well-known.txt` in the gate's folder; `takeback/benign_list.py` reads its format.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Self

from takeback.benign_list import TYPES, read_list
from takeback.gate.index.multi_index import Index, MultiIndex
from takeback.gate.rules.policy import Policy
from takeback.signals import Signal

BENIGN_LIST_FILE: Final = "well-known.txt"


class BenignIndex:
    """An index of the benign list."""

    def __init__(self, policy: Policy, signals: Iterable[Signal]) -> None:
        self._distance = policy.distance
        rows = ((f"{place:032x}", one.type, one.value, one.quality) for place, one in enumerate(signals))
        self._index: Index = MultiIndex.of(policy.reach, rows)

    @classmethod
    def load(cls, home: Path, policy: Policy) -> Self:
        """Reads the list in `home`, empty if there is no file. Raises `SettingsError` naming the line that is wrong."""
        try:
            return cls(policy, read_list(home / BENIGN_LIST_FILE))
        except FileNotFoundError:
            return cls(policy, [])

    def among(self, signals: Sequence[Signal]) -> set[int]:
        """Returns the positions of those of an upload's signals that match one of the list."""
        places = [place for place, signal in enumerate(signals) if signal.type in TYPES]
        hits = self._index.query([signals[place] for place in places])
        return {places[hit.asked] for hit in hits if hit.distance <= self._distance}
