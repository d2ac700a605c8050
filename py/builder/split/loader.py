"""Pyodide's JavaScript for the first part of CPython, without what nothing here calls: half of it.

It takes over CPython's exports, hands it functions, and offers all of its own as properties of `Module`. Those stay
that CPython, the shared libraries and other scripts name; the rest is for libraries that are not there, such as SDL.
"""

import re
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

from builder import ROOT, BuildError
from builder.runtime.archives import LOADER, runtime_files
from builder.runtime.pyodide_release import pinned_file, run_node
from builder.setup.cache import Cache, sha256
from builder.setup.pins import Pins
from builder.split.exports import TAKES_OVER, WORD, imported
from builder.split.profile_file import read_profile
from builder.split.runtime import FIRST_PART, PACKAGES

_LIBRARIES: Final = (PACKAGES, "phash.zip")
_DEAD_CODE: Final = Path(__file__).with_name("dead_code.mjs")
_PACKAGES: Final = ROOT / "package-lock.json"
_GRAPHICS: Final = "emscripten_gl"
"""`web/worker/graphics.js` says that these functions have no address."""
_LINE: Final = re.compile(r'(?P<variables>.*=)wasmExports\["(?P<name>[^"]+)"\]')
_HANDED_OVER: Final = re.compile(r"\bwasmImports=\{(?P<pairs>[\w$:,]+)\}")
_SIGNATURE: Final = re.compile(r'(?<![\w$.])(?P<function>[\w$]+)\.sig="[^"]*";')
"""What side modules are told of a function: nobody asks for that of one that is not handed over."""
_OFFERED: Final = re.compile(r'Module\["(?P<name>[\w$]+)"\]=(?P=name);')
_ASKED_FOR: Final = re.compile(r'\bModule(?:\?\.|\.|\[")([\w$]+)')
_EVAL: Final = re.compile(r"(?<![\w$.])eval\(")


def lean_loader(pins: Pins) -> bytes:
    """Pyodide's JavaScript for the first part of CPython. Raises `BuildError`."""
    cache = Cache()
    files = runtime_files(pins, cache)
    script = without_exports(pinned_file(pins, LOADER).decode(), read_profile().exports)
    named = imported(files[FIRST_PART], [files[name] for name in _LIBRARIES])
    script = without_imports(script, {name for name in named if not name.startswith(_GRAPHICS)})
    worker = sorted((ROOT / "web" / "worker").glob("*.js"))
    others = [pinned_file(pins, "pyodide.mjs").decode(), *(path.read_text("utf-8") for path in worker)]
    script = without_offers(script, {word for other in others for word in WORD.findall(other)})
    makers = (script.encode(), _DEAD_CODE.read_bytes(), _PACKAGES.read_bytes())
    key = sha256("".join(map(sha256, makers)).encode())
    return cache.get_or_make(f"loader/{key}.mjs", lambda: without_dead_code(script).encode())


def without_exports(script: str, kept: AbstractSet[str]) -> str:
    """Pyodide's JavaScript with only the `kept` exports. Raises `BuildError` if it does not look as expected."""
    found = TAKES_OVER.search(script)
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


def without_offers(script: str, words: AbstractSet[str]) -> str:
    """Pyodide's JavaScript with only the properties of `Module` that it asks for itself, or that are in `words`."""
    asked_for = words | set(_ASKED_FOR.findall(_OFFERED.sub("", script)))
    return _OFFERED.sub(lambda found: found[0] if found["name"] in asked_for else "", script)


def without_dead_code(script: str) -> str:
    """The script without the functions and variables inside it that nothing uses. Raises `BuildError`."""
    # Code that is evaluated in place could use any variable around it. The worker's policy lets none be evaluated.
    script = _EVAL.sub("(0,eval)(", script)
    return run_node([str(_DEAD_CODE)], script, f"terser does not read {LOADER}")
