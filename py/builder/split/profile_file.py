"""What decides how modules are divided: `profile.json`, and `browsers.json` for what no run under Node enters."""

import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from builder import BuildError
from builder.setup.cache import sha256
from builder.split.libraries import LIBRARIES, read_libraries

PROFILE_FILE: Final = Path(__file__).with_name("profile.json")
ADVICE: Final = "make it anew: `PYTHONPATH=py .venv/bin/python -m builder.split.profile`"
BROWSERS_FILE: Final = PROFILE_FILE.with_name("browsers.json")
BROWSERS_ADVICE: Final = "make it anew: `PYTHONPATH=py .venv/bin/python -m tests.e2e.entered`"
PROFILED: Final = ("pyodide.asm.wasm", "python.zip", "packages.zip", "phash.zip")
"""The files of the runtime that decide which functions are entered."""
SAMPLES: Final = tuple(Path(__file__).parents[1] / "runtime" / name for name in ("samples.py", "heic.py"))
"""What makes the pictures that were hashed."""
_WIDTH: Final = 118


@dataclass(frozen=True, slots=True)
class Profile:
    """What was found. `made_of` has the sha256 of each file in it; `functions` are numbered without imported ones.

    `functions` are CPython's, `libraries` has those of each library; `tables` are the addresses of the data that only
    other functions of CPython read.
    """

    made_of: Mapping[str, str]
    functions: frozenset[int]
    libraries: Mapping[str, frozenset[int]]
    exports: frozenset[str]
    tables: tuple[range, ...]

    def encode(self) -> str:
        """The file, with lines that can be compared."""
        libraries = ",\n".join(f'"{name}": {_lines(self.libraries[name])}' for name in LIBRARIES)
        exports = textwrap.fill(", ".join(map(json.dumps, sorted(self.exports))), _WIDTH, break_on_hyphens=False)
        made_of = json.dumps(dict(sorted(self.made_of.items())), indent=1)
        tables = json.dumps([[table.start, table.stop] for table in self.tables])
        functions = f'"functions": {_lines(self.functions)},\n"libraries": {{\n{libraries}\n}}'
        lists = f'{functions},\n"exports": [\n{exports}\n],\n"tables": {tables}'
        return f'{{\n"made_of": {made_of},\n{lists}\n}}\n'

    def check(self, files: Mapping[str, bytes]) -> None:
        """Raises `BuildError` if the profile was found with other files than these, or with other samples."""
        now = ingredients(files)
        if changed := sorted(name for name in now if self.made_of.get(name) != now[name]):
            raise BuildError(f"{PROFILE_FILE.name} is older than {', '.join(changed)}; {ADVICE}")


@dataclass(frozen=True, slots=True)
class BrowserFunctions:
    """The functions that browsers enter while they hash, and Node does not: of CPython, and of each library.

    `made_of` has the sha256 of CPython and of the libraries.
    """

    made_of: Mapping[str, str]
    functions: frozenset[int]
    libraries: Mapping[str, frozenset[int]]

    def encode(self) -> str:
        """The file."""
        libraries = {name: sorted(self.libraries[name]) for name in LIBRARIES}
        lists = {"functions": sorted(self.functions), "libraries": libraries}
        return json.dumps({"made_of": dict(self.made_of), **lists}, indent=1) + "\n"

    def check(self, files: Mapping[str, bytes]) -> None:
        """Raises `BuildError` if the functions are those of other modules than the runtime `files` have."""
        now = divided_modules(files)
        if changed := sorted(name for name in now if self.made_of.get(name) != now[name]):
            raise BuildError(f"{BROWSERS_FILE.name} is for another {', '.join(changed)}; {BROWSERS_ADVICE}")


def ingredients(files: Mapping[str, bytes]) -> dict[str, str]:
    """The sha256 of everything that a profile of the runtime `files` depends on, by name."""
    parts = {name: files[name] for name in PROFILED} | {path.name: path.read_bytes() for path in SAMPLES}
    return {name: sha256(data) for name, data in parts.items()}


def divided_modules(files: Mapping[str, bytes]) -> dict[str, str]:
    """The sha256 of each module of the runtime `files` that is divided, by name."""
    modules = {"pyodide.asm.wasm": files["pyodide.asm.wasm"], **read_libraries(files["packages.zip"])}
    return {name: sha256(data) for name, data in modules.items()}


def first_of_libraries(profile: Profile, browsers: BrowserFunctions) -> dict[str, frozenset[int]]:
    """The functions of each library that come first, by its name."""
    return {name: profile.libraries[name] | browsers.libraries[name] for name in LIBRARIES}


@cache
def read_profile(path: Path = PROFILE_FILE) -> Profile:
    """Reads the profile. Raises `BuildError`."""
    try:
        read = json.loads(path.read_bytes())
        tables = tuple(range(start, stop) for start, stop in read["tables"])
        functions = frozenset(read["functions"]), _of_libraries(read)
        return Profile(read["made_of"], *functions, frozenset(read["exports"]), tables)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(f"{path.name} cannot be read ({error}); {ADVICE}") from error


def read_browser_functions(path: Path = BROWSERS_FILE) -> BrowserFunctions:
    """Reads the list of the browsers' functions. Raises `BuildError`."""
    try:
        read = json.loads(path.read_bytes())
        return BrowserFunctions(read["made_of"], frozenset(read["functions"]), _of_libraries(read))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(f"{path.name} cannot be read ({error}); {BROWSERS_ADVICE}") from error


def _of_libraries(read: Mapping[str, Mapping[str, list[int]]]) -> dict[str, frozenset[int]]:
    """The functions of each library in a file. Raises `KeyError` and `TypeError`."""
    return {name: frozenset(read["libraries"][name]) for name in LIBRARIES}


def _lines(functions: frozenset[int]) -> str:
    """A list of numbers, in lines."""
    return f"[\n{textwrap.fill(', '.join(map(str, sorted(functions))), _WIDTH)}\n]"
