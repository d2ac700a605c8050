"""The registry's benign list: entries that match a picture on it get the status `review`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Self

from takeback.benign_list import read_list
from takeback.errors import SettingsError
from takeback.protocol import SignalMessage
from takeback.signals import PDQ_MATCH_DISTANCE, Signal, SignalType


class BenignList:
    """The benign list, which is searched linearly: a thousand pictures take about 0.1 ms for each signal."""

    def __init__(self, signals: Iterable[Signal] = ()) -> None:
        known = list(signals)
        self._exact = {(signal.type, signal.value) for signal in known}
        self._codes = [int(signal.value, 16) for signal in known if signal.type is SignalType.PDQ]

    @classmethod
    def load(cls, path: Path | None) -> Self:
        """Reads the list from the file `path`; the list is empty if `path` is `None`.

        Raises `SettingsError` if the file does not exist or a line is invalid.
        """
        if path is None:
            return cls()
        try:
            return cls(read_list(path))
        except FileNotFoundError as error:
            raise SettingsError(f"TAKEBACK_WELL_KNOWN names {path}, which does not exist") from error

    def holds(self, signal: SignalMessage) -> bool:
        """Whether a signal is on the list, or is a PDQ hash within 31 bits of one on it."""
        if (signal.type, signal.value) in self._exact:
            return True
        if signal.type is not SignalType.PDQ or not self._codes:
            return False
        code = int(signal.value, 16)
        return any((code ^ known).bit_count() <= PDQ_MATCH_DISTANCE for known in self._codes)
