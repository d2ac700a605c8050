"""What decides how CPython is divided: `profile.json`, and `browsers.json` for what no run under Node enters."""

import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from builder import BuildError
from builder.setup.cache import sha256

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

    `tables` are the addresses of the data that only other functions read.
    """

    made_of: Mapping[str, str]
    functions: frozenset[int]
    exports: frozenset[str]
    tables: tuple[range, ...]

    def encode(self) -> str:
        """The file, with lines that can be compared."""
        functions = textwrap.fill(", ".join(map(str, sorted(self.functions))), _WIDTH)
        exports = textwrap.fill(", ".join(map(json.dumps, sorted(self.exports))), _WIDTH, break_on_hyphens=False)
        made_of = json.dumps(dict(sorted(self.made_of.items())), indent=1)
        tables = json.dumps([[table.start, table.stop] for table in self.tables])
        lists = f'"functions": [\n{functions}\n],\n"exports": [\n{exports}\n],\n"tables": {tables}'
        return f'{{\n"made_of": {made_of},\n{lists}\n}}\n'

    def check(self, files: Mapping[str, bytes]) -> None:
        """Raises `BuildError` if the profile was found with other files than these, or with other samples."""
        now = ingredients(files)
        if changed := sorted(name for name in now if self.made_of.get(name) != now[name]):
            raise BuildError(f"{PROFILE_FILE.name} is older than {', '.join(changed)}; {ADVICE}")


@dataclass(frozen=True, slots=True)
class BrowserFunctions:
    """The functions of CPython that browsers enter while they hash, and Node does not; `wasm` is its sha256."""

    wasm: str
    functions: frozenset[int]

    def encode(self) -> str:
        """The file."""
        return json.dumps({"wasm": self.wasm, "functions": sorted(self.functions)}, indent=1) + "\n"

    def check(self, wasm: bytes) -> None:
        """Raises `BuildError` if the functions are those of another module."""
        if self.wasm != sha256(wasm):
            raise BuildError(f"{BROWSERS_FILE.name} is for another CPython; {BROWSERS_ADVICE}")


def ingredients(files: Mapping[str, bytes]) -> dict[str, str]:
    """The sha256 of everything that a profile of the runtime `files` depends on, by name."""
    parts = {name: files[name] for name in PROFILED} | {path.name: path.read_bytes() for path in SAMPLES}
    return {name: sha256(data) for name, data in parts.items()}


@cache
def read_profile(path: Path = PROFILE_FILE) -> Profile:
    """Reads the profile. Raises `BuildError`."""
    try:
        read = json.loads(path.read_bytes())
        tables = tuple(range(start, stop) for start, stop in read["tables"])
        return Profile(read["made_of"], frozenset(read["functions"]), frozenset(read["exports"]), tables)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(f"{path.name} cannot be read ({error}); {ADVICE}") from error


def read_browser_functions(path: Path = BROWSERS_FILE) -> BrowserFunctions:
    """Reads the list of the browsers' functions. Raises `BuildError`."""
    try:
        read = json.loads(path.read_bytes())
        return BrowserFunctions(read["wasm"], frozenset(read["functions"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(f"{path.name} cannot be read ({error}); {BROWSERS_ADVICE}") from error
