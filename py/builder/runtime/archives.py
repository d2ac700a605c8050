"""Makes the files of `/runtime`: CPython for the browser, and archives with the bytecode that it needs.

`python.zip` is the used part of the standard library, `packages.zip` that of Pillow and of this package. The worker
gives their bytecode to CPython as frozen modules, and unpacks the libraries. Members are stored uncompressed, because
the transfer is compressed as a whole. `whole-packages.zip` is the same as `packages.zip` for other pages, whose Pyodide
joins no library that comes in two parts (`builder/split/`). The page loads the rest on demand: `phash.zip`, with numpy
and imagehash, after the first picture has its other hashes, and each decoder with the first picture of its format.
"""

import importlib.util
import json
import tempfile
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

from pyodide_lock import PyodideLockSpec
from pyodide_lock.spec import PackageSpec

from builder import ROOT, BuildError
from builder.runtime.browser_wheel import BrowserWheel, add_to_lock, finish_wheel, source_wheel
from builder.runtime.bytecode import compile_archives
from builder.runtime.pyodide_release import PYODIDE, pinned_file, release_info, run_node
from builder.runtime.zips import read_zip, stored_zip
from builder.setup.cache import Cache, sha256
from builder.setup.fetch import fetch_wheel
from builder.setup.pins import Pins

MODULES_FILE: Final = Path(__file__).with_name("modules.txt")
PHASH_MODULES_FILE: Final = Path(__file__).with_name("phash_modules.txt")
DECODERS: Final = {
    "heic.wasm": ROOT / "node_modules" / "libheif-js" / "libheif-wasm" / "libheif.wasm",
    "avif.wasm": ROOT / "node_modules" / "@jsquash" / "avif" / "codec" / "dec" / "avif_dec.wasm",
    "jxl.wasm": ROOT / "node_modules" / "@jsquash" / "jxl" / "codec" / "dec" / "jxl_dec.wasm",
}
"""The compiled decoders, as their packages ship them. The code that starts them is part of the worker."""
WHOLE_PACKAGES: Final = "whole-packages.zip"
"""What the lock file names, for other pages: `packages.zip` before its libraries are divided."""
LOADER: Final = "pyodide.asm.mjs"
"""Emscripten's JavaScript, which is no file of `/runtime`: it is part of the worker."""
SLIM: Final = Path(__file__).with_name("slim")
SLIM_FOR: Final = "314.0.4"
"""The release of Pyodide whose modules `SLIM` replaces."""


def read_modules(path: Path = MODULES_FILE) -> set[str]:
    """Reads the names of the modules that ship, one per line; `#` starts a comment."""
    lines = (line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines())
    return {line for line in lines if line}


def runtime_files(
    pins: Pins, cache: Cache, modules: set[str] | None = None, *, lines: bool = False
) -> dict[str, bytes]:
    """Returns the files of `/runtime` by name. `modules` defaults to the lists; an empty set means all modules.

    `lines` keeps in the bytecode what tracebacks show: for developers.
    """
    chosen = read_modules() if modules is None else modules
    later = read_modules(PHASH_MODULES_FILE) if modules is None else modules
    files = {name: pinned_file(pins, name) for name in pins.files}
    standard = slimmed(pins, read_zip(files["python_stdlib.zip"]))
    library = pick(standard, chosen)
    pillow = pillow_sources(pins, cache)
    extra = pick({**standard, **pillow}, later) if later else {}
    hashing = source_wheel(pins)
    sources = {
        "python.zip": stored_zip(library),
        "pillow.zip": stored_zip(pick(pillow, chosen)),
        "phash.zip": stored_zip({**extra, **phash_sources(pins, cache, later)}),
        hashing.name: hashing.source,
    }
    compiled = compile_archives(pins, sources, cache, lines=lines)
    wheel = finish_wheel(hashing, compiled[hashing.name])
    packages = {**read_zip(compiled["pillow.zip"]), **wheel.modules()}
    packages_zip = stored_zip(packages)
    archives = {WHOLE_PACKAGES: packages_zip, "phash.zip": compiled["phash.zip"]}
    return {
        "pyodide.asm.wasm": files["pyodide.asm.wasm"],
        "python.zip": compiled["python.zip"],
        "packages.zip": packages_zip,
        **archives,
        "pyodide-lock.json": write_lock(pins, archives, wheel),
        wheel.name: wheel.data,
        **{name: _npm_file(path) for name, path in DECODERS.items()},
    }


