"""Reads pins.toml: what the browser runtime is made of, by hash."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PINS_FILE: Final = Path(__file__).with_name("pins.toml")


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel of the Pyodide release: its file name and the sha256 that Pyodide's own lock gives."""

    name: str
    version: str
    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Pins:
    """All pins. `files` maps a file of the npm package to its sha256; `cdn`, `carrier` say where wheels are found."""

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
    """The pins in `path`."""
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
