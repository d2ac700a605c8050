"""`notices.txt`: what is shipped to browsers, and the licence of each part in its authors' own words."""

from importlib import metadata
from pathlib import Path
from typing import Final

from builder import ROOT, BuildError
from builder.runtime.zips import read_zip
from builder.setup.cache import Cache
from builder.setup.fetch import fetch_wheel
from builder.setup.pins import Pins

LICENCES: Final = Path(__file__).with_name("licences")
RULE: Final = "=" * 78
HEIF: Final = (
    "libheif with libde265: heic.wasm, as libheif-js has it, and the code in worker.js that starts it (their sources: "
    "https://github.com/strukturag/libheif, https://github.com/strukturag/libde265, and how they are built: "
    "https://github.com/catdad-experiments/libheif-emscripten)"
)


def notices(pins: Pins, cache: Cache) -> bytes:
    """Returns the text of `notices.txt`. Raises `BuildError` if a licence is missing."""
    pillow, numpy = pins.wheels["pillow"], pins.wheels["numpy"]
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
        ("altcha-lib", "MIT", _npm("altcha-lib", "LICENSE.txt")),
        ("mediabunny, in video.js (its source: https://github.com/Vanilagy/mediabunny)", "MPL-2.0", _npm("mediabunny")),
        ("hash-wasm, in video.js", "MIT", _npm("hash-wasm")),
        ("Libraries inside Pillow", "see each", (LICENCES / "Pillow-libraries.txt").read_text("utf-8")),
        (f"numpy {numpy.version}, in phash.zip", "BSD-3-Clause", _licence_in(fetch_wheel(pins, numpy, cache))),
        ("imagehash, in phash.zip", "BSD-2-Clause", _installed("imagehash")),
        (
            HEIF,
            "LGPL-3.0",
            _npm("libheif-js/libheif-wasm"),
        ),
        (
            "jSquash: avif.wasm, jxl.wasm and the code in worker.js that starts them",
            "Apache-2.0",
            _npm("@jsquash/avif"),
        ),
        ("Libraries inside avif.wasm and jxl.wasm", "see each", (LICENCES / "Picture-decoders.txt").read_text("utf-8")),
    ]
    sections = [f"{RULE}\n{name}\nLicence: {licence}\n{RULE}\n\n{text.strip()}\n" for name, licence, text in parts]
    opening = "What this site ships to a browser, and under which licences.\n"
    return "\n\n".join([opening, *sections]).encode()


def _npm(package: str, name: str = "LICENSE") -> str:
    """The licence in an npm package. Raises `BuildError` if there is none."""
    try:
        return (ROOT / "node_modules" / package / name).read_text("utf-8")
    except OSError as error:
        raise BuildError(f"{package} carries no licence, so it cannot be shipped; run `npm ci`") from error


def _installed(package: str) -> str:
    """The licence in an installed Python package. Raises `BuildError` if there is none."""
    for file in metadata.files(package) or ():
        if ".dist-info" in file.parent.as_posix() and file.name.startswith("LICENSE"):
            return file.read_text("utf-8")
    raise BuildError(f"{package} carries no licence, so it cannot be shipped")


def _licence_in(wheel: bytes) -> str:
    """The licences in a wheel. Raises `BuildError` if there are none."""
    texts = [
        data.decode()
        for name, data in read_zip(wheel).items()
        if ".dist-info/licenses/" in name or ".dist-info/LICENSE" in name
    ]
    if not texts:
        raise BuildError("a wheel carries no licence, so it cannot be shipped")
    return "\n\n".join(texts)
