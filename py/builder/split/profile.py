"""`python -m builder.split.profile`: finds out which functions hashing enters, of CPython and of Pillow's libraries.

It writes the profile. The tables that no such function of CPython names go to the second part as well (`tables.py`).

Every sample and every vector is hashed, phash included, under Node and with several hash seeds. Run it again when the
build says that the profile is out of date; it takes about two minutes. `browsers.json` has the few functions that only
browsers enter: `python -m tests.e2e.entered` writes that file.
"""

import json
import sys
import tempfile
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from builder import ROOT
from builder.runtime.archives import LOADER, runtime_files
from builder.runtime.pyodide_release import PYODIDE, pinned_file, run_node
from builder.runtime.samples import samples
from builder.setup.cache import Cache
from builder.setup.pins import read_pins
from builder.split.binary import parse
from builder.split.exports import needed_exports
from builder.split.instrument import instrument
from builder.split.libraries import LIBRARIES, instrument_libraries
from builder.split.profile_file import PROFILE_FILE, Profile, ingredients, read_browser_functions
from builder.split.runtime import FIRST_PART, PACKAGES
from builder.split.tables import find_tables
from builder.steps import step

SEEDS: Final = range(8)
"""Python's hash seeds: with each, other strings collide in dicts and sets. Each run draws its samples anew."""
VECTORS: Final = ROOT / "tests" / "vectors" / "pictures"
FROZEN: Final = ROOT / "web" / "worker" / "frozen.js"
"""Our own script that uses exports of CPython."""
_SCRIPT: Final = Path(__file__).with_name("profile.mjs")


class Entered(NamedTuple):
    """The functions that were entered: of CPython, and of each library by its name."""

    functions: frozenset[int]
    libraries: Mapping[str, frozenset[int]]

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Self:
        """What `entered.js` says; a library that was not loaded has none."""
        libraries = {name: frozenset(said["libraries"].get(name, [])) for name in LIBRARIES}
        return cls(frozenset(said["functions"]), libraries)

    def union(self, other: Self) -> Self:
        """What was entered here or there."""
        libraries = {name: self.libraries[name] | other.libraries[name] for name in LIBRARIES}
        return type(self)(self.functions | other.functions, libraries)


def find_profile() -> Profile:
    """Hashes everything under Node. Raises `BuildError`."""
    pins = read_pins()
    files = runtime_files(pins, Cache())
    loader = pinned_file(pins, LOADER)
    noting = {**noted(files), LOADER: loader}
    runs = []
    for seed in SEEDS:
        with step(f"hashing every sample, seed {seed}"):
            runs.append(entered(noting, seed))
    found = reduce(Entered.union, runs)
    scripts = [loader.decode(), pinned_file(pins, "pyodide.mjs").decode(), FROZEN.read_text("utf-8")]
    exports = needed_exports(files[FIRST_PART], scripts, [files[PACKAGES], files["phash.zip"]])
    first = found.functions | read_browser_functions().functions
    tables = find_tables(parse(files[FIRST_PART]), first)
    return Profile(ingredients(files), *found, frozenset(exports), tuple(tables))


def noted(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The runtime `files` with a CPython and libraries that note which functions are entered. Raises `BuildError`."""
    return {
        **files,
        FIRST_PART: instrument(files[FIRST_PART]),
        PACKAGES: instrument_libraries(files[PACKAGES]),
    }


def pictures(seed: int) -> dict[str, bytes]:
    """The samples and the vectors, by name."""
    return samples(seed) | {f"vector-{path.name}": path.read_bytes() for path in sorted(VECTORS.iterdir())}


def entered(files: Mapping[str, bytes], seed: int) -> Entered:
    """The functions that hashing all pictures enters, with this hash seed and files that are `noted`."""
    with tempfile.TemporaryDirectory() as work:
        hashed = Path(work, "pictures")
        hashed.mkdir()
        for folder, contents in ((Path(work), files), (hashed, pictures(seed))):
            for name, data in contents.items():
                (folder / name).write_bytes(data)
        paths = sorted(map(str, hashed.iterdir()))
        return Entered.read(json.loads(run_node([str(_SCRIPT), str(PYODIDE), work, str(seed), *paths])))


def main() -> None:
    """Writes the profile anew."""
    before = frozenset(json.loads(PROFILE_FILE.read_bytes())["functions"]) if PROFILE_FILE.is_file() else frozenset()
    profile = find_profile()
    PROFILE_FILE.write_text(profile.encode(), "utf-8")
    new, gone = len(profile.functions - before), len(before - profile.functions)
    of_libraries = "".join(f", {len(functions)} of {name}" for name, functions in profile.libraries.items())
    print(
        f"{PROFILE_FILE.name}: {len(profile.functions)} functions of CPython ({new} new, {gone} gone){of_libraries}",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
