"""The pinned release of Pyodide as npm installed it, and programs that run it under Node."""

import json
import re
import subprocess
from typing import Final

from pyodide_lock.spec import InfoSpec

from builder import ROOT, BuildError
from builder.setup.cache import sha256
from builder.setup.pins import PINS_FILE, Pins

PYODIDE: Final = ROOT / "node_modules" / "pyodide"
NODE_TIMEOUT: Final = 300
"""Seconds for the compiler or a check under Node; they take five on an old laptop."""
MAX_COMPLAINT: Final = 300


def pinned_file(pins: Pins, name: str) -> bytes:
    """A file of the installed npm package, checked against its pin. Raises `BuildError`."""
    try:
        data = (PYODIDE / name).read_bytes()
    except OSError as error:
        raise BuildError(f"{PYODIDE / name} cannot be read ({error.strerror}); run `npm ci`") from error
    if sha256(data) != pins.files[name]:
        raise BuildError(f"{PYODIDE / name} is not the file that {PINS_FILE.name} pins; run `npm ci`")
    return data


def release_info(pins: Pins) -> InfoSpec:
    """What the release says of itself in its lock: platform, Python and ABI. Raises `BuildError`."""
    return InfoSpec.from_dict(json.loads(pinned_file(pins, "pyodide-lock.json"))["info"])


def run_node(arguments: list[str]) -> str:
    """What Node prints. Raises `BuildError` with the line of its complaint that names the error."""
    try:
        done = subprocess.run(["node", *arguments], capture_output=True, text=True, check=False, timeout=NODE_TIMEOUT)
    except FileNotFoundError as error:
        raise BuildError("Node is missing; install Node 20 or newer") from error
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"Node did not end within {NODE_TIMEOUT} seconds; run the build again") from error
    if done.returncode:
        raise BuildError(f"Pyodide under Node failed: {_complaint(done.stderr)}")
    return done.stdout


def _complaint(said: str) -> str:
    """The line that names the error, or else the last. Node prints a line of source too, and Pyodide's is very long.

    Of a source that does not compile, the line before says where the error is.
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["it gave no reason"]
    named = [line for line in lines if re.match(r"\w*Error\b", line)]
    place = re.search(r'PyCompileError: +File (".*", line \d+)', said)
    return f"{(named or lines)[-1]}{f' in {place[1]}' if place else ''}"[:MAX_COMPLAINT]
