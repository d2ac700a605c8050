"""Exact hashes of a file's bytes: they match the identical file and nothing else."""

import hashlib
from typing import BinaryIO, Final

from takeback.signals import Signal, SignalType

CHUNK_BYTES: Final = 1 << 20
"""Bytes read at a time, so that memory use does not depend on the file's size."""


def exact_signals(data: bytes) -> tuple[Signal, Signal]:
    """Returns SHA-256 and MD5 of `data`. MD5 is there for platforms whose older lists hold nothing else."""
    # OpenSSL in FIPS mode refuses MD5 unless it is marked as not used for security.
    return _signals(hashlib.sha256(data), hashlib.md5(data, usedforsecurity=False))


def exact_signals_of(file: BinaryIO) -> tuple[Signal, Signal]:
    """Returns SHA-256 and MD5 of the rest of an open file, read in chunks."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    while chunk := file.read(CHUNK_BYTES):
        sha256.update(chunk)
        md5.update(chunk)
    return _signals(sha256, md5)


def _signals(sha256: "hashlib._Hash", md5: "hashlib._Hash") -> tuple[Signal, Signal]:
    return Signal(SignalType.SHA256, sha256.hexdigest()), Signal(SignalType.MD5, md5.hexdigest())
