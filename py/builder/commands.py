"""The commands of `build.py`, which run inside `.venv`; each returns its exit status."""

import importlib
import inspect
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Final

from builder import DIST, ROOT, WORK, BuildError
from builder.demo.dev import serve_edits
from builder.demo.serve import serve_site
from builder.native.kernel import INDEX, KERNEL, NODE_KERNEL, build_for_node, build_native, digest, native_target
from builder.options import Options
from builder.release.make import RELEASE, how_to_verify, make_release
from builder.release.reference import REFERENCE
from builder.release.reference import write as write_reference
from builder.setup import audit as advisories
from builder.setup.browsers import BrowsersError, ensure_browsers
from builder.site.assemble import build_site
from builder.steps import fingerprint, once, one_at_a_time, step

BENCHMARKS: Final = ROOT / "tests" / "bench"
MAX_PARALLEL_TESTS: Final = 4
"""Tests run in parallel at most: each may start a database and three browsers."""
SITE_SOURCES: Final = (
    ROOT / "web",
    ROOT / "py" / "builder",
    *(ROOT / "py" / "takeback" / name for name in ("__init__.py", "errors.py", "signals.py", "hashing")),
    ROOT / "py" / "requirements.lock",
    ROOT / "package-lock.json",
)


def setup(_: Options) -> int:
    """Makes everything that needs a network or a compiler, so that the other commands work offline."""
    make_kernel()
    print("Everything is set up. Next: python3 build.py serve")
    return 0


def build(_: Options) -> int:
    """Builds `dist/` and prints what it holds."""
    make_site()
    files = [file for file in DIST.rglob("*") if file.is_file() and file.suffix not in {".br", ".gz"}]
    size = sum(file.with_name(f"{file.name}.br").stat().st_size for file in files if _is_compressed(file))
    print(f"dist/ holds {len(files)} files, {size / 1e6:.1f} MB compressed; their hashes are in dist/manifest.json")
    return 0


def serve(options: Options) -> int:
    """Runs the registry with the page until it is stopped. Raises `BuildError`."""
    make_site()
    return serve_site(options)


def dev(options: Options) -> int:
    """Runs the registry with the page as it is edited, until it is stopped."""
    make_site()
    return serve_edits(options)


def test(options: Options) -> int:
    """Runs pytest, whose summary is the last line printed. Raises `BuildError` if the browsers cannot be installed."""
    make_site()
    if _wants_browsers(options.pytest):
        try:
            with step("looking for the browsers"):
                ensure_browsers()
        except BrowsersError as error:
            raise BuildError(str(error)) from error
    return run(sys.executable, "-m", "pytest", *(options.pytest or _side_by_side()))


def check(options: Options) -> int:
    """Runs all checks, so that one run reports everything that is wrong."""
    make_kernel()
    node = ROOT / "node_modules" / ".bin"
    prettier = [str(node / "prettier"), "--log-level", "warn"]
    scripts = ["web", "{tests,py/builder,py/takeback}/**/*.{js,mjs}", "package.json"]
    if options.fix:
        run("ruff", "check", "--fix", "--quiet")
        run("ruff", "format", "--quiet")
        run(*prettier, "--write", *scripts)
    checks = {
        "ruff check": ["ruff", "check", "--quiet"],
        "ruff format": ["ruff", "format", "--check", "--quiet"],
        "mypy": ["mypy", "--no-error-summary"],
        "tsc": [str(node / "tsc"), "--build", "--force", "web/page", "web/worker", "web/keeper"],
        "prettier": [*prettier, "--check", *scripts],
        "imports": ["pytest", "--quiet", "tests/test_architecture.py"],
    }
    # side by side, because mypy alone takes as long as all the others
    with step("checking"), ThreadPoolExecutor() as threads:
        done = dict(zip(checks, threads.map(_run_quietly, checks.values()), strict=True))
    print("".join(found.stdout for found in done.values()), end="")
    failed = [name for name, found in done.items() if found.returncode]
    if failed:
        print(f"Not in order: {', '.join(failed)}. Formatting is repaired by: python3 build.py check --fix")
    else:
        print(f"In order: {', '.join(checks)}.")
    return 1 if failed else 0


def audit(_: Options) -> int:
    """Asks whether any locked package has a known vulnerability; returns 1 if one has. Raises `BuildError`."""
    return advisories.audit()


