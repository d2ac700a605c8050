"""Local hashes: 64 bits of each of some patches of a picture, by which parts of it are found again.

patches.c computes them from the thumbnail, and PROTOCOL.md specifies them ("The local hashes of a picture").
"""

import ctypes
import threading
from collections.abc import Iterable
from typing import Final, NamedTuple

from takeback.hashing.kernel import Thumbnail, library
from takeback.signals import MAX_PATCHES, PATCH_DIGITS, Signal, SignalType, patches_value

MAX_ASKED: Final = 1800
"""Patches that are looked up for one picture at most: 4 of each of 200 blobs, and 20 more of each of 50."""
TURNS: Final = 6
"""Forms in which an upload is hashed (`AskedPatch.turn`)."""
FORM_BITS: Final = 1 | 1 << 1 | 1 << 8
"""Bits of a hash that say whether its patch was inverted, mirrored and turned upside down."""


class AskedPatch(NamedTuple):
    """A patch of an upload to look up: its hash in hex, and where and how it was computed.

    `spot` numbers the place in the upload; `x` and `y` are its middle and `side` its side in pixels of the thumbnail.
    `turn` numbers the form in which the upload was hashed: 0 as it is, 1 to 4 turned by 7, -7, 14 and -14 degrees, 5
    mirrored along the diagonal. Other forms need no look-up of their own: the hash of a patch that is inverted,
    mirrored or upside down differs in one of the bits of `FORM_BITS`.
    """

    hash: str
    spot: int
    turn: int
    x: int
    y: int
    side: int


class _Asked(ctypes.Structure):
    """`struct asked_patch` of patches.c."""

    _fields_ = (
        ("hash", ctypes.c_uint64),
        *((name, ctypes.c_int32) for name in ("spot", "turn", "x", "y", "side")),
    )


def sent_patches(thumbnail: Thumbnail) -> list[str]:
    """Returns the hashes that a person sends, the most telling first; none of a plain picture."""
    hashes = (ctypes.c_uint64 * MAX_PATCHES)()
    found = library.patches_sent(
        _memory(thumbnail), thumbnail.pixels, thumbnail.width, thumbnail.height, ctypes.byref(hashes)
    )
    return [_hex(code) for code in hashes[:found]]


def patches_signals(thumbnails: Iterable[Thumbnail]) -> list[Signal]:
    """Returns the signal of a picture, or of a video given those of its chosen frames; none if all are too plain."""
    frames = [hashes for thumbnail in thumbnails if (hashes := sent_patches(thumbnail))]
    return [Signal(SignalType.PATCHES, patches_value(frames))] if frames else []


def asked_patches(thumbnail: Thumbnail, *, turned: bool = True) -> list[AskedPatch]:
    """Returns the patches of an upload to look up, at most `MAX_ASKED`; `turned` also in forms other than upright."""
    asked = (_Asked * MAX_ASKED)()
    found = library.patches_asked(
        _memory(thumbnail), thumbnail.pixels, thumbnail.width, thumbnail.height, turned, ctypes.byref(asked)
    )
    return [AskedPatch(_hex(one.hash), one.spot, one.turn, one.x, one.y, one.side) for one in asked[:found]]


def _hex(code: int) -> str:
    return f"{code:0{PATCH_DIGITS}x}"


class _Memory(threading.local):
    """A thread's memory for the kernel: for a thumbnail 13 MB, which would take long to get anew for each."""

    held: ctypes.Array[ctypes.c_char] | None = None


_kept: Final = _Memory()


def _memory(thumbnail: Thumbnail) -> ctypes.Array[ctypes.c_char]:
    size = library.patches_size(thumbnail.width, thumbnail.height)
    if _kept.held is None or len(_kept.held) < size:
        _kept.held = ctypes.create_string_buffer(size)
    return _kept.held
