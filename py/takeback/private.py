"""Files that their owner alone may read: made so from the first byte, refused otherwise, kept through a power cut."""

import os
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Final

from takeback.errors import SettingsError

_OTHERS: Final = 0o077
"""What the group and everybody else may do."""


def make_private(path: Path) -> None:
    """Makes an empty file where there is none. What SQLite puts beside a database (-wal, -shm) is as private as it.

    Raises `OSError`.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def check_private(*paths: Path) -> None:
    """Raises `SettingsError`, which says what to run, if others may use one of those paths that are there."""
    if os.name != "posix":
        return
    are_open = [shlex.quote(os.fspath(path)) for path in paths if path.exists() and path.stat().st_mode & _OTHERS]
    if are_open:
        raise SettingsError(f"others may read {are_open[0]}; run: chmod go-rwx {' '.join(are_open)}")


def sync_folder(folder: Path) -> None:
    """Makes the names of the files in a folder outlive a power cut."""
    if os.name == "posix":
        held = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(held)
        finally:
            os.close(held)