def bench(options: Options) -> int:
    """Runs benchmarks, or lists them; returns 1 if one of them found a fault.

    Raises `BuildError` for an unknown benchmark, or an option that none of the chosen ones takes.
    """
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    there = {file.stem: file for file in sorted(BENCHMARKS.glob("[!_]*.py")) if "\ndef main(" in file.read_text()}
    unknown = [name for name in options.names if name not in there]
    if unknown:
        raise BuildError(f"there is no benchmark {', '.join(unknown)}; choose from: {', '.join(there)}")
    modules = {name: importlib.import_module(f"tests.bench.{name}") for name in options.names or there}
    if options.list:
        for name, module in modules.items():
            takes = " ".join(f"--{option} N" for option in _options_of(module))
            print(f"{name:12} {(module.__doc__ or '').splitlines()[0]} {takes}".rstrip())
        return 0
    taken = {option for module in modules.values() for option in _options_of(module)}
    if foreign := [f"--{name}" for name in options.measure if name not in taken]:
        raise BuildError(f"{', '.join(foreign)} is not an option of these benchmarks; --list shows the options of each")
    make_site()
    found = False
    for name, module in modules.items():
        print(f"== {name}", flush=True)
        given = {option: options.measure[option] for option in _options_of(module) if option in options.measure}
        found = bool(module.main(**given)) or found
    return 1 if found else 0


def release(_: Options) -> int:
    """Makes a release, and says how to verify it."""
    with one_at_a_time():
        commit = make_release()
    print(how_to_verify(RELEASE, commit), end="")
    return 0


def reference(_: Options) -> int:
    """Writes the reference of the public API."""
    make_kernel()
    write_reference()
    print(f"{REFERENCE.relative_to(ROOT)} is written")
    return 0


def _options_of(benchmark: ModuleType) -> list[str]:
    """The options of a benchmark: the parameters of its `main`."""
    return list(inspect.signature(benchmark.main).parameters)


def make_kernel() -> None:
    """Compiles the hashing kernel and the gate's index for this machine and the kernel for Node, if they changed."""
    with one_at_a_time():
        for module in (KERNEL, INDEX):
            stamp = WORK / f"{module.source.stem}.stamp"
            key = digest(module) + native_target()
            once(f"compiling {module.source.name}", stamp, key, [module.native], partial(build_native, module))
        once("compiling the kernel for Node", WORK / "node.stamp", digest(), [NODE_KERNEL], build_for_node)


def make_site() -> None:
    """Builds `dist/`, if one of its sources has changed."""
    # Outside the lock below, which it takes itself: flock would wait for this very process.
    make_kernel()
    key = fingerprint(SITE_SOURCES)
    with one_at_a_time():
        once("building dist/", WORK / "site.stamp", key, [DIST / "manifest.json"], build_site)


def run(*command: str) -> int:
    """Runs a tool at the top of the repository; returns its exit status."""
    return subprocess.run(command, cwd=ROOT, env=_environment(), check=False).returncode


def _run_quietly(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Runs a tool likewise; keeps what it prints."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env=_environment(),
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _environment() -> dict[str, str]:
    """The environment of tools, in which those of `.venv` come first."""
    tools = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": os.pathsep.join([tools, os.environ.get("PATH", os.defpath)])}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # or hundreds of processes would compile the same packages again
    return environment


def _side_by_side() -> list[str]:
    """The options of pytest for a whole run: test files in parallel, in order, with coverage.

    One more than there are cores, because many tests wait for a timer or for a process that starts.

    Only tests that fail in a browser are retried, twice.
    """
    workers = min((os.cpu_count() or 1) + 1, MAX_PARALLEL_TESTS)
    return [f"--numprocesses={workers}", "--dist=loadfile", "--no-loadscope-reorder", "--browser-reruns=2", "--cov"]


def _is_compressed(file: Path) -> bool:
    return file.with_name(f"{file.name}.br").exists()


def _wants_browsers(arguments: Sequence[str]) -> bool:
    """Whether the requested tests may drive a browser: not if all files and folders named are without such tests."""
    named = [Path(argument.split("::")[0]) for argument in arguments if not argument.startswith("-")]
    named = [path for path in named if (ROOT / path).exists()]
    return not named or any(path == Path("tests") or "e2e" in path.parts for path in named)


COMMANDS: Final[Mapping[str, Callable[[Options], int]]] = MappingProxyType(
    {
        "setup": setup,
        "build": build,
        "serve": serve,
        "dev": dev,
        "test": test,
        "check": check,
        "audit": audit,
        "bench": bench,
        "release": release,
        "reference": reference,
    }
)
