"""What `build.py` does, one module for each of its parts; see `builder.commands` for the list of commands.

`environment` and what it imports run on the standard library alone, because they make `.venv`; the rest runs in it.
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
"""What is made on the way and may be thrown away."""


class BuildError(Exception):
    """What stops a command of `build.py`. The text is one line that says what happened and what to do."""


def cache_folder() -> Path:
    """Where downloads are kept for every clone of the project, made if need be. Raises `BuildError`."""
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
        text = f"the cache folder {folder} cannot be made ({error.strerror}); set XDG_CACHE_HOME to a folder of yours"
        raise BuildError(text) from error
    return folder
