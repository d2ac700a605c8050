"""`build.py clean`: removes what `build.py` made and nothing else: no link, and no folder made by somebody else."""

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
"""Folders made by commands and tools, each with a file that shows that it was made here, if there is one."""
DATA: Final = "var"
BESIDE_SOURCES: Final = ("__pycache__", "_kernel.so", "_index.so", "takeback-kernel.wasm", "*.egg-info")


def clean(*, everything: bool) -> None:
    """Removes what commands made and tools left; `everything` includes the cases and keys in `var/`."""
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
    """Removes a folder that was made here and says so, or says why another one is kept."""
    if path.is_symlink():
        print(f"kept {path.name}, which is a link to {path.readlink()}: remove it yourself")
    elif path.exists() and not (path / mark).exists():
        print(f"kept {path.name}/, which build.py did not make (it has no {mark}): remove it yourself")
    elif path.exists():
        shutil.rmtree(path)
        print(f"removed {path.name}/")
