"""`python -m builder.runtime_modules`: writes the list of modules that ship, by hashing samples with everything there.

`check_modules` does the same with the list's modules alone; both must give the same answers.
"""

import sys
import tempfile
from pathlib import Path
from typing import Final

from builder import BuildError
from builder.cache import Cache, sha256
from builder.pins import Pins, read_pins
from builder.runtime import MODULES_FILE, read_modules, run_pictures, runtime_files
from builder.runtime_samples import write_samples
from builder.steps import step

HEADER: Final = """\
# The modules of the standard library, Pyodide and Pillow that ship to browsers: those that hashing any picture
# imports. Made by `python -m builder.runtime_modules`, which hashes a sample of every format and sees what is loaded.
"""
EVERYTHING: Final[set[str]] = set()


def find_modules(pins: Pins, cache: Cache) -> set[str]:
    """The modules that the samples need, found by running with all there are."""
    with tempfile.TemporaryDirectory() as folder:
        used = run_pictures(runtime_files(pins, cache, EVERYTHING), write_samples(Path(folder)))
    modules = used["modules"]
    assert isinstance(modules, list)
    return {name for name in modules if name.partition(".")[0] != "takeback"}


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
    """Writes the list anew."""
    modules = find_modules(read_pins(), Cache())
    new = modules - read_modules()
    MODULES_FILE.write_text(HEADER + "\n".join(sorted(modules)) + "\n", "utf-8")
    print(f"{len(modules)} modules; new: {', '.join(sorted(new)) or 'none'}", file=sys.stderr)


if __name__ == "__main__":
    main()
