"""The module's settings: what stands below `config` in homeserver.yaml. Knows nothing of Synapse."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

from takeback.errors import SettingsError
from takeback.integrations.checker import CheckerSettings

WAYS: Final = ("sidecar", "home", "lookup")
SECRETS: Final = ("token", "key")
"""May be given as a value, or as a file by `token_file` and `key_file`."""
SECRET_BYTES: Final = 4096
"""Keys and tokens are much shorter; so a wrong file is not read to its end."""
MAX_MEGABYTES: Final = 64
"""A sidecar's own default; Synapse's `max_upload_size` is 50 MB by default."""
MOST_MEGABYTES: Final = 384
"""A sidecar takes no larger files."""
THREADS: Final = 8
MOST_THREADS: Final = 64


class OnReview(StrEnum):
    """What is done with a file that a person should look at, or that is too large: refuse it or let it through."""

    HOLD = "hold"
    PASS = "pass"  # noqa: S105 - not a password


@dataclass(frozen=True, slots=True)
class ModuleSettings:
    """Who is asked, and what follows. `threads` files are checked, and held in memory, at once."""

    checker: CheckerSettings = field(repr=False)
    review: OnReview = OnReview.HOLD
    large: OnReview = OnReview.HOLD
    max_megabytes: int = MAX_MEGABYTES
    threads: int = THREADS
    report: bool = False

    @classmethod
    def of(cls, config: Mapping[str, object]) -> Self:
        """Reads the settings, and the files that they name. Raises `SettingsError`."""
        values = dict(config)
        _refuse_unknown(values)
        if len([way for way in WAYS if values.get(way)]) != 1:
            raise SettingsError(f"set exactly one of {', '.join(WAYS)}: the sidecar's address, for example")
        own = {
            "review": _choice(values, "review"),
            "large": _choice(values, "large"),
            "max_megabytes": _number(values, "max_megabytes", MAX_MEGABYTES, MOST_MEGABYTES),
            "threads": _number(values, "threads", THREADS, MOST_THREADS),
            "report": _switch(values, "report"),
        }
        for name in SECRETS:
            _fill(values, name)
        return cls(CheckerSettings.of(values), **own)  # type: ignore[arg-type]


def _refuse_unknown(values: Mapping[str, object]) -> None:
    files = tuple(f"{name}_file" for name in SECRETS)
    known = (*CheckerSettings.__slots__, *files, *(name for name in ModuleSettings.__slots__ if name != "checker"))
    if unknown := sorted(map(str, set(values) - set(known))):
        raise SettingsError(f"unknown setting {unknown[0]}: expected {', '.join(known)}")


def _choice(values: dict[str, object], name: str) -> OnReview:
    try:
        return OnReview(str(values.pop(name, OnReview.HOLD)))
    except ValueError as error:
        raise SettingsError(f"{name} must be one of {', '.join(OnReview)}") from error


def _number(values: dict[str, object], name: str, usual: int, most: int) -> int:
    value = values.pop(name, usual)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise SettingsError(f"{name} must be a whole number from 1 to {most}")
    return value


def _switch(values: dict[str, object], name: str) -> bool:
    value = values.pop(name, False)
    if not isinstance(value, bool):
        raise SettingsError(f"{name} must be true or false")
    return value


def _fill(values: dict[str, object], name: str) -> None:
    """Puts what the file of a secret holds in place of the file's name."""
    path = values.pop(f"{name}_file", None)
    if path is None:
        return
    if name in values:
        raise SettingsError(f"set {name} or {name}_file, not both")
    if not isinstance(path, str) or not path:
        raise SettingsError(f"{name}_file must be the path of a file")
    try:
        with Path(path).open("rb") as file:
            text = file.read(SECRET_BYTES).decode("ascii").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not plain text"
        raise SettingsError(f"{name}_file cannot be read: {reason}") from error
    if not text:
        raise SettingsError(f"{name}_file is empty")
    values[name] = text
