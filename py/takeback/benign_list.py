"""The benign list as text: one signal a line, its type (`pdq`, `sha256` or `md5`) and its value.

Example: `pdq 9c15...`. A `#` starts a comment. `takeback hash` prints such values.
"""

from pathlib import Path
from typing import Final

from takeback.errors import InvalidSignal, SettingsError
from takeback.signals import Signal, SignalType

TYPES: Final = frozenset({SignalType.PDQ, SignalType.SHA256, SignalType.MD5})
"""Types that identify a picture reliably enough."""
# The list holds no quality, and a PDQ signal must have one.
_FULL_QUALITY: Final = 100


def read_list(path: Path) -> list[Signal]:
    """Reads the signals of a benign list.

    Raises `SettingsError`, which names the malformed line or says why the file cannot be read, and `FileNotFoundError`.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {type(error).__name__}") from error
    found = []
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        try:
            found += [_signal(*words)] if words else []
        except (InvalidSignal, TypeError, ValueError) as error:
            raise SettingsError(f"{path}, line {number}: expected a type and a value, such as `md5 1f3b...`") from error
    return found


def _signal(kind: str, value: str) -> Signal:
    found = Signal(SignalType(kind), value.lower(), _FULL_QUALITY if kind == SignalType.PDQ else None)
    if found.type not in TYPES:
        raise ValueError(kind)
    return found
