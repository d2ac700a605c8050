"""Exact hashes of a file's bytes: they match the very same file and nothing else."""

import hashlib
from typing import BinaryIO, Final

from takeback.signals import Signal, SignalType

PIECE: Final = 1 << 20
"""Bytes read at a time, so that a file of any size takes no memory."""


def exact_signals(data: bytes) -> tuple[Signal, Signal]:
    """SHA-256 and MD5 of `data`. MD5 is there because platforms' older lists hold nothing else; it protects nothing."""
    return _signals(hashlib.sha256(data), hashlib.md5(data, usedforsecurity=False))


def exact_signals_of(file: BinaryIO) -> tuple[Signal, Signal]:
    """The same of the rest of an open file, read piece by piece."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    while piece := file.read(PIECE):
        sha256.update(piece)
        md5.update(piece)
    return _signals(sha256, md5)


def _signals(sha256: "hashlib._Hash", md5: "hashlib._Hash") -> tuple[Signal, Signal]:
    return Signal(SignalType.SHA256, sha256.hexdigest()), Signal(SignalType.MD5, md5.hexdigest())
