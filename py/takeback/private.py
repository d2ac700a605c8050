"""Private files: readable by their owner alone from the first byte, refused otherwise, and durable."""

import os
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Final

from takeback.errors import SettingsError

_OTHERS: Final = 0o077
"""Permission bits of the group and of all others."""


def make_private(path: Path) -> None:
    """Creates an empty private file if there is none. SQLite gives -wal and -shm the database's permissions.

    Raises `OSError` if it cannot be created.
    """
    with suppress(FileExistsError):
        # O_EXCL also refuses a link, which somebody else may have put there to redirect the file.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def check_private(*paths: Path) -> None:
    """Raises `SettingsError`, which says what to run, if others may access any of the paths that exist."""
    # Windows has no such permission bits.
    if os.name != "posix":
        return
    are_open = [shlex.quote(os.fspath(path)) for path in paths if path.exists() and path.stat().st_mode & _OTHERS]
    if are_open:
        raise SettingsError(f"others may read {are_open[0]}; run: chmod go-rwx {' '.join(are_open)}")


def sync_folder(folder: Path) -> None:
    """Makes the file names in a folder durable, so that they survive a power failure."""
    # Windows cannot open a folder.
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
