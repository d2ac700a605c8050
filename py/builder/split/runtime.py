"""The files of `/runtime` with CPython in two parts."""

from typing import Final

from builder.runtime.archives import runtime_files
from builder.setup.cache import Cache
from builder.setup.pins import Pins
from builder.split.parts import divide
from builder.split.profile_file import read_browser_functions, read_profile

FIRST_PART: Final = "pyodide.asm.wasm"
SECOND_PART: Final = "second-part.wasm"


def split_runtime(pins: Pins, cache: Cache, *, lines: bool = False) -> dict[str, bytes]:
    """The files of `/runtime` by name, as they ship. Raises `BuildError`, also if the profile is out of date.

    With `lines`, for developers, an old profile is good enough: what is missing in the first part is only loaded later.
    """
    files = runtime_files(pins, cache, lines=lines)
    profile, browsers = read_profile(), read_browser_functions()
    if not lines:
        profile.check(files)
    browsers.check(files[FIRST_PART])
    parts = divide(files[FIRST_PART], profile.functions | browsers.functions, profile.exports, profile.tables)
    return {**files, FIRST_PART: parts.first, SECOND_PART: parts.second}
