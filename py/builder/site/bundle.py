"""Bundles scripts: the page, so that a phone makes one request; each sealed worker, so that it loads nothing else."""

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from builder import ROOT, BuildError
from builder.native import kernel
from builder.setup.cache import Cache, sha256

WORKER: Final = ROOT / "web" / "worker" / "worker.js"
VIDEO_WORKER: Final = WORKER.with_name("video.js")
PAGE: Final = ROOT / "web" / "page" / "app.js"
KEEPER: Final = ROOT / "web" / "keeper" / "keeper.js"
PACKAGES: Final = ROOT / "package-lock.json"
PYODIDE: Final = ROOT / "node_modules" / "pyodide"
ESBUILD: Final = ROOT / "node_modules" / "esbuild" / "bin" / "esbuild"


def cached_bundle(cache: Cache, entry: Path = WORKER) -> bytes:
    """Returns a sealed worker's bundle, built once per state of its sources. Raises `BuildError`."""
    sources = [*sorted(WORKER.parent.glob("*.js")), *sorted(PYODIDE.glob("*.mjs"))]
    return _once(cache, "worker", entry, sources, bundle_worker, kernel.digest())


def page_script(entry: Path, cache: Cache) -> bytes:
    """Returns the page or its service worker as one module, without comments and white space. Raises `BuildError`."""
    sources = sorted(path for path in (ROOT / "web").rglob("*.js") if WORKER.parent not in path.parents)
    return _once(cache, "page", entry, sources, _bundle_page)


def _once(
    cache: Cache, kind: str, entry: Path, sources: list[Path], bundle: Callable[[Path, Path], None], more: str = ""
) -> bytes:
    """What `bundle` makes of `entry`, cached by the content of its sources."""
    known = [entry, *sources, PACKAGES, ESBUILD, Path(__file__)]
    digests = [sha256(path.read_bytes()) for path in known if path.is_file()]

    def make() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder, entry.name)
            bundle(entry, out)
            return out.read_bytes()

    return cache.get_or_make(f"{kind}/{sha256(''.join([*digests, more]).encode())}.js", make)


def _bundle_page(entry: Path, out: Path) -> None:
    options = ["--bundle", "--format=esm", "--minify-whitespace", "--target=es2022", "--charset=utf8"]
    _esbuild(str(entry), *options, "--legal-comments=none", "--log-level=error", f"--outfile={out}")


def bundle_worker(entry: Path, out: Path) -> None:
    """Bundles the worker script `entry` with all its imports into the file `out`. Raises `BuildError`.

    The import `takeback-kernel` resolves to the compiled kernel's bytes.
    """
    options = ["--bundle", "--format=esm", "--minify", "--target=es2022", "--log-level=error"]
    options += [f"--external:{name}" for name in ("node:*", "fs", "path", "crypto")]  # imported only under Node
    # Licences require the legal comments, which go to the end.
    options += ["--legal-comments=eof", "--charset=utf8", f"--outfile={out}"]
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder, "kernel.wasm")
        compiled.write_bytes(kernel.build_for_webassembly())
        _esbuild(str(entry), *options, f"--alias:takeback-kernel={compiled}", "--loader:.wasm=binary")


def _esbuild(*arguments: str) -> None:
    try:
        done = subprocess.run([str(ESBUILD), *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BuildError(f"esbuild cannot be started ({error.strerror}); run `npm ci`") from error
    if done.returncode:
        raise BuildError(f"scripts cannot be built: {done.stderr.strip()}")
