"""A module in two parts gives the same answers as the whole, wherever the border runs."""

import itertools
import json
from pathlib import Path
from typing import Any, Final

import pytest

from builder import BuildError
from builder.runtime.pyodide_release import pinned_file, run_node
from builder.setup.pins import read_pins
from builder.split.binary import Section, encode, parse, signed, unsigned
from builder.split.instructions import references
from builder.split.parts import Parts, divide
from builder.split.profile_file import read_browser_functions, read_profile
from builder.split.runtime import FIRST_PART
from tests.builder.split.small import NAMES, small_module

RUN: Final = Path(__file__).with_name("run_parts.mjs")
ALL: Final = frozenset(range(len(NAMES)))
GIVEN: Final = {
    "nothing": [None],
    "double": [10],
    "quadruple": [20],
    "count": [6, 7],
    "by_table": [20],
    "tell": [105],
}


@pytest.fixture(scope="module")
def core() -> bytes:
    """CPython as Pyodide ships it."""
    return pinned_file(read_pins(), FIRST_PART)


def run(parts: Parts, folder: Path) -> dict[str, Any]:
    """Calls every function of the small module in two parts."""
    for name, data in (("first", parts.first), ("second", parts.second)):
        (folder / name).write_bytes(data)
    said: dict[str, Any] = json.loads(run_node([str(RUN), str(folder / "first"), str(folder / "second")]))
    return said


@pytest.mark.parametrize(
    "first", [frozenset(some) for count in range(len(ALL) + 1) for some in itertools.combinations(sorted(ALL), count)]
)
@pytest.mark.parametrize("is_library", [False, True], ids=["core", "library"])
def test_every_border_gives_the_same_answers(first: frozenset[int], tmp_path: Path, *, is_library: bool) -> None:
    """Whichever functions come first, all answers are right, and the second part is asked for once at most."""
    said = run(divide(small_module(is_library=is_library), first, frozenset(NAMES)), tmp_path)
    assert said["given"] == GIVEN
    assert said["data"] == ("data" if is_library else "\0\0\0\0")
    assert said["exports"] == list(NAMES)
    assert said["asked"]["count"] == (0 if first == ALL else 1)


def test_the_second_part_is_asked_for_when_it_is_called(tmp_path: Path) -> None:
    """Functions of the first part run without the second, also where they stand in the table."""
    said = run(divide(small_module(), ALL - {NAMES.index("tell")}, frozenset(NAMES)), tmp_path)
    assert {name: said["asked"][name] for name in ("double", "quadruple", "by_table", "tell")} == {
        "double": 0, "quadruple": 0, "by_table": 0, "tell": 1,
    }  # fmt: skip


def test_exports_that_nobody_needs_are_cut() -> None:
    """Only the exports that are named stay."""
    parts = divide(small_module(), ALL, frozenset({"double"}))
    shown = [export.name for export in parse(parts.first).exports]
    assert [name for name in shown if not name.startswith("split:")] == ["double"]


@pytest.mark.parametrize(
    ("first", "exports", "words"),
    [(frozenset({99}), frozenset[str](), "functions"), (ALL, frozenset({"gone"}), "does not export gone")],
)
def test_a_plan_for_another_module_is_refused(first: frozenset[int], exports: frozenset[str], words: str) -> None:
    """Functions and exports that the module does not have stop the build."""
    with pytest.raises(BuildError, match=words):
        divide(small_module(), first, exports)


def test_what_is_no_module_is_refused() -> None:
    """A file of another kind stops the build."""
    with pytest.raises(BuildError, match="no WebAssembly"):
        parse(b"\x7fELF")


@pytest.mark.parametrize("code", [b"\xfd\0", b"\xfe\0", b"\xd2\0", b"\xfc\x08\0\0", b"\x27"])
def test_an_unknown_instruction_stops_the_build(code: bytes) -> None:
    """An instruction of unknown length, or one that names a function or a segment as a value, is refused."""
    with pytest.raises(BuildError, match="unknown instruction"):
        references(b"\0" + code + b"\0\0\0\x0b")


def test_references_are_calls_and_globals() -> None:
    """Indices of functions and globals are found among operands of all kinds, and nothing else is."""
    code = b"\1\1\x7f" + b"\x1f\x40\2\0\1\2\2\0" + b"\x10\x80\x01" + b"\x12\3" + b"\xfc\x0a\0\0" + b"\x1c\1\x7f"
    code += b"\x43\x10\x10\x10\x10" + b"\x23\x05\x24\x81\x01" + b"\x0b\x0b"
    assert references(code) == ({128, 3}, {5, 129})


@pytest.mark.parametrize("value", [0, 1, 63, 64, 127, 128, 300, 2**31 - 1, -1, -64, -65, -(2**31)])
def test_numbers_are_those_of_the_format(value: int) -> None:
    """Numbers have the shortest LEB128 form, whose sign is the last byte's seventh bit."""
    out, total, shift = signed(value), 0, 0
    for byte in out:
        total |= (byte & 0x7F) << shift
        shift += 7
    assert (total - (1 << shift) if out[-1] & 0x40 else total) == value
    assert value < 0 or unsigned(value)[-1] < 0x80


def test_cpython_is_read_whole(core: bytes) -> None:
    """Every section of the real core is found, and written as it was."""
    module = parse(core)
    again = parse(encode(module.sections, module.customs))
    assert again.sections == module.sections
    assert len(module.bodies) == len(module.functions) - sum(item.kind == 0 for item in module.imports)
    assert Section.CODE in module.sections


def test_cpython_is_divided_the_same_each_time(core: bytes) -> None:
    """Two divisions of the real core give the same bytes, and browsers' functions are in the first part."""
    profile = read_profile()
    first = profile.functions | read_browser_functions().functions
    parts = divide(core, first, profile.exports, profile.tables)
    assert parts == divide(core, first, profile.exports, profile.tables)
    assert len(parts.first) < len(core) / 2
