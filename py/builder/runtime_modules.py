"""`python -m builder.runtime_modules`: writes the lists of modules that ship, by hashing samples with everything there.

`check_modules` does the same with the list's modules alone; both must give the same answers.
"""

import sys
import tempfile
from pathlib import Path
from typing import Final

from builder import BuildError
from builder.cache import Cache, sha256
from builder.pins import Pins, read_pins
from builder.runtime import MODULES_FILE, PHASH_MODULES_FILE, read_modules, run_pictures, runtime_files
from builder.runtime_samples import write_samples
from builder.steps import step

HEADER: Final = """\
# The modules of the standard library, Pyodide and Pillow that ship to browsers: those that hashing any picture
# imports. Made by `python -m builder.runtime_modules`, which hashes a sample of every format and sees what is loaded.
"""
PHASH_HEADER: Final = """\
# What phash imports beyond those of runtime_modules.txt. Made in the same way.
"""
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
    """Hashes the samples with what ships and with everything, once for the same files. Raises `BuildError`."""
    files = runtime_files(pins, cache)
    key = f"checked/{sha256(''.join(sha256(data) for data in files.values()).encode())}"
    if cache.read(key) is None:
        with step("checking the runtime with a picture of every kind"):
            _compare(files, pins, cache)
        cache.write(key, b"")


def _compare(files: dict[str, bytes], pins: Pins, cache: Cache) -> None:
    """Raises `BuildError` when an answer with `files` alone is another than with everything there is."""
    with tempfile.TemporaryDirectory() as folder:
        pictures = write_samples(Path(folder))
        shipped = run_pictures(files, pictures)["answers"]
        whole = run_pictures(runtime_files(pins, cache, EVERYTHING), pictures)["answers"]
    assert isinstance(shipped, dict)
    assert isinstance(whole, dict)
    for picture in pictures:
        here, there = (_comparable(picture.name, answers[str(picture)]) for answers in (shipped, whole))
        if here != there:
            raise BuildError(
                f"{MODULES_FILE.name} lacks a module: {picture.name} gives {here}, with everything there {there}; run "
                "`python -m builder.runtime_modules`"
            )


def _comparable(name: str, answer: dict[str, object]) -> object:
    """What must be the same. Of a broken file only how it fails: libtiff leaves what it cannot read as is."""
    return answer.get("error") if name.startswith(("cut-", "broken-")) else answer


def main() -> None:
    """Writes the lists anew."""
    lists = ((MODULES_FILE, HEADER), (PHASH_MODULES_FILE, PHASH_HEADER))
    for (file, header), modules in zip(lists, find_modules(read_pins(), Cache()), strict=True):
        new = modules - (read_modules(file) if file.is_file() else set())
        file.write_text(header + "\n".join(sorted(modules)) + "\n", "utf-8")
        print(f"{file.name}: {len(modules)} modules; new: {', '.join(sorted(new)) or 'none'}", file=sys.stderr)


if __name__ == "__main__":
    main()
