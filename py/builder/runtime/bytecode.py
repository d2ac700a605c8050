"""Compiles Python for the browser: runs pyodide-build's `pyodide py-compile` in Pyodide's own CPython under Node.

The command compiles for the interpreter that runs it, so no CPython of that version has to be installed.
"""

import tempfile
from importlib import metadata
from pathlib import Path
from typing import Final

import pyodide_build

from builder import ROOT
from builder.runtime.pyodide_release import PYODIDE, pinned_file, run_node
from builder.setup.cache import Cache, sha256
from builder.setup.pins import Pins
from builder.steps import step

_SCRIPT: Final = Path(__file__).with_name("py_compile.mjs")
_LEAN: Final = Path(__file__).with_name("lean.py")


def compile_archives(pins: Pins, archives: dict[str, bytes], cache: Cache, *, lines: bool = False) -> dict[str, bytes]:
    """Returns the zips and wheels `archives`, by file name, with bytecode in place of sources, cached.

    The bytecode has no line numbers and file names for tracebacks, unless `lines` asks for them. Raises `BuildError` if
    a source does not compile.
    """
    interpreter = pinned_file(pins, "python_stdlib.zip")  # identifies the interpreter's version
    kind = "lines" if lines else "lean"
    scripts = (_SCRIPT.read_bytes(), _LEAN.read_bytes(), kind.encode())
    tools = (interpreter, *scripts, metadata.version("pyodide-build").encode())
    keys = {
        name: f"bytecode/{sha256(''.join(map(sha256, (*tools, name.encode(), data))).encode())}"
        for name, data in archives.items()
    }
    kept = {name: data for name, key in keys.items() if (data := cache.read(key)) is not None}
    missing = {name: data for name, data in archives.items() if name not in kept}
    if missing:
        with step("compiling Python for the browser"):
            made = _py_compile(missing, kind)
        for name, data in made.items():
            cache.write(keys[name], data)
        kept |= made
    return kept


def _py_compile(archives: dict[str, bytes], kind: str) -> dict[str, bytes]:
    """Runs the script on the archives; returns its results under the same names."""
    packages = Path(pyodide_build.__file__).parents[1]
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder, name) for name in archives}
        for name, path in paths.items():
            path.write_bytes(archives[name])
        folders = [str(PYODIDE), str(packages), str(ROOT / "py")]
        run_node([str(_SCRIPT), *folders, kind, folder, *archives])
        return {name: path.read_bytes() for name, path in paths.items()}
