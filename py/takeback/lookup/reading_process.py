"""The program that hashes one file: it reads the file from standard input and writes what it found as JSON."""

import json
import os
import sys
from contextlib import suppress
from typing import Final

from takeback.errors import PictureError
from takeback.hashing import hash_picture
from takeback.hashing.kernel import DIHEDRALS, Thumbnail, hash_region
from takeback.hashing.patches import asked_patches
from takeback.hashing.views import MIN_SIDE_PIXELS, has_detail, region_of, trimmed
from takeback.signals import SignalType, Variant

_MIRRORED: Final = DIHEDRALS.index("flipy")
_MIN_CUT: Final = 0.98
"""Share of both sides beyond which what stands on a plain ground is nearly the whole, which is asked about anyway."""


def main(memory: int, seconds: int) -> None:
    """Hashes the file on standard input. `memory` is in bytes beyond what is loaded, `seconds` of processor time."""
    data = sys.stdin.buffer.read()
    out = os.fdopen(os.dup(1), "wb")
    # A decoder that prints must not disturb the answer.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _limit(memory + len(data), seconds)
    try:
        answer = _hashed(data)
    except PictureError as error:
        is_full = isinstance(error.__cause__, MemoryError)
        answer = {"code": "over-budget" if is_full else error.code, "text": str(error)[:300]}
    except MemoryError:
        answer = {"code": "over-budget", "text": "the file needs too much memory"}
    out.write(json.dumps(answer).encode())
    out.flush()
    os._exit(0)  # a decoder's threads may hold up an orderly end


def _hashed(data: bytes) -> dict[str, object]:
    hashed = hash_picture(data, look_ups=True)
    shown = (SignalType.PDQ, SignalType.VPDQ)
    signals = [[one.type, one.value, one.quality, one.variant] for one in hashed.signals if one.type in shown]
    return {
        "signals": [*signals, *_content(hashed.thumbnail)],
        "dihedral": hashed.dihedral,
        "patches": [(one.hash, one.turn, one.spot) for one in asked_patches(hashed.thumbnail)],
    }


def _content(thumbnail: Thumbnail) -> list[list[object]]:
    """PDQ of what stands on a plain ground, such as the picture in a screenshot, upright and mirrored."""
    if min(thumbnail.width, thumbnail.height) < MIN_SIDE_PIXELS:
        return []
    left, top, right, bottom = trimmed(thumbnail)
    if right - left > _MIN_CUT and bottom - top > _MIN_CUT:
        return []
    result = hash_region(thumbnail, region_of(thumbnail, (left, top, right, bottom)))
    if not has_detail(result):
        return []
    forms = dict.fromkeys((result.dihedral[0], result.dihedral[_MIRRORED]))
    return [[SignalType.PDQ, value, result.quality, Variant.TRIMMED] for value in forms]


def _limit(memory: int, seconds: int) -> None:
    """Limits memory and processor time, and forbids writes to files, where the system can."""
    if sys.platform == "win32":
        return
    import resource

    with suppress(OSError, ValueError):
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - pathlib is not needed otherwise
            loaded = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (loaded + memory, loaded + memory))
    for kind, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        with suppress(OSError, ValueError):
            resource.setrlimit(kind, (most, most))
