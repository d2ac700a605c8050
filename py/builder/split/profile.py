"""`python -m builder.split.profile`: finds out which functions of CPython hashing enters, and writes the profile.

Every sample and every vector is hashed, phash included, under Node with several hash seeds and then in the browsers for
tests, because each enters a few functions that the others do not. Run it again when the build says that the profile is
out of date; it takes about two minutes.
"""

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from builder import ROOT
from builder.runtime.archives import LOADER, runtime_files
from builder.runtime.pyodide_release import PYODIDE, pinned_file, run_node
from builder.runtime.samples import samples
from builder.split.browser_profile import browser_profile
from builder.split.exports import needed_exports
from builder.split.instrument import instrument
from builder.split.profile_file import PROFILE_FILE, Profile, ingredients, read_profile
from builder.split.runtime import FIRST_PART
from builder.setup.cache import Cache
from builder.setup.pins import read_pins
from builder.steps import step

SEEDS: Final = range(5)
"""Python's hash seeds: with each, other strings collide in dicts and sets. Each run draws its samples anew."""
VECTORS: Final = ROOT / "tests" / "vectors" / "pictures"
_SCRIPT: Final = Path(__file__).with_name("profile.mjs")


def find_profile() -> Profile:
    """Hashes everything under Node and in the browsers. Raises `BuildError`."""
    pins = read_pins()
    files = runtime_files(pins, Cache())
    loader = pinned_file(pins, LOADER)
    noting = {**files, FIRST_PART: instrument(files[FIRST_PART]), LOADER: loader}
    found = {}
    for seed in SEEDS:
        with step(f"hashing under Node, seed {seed}"):
            found[f"Node, seed {seed}"] = _node_profile(noting, seed)
    with step("hashing in browsers"):
        found |= browser_profile(noting, _pictures())
    _report(found)
    scripts = [loader.decode(), pinned_file(pins, "pyodide.mjs").decode()]
    exports = needed_exports(files[FIRST_PART], scripts, [files["packages.zip"], files["phash.zip"]])
    return Profile(ingredients(files), frozenset().union(*found.values()), frozenset(exports))


def _pictures() -> dict[str, bytes]:
    """The samples and the vectors, by name."""
    return samples() | {f"vector-{path.name}": path.read_bytes() for path in sorted(VECTORS.iterdir())}


def _node_profile(files: Mapping[str, bytes], seed: int) -> frozenset[int]:
    """The functions that are entered under Node."""
    with tempfile.TemporaryDirectory() as work:
        pictures = Path(work, "pictures")
        pictures.mkdir()
        for folder, contents in ((Path(work), files), (pictures, _pictures())):
            for name, data in contents.items():
                (folder / name).write_bytes(data)
        paths = sorted(map(str, pictures.iterdir()))
        return frozenset(json.loads(run_node([str(_SCRIPT), str(PYODIDE), work, str(seed), *paths])))


def _report(found: Mapping[str, frozenset[int]]) -> None:
    """Says how many functions each run entered, and how many of these no other run did."""
    for name, functions in found.items():
        others = frozenset().union(*(other for key, other in found.items() if key != name))
        print(f"{name}: {len(functions)} functions, {len(functions - others)} of them alone", file=sys.stderr)


def main(_arguments: Sequence[str] = ()) -> None:
    """Writes the profile anew."""
    before = read_profile().functions if PROFILE_FILE.is_file() else frozenset()
    profile = find_profile()
    PROFILE_FILE.write_text(profile.encode(), "utf-8")
    new, gone = len(profile.functions - before), len(before - profile.functions)
    print(f"{PROFILE_FILE.name}: {len(profile.functions)} functions ({new} new, {gone} gone)", file=sys.stderr)


if __name__ == "__main__":
    main()
