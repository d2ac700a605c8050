"""The files of `/runtime` with CPython and Pillow's libraries in two parts."""

from typing import Final

from builder.runtime.archives import runtime_files
from builder.setup.cache import Cache
from builder.setup.pins import Pins
from builder.split.libraries import divide_libraries, with_second_parts
from builder.split.parts import divide
from builder.split.profile_file import first_of_libraries, read_browser_functions, read_profile
from builder.split.unread import without_unread

FIRST_PART: Final = "pyodide.asm.wasm"
PACKAGES: Final = "packages.zip"
SECOND_PART: Final = "second-part.wasm"
"""The second part of CPython, and in it those of the libraries in `PACKAGES`."""


def split_runtime(pins: Pins, cache: Cache, *, lines: bool = False) -> dict[str, bytes]:
    """The files of `/runtime` by name, as they ship. Raises `BuildError`, also if the profile is out of date.

    With `lines`, for developers, an old profile is good enough: what is missing in the first part is only loaded later.
    """
    files = runtime_files(pins, cache, lines=lines)
    profile, browsers = read_profile(), read_browser_functions()
    if not lines:
        profile.check(files)
    browsers.check(files)
    cpython = without_unread(files[FIRST_PART])
    parts = divide(cpython, profile.functions | browsers.functions, profile.exports, profile.tables)
    packages, libraries = divide_libraries(files[PACKAGES], first_of_libraries(profile, browsers))
    return {
        **files,
        FIRST_PART: parts.first,
        PACKAGES: packages,
        SECOND_PART: with_second_parts(parts.second, libraries),
    }
