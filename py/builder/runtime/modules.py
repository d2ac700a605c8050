"""`python -m builder.runtime.modules`: lists the modules to ship, by hashing samples with all modules available.

`check_modules` hashes them again with only the listed modules, and natively; all answers must agree.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from builder import ROOT, BuildError
from builder.runtime.agreement import difference
from builder.runtime.archives import (
    LOADER,
    MODULES_FILE,
    PHASH_MODULES_FILE,
    read_modules,
    run_pictures,
    runtime_files,
)
from builder.runtime.pyodide_release import pinned_file
from builder.runtime.samples import write_samples
from builder.setup.cache import Cache, sha256
from builder.setup.pins import Pins, read_pins
from builder.steps import step
from takeback.hashing.sealed import Hashing
from takeback.signals import SignalType

HEADER: Final = """\
# The modules of the standard library, Pyodide and Pillow that ship to browsers: those that hashing any picture
# imports. Made by `python -m builder.runtime.modules`, which hashes a sample of every format and sees what is loaded.
"""
PHASH_HEADER: Final = """\
# The further modules that phash imports. Made in the same way.
"""
_CHECKED: Final = (
    *(
        Path(__file__).with_name(name)
        for name in ("agreement.py", "heic.py", "node_runtime.mjs", "run.mjs", "samples.py")
    ),
    ROOT / "py" / "requirements.lock",
    *(ROOT / "web" / "worker" / name for name in ("archive.js", "frozen.js", "second-part.js", "stills.js")),
)
"""What else the check depends on: its own code, and the native decoders."""
EVERYTHING: Final[set[str]] = set()


def find_modules(pins: Pins, cache: Cache) -> tuple[set[str], set[str]]:
    """Returns the modules that the samples need, and those that phash needs in addition.

    A submodule belongs to the first set if its package does, because Python looks for it beside the package.
    """
    with tempfile.TemporaryDirectory() as folder:
        pictures = write_samples(Path(folder))
        used = run_pictures(runtime_files(pins, cache, EVERYTHING), pinned_file(pins, LOADER), pictures)
    first, later = (_names(used[kind]) for kind in ("modules", "phash"))
    shared = {name for name in later if name.partition(".")[0] in first - {"PIL"}}
    return first | shared, later - shared


def _names(modules: object) -> set[str]:
    """The names of other people's modules."""
    assert isinstance(modules, list)
    return {name for name in modules if name.partition(".")[0] not in {"takeback", "imagehash", "scipy"}}


def check_modules(files: Mapping[str, bytes], loader: bytes, cache: Cache) -> None:
    """Hashes the samples with the shipped runtime `files` and natively, once per set of files. Raises `BuildError`."""
    parts = [*files.values(), loader, *(path.read_bytes() for path in _CHECKED)]
    key = f"checked/{sha256(''.join(sha256(data) for data in parts).encode())}"
    if cache.read(key) is None:
        with step("checking the runtime with a picture of every kind"):
            _compare(files, loader)
        cache.write(key, b"")


def _compare(files: Mapping[str, bytes], loader: bytes) -> None:
    """Raises `BuildError` with the name and both answers of each sample whose hashes differ from the native ones.

    Also if a sample asks for the second part of CPython or of a library, which comes after the first hash.
    """
    with tempfile.TemporaryDirectory() as folder:
        pictures = write_samples(Path(folder))
        said = run_pictures(files, loader, pictures)
        shipped = said["answers"]
        assert isinstance(shipped, dict)
        if asked := said.get("asked"):
            raise BuildError(
                f"{Path(str(asked)).name} asks for the second part of CPython or of a library before its hash: run "
                "`python -m builder.split.profile`"
            )
        with _quiet():
            faults = [apart for path in pictures if (apart := fault(path, shipped[str(path)]))]
    if faults:
        raise BuildError(
            "the browser's runtime hashes differently from this machine (a module may be missing: run `python -m "
            "builder.runtime.modules`; or the two decode differently):\n" + "\n".join(faults)
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Hides messages that libtiff, in C, prints about damaged files."""
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def fault(picture: Path, browser: dict[str, Any]) -> str:
    """Describes how a sample's answers differ, with both of them; empty if they agree."""
    native = native_answer(picture.read_bytes())
    if native.get("format") == "AVIF":  # the page decodes its frames in JavaScript
        native["signals"] = [signal for signal in native["signals"] if signal["type"] != SignalType.VPDQ]
    apart = difference(browser, native)
    if not apart or (picture.name.startswith("broken-") and _is_left(browser) and _is_left(native)):
        return ""
    return f"{picture.name}: {apart}\n  browser: {json.dumps(browser)}\n  native: {json.dumps(native)}"


def _is_left(answer: dict[str, Any]) -> bool:
    """Whether libtiff decoded the file: it leaves uninitialised memory where it cannot decode."""
    return answer.get("format") == "TIFF"


def native_answer(data: bytes) -> dict[str, Any]:
    """Returns what the browser's interface returns natively, phash included."""
    hashing = Hashing()
    answer: dict[str, Any] = json.loads(hashing.hash(data))
    hashing.keep(0)
    answer.get("signals", []).extend(json.loads(hashing.phash_to_json(0)))
    return answer


def main() -> None:
    """Rewrites the lists."""
    lists = ((MODULES_FILE, HEADER), (PHASH_MODULES_FILE, PHASH_HEADER))
    for (file, header), modules in zip(lists, find_modules(read_pins(), Cache()), strict=True):
        new = modules - (read_modules(file) if file.is_file() else set())
        file.write_text(header + "\n".join(sorted(modules)) + "\n", "utf-8")
        print(f"{file.name}: {len(modules)} modules; new: {', '.join(sorted(new)) or 'none'}", file=sys.stderr)


if __name__ == "__main__":
    main()
