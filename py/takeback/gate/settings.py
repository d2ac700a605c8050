"""A gate's settings: the address of the registry and the platform key, in `gate.toml` of the gate's folder."""

import os
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from takeback.connections import check_address
from takeback.errors import SettingsError

HOME_VARIABLE: Final = "TAKEBACK_GATE_HOME"
KEY_VARIABLE: Final = "TAKEBACK_PLATFORM_KEY"
SETTINGS_FILE: Final = "gate.toml"
_KEY_PATTERN: Final = re.compile(r"tbk_[0-9a-f]{16}_[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class GateSettings:
    """The registry's address and the platform's key. Raises `SettingsError` if either is malformed."""

    registry: str
    key: str = field(repr=False)

    def __post_init__(self) -> None:
        check_address(self.registry, "the registry", "the key could be read in transit")
        if not _KEY_PATTERN.fullmatch(self.key):
            raise SettingsError("the platform key is malformed: expected tbk_, 16 hex digits, _, 64 hex digits")

    @property
    def key_id(self) -> str:
        """The key's identifier, which is not secret."""
        return self.key.split("_")[1]


def load(home: Path) -> GateSettings:
    """Reads the settings in `home`; the key in TAKEBACK_PLATFORM_KEY overrides the one in the file.

    Raises `SettingsError` if the file is missing, unreadable or wrong.
    """
    path = home / SETTINGS_FILE
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(f"{path} does not exist: create it with `takeback gate init`") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {type(error).__name__}") from error
    if set(table) - {"registry", "key"} or not all(isinstance(value, str) for value in table.values()):
        raise SettingsError(f"{path} may hold only the strings `registry` and `key`")
    if "registry" not in table:
        raise SettingsError(f'{path} does not name the registry: add registry = "https://..."')
    given = os.environ.get(KEY_VARIABLE, "").split(maxsplit=1)  # the feed key may follow it
    return GateSettings(table["registry"], given[0] if given else table.get("key", ""))


def save(home: Path, settings: GateSettings) -> Path:
    """Writes the settings atomically, readable by their owner only, and returns the file's path.

    Raises `SettingsError` if the file cannot be written.
    """
    path = home / SETTINGS_FILE
    draft = path.with_suffix(".new")
    text = f'registry = "{settings.registry}"\nkey = "{settings.key}"\n'
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A file that exists would keep its own mode, so O_EXCL makes a new one: the key is private from the first byte.
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(path)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}") from error
    return path
