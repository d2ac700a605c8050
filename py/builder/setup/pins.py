"""Reads pins.toml: the parts of the browser runtime, by hash."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PINS_FILE: Final = Path(__file__).with_name("pins.toml")


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel of the Pyodide release: its file name, and its sha256 from Pyodide's own lock file."""

    name: str
    version: str
    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Pins:
    """All pins. `files` maps files of the npm package to their sha256; `cdn` and `carrier` are sources of wheels."""

    version: str
    python: str
    abi: str
    integrity: str
    files: dict[str, str]
    wheels: dict[str, Wheel]
    cdn: str
    carrier: str
    carrier_folder: str


def read_pins(path: Path = PINS_FILE) -> Pins:
    """Reads the pins in `path`."""
    table = tomllib.loads(path.read_text("utf-8"))
    pyodide, sources = table["pyodide"], table["sources"]
    return Pins(
        version=pyodide["version"],
        python=pyodide["python"],
        abi=pyodide["abi"],
        integrity=pyodide["integrity"],
        files=pyodide["files"],
        wheels={wheel["name"]: Wheel(**wheel) for wheel in table["wheels"]},
        cdn=sources["cdn"],
        carrier=sources["carrier"],
        carrier_folder=sources["carrier_folder"],
    )
