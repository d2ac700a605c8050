"""The interface to the compiled kernel: PDQ (kernel.c) and the slow half of phash (lanczos.c), over rows of pixels.

The same library holds the local hashes, whose interface is `patches.py`.

`_kernel.so` beside this file is native code in CPython and a WebAssembly side module in Pyodide.
"""

import ctypes
import os.path
from collections.abc import Iterable
from typing import Final, NamedTuple

MAX_SIDE_PIXELS: Final = 65_535
"""Pixels of a side, the most a JPEG can have; it bounds the kernel's memory at about 10 MB for any shape."""
THUMBNAIL_SIDE_PIXELS: Final = 512
"""Pixels of the longer side at most of the thumbnail from which a person's client hashes regions."""
UPLOAD_SIDE_PIXELS: Final = 640
"""The same at a gate: small parts of a tall screenshot are found again only in a finer thumbnail."""
CHANNELS: Final = {"L": 1, "RGB": 3, "RGBX": 4}
"""Bytes per pixel of the layouts that the kernel reads: luma; red, green, blue; the same and a byte to skip."""
COLUMNS: Final = 32
"""Columns that phash's rows are resized to."""
DIHEDRALS: Final = ("orig", "rot90", "rot180", "rot270", "flipx", "flipy", "flipp", "flipm")
"""The order of the eight rotations and reflections, named as in pdqhash and threatexchange."""


class _Result(ctypes.Structure):
    """`struct pdq_result` of kernel.c."""

    _fields_ = (
        ("quality", ctypes.c_int32),
        ("coefficients", ctypes.c_float * 256),
        ("hash", ctypes.c_uint8 * 32),
        ("dihedral", (ctypes.c_uint8 * 32) * 8),
        ("detail", ctypes.c_int32),
    )


class KernelResult(NamedTuple):
    """The kernel's result: hashes in hex, `quality` from 0 to 100, and the 16 x 16 `coefficients` row by row.

    `detail` is the percentage of the 64 x 64 samples that straight lines along the sides do not explain: they differ by
    more than 8 grey levels from what the medians of their row and column predict.
    """

    hash: str
    quality: int
    dihedral: tuple[str, ...]
    coefficients: tuple[float, ...]
    detail: int


class Thumbnail(NamedTuple):
    """A picture reduced to at most 512 pixels a side, at a gate 640.

    `pixels` are luma, one byte each, rows from the top down.

    `across` x `down` is the exact size of the picture in these pixels: the last column and row may cover less than a
    whole pixel.
    """

    width: int
    height: int
    pixels: bytes
    across: float
    down: float


type Parallelogram = tuple[float, float, float, float, float, float]
"""A region of a thumbnail: corner, vector along its top side, vector down its left side; x and y in pixels."""


def _load() -> ctypes.CDLL:
    """Loads the compiled kernel and declares its signatures. Raises `ImportError` if it was not built."""
    path = os.path.join(os.path.dirname(__file__), "_kernel.so")  # noqa: PTH118, PTH120 - pathlib loads too slowly in browsers
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(f"the compiled kernel is missing or does not fit this machine: build {path}") from error
    # Results are declared even where there is none: ctypes assumes an int, and WebAssembly traps if signatures differ.
    library.pdq_size.argtypes = (ctypes.c_int, ctypes.c_int)
    library.pdq_size.restype = ctypes.c_size_t
    library.pdq_begin.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_int)
    library.pdq_begin.restype = None
    library.pdq_push.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t)
    library.pdq_push.restype = None
    library.pdq_finish.argtypes = (ctypes.c_void_p, ctypes.POINTER(_Result))
    library.pdq_finish.restype = None
    library.pdq_keep_plane.argtypes = (ctypes.c_void_p, ctypes.c_int)
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
    library.patches_size.argtypes = (ctypes.c_int, ctypes.c_int)
    library.patches_size.restype = ctypes.c_size_t
    library.patches_sent.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
    library.patches_sent.restype = ctypes.c_int
    library.patches_asked.argtypes = (
        *(ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int),
        *(ctypes.c_int, ctypes.c_void_p),
    )
    library.patches_asked.restype = ctypes.c_int
    return library


