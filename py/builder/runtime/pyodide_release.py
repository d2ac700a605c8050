"""The pinned release of Pyodide as installed by npm, and running programs with it under Node."""

import json
import re
import subprocess
from typing import Final

from pyodide_lock.spec import InfoSpec

from builder import ROOT, BuildError
from builder.setup.cache import sha256
from builder.setup.pins import PINS_FILE, Pins

PYODIDE: Final = ROOT / "node_modules" / "pyodide"
NODE_TIMEOUT_SECONDS: Final = 300
"""For the compiler or a check under Node; they take five on an old laptop."""
MAX_COMPLAINT_CHARACTERS: Final = 300


def pinned_file(pins: Pins, name: str) -> bytes:
    """Reads a file of the installed npm package and checks it against its pin. Raises `BuildError`."""
    try:
        data = (PYODIDE / name).read_bytes()
    except OSError as error:
        raise BuildError(f"{PYODIDE / name} cannot be read ({error.strerror}); run `npm ci`") from error
    if sha256(data) != pins.files[name]:
        raise BuildError(f"{PYODIDE / name} is not the file that {PINS_FILE.name} pins; run `npm ci`")
    return data


def release_info(pins: Pins) -> InfoSpec:
    """Returns the release's platform, Python and ABI from its own lock file. Raises `BuildError`."""
    return InfoSpec.from_dict(json.loads(pinned_file(pins, "pyodide-lock.json"))["info"])


def run_node(arguments: list[str], given: str = "", fault: str = "Pyodide under Node failed") -> str:
    """Returns what Node prints, with `given` as its standard input.

    Raises `BuildError`: the `fault`, and the line of its output that names the error.
    """
    try:
        done = subprocess.run(
            ["node", *arguments], input=given, capture_output=True, text=True, check=False, timeout=NODE_TIMEOUT_SECONDS
        )
    except FileNotFoundError as error:
        raise BuildError("Node is missing; install Node 20 or newer") from error
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"Node did not finish within {NODE_TIMEOUT_SECONDS} seconds; run the build again") from error
    if done.returncode:
        raise BuildError(f"{fault}: {_complaint(done.stderr)}")
    return done.stdout


def _complaint(said: str) -> str:
    """The line that names the error, or the last one. Node also prints a source line, which is very long in Pyodide.

    If a source does not compile, the preceding line says where the error is.
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["it gave no reason"]
    named = [line for line in lines if re.match(r"\w*Error\b", line)]
    place = re.search(r'PyCompileError: +File (".*", line \d+)', said)
    return f"{(named or lines)[-1]}{f' in {place[1]}' if place else ''}"[:MAX_COMPLAINT_CHARACTERS]
