"""Makes the files of `/runtime`: CPython for the browser, and archives of bytecode that is all it needs.

`python.zip` is the used part of the standard library, from which Python imports. `packages.zip` is the used part of
Pillow and of this package, unpacked by the worker. Members are stored, because the transfer is compressed as a whole.
What a page asks for only when it is wanted: `phash.zip`, with numpy and imagehash, unpacked beside the others once the
first picture has its other hashes, and the decoders, each when the first picture of its kind is chosen.
"""

import importlib.util
import io
import json
import re
import subprocess
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pyodide_lock import PyodideLockSpec
from pyodide_lock.spec import InfoSpec, PackageSpec

from builder import ROOT, BuildError
from builder.native.kernel import build_for_webassembly
from builder.native.kernel_check import check_kernel
from builder.setup.cache import Cache, sha256
from builder.setup.fetch import fetch_wheel
from builder.setup.pins import PINS_FILE, Pins
from builder.steps import step
from takeback import __version__

PYODIDE: Final = ROOT / "node_modules" / "pyodide"
MODULES_FILE: Final = Path(__file__).with_name("modules.txt")
PHASH_MODULES_FILE: Final = Path(__file__).with_name("phash_modules.txt")
DECODERS: Final = {
    "heic.wasm": ROOT / "node_modules" / "libheif-js" / "libheif-wasm" / "libheif.wasm",
    "avif.wasm": ROOT / "node_modules" / "@jsquash" / "avif" / "codec" / "dec" / "avif_dec.wasm",
    "jxl.wasm": ROOT / "node_modules" / "@jsquash" / "jxl" / "codec" / "dec" / "jxl_dec.wasm",
}
"""The compiled decoders, as their packages ship them. The code that starts them is part of the worker."""
NATIVE: Final = frozenset(
    {"commands.py", "confine.py", "drawing.py", "edits.py", "process.py", "rehearsal.py", "size.py", "video.py"}
)
"""Modules of the shared core that browsers do without: videos are hashed there by JavaScript."""
SLIM: Final = Path(__file__).with_name("slim")
NODE_TIMEOUT: Final = 300
"""Seconds for the compiler or a check under Node; they take five on an old laptop."""
MAX_COMPLAINT: Final = 300
_COMPILER: Final = (Path(__file__).with_name("compile.mjs"), Path(__file__).with_name("compile.py"))
_KERNEL: Final = "takeback/hashing/_kernel.so"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


def read_modules(path: Path = MODULES_FILE) -> set[str]:
    """The names of the modules that ship, one a line; `#` starts a comment."""
    lines = (line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines())
    return {line for line in lines if line}


def runtime_files(pins: Pins, cache: Cache, modules: set[str] | None = None) -> dict[str, bytes]:
    """The files of `/runtime` by name. Without `modules` those of the lists; an empty set means all there are."""
    chosen = read_modules() if modules is None else modules
    later = read_modules(PHASH_MODULES_FILE) if modules is None else modules
    files = {name: pinned_file(pins, name) for name in pins.files}
    standard = {**read_zip(files["python_stdlib.zip"]), **slim_sources()}
    library = pick(standard, chosen)
    wheel = read_zip(fetch_wheel(pins, pins.wheels["pillow"], cache))
    pillow = pick(wheel, chosen)
    kernel = build_for_webassembly()
    check_kernel(kernel)
    packages = {**pillow, **own_sources(), _KERNEL: kernel}
    sizes = [len(data) for name, data in packages.items() if name.endswith(".so")]
    assert len(sizes) == len(set(sizes)), "the worker tells libraries apart by their size"
    interpreter = files["python_stdlib.zip"]
    python, site = compile_archives(interpreter, (library, "python314.zip/"), packages, cache)
    extra = pick({**standard, **wheel}, later) if later else {}
    phash = {**extra, **phash_sources(pins, cache, later)}
    _, beside = compile_archives(interpreter, ({}, "python314.zip/"), phash, cache)
    return {
        "pyodide.asm.wasm": files["pyodide.asm.wasm"],
        "python.zip": python,
        "packages.zip": site,
        "pyodide-lock.json": write_lock(pins, site),
        "phash.zip": beside,
        **{name: _npm_file(path) for name, path in DECODERS.items()},
    }


def phash_sources(pins: Pins, cache: Cache, modules: set[str]) -> dict[str, bytes]:
    """Numpy's modules of `modules`, all but its tests when that is empty; imagehash, and what stands for scipy."""
    numpy = read_zip(fetch_wheel(pins, pins.wheels["numpy"], cache))
    numpy = {name: data for name, data in numpy.items() if "/tests/" not in name and "/testing/_private/" not in name}
    found = importlib.util.find_spec("imagehash")
    if found is None or found.origin is None:
        raise BuildError("imagehash is missing; run `python3 build.py setup`")
    own = {"imagehash/__init__.py": Path(found.origin).read_bytes()}
    scipy = {name: data for name, data in slim_sources().items() if name.startswith("scipy/")}
    return {**pick(numpy, modules), **own, **scipy}


def _npm_file(path: Path) -> bytes:
    """A file of an npm package, whose integrity `npm ci` has checked. Raises `BuildError`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BuildError(f"{path} cannot be read ({error.strerror}); run `npm ci`") from error


def pinned_file(pins: Pins, name: str) -> bytes:
    """A file of the installed npm package, checked against its pin. Raises `BuildError`."""
    try:
        data = (PYODIDE / name).read_bytes()
    except OSError as error:
        raise BuildError(f"{PYODIDE / name} cannot be read ({error.strerror}); run `npm ci`") from error
    if sha256(data) != pins.files[name]:
        raise BuildError(f"{PYODIDE / name} is not the file that {PINS_FILE.name} pins; run `npm ci`")
    return data


def read_zip(data: bytes) -> dict[str, bytes]:
    """The members of a zip by name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}


