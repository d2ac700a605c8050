"""CPython and Pillow's libraries divided otherwise than they ship: functions that a hash needs come second."""

from collections.abc import Collection, Mapping

from builder.runtime.archives import runtime_files
from builder.setup.cache import Cache
from builder.setup.pins import read_pins
from builder.split.binary import Kind, Section, WasmReader, parse
from builder.split.instructions import references
from builder.split.libraries import divide_libraries, read_libraries, with_second_parts
from builder.split.parts import divide
from builder.split.profile_file import first_of_libraries, read_browser_functions, read_profile
from builder.split.runtime import FIRST_PART, PACKAGES, SECOND_PART


def starved(names: Collection[str]) -> dict[str, bytes]:
    """The divided files, with these functions in the second part; they are named by exports of CPython or a library."""
    files = runtime_files(read_pins(), Cache())
    profile, browsers = read_profile(), read_browser_functions()
    needed = {"": profile.functions | browsers.functions, **first_of_libraries(profile, browsers)}
    modules = {"": files[FIRST_PART], **read_libraries(files[PACKAGES])}
    taken = {name: _numbers(data, names) & needed[name] for name, data in modules.items()}
    assert sum(map(len, taken.values())) == len(names), names
    return _divided(files, {name: needed[name] - taken[name] for name in modules})


def without_libraries() -> dict[str, bytes]:
    """The divided files, with no function of a library in its first part but what runs when the library is loaded."""
    files = runtime_files(read_pins(), Cache())
    profile, browsers = read_profile(), read_browser_functions()
    started = {name: _started(data) for name, data in read_libraries(files[PACKAGES]).items()}
    return _divided(files, {"": profile.functions | browsers.functions, **started})


def _divided(files: Mapping[str, bytes], first: Mapping[str, frozenset[int]]) -> dict[str, bytes]:
    """The files that are divided, if these functions come first: CPython's have no name."""
    profile = read_profile()
    parts = divide(files[FIRST_PART], first[""], profile.exports, profile.tables)
    packages, libraries = divide_libraries(files[PACKAGES], first)
    return {
        FIRST_PART: parts.first,
        PACKAGES: packages,
        SECOND_PART: with_second_parts(parts.second, libraries),
    }


def _numbers(data: bytes, names: Collection[str]) -> frozenset[int]:
    """Those of a module's functions that it exports by one of these names."""
    module = parse(data)
    imported = module.imported(Kind.FUNCTION)
    exports = [export for export in module.exports if export.kind is Kind.FUNCTION and export.name in names]
    return frozenset(export.index - imported for export in exports)


def _started(data: bytes) -> frozenset[int]:
    """The functions that run when a module is started: nothing can be brought before that has ended."""
    module = parse(data)
    imported = module.imported(Kind.FUNCTION)
    found: set[int] = set()
    left = {WasmReader(module.sections[Section.START]).unsigned()}
    while left:
        found |= left
        called = {index for at in left for index in references(module.bodies[at - imported])[0]}
        left = {index for index in called if index >= imported} - found
    return frozenset(index - imported for index in found)