library: Final = _load()
"""The compiled kernel; `patches.py` uses it too."""


class PdqStream:
    """Computes PDQ of a picture of `width` x `height` pixels from batches of rows, top to bottom.

    `layout` is a key of `CHANNELS`; `thumbnail_side` is the greatest side of a thumbnail that is made as well, up to
    640, and without it there is none. Raises `ValueError` if a side is 0 or over `MAX_SIDE_PIXELS`, or the layout is
    unknown.
    """

    def __init__(self, width: int, height: int, layout: str, *, thumbnail_side: int = 0) -> None:
        if not (1 <= width <= MAX_SIDE_PIXELS and 1 <= height <= MAX_SIDE_PIXELS):
            raise ValueError(f"a side must have 1 to {MAX_SIDE_PIXELS} pixels, not {width} x {height}")
        if layout not in CHANNELS:
            raise ValueError(f"the layout must be one of {', '.join(CHANNELS)}")
        self._row = width * CHANNELS[layout]
        self._missing = height
        self._size = width, height
        self._memory = ctypes.create_string_buffer(library.pdq_size(width, height))
        library.pdq_begin(self._memory, width, height, CHANNELS[layout])
        self._side = thumbnail_side
        if thumbnail_side:
            library.pdq_keep_plane(self._memory, thumbnail_side)

    def push(self, pixels: bytes, stride: int | None = None) -> None:
        """Adds the next whole rows, `stride` bytes apart; by default rows are contiguous.

        Raises `ValueError` if `pixels` does not consist of whole rows, or has more rows than are missing.
        """
        stride = self._row if stride is None else stride
        rows, rest = divmod(len(pixels), stride) if stride >= self._row else (0, 1)
        # kernel.c checks no bounds: it would write surplus rows past its memory.
        if rest or rows > self._missing:
            raise ValueError("pixels must be whole rows, and no more of them than the picture has")
        library.pdq_push(self._memory, pixels, rows, stride)
        self._missing -= rows

    def finish(self) -> KernelResult:
        """Returns the result, after the last row. Raises `ValueError` while rows are missing."""
        if self._missing:
            raise ValueError(f"{self._missing} rows are missing")
        result = _Result()
        library.pdq_finish(self._memory, ctypes.byref(result))
        return _read(result)

    def thumbnail(self) -> Thumbnail:
        """Returns the thumbnail, after the last row, if `thumbnail_side` was set."""
        pixels = ctypes.create_string_buffer(self._side * self._side)
        size = (ctypes.c_int32 * 2)()
        library.pdq_plane(self._memory, pixels, size)
        # Rounded up, as `factor_of` in kernel.c does.
        factor = -(-max(self._size) // self._side)
        return Thumbnail(
            size[0], size[1], pixels.raw[: size[0] * size[1]], self._size[0] / factor, self._size[1] / factor
        )


def hash_region(thumbnail: Thumbnail, frame: Parallelogram) -> KernelResult:
    """Computes PDQ of any parallelogram in a thumbnail; edge pixels extend beyond the border."""
    result = _Result()
    library.pdq_view(
        thumbnail.pixels, thumbnail.width, thumbnail.height, (ctypes.c_float * 6)(*frame), ctypes.byref(result)
    )
    return _read(result)


def resize_rows(strips: Iterable[bytes], width: int) -> bytes:
    """Resizes rows of luma, `width` bytes each, to `COLUMNS` bytes each, with the same bits as Pillow's Lanczos."""
    memory = ctypes.create_string_buffer(library.lanczos_size(width))
    library.lanczos_begin(memory, width)
    resized = []
    for strip in strips:
        rows = len(strip) // width
        out = ctypes.create_string_buffer(rows * COLUMNS)
        library.lanczos_rows(memory, strip, rows, out)
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
