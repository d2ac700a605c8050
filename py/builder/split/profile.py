"""`python -m builder.split.profile`: finds out which functions of CPython hashing enters, and writes the profile.

The tables that no such function names go to the second part as well (`tables.py`).

Every sample and every vector is hashed, phash included, under Node and with several hash seeds. Run it again when the
build says that the profile is out of date; it takes about two minutes. `browsers.json` has the few functions that only
browsers enter: `python -m tests.e2e.entered` writes that file.
"""

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from builder import ROOT
from builder.runtime.archives import LOADER, runtime_files
from builder.runtime.pyodide_release import PYODIDE, pinned_file, run_node
from builder.runtime.samples import samples
from builder.setup.cache import Cache
from builder.setup.pins import read_pins
from builder.split.binary import parse
from builder.split.exports import needed_exports
from builder.split.instrument import instrument
from builder.split.profile_file import PROFILE_FILE, Profile, ingredients, read_browser_functions
from builder.split.runtime import FIRST_PART
from builder.split.tables import find_tables
from builder.steps import step

SEEDS: Final = range(3)
"""Python's hash seeds: with each, other strings collide in dicts and sets. Each run draws its samples anew."""
VECTORS: Final = ROOT / "tests" / "vectors" / "pictures"
FROZEN: Final = ROOT / "web" / "worker" / "frozen.js"
"""Our own script that uses exports of CPython."""
_SCRIPT: Final = Path(__file__).with_name("profile.mjs")


def find_profile() -> Profile:
    """Hashes everything under Node. Raises `BuildError`."""
    pins = read_pins()
    files = runtime_files(pins, Cache())
    loader = pinned_file(pins, LOADER)
    noting = {**files, FIRST_PART: instrument(files[FIRST_PART]), LOADER: loader}
    functions: set[int] = set()
    for seed in SEEDS:
        with step(f"hashing every sample, seed {seed}"):
            functions |= entered(noting, seed)
    scripts = [loader.decode(), pinned_file(pins, "pyodide.mjs").decode(), FROZEN.read_text("utf-8")]
    exports = needed_exports(files[FIRST_PART], scripts, [files["packages.zip"], files["phash.zip"]])
    first = functions | read_browser_functions().functions
    tables = find_tables(parse(files[FIRST_PART]), first)
    return Profile(ingredients(files), frozenset(functions), frozenset(exports), tuple(tables))


def pictures() -> dict[str, bytes]:
    """The samples and the vectors, by name."""
    return samples() | {f"vector-{path.name}": path.read_bytes() for path in sorted(VECTORS.iterdir())}


def entered(files: Mapping[str, bytes], seed: int) -> set[int]:
    """The functions that hashing all pictures enters, with this hash seed and a CPython that notes them."""
    with tempfile.TemporaryDirectory() as work:
        hashed = Path(work, "pictures")
        hashed.mkdir()
        for folder, contents in ((Path(work), files), (hashed, pictures())):
            for name, data in contents.items():
                (folder / name).write_bytes(data)
        paths = sorted(map(str, hashed.iterdir()))
        return set(json.loads(run_node([str(_SCRIPT), str(PYODIDE), work, str(seed), *paths])))


def main() -> None:
    """Writes the profile anew."""
    before = frozenset(json.loads(PROFILE_FILE.read_bytes())["functions"]) if PROFILE_FILE.is_file() else frozenset()
    profile = find_profile()
    PROFILE_FILE.write_text(profile.encode(), "utf-8")
    new, gone = len(profile.functions - before), len(before - profile.functions)
    print(f"{PROFILE_FILE.name}: {len(profile.functions)} functions ({new} new, {gone} gone)", file=sys.stderr)


if __name__ == "__main__":
    main()
