"""CPython divided otherwise than it ships: functions that a hash needs stand in the second part."""

from collections.abc import Collection

from builder.runtime.pyodide_release import pinned_file
from builder.setup.pins import read_pins
from builder.split.binary import Kind, parse
from builder.split.parts import Parts, divide
from builder.split.profile_file import read_browser_functions, read_profile
from builder.split.runtime import FIRST_PART


def starved(names: Collection[str]) -> Parts:
    """The two parts, with these functions, named by CPython's exports, in the second."""
    core = pinned_file(read_pins(), FIRST_PART)
    module = parse(core)
    imported = module.imported(Kind.FUNCTION)
    numbers = {export.name: export.index - imported for export in module.exports if export.kind is Kind.FUNCTION}
    profile = read_profile()
    needed = profile.functions | read_browser_functions().functions
    taken = {numbers[name] for name in names}
    assert taken <= needed, names
    return divide(core, needed - taken, profile.exports, profile.tables)