def pillow_sources(pins: Pins, cache: Cache) -> dict[str, bytes]:
    """Returns the members of Pillow's wheel, with our replacements."""
    return {**read_zip(fetch_wheel(pins, pins.wheels["pillow"], cache)), **slim_sources("PIL/")}


def phash_sources(pins: Pins, cache: Cache, modules: set[str]) -> dict[str, bytes]:
    """Returns numpy's modules in `modules` (all but its tests if empty), imagehash, and the replacement for scipy.

    Raises `BuildError` if imagehash is not installed.
    """
    numpy = read_zip(fetch_wheel(pins, pins.wheels["numpy"], cache))
    numpy = {name: data for name, data in numpy.items() if "/tests/" not in name and "/testing/_private/" not in name}
    found = importlib.util.find_spec("imagehash")
    if found is None or found.origin is None:
        raise BuildError("imagehash is missing; run `python3 build.py setup`")
    own = {"imagehash/__init__.py": Path(found.origin).read_bytes()}
    return {**pick(numpy, modules), **own, **slim_sources("scipy/")}


def _npm_file(path: Path) -> bytes:
    """Reads a file of an npm package, which `npm ci` has verified. Raises `BuildError`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BuildError(f"{path} cannot be read ({error.strerror}); run `npm ci`") from error


def slimmed(pins: Pins, library: dict[str, bytes]) -> dict[str, bytes]:
    """Returns the standard library with our replacements. Raises `BuildError` if they were made for another Pyodide."""
    if pins.version != SLIM_FOR:
        raise BuildError(
            f"{SLIM} replaces modules of Pyodide {SLIM_FOR}, not {pins.version}: compare them with what its C and "
            "JavaScript look for, then change SLIM_FOR"
        )
    ours = {name: data for name, data in slim_sources().items() if not name.startswith(("PIL/", "scipy/"))}
    if unknown := ours.keys() - library.keys():
        raise BuildError(f"{SLIM / min(unknown)} replaces nothing in Pyodide's library")
    return {**library, **ours}


def slim_sources(folder: str = "") -> dict[str, bytes]:
    """Returns the replacements below `folder` for modules that the worker does not need; each says why."""
    names = {path.relative_to(SLIM).as_posix(): path for path in SLIM.rglob("*.py")}
    return {name: path.read_bytes() for name, path in names.items() if name.startswith(folder)}


def pick(members: dict[str, bytes], modules: set[str]) -> dict[str, bytes]:
    """Returns those of `members` that are modules named in `modules`; all modules if it is empty."""
    return {
        name: data
        for name, data in members.items()
        if name.endswith((".py", ".so")) and (not modules or module_name(name) in modules)
    }


def module_name(member: str) -> str:
    """Returns the module name of a wheel's member: `PIL/_webp.cpython-314.so` is `PIL._webp`."""
    folder, _, file = member.rpartition("/")
    stem = file.partition(".")[0]
    parts = [*folder.split("/"), stem] if folder else [stem]
    return ".".join(parts[:-1] if stem == "__init__" else parts)


def write_lock(pins: Pins, archives: dict[str, bytes], wheel: BrowserWheel) -> bytes:
    """Returns Pyodide's lock file for what ships: the two archives and the wheel.

    The archives are listed under the names of packages that the wheel needs, so that a page of this site can load the
    wheel by name together with them.
    """
    kept = (
        ("pillow", pins.wheels["pillow"].version, WHOLE_PACKAGES, ["PIL", "takeback"]),
        ("imagehash", metadata.version("imagehash"), "phash.zip", ["imagehash", "numpy", "scipy"]),
    )
    packages = {
        name: PackageSpec(
            name=name,
            version=version,
            file_name=file,
            install_dir="site",
            sha256=sha256(archives[file]),
            imports=imports,
        )
        for name, version, file, imports in kept
    }
    lock = add_to_lock(PyodideLockSpec(info=release_info(pins), packages=packages), wheel)
    return json.dumps(lock.to_dict(), indent=1, sort_keys=True).encode() + b"\n"


def run_pictures(files: Mapping[str, bytes], loader: bytes, pictures: Iterable[Path]) -> dict[str, object]:
    """Hashes `pictures` with the runtime `files` under Node; returns what `run.mjs` prints.

    `loader` is the `pyodide.asm.mjs` that belongs to the files.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, data in {**files, LOADER: loader}.items():
            Path(folder, name).write_bytes(data)
        script = Path(__file__).with_name("run.mjs")
        answer: dict[str, object] = json.loads(run_node([str(script), str(PYODIDE), folder, *map(str, pictures)]))
    return answer
