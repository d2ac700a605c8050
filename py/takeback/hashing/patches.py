"""Local hashes: 64 bits of each of some patches of a picture, by which parts of it are found again.

patches.c computes them from the thumbnail, and PROTOCOL.md specifies them ("The local hashes of a picture").
"""

import ctypes
from typing import Final, NamedTuple

from takeback.hashing.kernel import Thumbnail, library
from takeback.signals import MAX_PATCHES, PATCH_DIGITS

MAX_ASKED: Final = 1400
"""Patches that are looked up for one picture at most: 4 of each of 100 blobs, and 20 more of each of 50."""


class AskedPatch(NamedTuple):
    """A patch of an upload to look up: its canonical hash as an integer, and where and how it was computed.

    `spot` numbers the place in the upload. `turn` numbers the form in which the upload was hashed: 0 as it is, 1 to 4
    turned by 7, -7, 14 and -14 degrees, 5 mirrored along the diagonal. `form` is how the hash was changed to make it
    canonical: the sum of 1 for inverted, 2 for mirrored and 4 for upside down.
    """

    hash: int
    spot: int
    turn: int
    form: int


class _Asked(ctypes.Structure):
    """`struct asked_patch` of patches.c."""

    _fields_ = (("hash", ctypes.c_uint64), ("spot", ctypes.c_int32), ("pose", ctypes.c_int32))


def sent_patches(thumbnail: Thumbnail) -> list[str]:
    """Returns the hashes that a person sends, the most telling first; none of a plain picture."""
    hashes = (ctypes.c_uint64 * MAX_PATCHES)()
    found = library.patches_sent(
        _memory(thumbnail), thumbnail.pixels, thumbnail.width, thumbnail.height, None, 0, ctypes.byref(hashes)
    )
    return [f"{code:0{PATCH_DIGITS}x}" for code in hashes[:found]]


def asked_patches(thumbnail: Thumbnail) -> list[AskedPatch]:
    """Returns the patches of an upload to look up, at most `MAX_ASKED`."""
    asked = (_Asked * MAX_ASKED)()
    found = library.patches_asked(
        _memory(thumbnail), thumbnail.pixels, thumbnail.width, thumbnail.height, ctypes.byref(asked)
    )
    return [AskedPatch(one.hash, one.spot, one.pose >> 3, one.pose & 7) for one in asked[:found]]


def _memory(thumbnail: Thumbnail) -> ctypes.Array[ctypes.c_char]:
    return ctypes.create_string_buffer(library.patches_size(thumbnail.width, thumbnail.height))
