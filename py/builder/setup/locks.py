"""The parts of `requirements.lock` that a registry and a gate need, so that each is installed by hash and by itself.

`.venv/bin/python -m builder.setup.locks` writes them anew; a test fails while they differ from the whole lock.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from types import MappingProxyType
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from builder.setup.environment import LOCK

PARTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "build": ("hatchling", "ziglang"),
        "gate": ("takeback [gate,video,scan]",),
        "registry": ("takeback [registry,postgresql,parquet]",),
    }
)
"""For each part what it is to install; `build` makes the wheel."""
_PIN: Final = re.compile(r"^([a-z0-9._-]+)==.*(?:\n    --hash=.*)*\n", re.MULTILINE)


def lock_file(part: str) -> Path:
    """Where the lock of a part is kept."""
    return LOCK.with_name(f"requirements-{part}.lock")


def lock_of(wanted: Iterable[str]) -> str:
    """What of the whole lock these requirements need, as a lock."""
    pins = {found[1]: found[0] for found in _PIN.finditer(LOCK.read_text())}
    needed = set[str]()
    _add(map(Requirement, wanted), needed)
    return "".join(pin for name, pin in pins.items() if name in needed)


def _add(wanted: Iterable[Requirement], needed: set[str]) -> None:
    """Adds to `needed` the names of packages, and of what these need in turn."""
    for requirement in wanted:
        name = canonicalize_name(requirement.name)
        if name not in needed or requirement.extras:
            needed.add(name)
            _add(_requirements(name, requirement.extras), needed)


def _requirements(name: str, extras: set[str]) -> Iterator[Requirement]:
    """What a package needs, whatever the system: its pin says for which one. Nothing, if it is not for this one."""
    try:
        told = requires(name) or ()
    except PackageNotFoundError:
        return
    for requirement in map(Requirement, told):
        of_extra = re.findall(r"extra == \"([^\"]+)\"", str(requirement.marker or ""))
        if not of_extra or extras.intersection(of_extra):
            yield requirement


if __name__ == "__main__":
    for part, wanted in PARTS.items():
        lock_file(part).write_text(lock_of(wanted))
