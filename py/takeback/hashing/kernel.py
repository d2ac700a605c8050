"""The one door to the compiled kernel: PDQ (kernel.c), and the slow half of phash (lanczos.c), of rows of pixels.

`_kernel.so` lies beside this file; in CPython it is the machine's own code, in Pyodide a WebAssembly side module.
"""

import ctypes
import os.path
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MAX_SIDE: Final = 65_535
"""Pixels of a side. What a JPEG can hold; it bounds the kernel's memory at about 10 MB, whatever the shape."""
PLANE_SIDE: Final = 512
"""Pixels of the longer side of a reduced picture at most."""
CHANNELS: Final = {"L": 1, "RGB": 3, "RGBX": 4}
"""Bytes of a pixel in the layouts that the kernel reads: luma; red, green, blue; the same and a byte to skip."""
COLUMNS: Final = 32
"""To which phash's rows are resized."""
DIHEDRALS: Final = ("orig", "rot90", "rot180", "rot270", "flipx", "flipy", "flipp", "flipm")
"""The order of the eight turned and mirrored hashes, in the words of pdqhash and threatexchange."""


class _Result(ctypes.Structure):
    """`struct pdq_result` of kernel.c."""

    _fields_ = (
        ("quality", ctypes.c_int32),
        ("coefficients", ctypes.c_float * 256),
        ("hash", ctypes.c_uint8 * 32),
        ("dihedral", (ctypes.c_uint8 * 32) * 8),
        ("detail", ctypes.c_int32),
    )


@dataclass(frozen=True, slots=True)
class KernelResult:
    """What the kernel found: hashes in hex, `quality` from 0 to 100, the 16 x 16 `coefficients` row by row.

    `detail` is how many of the 64 x 64 samples in a hundred no lines along the sides explain: they are more than 8 grey
    levels off what the medians of their row and their column say.
    """

    hash: str
    quality: int
    dihedral: tuple[str, ...]
    coefficients: tuple[float, ...]
    detail: int


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture reduced to at most 512 pixels a side: `pixels` are luma, a byte each, rows from the top down.

    The picture itself is `across` x `down` of these pixels: the last column and row may stand for less than a whole.
    """

    width: int
    height: int
    pixels: bytes
    across: float
    down: float


type Parallelogram = tuple[float, float, float, float, float, float]
"""A part of a plane: its corner, the way along its upper side, the way down its left side; x and y in pixels."""


def _load() -> ctypes.CDLL:
    """The compiled kernel with its signatures. Raises `ImportError` when it was not built."""
    path = os.path.join(os.path.dirname(__file__), "_kernel.so")  # noqa: PTH118, PTH120 - pathlib loads too slowly in browsers
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(f"the compiled kernel is missing or does not fit this machine: build {path}") from error
    library.pdq_size.argtypes = (ctypes.c_int, ctypes.c_int)
    library.pdq_size.restype = ctypes.c_size_t
    library.pdq_begin.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_int)
    library.pdq_begin.restype = None
    library.pdq_push.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t)
    library.pdq_push.restype = None
    library.pdq_finish.argtypes = (ctypes.c_void_p, ctypes.POINTER(_Result))
    library.pdq_finish.restype = None
    library.pdq_keep_plane.argtypes = (ctypes.c_void_p,)
    library.pdq_keep_plane.restype = None
    library.pdq_plane.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int32))
    library.pdq_plane.restype = None
    library.pdq_view.argtypes = (
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.POINTER(ctypes.c_float),
        ctypes.POINTER(_Result),
    )
    library.pdq_view.restype = None
    library.lanczos_size.argtypes = (ctypes.c_int,)
    library.lanczos_size.restype = ctypes.c_size_t
    library.lanczos_begin.argtypes = (ctypes.c_void_p, ctypes.c_int)
    library.lanczos_begin.restype = None
    library.lanczos_rows.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p)
    library.lanczos_rows.restype = None
    return library


_library: Final = _load()


class PdqStream:
    """PDQ of one picture of `width` x `height` pixels whose rows arrive in pieces, from the top down.

    `layout` is a key of `CHANNELS`; with `keep_plane` the reduced picture is made on the way. Raises `ValueError` for a
    side of 0 or over `MAX_SIDE`, or an unknown layout.
    """

    def __init__(self, width: int, height: int, layout: str, *, keep_plane: bool = False) -> None:
        if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
            raise ValueError(f"a side is 1 to {MAX_SIDE} pixels, not {width} x {height}")
        if layout not in CHANNELS:
            raise ValueError(f"a layout is one of {', '.join(CHANNELS)}")
        self._row = width * CHANNELS[layout]
        self._missing = height
        self._size = width, height
        self._memory = ctypes.create_string_buffer(_library.pdq_size(width, height))
        _library.pdq_begin(self._memory, width, height, CHANNELS[layout])
        if keep_plane:
            _library.pdq_keep_plane(self._memory)

    def push(self, pixels: bytes, stride: int | None = None) -> None:
        """Takes the next whole rows, `stride` bytes apart (without it, as wide as a row is).

        Raises `ValueError` when `pixels` is not whole rows or there are more of them than the picture has.
        """
        stride = self._row if stride is None else stride
        rows, rest = divmod(len(pixels), stride) if stride >= self._row else (0, 1)
        if rest or rows > self._missing:
            raise ValueError("pixels are whole rows, and no more of them than the picture has")
        _library.pdq_push(self._memory, pixels, rows, stride)
        self._missing -= rows

    def finish(self) -> KernelResult:
        """The result, after the last row. Raises `ValueError` while rows are missing."""
        if self._missing:
            raise ValueError(f"{self._missing} rows are missing")
        result = _Result()
        _library.pdq_finish(self._memory, ctypes.byref(result))
        return _read(result)

    def plane(self) -> Thumbnail:
        """The reduced picture, after the last row, if it was kept."""
        pixels = ctypes.create_string_buffer(PLANE_SIDE * PLANE_SIDE)
        size = (ctypes.c_int32 * 2)()
        _library.pdq_plane(self._memory, pixels, size)
        factor = -(-max(self._size) // PLANE_SIDE)
        return Thumbnail(
            size[0], size[1], pixels.raw[: size[0] * size[1]], self._size[0] / factor, self._size[1] / factor
        )


def hash_view(plane: Thumbnail, frame: Parallelogram) -> KernelResult:
    """PDQ of a part of a reduced picture, however it lies; what lies outside goes on as the edge."""
    result = _Result()
    _library.pdq_view(plane.pixels, plane.width, plane.height, (ctypes.c_float * 6)(*frame), ctypes.byref(result))
    return _read(result)


def resize_rows(strips: Iterable[bytes], width: int) -> bytes:
    """Rows of luma, `width` bytes each, resized to `COLUMNS` bytes each: what Pillow makes by Lanczos, to the bit."""
    memory = ctypes.create_string_buffer(_library.lanczos_size(width))
    _library.lanczos_begin(memory, width)
    resized = []
    for strip in strips:
        rows = len(strip) // width
        out = ctypes.create_string_buffer(rows * COLUMNS)
        _library.lanczos_rows(memory, strip, rows, out)
        resized.append(out.raw)
    return b"".join(resized)


def _read(result: _Result) -> KernelResult:
    return KernelResult(
        bytes(result.hash).hex(),
        result.quality,
        tuple(bytes(turned).hex() for turned in result.dihedral),
        tuple(result.coefficients),
        result.detail,
    )