def own_sources() -> dict[str, bytes]:
    """The sources of this package's shared core, as in its wheel, without its command line."""
    package = ROOT / "py" / "takeback"
    paths = [package / f"{name}.py" for name in ("__init__", "errors", "signals")]
    paths += [path for path in (package / "hashing").glob("*.py") if path.name not in NATIVE]
    return {path.relative_to(package.parent).as_posix(): path.read_bytes() for path in paths}


def slim_sources() -> dict[str, bytes]:
    """What takes the place of modules that the worker does without; each says why."""
    return {path.relative_to(SLIM).as_posix(): path.read_bytes() for path in SLIM.rglob("*.py")}


def pick(members: dict[str, bytes], modules: set[str]) -> dict[str, bytes]:
    """Those of `members` that are modules named in `modules`; all modules when it is empty."""
    return {
        name: data
        for name, data in members.items()
        if name.endswith((".py", ".so")) and (not modules or module_name(name) in modules)
    }


def module_name(member: str) -> str:
    """The module that a member of a wheel is: `PIL/_webp.cpython-314.so` is `PIL._webp`."""
    folder, _, file = member.rpartition("/")
    stem = file.partition(".")[0]
    parts = [*folder.split("/"), stem] if folder else [stem]
    return ".".join(parts[:-1] if stem == "__init__" else parts)


def stored_zip(members: dict[str, bytes]) -> bytes:
    """A zip of `members` that depends on nothing but them."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), members[name])
    return out.getvalue()


def compile_archives(
    interpreter: bytes, library: tuple[dict[str, bytes], str], packages: dict[str, bytes], cache: Cache
) -> tuple[bytes, bytes]:
    """`python.zip` and `packages.zip` as bytecode, made by Pyodide under Node or taken from the cache.

    `library` comes with the place it is imported from; `interpreter` is what stands for the interpreter's version.
    """
    sources = (stored_zip(library[0]), stored_zip(packages))
    tools = b"".join(path.read_bytes() for path in _COMPILER)
    key = sha256(b"".join(bytes.fromhex(sha256(part)) for part in (interpreter, tools, *sources)))
    kept = [cache.read(f"runtime/{key}-{name}") for name in ("python.zip", "packages.zip")]
    if kept[0] is not None and kept[1] is not None:
        return kept[0], kept[1]
    with step("compiling Python for the browser"):
        python, site = _compile(sources, (f"/lib/{library[1]}", "/lib/python3.14/site-packages/"))
    cache.write(f"runtime/{key}-python.zip", python)
    cache.write(f"runtime/{key}-packages.zip", site)
    return python, site


def _compile(sources: tuple[bytes, bytes], prefixes: tuple[str, str]) -> tuple[bytes, bytes]:
    """Runs the compiler over two archives."""
    with tempfile.TemporaryDirectory() as folder:
        jobs = []
        for number, (source, prefix) in enumerate(zip(sources, prefixes, strict=True)):
            path = Path(folder, f"{number}.zip")
            path.write_bytes(source)
            jobs += [str(path), str(path.with_suffix(".out")), prefix]
        run_node([str(_COMPILER[0]), str(PYODIDE), str(_COMPILER[1]), *jobs])
        first, second = (Path(folder, f"{number}.out").read_bytes() for number in range(2))
    return first, second


def run_node(arguments: list[str]) -> str:
    """What Node prints. Raises `BuildError` with the line of its complaint that names the error."""
    try:
        done = subprocess.run(["node", *arguments], capture_output=True, text=True, check=False, timeout=NODE_TIMEOUT)
    except FileNotFoundError as error:
        raise BuildError("Node is missing; install Node 20 or newer") from error
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"Node did not end within {NODE_TIMEOUT} seconds; run the build again") from error
    if done.returncode:
        raise BuildError(f"Pyodide under Node failed: {_complaint(done.stderr)}")
    return done.stdout


def _complaint(said: str) -> str:
    """The line that names the error, or else the last. Node prints a line of source too, and Pyodide's is very long."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["it gave no reason"]
    named = [line for line in lines if re.match(r"\w*Error\b", line)]
    return (named or lines)[-1][:MAX_COMPLAINT]


def write_lock(pins: Pins, packages: bytes) -> bytes:
    """Pyodide's lock of what ships: `packages.zip` alone, which carries Pillow and this package."""
    info = json.loads(pinned_file(pins, "pyodide-lock.json"))["info"]
    package = PackageSpec(
        name="takeback",
        version=__version__,
        file_name="packages.zip",
        install_dir="site",
        sha256=sha256(packages),
        imports=["PIL", "takeback"],
    )
    lock = PyodideLockSpec(info=InfoSpec.from_dict(info), packages={package.name: package})
    return json.dumps(lock.to_dict(), indent=1, sort_keys=True).encode() + b"\n"


def run_pictures(files: dict[str, bytes], pictures: Iterable[Path]) -> dict[str, object]:
    """Hashes `pictures` with the runtime `files` under Node: `answers` by path, and the `modules` that were used."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            Path(folder, name).write_bytes(data)
        script = Path(__file__).with_name("run.mjs")
        answer: dict[str, object] = json.loads(run_node([str(script), str(PYODIDE), folder, *map(str, pictures)]))
    return answer
