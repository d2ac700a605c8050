"""The cache of results that took long to download or compute, shared by all clones of the project."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from builder import cache_folder


def sha256(data: bytes) -> str:
    """Returns the sha256 of `data` in hex."""
    return hashlib.sha256(data).hexdigest()


def write_atomically(path: Path, data: bytes) -> None:
    """Writes `data` to `path`; a reader sees either the old or the complete new file. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder, because a rename is atomic only within one file system.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        # mkstemp makes files that only their owner can read, and those in `dist/` are served.
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    # Ctrl-C must not leave the temporary file behind either.
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


class Cache:
    """Bytes by key. Each entry starts with its sha256, checked at each read; a damaged entry counts as absent."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or cache_folder()

    def read(self, key: str) -> bytes | None:
        """Returns the bytes stored under `key`, or `None`."""
        try:
            entry = (self.folder / key).read_bytes()
        except OSError:
            return None
        digest, data = entry[:32], entry[32:]
        return data if hashlib.sha256(data).digest() == digest else None

    def write(self, key: str, data: bytes) -> None:
        """Stores `data` under `key`. Errors are ignored, because a cache miss only costs time."""
        try:
            write_atomically(self.folder / key, hashlib.sha256(data).digest() + data)
        except OSError:
            return

    def get_or_make(self, key: str, make: Callable[[], bytes]) -> bytes:
        """Returns the bytes stored under `key`; if there are none, makes and stores them first."""
        data = self.read(key)
        if data is None:
            data = make()
            self.write(key, data)
        return data
