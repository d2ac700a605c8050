"""The platform's own list of pictures that stop nothing: what a policy calls well-known.

It stands in `well-known.txt` in the gate's folder, in the form that `takeback/well_known.py` reads.
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
    """The list, ready to be looked up."""

    def __init__(self, policy: Policy, signals: Iterable[Signal]) -> None:
        self._distance = policy.distance
        rows = ((f"{place:032x}", one.type, one.value, one.quality) for place, one in enumerate(signals))
        self._index: Index = MultiIndex.of(policy.reach, rows)

    @classmethod
    def load(cls, home: Path, policy: Policy) -> Self:
        """The list in `home`, empty if there is none. Raises `SettingsError` naming the line that is wrong."""
        try:
            return cls(policy, read_list(home / BENIGN_LIST_FILE))
        except FileNotFoundError:
            return cls(policy, [])

    def holds(self, signals: Sequence[Signal]) -> bool:
        """Whether any of an upload's signals is near one of the list."""
        asked = [signal for signal in signals if signal.type in TYPES]
        return any(hit.distance <= self._distance for hit in self._index.query(asked))
