"""Opens an upload as a seekable binary file, in whatever form the platform has it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, BinaryIO, Final, cast

from takeback.errors import PictureError

MEMORY_BYTES: Final = 8 << 20
"""Size up to which a file that cannot be rewound is copied into memory; a larger one into an unnamed temporary file."""


@contextmanager
def opened(upload: bytes | str | Path | IO[bytes]) -> Iterator[BinaryIO]:
    """Yields the upload as a seekable file. Raises `PictureError` if it cannot be read.

    A file of the caller's stays open. A seekable one is put back to its position; another one is read to its end.
    """
    try:
        if isinstance(upload, bytes):
            yield BytesIO(upload)
        elif isinstance(upload, str | Path):
            with _existing(Path(upload)).open("rb") as file:
                yield file
        else:
            with _rewindable(upload) as stream:
                yield stream
    except OSError as error:
        raise PictureError(f"cannot be read: {error.strerror or type(error).__name__}") from error


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise PictureError("is not a file" if path.exists() else "does not exist")
    return path


@contextmanager
def _rewindable(file: IO[bytes]) -> Iterator[BinaryIO]:
    """Yields the caller's file, or a copy of what is left of it if it cannot be rewound."""
    if file.closed:
        raise PictureError("is closed: pass an open file")
    # `read(0)` tells a binary file from one for text, and takes nothing from a stream.
    if not isinstance(cast("object", file.read(0)), bytes):
        raise PictureError("is open as text: open it in binary mode")
    if not file.seekable():
        with SpooledTemporaryFile[bytes](MEMORY_BYTES) as copy:
            shutil.copyfileobj(file, copy)
            yield cast("BinaryIO", copy)
        return
    position = file.tell()
    try:
        yield cast("BinaryIO", file)
    finally:
        file.seek(position)
