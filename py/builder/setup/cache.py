"""The folder where the build keeps what took long to fetch or to make, shared between clones of the project."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from builder import cache_folder


def sha256(data: bytes) -> str:
    """The sha256 of `data` in hex."""
    return hashlib.sha256(data).hexdigest()


def write_atomically(path: Path, data: bytes) -> None:
    """Writes `data` to `path`, so that a reader sees the old file or the whole new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


class Cache:
    """Bytes by key. Every entry carries its own sha256, checked at each read; a damaged one counts as absent."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or cache_folder()

    def read(self, key: str) -> bytes | None:
        """The bytes kept under `key`, or `None`."""
        try:
            entry = (self.folder / key).read_bytes()
        except OSError:
            return None
        digest, data = entry[:32], entry[32:]
        return data if hashlib.sha256(data).digest() == digest else None

    def write(self, key: str, data: bytes) -> None:
        """Keeps `data` under `key`. A folder that cannot be written to only costs time, so it is no error."""
        try:
            write_atomically(self.folder / key, hashlib.sha256(data).digest() + data)
        except OSError:
            return

    def get_or_make(self, key: str, make: Callable[[], bytes]) -> bytes:
        """The bytes kept under `key`, made and kept first when there are none."""
        data = self.read(key)
        if data is None:
            data = make()
            self.write(key, data)
        return data
