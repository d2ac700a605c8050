"""`notices.txt`: what is shipped to browsers, and the licence of each part, in its authors' own words."""

from pathlib import Path
from typing import Final

from builder import ROOT, BuildError
from builder.cache import Cache
from builder.fetch import fetch_wheel
from builder.pins import Pins
from builder.runtime import read_zip

LICENCES: Final = Path(__file__).with_name("licences")
RULE: Final = "=" * 78


def notices(pins: Pins, cache: Cache) -> bytes:
    """The text of `notices.txt`."""
    pillow = pins.wheels["pillow"]
    parts = [
        ("Takeback", "Apache-2.0", (ROOT / "LICENSE").read_text("utf-8")),
        (
            f"Pyodide {pins.version} (its source: https://github.com/pyodide/pyodide)",
            "MPL-2.0",
            (LICENCES / "MPL-2.0.txt").read_text("utf-8"),
        ),
        (f"CPython {pins.python}, and what it is built with", "PSF-2.0", (LICENCES / "CPython.txt").read_text("utf-8")),
        (f"Pillow {pillow.version}", "MIT-CMU", _licence_in(fetch_wheel(pins, pillow, cache))),
        ("lean-qr", "MIT", _npm("lean-qr")),
        ("mediabunny, in video.js (its source: https://github.com/Vanilagy/mediabunny)", "MPL-2.0", _npm("mediabunny")),
        ("hash-wasm, in video.js", "MIT", _npm("hash-wasm")),
        ("Libraries inside Pillow", "see each", (LICENCES / "Pillow-libraries.txt").read_text("utf-8")),
    ]
    sections = [f"{RULE}\n{name}\nLicence: {licence}\n{RULE}\n\n{text.strip()}\n" for name, licence, text in parts]
    opening = "What this site ships to a browser, and under which licences.\n"
    return "\n\n".join([opening, *sections]).encode()


def _npm(package: str) -> str:
    """The licence that an npm package carries. Raises `BuildError` when it carries none."""
    try:
        return (ROOT / "node_modules" / package / "LICENSE").read_text("utf-8")
    except OSError as error:
        raise BuildError(f"{package} carries no licence, so it cannot be shipped; run `npm ci`") from error


def _licence_in(wheel: bytes) -> str:
    """The licence that a wheel carries. Raises `BuildError` when it carries none."""
    for name, data in read_zip(wheel).items():
        if ".dist-info/licenses/" in name or name.endswith(".dist-info/LICENSE"):
            return data.decode()
    raise BuildError("Pillow's wheel carries no licence, so it cannot be shipped")
