"""A small module whose functions call each other in every way that a core uses: directly, by a table, with a global."""

from typing import Final

from builder.split.binary import (
    FUNCTION_TYPE,
    Export,
    Import,
    Kind,
    Section,
    encode,
    named,
    sized,
    unsigned,
    vector,
)

END: Final = b"\x0b"
I32: Final = b"\x7f"
GET_X: Final = b"\x20\0"
NAMES: Final = ("double", "quadruple", "count", "by_table", "nothing", "tell")
"""The functions, by number. Each takes and gives an i32, but for `nothing`."""
TOLD: Final = Import("env", "told", Kind.FUNCTION, b"\0")
PLACES: Final = (
    Import("env", "memory", Kind.MEMORY, b"\0\1"),
    Import("env", "__indirect_function_table", Kind.TABLE, b"\x70\0\1"),
    Import("env", "__memory_base", Kind.GLOBAL, I32 + b"\0"),
    Import("env", "__table_base", Kind.GLOBAL, I32 + b"\0"),
)
"""What a shared library imports: memory, a table, and where it may use them."""


def small_module(*, is_library: bool = False) -> bytes:
    """The module, which imports `env.told`, a function that takes and gives an i32; a library imports `PLACES` too."""
    one, none = 0, 1
    types = [bytes([FUNCTION_TYPE]) + vector([I32]) * 2, bytes([FUNCTION_TYPE, 0, 0])]
    counter, slot = (b"\2", b"\x23\1") if is_library else (b"\0", b"\x41\0")
    bodies = [
        GET_X + GET_X + b"\x6a",
        GET_X + b"\x10\1\x10\1",
        # A block, a br_table, an f64 whose bytes look like calls, and a memory instruction with a long offset.
        b"\x02\x40\x41\0\x0e\1\0\0\x0b" + b"\x44" + b"\x10" * 8 + b"\x1a" + b"\x41\0\x28\2\x80\x01\x1a"
        b"\x23" + counter + b"\x41\1\x6a\x24" + counter + b"\x23" + counter + GET_X + b"\x6a",
        GET_X + slot + b"\x11\0\0",
        b"",
        GET_X + b"\x10\0",
    ]
    exports = [Export(name, Kind.FUNCTION, 1 + number) for number, name in enumerate(NAMES)]
    own = {Section.TABLE: vector([b"\x70\0\1"]), Section.MEMORY: vector([b"\0\1"])}
    data = vector([b"\0\x23\0" + END + sized(b"data")])
    sections = {
        Section.TYPE: vector(types),
        Section.IMPORT: vector([item.encode() for item in (TOLD, *(PLACES if is_library else ()))]),
        Section.FUNCTION: vector([unsigned(none if name == "nothing" else one) for name in NAMES]),
        **({} if is_library else own),
        Section.GLOBAL: vector([I32 + b"\1\x41\0" + END, I32 + b"\0\x41\x2a" + END]),
        Section.EXPORT: vector([export.encode() for export in exports]),
        Section.ELEMENT: vector([b"\0" + slot + END + vector([unsigned(2)])]),
        Section.CODE: vector([sized(b"\0" + body + END) for body in bodies]),
        **({Section.DATA: data} if is_library else {}),
    }
    return encode(sections, [named("dylink.0") + b"kept"])
