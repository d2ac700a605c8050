"""Compresses every served file in advance, so that the server never compresses."""

import gzip
from typing import Final

import brotli

from builder.setup.cache import Cache, sha256
from builder.steps import step

BROTLI_WINDOW_BITS: Final = 24
"""16 MB, the largest window that every browser supports: it spans all of CPython."""
_BIG: Final = 1_000_000


def compressed(path: str, data: bytes, cache: Cache) -> dict[str, bytes]:
    """Returns `data` as brotli and gzip, by file suffix; the output is reproducible."""
    digest = sha256(data)

    def with_brotli() -> bytes:
        if len(data) < _BIG:
            return bytes(brotli.compress(data, quality=11, lgwin=BROTLI_WINDOW_BITS))
        with step(f"compressing {path}"):
            return bytes(brotli.compress(data, quality=11, lgwin=BROTLI_WINDOW_BITS))

    return {
        ".br": cache.get_or_make(f"compressed/{digest}-{brotli.__version__}.br", with_brotli),
        ".gz": cache.get_or_make(f"compressed/{digest}.gz", lambda: gzip.compress(data, 9, mtime=0)),
    }
