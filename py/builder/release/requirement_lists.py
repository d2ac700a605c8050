"""Requirement lists of a release: for each use, the wheel and every package that it needs, by hash."""

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, PathDistribution, requires
from pathlib import Path
from types import MappingProxyType
from typing import Final
from zipfile import Path as ZipPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from builder import BuildError
from builder.setup.cache import sha256
from builder.setup.environment import LOCK

USES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "registry": ("registry", "postgresql", "parquet", "verify"),
        "gate": ("gate", "video", "verify"),
        "scan": ("gate", "video", "scan"),
    }
)
"""Each list with the extras of the wheel that it installs."""
PYTHONS: Final = ("3.12", "3.13", "3.14")
"""A list holds what any of these Pythons needs on this platform, with its marker."""


def requirement_list(wheel: Path, use: str) -> str:
    """The requirements file of a use, for `pip install --require-hashes` in the wheel's folder. Raises `BuildError`."""
    extras = USES[use]
    head = "# pip install --require-hashes --requirement THIS_FILE, in the folder of the wheel\n--only-binary :all:\n"
    itself = f"./{wheel.name}[{','.join(extras)}] --hash=sha256:{sha256(wheel.read_bytes())}\n"
    return head + itself + locked(wheel, extras)


def locked(wheel: Path, extras: Iterable[str]) -> str:
    """The lock's lines for what the wheel needs with these extras. Raises `BuildError`."""
    blocks = lock_blocks()
    names = sorted(needed(_requires(wheel), extras))
    if missing := [name for name in names if name not in blocks]:
        raise BuildError(f"{', '.join(missing)} is needed by the wheel, and {LOCK.name} does not lock it")
    return "".join(f"{blocks[name]}\n" for name in names)


def lock_blocks() -> dict[str, str]:
    """The lines of the lock by the name of the package that they pin."""
    # The hashes of a package are on indented lines below its name.
    return {block.partition("==")[0]: block for block in re.split(r"\n(?=\S)", LOCK.read_text().strip())}


def needed(requirements: Iterable[str], extras: Iterable[str]) -> set[str]:
    """The normalised names of the packages that `requirements` with `extras` need, directly or indirectly."""
    left = [(one, frozenset(extras)) for one in requirements]
    seen = set()
    while left:
        text, wanted = left.pop()
        requirement = Requirement(text)
        this = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if this not in seen and _applies(requirement, wanted):
            seen.add(this)
            left += [(one, this[1]) for one in _installed_requires(requirement.name)]
    return {str(name) for name, _ in seen}


def _applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    """Whether the marker holds with one of `extras`, or none, for one of the Pythons."""
    marker = requirement.marker
    return marker is None or any(
        marker.evaluate({"extra": extra, "python_version": python, "python_full_version": f"{python}.0"})
        for extra in extras or {""}
        for python in PYTHONS
    )


def _requires(wheel: Path) -> list[str]:
    """The requirements in the wheel's metadata."""
    folder = f"{'-'.join(wheel.name.split('-')[:2])}.dist-info/"
    return PathDistribution(ZipPath(wheel, folder)).requires or []


def _installed_requires(name: str) -> list[str]:
    """The requirements of an installed package; empty for one that only another Python needs."""
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []
