"""Bundles scripts: the page, so that a phone makes one request; each sealed worker, so that it loads nothing else."""

import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from builder import ROOT, BuildError
from builder.native import kernel
from builder.runtime.archives import LOADER
from builder.runtime.pyodide_release import PYODIDE
from builder.setup.cache import Cache, sha256
from builder.setup.pins import read_pins
from builder.split.loader import lean_loader
from builder.split.profile_file import PROFILE_FILE

WORKER: Final = ROOT / "web" / "worker" / "worker.js"
VIDEO_WORKER: Final = WORKER.with_name("video.js")
PAGE: Final = ROOT / "web" / "page" / "app.js"
KEEPER: Final = ROOT / "web" / "keeper" / "keeper.js"
PACKAGES: Final = ROOT / "package-lock.json"
ESBUILD: Final = ROOT / "node_modules" / "esbuild" / "bin" / "esbuild"


SOURCE_MAPS: Final = ("--sourcemap=inline",)
"""For `build.py dev` alone: a release is the same bytes for everybody, and is read in its sources."""


def cached_bundle(cache: Cache, entry: Path = WORKER) -> bytes:
    """Returns a sealed worker's bundle, built once per state of its sources. Raises `BuildError`."""
    sources = [*sorted(WORKER.parent.glob("*.js")), *sorted(PYODIDE.glob("*.mjs")), PROFILE_FILE]
    return _once(cache, "worker", entry, sources, bundle_worker, kernel.digest())


def page_script(entry: Path, cache: Cache) -> bytes:
    """Returns the page or its service worker as one module, without comments and white space. Raises `BuildError`."""
    sources = sorted(path for path in (ROOT / "web").rglob("*.js") if WORKER.parent not in path.parents)
    return _once(cache, "page", entry, sources, bundle_page)


def _once(
    cache: Cache, kind: str, entry: Path, sources: list[Path], bundle: Callable[[Path, Path], None], more: str = ""
) -> bytes:
    """What `bundle` makes of `entry`, cached by the content of its sources."""
    # This file too, because it holds esbuild's options.
    known = [entry, *sources, PACKAGES, ESBUILD, Path(__file__)]
    digests = [sha256(path.read_bytes()) for path in known if path.is_file()]

    def make() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder, entry.name)
            bundle(entry, out)
            return out.read_bytes()

    return cache.get_or_make(f"{kind}/{sha256(''.join([*digests, more]).encode())}.js", make)


def bundle_page(entry: Path, out: Path, more: Sequence[str] = ()) -> None:
    """Bundles the page or its service worker into the file `out`, with `more` options. Raises `BuildError`."""
    options = ["--bundle", "--format=esm", "--minify-whitespace", "--target=es2022", "--charset=utf8", *more]
    _esbuild(str(entry), *options, "--legal-comments=none", "--log-level=error", f"--outfile={out}")


def bundle_worker(entry: Path, out: Path, more: Sequence[str] = ()) -> None:
    """Bundles the worker script `entry` with all its imports into the file `out`. Raises `BuildError`.

    The import `takeback-kernel` resolves to the compiled kernel's bytes; Pyodide's JavaScript comes without what the
    first part of CPython does not export.
    """
    options = ["--bundle", "--format=esm", "--minify", "--target=es2022", "--log-level=error"]
    options += [f"--external:{name}" for name in ("node:*", "fs", "path", "crypto", "ws")]  # imported only under Node
    # Licences require the legal comments, which go to the end.
    options += ["--legal-comments=eof", "--charset=utf8", f"--outfile={out}", *more]
    with tempfile.TemporaryDirectory() as folder:
        compiled, loader = Path(folder, "kernel.wasm"), Path(folder, LOADER)
        compiled.write_bytes(_compiled_kernel(kernel.digest()))
        loader.write_bytes(lean_loader(read_pins()))
        options += [f"--alias:takeback-kernel={compiled}", f"--alias:pyodide/{LOADER}={loader}"]
        _esbuild(str(entry), *options, "--loader:.wasm=binary")


@cache
def _compiled_kernel(_digest: str) -> bytes:
    """The kernel for WebAssembly, compiled once in this process for the same sources."""
    return kernel.build_for_webassembly()


def _esbuild(*arguments: str) -> None:
    try:
        done = subprocess.run([str(ESBUILD), *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BuildError(f"esbuild cannot be started ({error.strerror}); run `npm ci`") from error
    if done.returncode:
        raise BuildError(f"scripts cannot be built: {first_complaint(done.stderr)}")


def first_complaint(said: str) -> str:
    """The first error that esbuild reports, in a line: `web/page/app.js:12:3: Expected ";" but found "error"`."""
    text = re.search(r"\[ERROR\] (.*)", said)
    place = re.search(r"^ +(\S+:\d+:\d+):$", said, re.MULTILINE)
    if text is None:
        return said.strip().partition("\n")[0] or "esbuild gave no reason"
    return f"{place[1]}: {text[1]}" if place else text[1]
