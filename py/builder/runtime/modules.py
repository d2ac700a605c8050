"""`python -m builder.runtime.modules`: writes the lists of modules that ship, by hashing samples with everything there.

`check_modules` does the same with the list's modules alone, and natively; both must give the same answers.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from builder import ROOT, BuildError
from builder.runtime.agreement import difference
from builder.runtime.archives import MODULES_FILE, PHASH_MODULES_FILE, read_modules, run_pictures, runtime_files
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
# What phash imports beyond those of modules.txt. Made in the same way.
"""
_CHECKED: Final = (
    *(Path(__file__).with_name(name) for name in ("agreement.py", "heic.py", "run.mjs", "samples.py")),
    ROOT / "py" / "requirements.lock",
    ROOT / "web" / "worker" / "stills.js",
)
"""What else the check depends on: itself, and the native decoders."""
EVERYTHING: Final[set[str]] = set()


def find_modules(pins: Pins, cache: Cache) -> tuple[set[str], set[str]]:
    """The modules that the samples need, and those that phash needs beside them, found by running with all there are.

    A part of a package of the first is of the first: Python looks for it where that package is.
    """
    with tempfile.TemporaryDirectory() as folder:
        used = run_pictures(runtime_files(pins, cache, EVERYTHING), write_samples(Path(folder)))
    first, later = (_names(used[kind]) for kind in ("modules", "phash"))
    shared = {name for name in later if name.partition(".")[0] in first - {"PIL"}}
    return first | shared, later - shared


def _names(modules: object) -> set[str]:
    """The modules of others."""
    assert isinstance(modules, list)
    return {name for name in modules if name.partition(".")[0] not in {"takeback", "imagehash", "scipy"}}


def check_modules(pins: Pins, cache: Cache) -> None:
    """Hashes the samples with what ships and natively, once for the same files. Raises `BuildError`."""
    files = runtime_files(pins, cache)
    parts = [*files.values(), *(path.read_bytes() for path in _CHECKED)]
    key = f"checked/{sha256(''.join(sha256(data) for data in parts).encode())}"
    if cache.read(key) is None:
        with step("checking the runtime with a picture of every kind"):
            _compare(files)
        cache.write(key, b"")


def _compare(files: dict[str, bytes]) -> None:
    """Raises `BuildError` with the name and both answers of each sample that is not hashed as it is natively."""
    with tempfile.TemporaryDirectory() as folder:
        pictures = write_samples(Path(folder))
        shipped = run_pictures(files, pictures)["answers"]
        assert isinstance(shipped, dict)
        with _quiet():
            faults = [apart for path in pictures if (apart := fault(path, shipped[str(path)]))]
    if faults:
        raise BuildError(
            "the browser's runtime does not hash as this machine does (a module may be missing: `python -m "
            "builder.runtime.modules`; or the two decode differently):\n" + "\n".join(faults)
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps what libtiff says of broken files, in C, off the terminal."""
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def fault(picture: Path, browser: dict[str, Any]) -> str:
    """How a sample's answers differ, with both of them; empty when they are alike."""
    native = native_answer(picture.read_bytes())
    if native.get("format") == "AVIF":  # its frames are the browser's own to decode
        native["signals"] = [signal for signal in native["signals"] if signal["type"] != SignalType.VPDQ]
    apart = difference(browser, native)
    if not apart or (picture.name.startswith("broken-") and _is_left(browser) and _is_left(native)):
        return ""
    return f"{picture.name}: {apart}\n  browser: {json.dumps(browser)}\n  native: {json.dumps(native)}"


def _is_left(answer: dict[str, Any]) -> bool:
    """Whether libtiff has read it: it leaves what it cannot read of a broken file as memory was."""
    return answer.get("format") == "TIFF"


def native_answer(data: bytes) -> dict[str, Any]:
    """What the browser's door gives natively, phash included."""
    hashing = Hashing()
    answer: dict[str, Any] = json.loads(hashing.hash(data))
    hashing.keep(0)
    answer.get("signals", []).extend(json.loads(hashing.phash_to_json(0)))
    return answer


def main() -> None:
    """Writes the lists anew."""
    lists = ((MODULES_FILE, HEADER), (PHASH_MODULES_FILE, PHASH_HEADER))
    for (file, header), modules in zip(lists, find_modules(read_pins(), Cache()), strict=True):
        new = modules - (read_modules(file) if file.is_file() else set())
        file.write_text(header + "\n".join(sorted(modules)) + "\n", "utf-8")
        print(f"{file.name}: {len(modules)} modules; new: {', '.join(sorted(new)) or 'none'}", file=sys.stderr)


if __name__ == "__main__":
    main()
