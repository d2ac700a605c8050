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
_KEY: Final = re.compile(r"tbk_[0-9a-f]{16}_[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class GateSettings:
    """Where the registry is, and who the platform is to it. Raises `SettingsError` for what cannot be used."""

    registry: str
    key: str = field(repr=False)

    def __post_init__(self) -> None:
        check_address(self.registry, "the registry", "the key could be read on the way")
        if not _KEY.fullmatch(self.key):
            raise SettingsError("the platform key is not one: expected tbk_, 16 hex digits, _, 64 hex digits")

    @property
    def key_id(self) -> str:
        """The part of the key that names it, which is no secret."""
        return self.key.split("_")[1]


def load(home: Path) -> GateSettings:
    """The settings in `home`; the key in TAKEBACK_PLATFORM_KEY goes before the one in the file."""
    path = home / SETTINGS_FILE
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(f"{path} is not there: make it with `takeback gate init`") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {type(error).__name__}") from error
    if set(table) - {"registry", "key"} or not all(isinstance(value, str) for value in table.values()):
        raise SettingsError(f"{path} may hold `registry` and `key`, both texts, and nothing else")
    if "registry" not in table:
        raise SettingsError(f'{path} does not say where the registry is: add registry = "https://..."')
    given = os.environ.get(KEY_VARIABLE, "").split(maxsplit=1)  # the feed's key may stand behind it
    return GateSettings(table["registry"], given[0] if given else table.get("key", ""))


def save(home: Path, settings: GateSettings) -> Path:
    """Writes the settings so that only their owner can read them, whole or not at all; returns the file's path."""
    path = home / SETTINGS_FILE
    draft = path.with_suffix(".new")
    text = f'registry = "{settings.registry}"\nkey = "{settings.key}"\n'
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(path)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}") from error
    return path
