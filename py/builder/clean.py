"""`build.py clean`: removes what was made, and nothing else: no link, and no folder that was not made here."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from builder import ROOT

MADE: Final[Mapping[str, str]] = {
    ".venv": "stamps",
    "node_modules": ".package-lock.json",
    "dist": "manifest.json",
    "build": "lock",
    "test-results": "",
    ".mypy_cache": "CACHEDIR.TAG",
    ".ruff_cache": "CACHEDIR.TAG",
    ".pytest_cache": "CACHEDIR.TAG",
    ".hypothesis": "",
}
"""Folders that commands and tools make, and what stands in each that was made whole or in part, if anything does."""
DATA: Final = "var"
BESIDE_SOURCES: Final = ("__pycache__", "_kernel.so", "_index.so", "*.egg-info")


def clean(*, everything: bool) -> None:
    """Removes what the commands made and what tools left; `everything` also means the cases and keys in `var/`."""
    for name, mark in {**MADE, **({DATA: ""} if everything else {})}.items():
        _remove(ROOT / name, mark)
    for pattern in BESIDE_SOURCES:
        for folder in ("py", "tests"):
            for path in list((ROOT / folder).rglob(pattern)):
                if not path.is_symlink():
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
    if not everything and (ROOT / DATA).exists():
        print(f"kept {DATA}/, which holds cases and keys (--all removes it)")


def _remove(path: Path, mark: str) -> None:
    """Removes a folder that was made here, says so, and says why another one stays."""
    if path.is_symlink():
        print(f"kept {path.name}, which is a link to {path.readlink()}: remove it yourself")
    elif path.exists() and not (path / mark).exists():
        print(f"kept {path.name}/, which build.py did not make (it has no {mark}): remove it yourself")
    elif path.exists():
        shutil.rmtree(path)
        print(f"removed {path.name}/")
