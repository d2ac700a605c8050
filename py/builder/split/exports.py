"""What CPython exports to others: Pyodide's JavaScript and the shared libraries use a tenth of it, and the rest is cut.

The names are cut from the module, and the lines that take them over from Pyodide's `pyodide.asm.mjs`.
"""

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final

from builder import BuildError
from builder.runtime.archives import LOADER
from builder.runtime.pyodide_release import pinned_file
from builder.runtime.zips import read_zip
from builder.setup.pins import Pins
from builder.split.binary import parse
from builder.split.profile_file import read_profile

_TAKES_OVER: Final = re.compile(r"var (?P<names>[\w$,]+);function assignWasmExports\(wasmExports\)\{(?P<lines>[^}]*)\}")
_LINE: Final = re.compile(r'(?P<variables>.*=)wasmExports\["(?P<name>[^"]+)"\]')
_WORD: Final = re.compile(r"[\w$]+")


def needed_exports(wasm: bytes, scripts: Iterable[str], archives: Iterable[bytes]) -> list[str]:
    """The exports of CPython that its `scripts` name, or that a library in one of the `archives` imports.

    Emscripten gives an export a variable whose name begins with `_`. What CPython itself imports stays too: some of
    that are addresses of its own exports.
    """
    module = parse(wasm)
    words = {word for script in scripts for word in _WORD.findall(_TAKES_OVER.sub("", script))}
    wanted = {item.name for item in module.imports}
    for archive in archives:
        for name, data in read_zip(archive).items():
            if name.endswith(".so"):
                wanted |= {item.name for item in parse(data).imports}
    exported = [export.name for export in module.exports]
    return [name for name in exported if name in wanted or name in words or f"_{name}" in words]


def without_exports(script: str, kept: AbstractSet[str]) -> str:
    """Pyodide's JavaScript with only the `kept` exports. Raises `BuildError` if it does not look as expected."""
    found = _TAKES_OVER.search(script)
    if found is None:
        raise BuildError("pyodide.asm.mjs takes over its exports in another way than this build knows")
    lines, dropped = [], set()
    for line in found["lines"].split(";"):
        match = _LINE.match(line)
        if match is None or match["name"] in kept:
            lines.append(line)
        else:
            dropped.update(re.findall(r"(?:^|=)([\w$]+)(?==)", match["variables"]))
    names = [name for name in found["names"].split(",") if name not in dropped]
    taken_over = f"var {','.join(names)};function assignWasmExports(wasmExports){{{';'.join(lines)}}}"
    return script[: found.start()] + taken_over + script[found.end() :]


def lean_loader(pins: Pins) -> bytes:
    """Pyodide's JavaScript for the first part of CPython. Raises `BuildError`."""
    return without_exports(pinned_file(pins, LOADER).decode(), read_profile().exports).encode()
