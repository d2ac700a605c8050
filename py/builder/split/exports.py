"""What CPython and Pyodide's JavaScript have for each other: a tenth is used, and the rest is cut.

Of CPython's exports those stay that the JavaScript and the shared libraries use: the others are cut from the module,
and the lines that take them over from Pyodide's `pyodide.asm.mjs`. Of the functions in JavaScript those stay that
CPython and the libraries import: the others are for libraries that are not there, such as SDL, and are not handed over.
"""

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final

from builder import BuildError
from builder.runtime.archives import LOADER, runtime_files
from builder.runtime.pyodide_release import pinned_file
from builder.runtime.zips import read_zip
from builder.setup.cache import Cache
from builder.setup.pins import Pins
from builder.split.binary import parse
from builder.split.profile_file import read_profile
from builder.split.runtime import FIRST_PART, PACKAGES

_TAKES_OVER: Final = re.compile(r"var (?P<names>[\w$,]+);function assignWasmExports\(wasmExports\)\{(?P<lines>[^}]*)\}")
_LINE: Final = re.compile(r'(?P<variables>.*=)wasmExports\["(?P<name>[^"]+)"\]')
_WORD: Final = re.compile(r"[\w$]+")
_HANDED_OVER: Final = re.compile(r"\bwasmImports=\{(?P<pairs>[\w$:,]+)\}")
_SIGNATURE: Final = re.compile(r'(?<![\w$.])(?P<function>[\w$]+)\.sig="[^"]*";')
"""What side modules are told of a function: nobody asks for that of one that is not handed over."""
LIBRARIES: Final = (PACKAGES, "phash.zip")


def needed_exports(wasm: bytes, scripts: Iterable[str], archives: Iterable[bytes]) -> list[str]:
    """The exports of CPython that its `scripts` name, or that a library in one of the `archives` imports.

    Emscripten gives an export a variable whose name begins with `_`. What CPython itself imports stays too: some of
    that are addresses of its own exports.
    """
    words = {word for script in scripts for word in _WORD.findall(_TAKES_OVER.sub("", script))}
    wanted = imported(wasm, archives)
    exported = [export.name for export in parse(wasm).exports]
    return [name for name in exported if name in wanted or name in words or f"_{name}" in words]


def imported(wasm: bytes, archives: Iterable[bytes]) -> set[str]:
    """The names that CPython and the libraries in `archives` import. Raises `BuildError`."""
    contents = (read_zip(archive).items() for archive in archives)
    libraries = [data for members in contents for name, data in members if name.endswith(".so")]
    return {item.name for data in (wasm, *libraries) for item in parse(data).imports}


def without_imports(script: str, kept: AbstractSet[str]) -> str:
    """Pyodide's JavaScript with only the `kept` functions for CPython. Raises `BuildError` if it is another one."""
    found = _HANDED_OVER.search(script)
    if found is None:
        raise BuildError("pyodide.asm.mjs hands its functions over in another way than this build knows")
    pairs = found["pairs"].split(",")
    needed = [pair for pair in pairs if pair.partition(":")[0] in kept]
    gone = {pair.partition(":")[2] for pair in pairs} - {pair.partition(":")[2] for pair in needed}
    rest = script[: found.start("pairs")] + ",".join(needed) + script[found.end("pairs") :]
    return _SIGNATURE.sub(lambda found: "" if found["function"] in gone else found[0], rest)


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
    files = runtime_files(pins, Cache())
    script = without_exports(pinned_file(pins, LOADER).decode(), read_profile().exports)
    return without_imports(script, imported(files[FIRST_PART], [files[name] for name in LIBRARIES])).encode()
