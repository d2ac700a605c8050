"""The platform's own list of pictures that stop nothing: what a policy calls well-known.

`well-known.txt` in the gate's folder has a line for each signal, its type (`pdq`, `sha256`, `md5`) and its value:
`pdq 9c15...`. What follows a `#` is a remark. `takeback hash` prints such values.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Self

from takeback.errors import InvalidSignal, SettingsError
from takeback.gate.index import Index, MultiIndex
from takeback.gate.policy import Policy
from takeback.signals import Signal, SignalType

WELL_KNOWN_FILE: Final = "well-known.txt"
_FULL_QUALITY: Final = 100
_TYPES: Final = {SignalType.PDQ, SignalType.SHA256, SignalType.MD5}
"""What is sure enough to let an upload pass."""


class WellKnown:
    """The list, ready to be looked up."""

    def __init__(self, policy: Policy, signals: Iterable[Signal]) -> None:
        self._distance = policy.distance
        named = ((f"{place:032x}", signal) for place, signal in enumerate(signals))
        self._index: Index = MultiIndex.of(policy.reach, named)

    @classmethod
    def load(cls, home: Path, policy: Policy) -> Self:
        """The list in `home`, empty if there is none. Raises `SettingsError` naming the line that is wrong."""
        path = home / WELL_KNOWN_FILE
        try:
            lines = path.read_text("utf-8").splitlines()
        except FileNotFoundError:
            lines = []
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path} cannot be read: {type(error).__name__}") from error
        found = []
        for number, line in enumerate(lines, 1):
            words = line.partition("#")[0].split()
            try:
                found += [_signal(*words)] if words else []
            except (InvalidSignal, TypeError, ValueError) as error:
                raise SettingsError(
                    f"{path}, line {number}: expected a type and a value, such as `md5 1f3b...`"
                ) from error
        return cls(policy, found)

    def holds(self, signals: Sequence[Signal]) -> bool:
        """Whether any of an upload's signals is near one of the list."""
        asked = [signal for signal in signals if signal.type in _TYPES]
        return any(hit.distance <= self._distance for hit in self._index.query(asked))


def _signal(kind: str, value: str) -> Signal:
    found = Signal(SignalType(kind), value.lower(), _FULL_QUALITY if kind == SignalType.PDQ else None)
    if found.type not in _TYPES:
        raise ValueError(kind)
    return found
