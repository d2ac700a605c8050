"""Bundles the sealed worker into one script, so that it needs to load nothing."""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from builder import ROOT, BuildError, kernel
from builder.cache import Cache, sha256

WORKER: Final = ROOT / "web" / "worker" / "worker.js"
VIDEO_WORKER: Final = WORKER.with_name("video.js")
PACKAGES: Final = ROOT / "package-lock.json"
PYODIDE: Final = ROOT / "node_modules" / "pyodide"
ESBUILD: Final = ROOT / "node_modules" / "esbuild" / "bin" / "esbuild"


def cached_bundle(cache: Cache, entry: Path = WORKER) -> bytes:
    """A sealed worker, bundled once for the same sources."""
    sources = [entry, *sorted(WORKER.parent.glob("*.js")), *sorted(PYODIDE.glob("*.mjs"))]
    sources += [PACKAGES, ESBUILD, Path(__file__)]
    digests = [sha256(path.read_bytes()) for path in sources if path.is_file()]
    key = sha256("".join([*digests, kernel.digest()]).encode())

    def make() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder, entry.name)
            bundle_worker(entry, out)
            return out.read_bytes()

    return cache.get_or_make(f"worker/{key}.js", make)


def without_comments(folder: Path, paths: list[Path], cache: Cache) -> dict[str, bytes]:
    """Modules under `folder` by their path in it, as written but for comments and white space, which no phone needs."""
    sources = [*paths, ESBUILD, Path(__file__)]
    key = sha256("".join(f"{path} {sha256(path.read_bytes())}" for path in sorted(sources) if path.is_file()).encode())

    def make() -> bytes:
        with tempfile.TemporaryDirectory() as out:
            options = ["--target=es2022", "--minify-whitespace", "--charset=utf8"]
            options += ["--legal-comments=none", "--log-level=error"]
            _esbuild(*map(str, paths), f"--outbase={folder}", f"--outdir={out}", *options)
            made = {path.relative_to(folder).as_posix(): Path(out, path.relative_to(folder)) for path in paths}
            return json.dumps({name: path.read_text("utf-8") for name, path in made.items()}).encode()

    modules: dict[str, str] = json.loads(cache.get_or_make(f"modules/{key}.json", make))
    return {name: text.encode() for name, text in modules.items()}


def bundle_worker(entry: Path, out: Path) -> None:
    """Bundles the worker script `entry` and all it imports into the one file `out`. Raises `BuildError`.

    What asks for `takeback-kernel` gets the compiled kernel's bytes.
    """
    options = ["--bundle", "--format=esm", "--minify", "--target=es2022", "--log-level=error"]
    options += [f"--external:{name}" for name in ("node:*", "fs", "path", "crypto")]  # asked for under Node alone
    # The legal comments of what is bundled stay, at the end.
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
