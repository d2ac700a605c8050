"""What `build.py` does, one module per part; `builder.commands` lists the commands.

`setup.environment` and the modules that it imports use only the standard library, because they create `.venv`; the rest
runs inside it.
"""

import os
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
"""The top of the repository."""
DIST: Final = ROOT / "dist"
"""Everything that is served."""
WORK: Final = ROOT / "build"
"""Intermediate files, which may be deleted at any time."""


class BuildError(Exception):
    """Stops a command of `build.py`. The text is one line that says what happened and what to do."""


def cache_folder() -> Path:
    """Returns the folder for downloads, shared by all clones, and creates it if necessary. Raises `BuildError`."""
    if home := os.environ.get("XDG_CACHE_HOME"):
        caches = Path(home)
    elif sys.platform == "win32":
        caches = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        caches = Path.home() / "Library" / "Caches"
    else:
        caches = Path.home() / ".cache"
    folder = caches / "takeback"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        text = f"cannot create the cache folder {folder} ({error.strerror}); set XDG_CACHE_HOME to a writable folder"
        raise BuildError(text) from error
    return folder
