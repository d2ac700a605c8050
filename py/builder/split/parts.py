"""Divides a module into two: the functions that come first, and the others, which a stub brings when it is called.

Both parts keep every index space of the whole module, so that bodies are copied as they are. The two share a table.
Where a function of the other part can be reached stands a stub of the same type, which calls it through that table;
where it cannot be reached stands `unreachable`. A stub of the first part calls `ensure` before: unless the global
`loaded` is 1, that calls what is in slot 0 of the table, which brings the second part (`web/worker/second-part.js`).

Memory, tables and exports belong to the first part, which is complete but for the bodies that are missing; a function's
address in the main table is the same whether the second part is there or not. So does data, but for tables that the
second part alone reads (`tables.py`): it writes them to their places when it starts, before any of its functions runs.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from builder import BuildError
from builder.split.binary import (
    END,
    I32_CONST,
    Data,
    Export,
    Import,
    Kind,
    Section,
    WasmModule,
    WasmReader,
    encode,
    parse,
    read_data,
    signed,
    sized,
    unsigned,
    vector,
)
from builder.split.instructions import addresses, references

PREFIX: Final = "split:"
"""What the exports begin with that the first part has for the second."""
_UNREACHABLE: Final = bytes([0, 0x00, END])
_CALL, _CALL_INDIRECT, _LOCAL_GET, _GLOBAL_GET, _I32_EQZ, _IF, _VOID = 0x10, 0x11, 0x20, 0x23, 0x45, 0x04, 0x40
_I32: Final = b"\x7f"
_MUTABLE: Final = b"\1"
_FUNCTIONS: Final = b"\x70"


@dataclass(frozen=True, slots=True)
class Parts:
    """The two modules."""

    first: bytes
    second: bytes


def divide(data: bytes, first: AbstractSet[int], exports: AbstractSet[str], tables: Sequence[range] = ()) -> Parts:
    """Divides a module.

    `first` are the functions of the first part, numbered without the imported ones; `exports` are the names that stay
    exported; `tables` are the addresses of the data that goes to the second part, in order. The same arguments always
    give the same bytes. Raises `BuildError`, also if a function of the first part names an address in the tables.
    """
    return _Division(parse(data), first, exports, tables).parts()


class _Division:
    """One module, and who calls whom across the border."""

    def __init__(
        self, module: WasmModule, first: AbstractSet[int], exports: AbstractSet[str], tables: Sequence[range]
    ) -> None:
        self.module = module
        self.first = first
        self.tables = tables
        self.exports = [export for export in module.exports if export.name in exports]
        self.imported = module.imported(Kind.FUNCTION)
        self.numbers = range(len(module.bodies))
        self._check(exports)
        from_first, _ = self._references(first)
        from_second, globals_of_second = self._references(self._second())
        from_first |= {export.index for export in self.exports if export.kind is Kind.FUNCTION}
        from_first |= {index for element in module.elements for index in element}
        self.to_first = [number for number in sorted(first) if number + self.imported in from_second]
        self.to_second = [number for number in self._second() if number + self.imported in from_first]
        self.slots = {number: slot for slot, number in enumerate([*self.to_first, *self.to_second], start=1)}
        own = range(module.imported(Kind.GLOBAL), len(module.globals))
        # All up to the last one that is used, because an index is a position.
        self.shared_globals = own[: max((own.index(at) + 1 for at in globals_of_second if at in own), default=0)]

    def _check(self, exports: AbstractSet[str]) -> None:
        """Raises `BuildError` if the module cannot be divided so."""
        module = self.module
        if missing := exports - {export.name for export in self.exports}:
            raise BuildError(f"the module does not export {min(missing)}")
        if self.first - set(self.numbers):
            raise BuildError("the profile names functions that the module does not have")
        if not module.tables or Section.ELEMENT not in module.sections:
            raise BuildError("a module without a table of functions is not divided")
        if Section.START in module.sections:
            start = WasmReader(module.sections[Section.START]).unsigned() - self.imported
            if start not in self.first:
                raise BuildError("the function that starts the module must be in the first part")
        for number in self.first if self.tables else ():
            if any(address in table for address in addresses(module.bodies[number]) for table in self.tables):
                raise BuildError(f"function {number} of the first part names data of the second")

    def _second(self) -> Sequence[int]:
        return [number for number in self.numbers if number not in self.first]

    def _references(self, numbers: Iterable[int]) -> tuple[set[int], set[int]]:
        """What these functions call, and the globals that they use, by index."""
        calls: set[int] = set()
        used: set[int] = set()
        for number in numbers:
            called, global_ones = references(self.module.bodies[number])
            calls |= called
            used |= global_ones
        return calls, used

    def parts(self) -> Parts:
        """Both modules."""
        return Parts(self._first_part(), self._second_part())

    def _first_part(self) -> bytes:
        module = self.module
        loaded, ensure = len(module.globals), len(module.functions)
        element = WasmReader(module.sections[Section.ELEMENT])
        elements = element.unsigned()
        added = self._fill(self.to_first)
        sections = {
            **module.sections,
            **self._remaining_data(),
            Section.FUNCTION: vector([*self._types(self.first), unsigned(module.type_index(_I32, _I32))]),
            Section.TABLE: vector([*module.tables[module.imported(Kind.TABLE) :], self._shared_table()]),
            Section.GLOBAL: vector([*self._own_globals(), _I32 + _MUTABLE + bytes([I32_CONST, 0, END])]),
            Section.EXPORT: vector([export.encode() for export in [*self.exports, *self._shared(loaded)]]),
            Section.ELEMENT: unsigned(elements + len(added)) + b"".join([element.data[element.at :], *added]),
            Section.CODE: vector([sized(body) for body in [*self._bodies(self.first, ensure), self._ensure(loaded)]]),
        }
        return encode(sections, module.customs)

    def _second_part(self) -> bytes:
        module = self.module
        second = frozenset(self._second())
        imports = [*module.imports, *self._imports()]
        sections = {
            Section.TYPE: module.sections[Section.TYPE],
            Section.IMPORT: vector([item.encode() for item in imports]),
            Section.FUNCTION: vector(self._types(second)),
            Section.ELEMENT: vector(self._fill(self.to_second)),
            Section.CODE: vector([sized(body) for body in self._bodies(second, None)]),
        }
        if self.tables:
            sections[Section.DATA] = vector([segment.encode() for segment in self._data(of_tables=True)])
        return encode(sections)

    def _remaining_data(self) -> dict[Section, bytes]:
        """The sections of data without the tables; none that differ if there are no tables."""
        if not self.tables:
            return {}
        data = self._data(of_tables=False)
        counted = {Section.DATA_COUNT: unsigned(len(data))} if Section.DATA_COUNT in self.module.sections else {}
        return {**counted, Section.DATA: vector([segment.encode() for segment in data])}

    def _data(self, *, of_tables: bool) -> list[Data]:
        """The data in the tables, or all other."""
        edges = sorted({edge for table in self.tables for edge in (table.start, table.stop)})
        found = []
        for data in read_data(self.module.sections):
            end = data.address + len(data.content)
            inside = [edge for edge in edges if data.address < edge < end]
            for start, stop in pairwise([data.address, *inside, end]):
                if any(start in table for table in self.tables) == of_tables:
                    found.append(Data(start, data.content[start - data.address : stop - data.address]))
        return found

    def _types(self, here: AbstractSet[int]) -> list[bytes]:
        """The type of each function; one that cannot be reached takes and gives nothing."""
        nothing = self.module.type_index(b"", b"")
        types = self.module.functions[self.imported :]
        return [unsigned(kind if n in here or n in self.slots else nothing) for n, kind in enumerate(types)]

    def _bodies(self, here: AbstractSet[int], ensure: int | None) -> list[bytes]:
        """The functions of a part, and stubs for the others."""
        return [
            self.module.bodies[number]
            if number in here
            else (self._stub(number, ensure) if number in self.slots else _UNREACHABLE)
            for number in self.numbers
        ]

    def _stub(self, number: int, ensure: int | None) -> bytes:
        """A function that passes its arguments on to the other part, which `ensure` brings."""
        kind = self.module.functions[self.imported + number]
        arguments = b"".join(
            bytes([_LOCAL_GET]) + unsigned(at) for at in range(len(self.module.types[kind].parameters))
        )
        slot = bytes([I32_CONST]) + signed(self.slots[number])
        ensured = b"" if ensure is None else bytes([_CALL]) + unsigned(ensure)
        call = bytes([_CALL_INDIRECT]) + unsigned(kind) + unsigned(len(self.module.tables))
        return b"\0" + arguments + slot + ensured + call + bytes([END])

    def _ensure(self, loaded: int) -> bytes:
        """A function that brings the second part unless it is there, and returns its argument."""
        nothing = unsigned(self.module.type_index(b"", b""))
        bring = bytes([I32_CONST, 0, _CALL_INDIRECT]) + nothing + unsigned(len(self.module.tables))
        test = bytes([_GLOBAL_GET]) + unsigned(loaded) + bytes([_I32_EQZ, _IF, _VOID])
        return b"\0" + test + bring + bytes([END, _LOCAL_GET, 0, END])

    def _shared_table(self) -> bytes:
        """The type of the table that both parts share: slot 0, and one for each function that the other part calls."""
        return _FUNCTIONS + b"\0" + unsigned(1 + len(self.slots))

    def _fill(self, numbers: Sequence[int]) -> list[bytes]:
        """The segment that writes functions, whose slots follow each other, into the shared table."""
        if not numbers:
            return []
        place = bytes([2]) + unsigned(len(self.module.tables)) + bytes([I32_CONST]) + signed(self.slots[numbers[0]])
        functions = vector([unsigned(number + self.imported) for number in numbers])
        return [place + bytes([END, 0]) + functions]

    def _own_globals(self) -> list[bytes]:
        own = self.module.globals[self.module.imported(Kind.GLOBAL) :]
        return [kind + value for kind, value in zip(own, self.module.initial, strict=True)]

    def _spaces(self) -> list[tuple[Kind, str, range, list[bytes]]]:
        """What the first part defines and the second uses: kind, name, indices, and the types of the index space."""
        module = self.module
        tables = [*module.tables, self._shared_table()]
        return [
            (Kind.TABLE, "table", range(module.imported(Kind.TABLE), len(tables)), tables),
            (Kind.MEMORY, "memory", range(module.imported(Kind.MEMORY), len(module.memories)), module.memories),
            (Kind.GLOBAL, "global", self.shared_globals, module.globals),
            (Kind.TAG, "tag", range(module.imported(Kind.TAG), len(module.tags)), module.tags),
        ]

    def _shared(self, loaded: int) -> list[Export]:
        """What the first part exports for the second, and for the code that brings it: the table and `loaded`."""
        items = [
            Export(f"{PREFIX}{name}{index}", kind, index) for kind, name, own, _ in self._spaces() for index in own
        ]
        table = Export(f"{PREFIX}functions", Kind.TABLE, len(self.module.tables))
        return [*items, table, Export(f"{PREFIX}loaded", Kind.GLOBAL, loaded)]

    def _imports(self) -> list[Import]:
        """The same as imports, in the order of the index spaces."""
        return [
            Import("split", f"{name}{index}", kind, types[index])
            for kind, name, own, types in self._spaces()
            for index in own
        ]
