"""`build.py clean`: removes what was made."""

import shutil
from typing import Final

from builder import ROOT

MADE: Final = (".venv", "node_modules", "dist", "build", "test-results")
CACHES: Final = (".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis")
BESIDE_SOURCES: Final = ("__pycache__", "_kernel.so", "_index.so", "*.egg-info")


def clean(*, everything: bool) -> None:
    """Removes what the commands made and what tools left; `everything` also means the cases and keys in `var/`."""
    for name in (*MADE, *CACHES, *(["var"] if everything else [])):
        if (ROOT / name).exists():
            shutil.rmtree(ROOT / name)
            print(f"removed {name}/")
    for pattern in BESIDE_SOURCES:
        for folder in ("py", "tests"):
            for path in list((ROOT / folder).rglob(pattern)):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    if not everything and (ROOT / "var").exists():
        print("kept var/, which holds cases and keys (--all removes it)")
