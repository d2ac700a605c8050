"""The registry's own list of well-known pictures: entries that match it only ever ask for a review."""

from collections.abc import Iterable
from pathlib import Path
from typing import Self

from takeback.benign_list import read_list
from takeback.errors import SettingsError
from takeback.protocol import SignalMessage
from takeback.signals import PDQ_MATCH_DISTANCE, Signal, SignalType


class BenignList:
    """The list, small enough to be gone through: a thousand pictures take about a tenth of a millisecond a signal."""

    def __init__(self, signals: Iterable[Signal] = ()) -> None:
        known = list(signals)
        self._exact = {(signal.type, signal.value) for signal in known}
        self._codes = [int(signal.value, 16) for signal in known if signal.type is SignalType.PDQ]

    @classmethod
    def load(cls, path: Path | None) -> Self:
        """The list in a file; empty without one. Raises `SettingsError` naming what is wrong."""
        if path is None:
            return cls()
        try:
            return cls(read_list(path))
        except FileNotFoundError as error:
            raise SettingsError(f"{path} is not there: TAKEBACK_WELL_KNOWN names it") from error

    def holds(self, signal: SignalMessage) -> bool:
        """Whether a signal is one of the list, or a PDQ within 31 bits of one."""
        if (signal.type, signal.value) in self._exact:
            return True
        if signal.type is not SignalType.PDQ or not self._codes:
            return False
        code = int(signal.value, 16)
        return any((code ^ known).bit_count() <= PDQ_MATCH_DISTANCE for known in self._codes)
