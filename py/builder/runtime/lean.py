"""Takes from bytecode what only a traceback would show: line numbers and file names, a third of its compressed size.

`py_compile.mjs` runs it in Pyodide's own CPython, because bytecode is read and written by its own version.
"""

import marshal
from pathlib import Path
from types import CodeType
from typing import Final

from builder.runtime.zips import read_zip, stored_zip

HEADER_BYTES: Final = 16
"""What stands before the code in a `.pyc` file (PEP 552): version, flags, hash of the source."""


def strip_archive(path: str) -> None:
    """Rewrites the zip or wheel at `path`."""
    archive = Path(path)
    members = read_zip(archive.read_bytes())
    lean = {name: _strip_file(data) if name.endswith(".pyc") else data for name, data in members.items()}
    archive.write_bytes(stored_zip(lean))


def _strip_file(data: bytes) -> bytes:
    code = marshal.loads(data[HEADER_BYTES:])  # noqa: S302 - the build has just compiled it
    return data[:HEADER_BYTES] + marshal.dumps(_strip(code))


def _strip(code: CodeType) -> CodeType:
    """Returns `code`, and all code within it, without lines and file names. What it does stays the same."""
    constants = tuple(_strip(value) if isinstance(value, CodeType) else value for value in code.co_consts)
    return code.replace(co_linetable=b"", co_firstlineno=0, co_filename="", co_consts=constants)
