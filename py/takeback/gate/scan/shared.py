"""The list on a node of a cluster: unpacked once, shared by the node's workers, removed when the last one has ended.

Each worker holds a shared lock on the folder for as long as it runs. A keeper process (`keeper.py`) waits until all
locks are released, however the workers ended, and removes the folder.
"""

import fcntl
import io
import os
import shutil
import subprocess
import sys
import tarfile
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from typing import Final

from takeback.errors import SettingsError

_KEEPER: Final = Path(__file__).with_name("keeper.py")
_locks: Final[list[int]] = []
"""File descriptors of the locks, held until the process ends."""


def unpack(packed: bytes | memoryview) -> Path:
    """Returns the folder of a packed snapshot on this machine; the first worker unpacks it.

    Raises `SettingsError` if the folder cannot be used or belongs to another user.
    """
    folder = Path(gettempdir(), f"takeback-scan-{os.getuid()}-{sha256(packed).hexdigest()[:24]}")
    while not _hold(folder):
        _make(folder, packed)
    return folder


def _hold(folder: Path) -> bool:
    """Locks the folder against removal; returns False if it does not exist."""
    try:
        # O_NOFOLLOW and the owner: anybody on the machine may make a folder, or a link, of this name.
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise SettingsError(f"{folder} cannot be used: remove it") from error
    if os.fstat(lock).st_uid != os.getuid():
        os.close(lock)
        raise SettingsError(f"{folder} belongs to another user: remove it")
    fcntl.flock(lock, fcntl.LOCK_SH)
    if folder.exists() and os.path.samestat(os.fstat(lock), folder.stat()):
        _locks.append(lock)
        return True
    os.close(lock)  # its keeper removed the folder between opening and locking
    return False


def _make(folder: Path, packed: bytes | memoryview) -> None:
    """Unpacks the folder, unless another worker was first."""
    draft = Path(mkdtemp(prefix="takeback-scan-"))
    lock = os.open(draft, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
        # The lock is held by now; a keeper that found none would remove the folder at once.
        command = [sys.executable, "-I", str(_KEEPER), str(draft), str(folder)]
        quiet = subprocess.DEVNULL
        subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, check=True)  # noqa: S603 - our own file
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(draft, filter="data")
        draft.replace(folder)
    except OSError:
        # If another worker was first, the rename fails, as its folder is not empty.
        shutil.rmtree(draft)
        if not folder.exists():
            raise
    else:
        # Before the draft's own lock is released, or the keeper could remove the folder in between.
        _hold(folder)
    finally:
        os.close(lock)
