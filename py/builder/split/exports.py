"""What CPython exports and imports: Pyodide's JavaScript and the shared libraries use a tenth of its exports."""

import re
from collections.abc import Iterable
from typing import Final

from builder.runtime.zips import read_zip
from builder.split.binary import parse

TAKES_OVER: Final = re.compile(r"var (?P<names>[\w$,]+);function assignWasmExports\(wasmExports\)\{(?P<lines>[^}]*)\}")
WORD: Final = re.compile(r"[\w$]+")


def needed_exports(wasm: bytes, scripts: Iterable[str], archives: Iterable[bytes]) -> list[str]:
    """The exports of CPython that its `scripts` name, or that a library in one of the `archives` imports.

    Emscripten gives an export a variable whose name begins with `_`. What CPython itself imports stays too: some of
    that are addresses of its own exports.
    """
    words = {word for script in scripts for word in WORD.findall(TAKES_OVER.sub("", script))}
    wanted = imported(wasm, archives)
    exported = [export.name for export in parse(wasm).exports]
    return [name for name in exported if name in wanted or name in words or f"_{name}" in words]


def imported(wasm: bytes, archives: Iterable[bytes]) -> set[str]:
    """The names that CPython and the libraries in `archives` import. Raises `BuildError`."""
    contents = (read_zip(archive).items() for archive in archives)
    libraries = [data for members in contents for name, data in members if name.endswith(".so")]
    return {item.name for data in (wasm, *libraries) for item in parse(data).imports}
