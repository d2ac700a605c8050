"""The binary format of WebAssembly, as far as a module must be read to divide it.

Sections are decoded where an index or a type matters; everything else stays bytes. The format is that of the
WebAssembly core specification, section 5, with exception tags.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import partial
from typing import Final

from builder import BuildError

HEADER: Final = b"\0asm\1\0\0\0"
END: Final = 0x0B
I32_CONST: Final = 0x41
FUNCTION_TYPE: Final = 0x60


class Section(IntEnum):
    """The sections of a module, in the order in which a file has them."""

    TYPE = 1
    IMPORT = 2
    FUNCTION = 3
    TABLE = 4
    MEMORY = 5
    TAG = 13
    GLOBAL = 6
    EXPORT = 7
    START = 8
    ELEMENT = 9
    DATA_COUNT = 12
    CODE = 10
    DATA = 11


class Kind(IntEnum):
    """What can be imported and exported."""

    FUNCTION = 0
    TABLE = 1
    MEMORY = 2
    GLOBAL = 3
    TAG = 4


@dataclass(frozen=True, slots=True)
class FunctionType:
    """Parameters and results, one byte for each value's type."""

    parameters: bytes
    results: bytes


@dataclass(frozen=True, slots=True)
class Import:
    """An import; `description` is its type as the file has it."""

    module: str
    name: str
    kind: Kind
    description: bytes

    def encode(self) -> bytes:
        """The import as it stands in a file."""
        return named(self.module) + named(self.name) + bytes([self.kind]) + self.description


@dataclass(frozen=True, slots=True)
class Export:
    """A name for an item of one of the index spaces."""

    name: str
    kind: Kind
    index: int

    def encode(self) -> bytes:
        """The export as it stands in a file."""
        return named(self.name) + bytes([self.kind]) + unsigned(self.index)


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes that are written to memory at `address` when the module starts."""

    address: int
    content: bytes

    def encode(self) -> bytes:
        """The segment as it stands in a file."""
        return bytes([0, I32_CONST]) + signed(self.address) + bytes([END]) + sized(self.content)


@dataclass(slots=True)
class WasmModule:
    """A module. `sections` has the content of every section but custom ones, which are in `customs`.

    The lists of items are index spaces: imported ones come first. An item of `tables`, `memories`, `globals` and `tags`
    is its type, `functions` has indices of `types`. `initial` holds the initial values of the globals defined here,
    `bodies` the functions defined here: locals and code.
    """

    sections: dict[Section, bytes] = field(default_factory=dict)
    customs: list[bytes] = field(default_factory=list)
    types: list[FunctionType] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    functions: list[int] = field(default_factory=list)
    tables: list[bytes] = field(default_factory=list)
    memories: list[bytes] = field(default_factory=list)
    globals: list[bytes] = field(default_factory=list)
    tags: list[bytes] = field(default_factory=list)
    initial: list[bytes] = field(default_factory=list)
    exports: list[Export] = field(default_factory=list)
    elements: list[tuple[int, ...]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def imported(self, kind: Kind) -> int:
        """How many items of a kind are imported."""
        return sum(item.kind is kind for item in self.imports)

    def type_index(self, parameters: bytes, results: bytes) -> int:
        """The index of a function type. Raises `BuildError` if the module does not have it."""
        try:
            return self.types.index(FunctionType(parameters, results))
        except ValueError as error:
            raise BuildError("the module lacks a function type that its parts need") from error


class WasmReader:
    """Reads a piece of a file from front to back."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    @property
    def left(self) -> bool:
        """Whether there is more to read."""
        return self.at < len(self.data)

    def byte(self) -> int:
        """Reads a byte."""
        self.at += 1
        return self.data[self.at - 1]

    def take(self, size: int) -> bytes:
        """Reads `size` bytes."""
        self.at += size
        return self.data[self.at - size : self.at]

    def unsigned(self) -> int:
        """Reads an unsigned number (LEB128)."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def signed(self) -> int:
        """Reads a signed number."""
        start = self.at
        self.skip()
        value = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(self.since(start)))
        return value - (1 << 7 * (self.at - start)) if self.data[self.at - 1] & 0x40 else value

    def skip(self) -> None:
        """Reads a number of any kind."""
        while self.byte() >= 0x80:
            pass

    def name(self) -> str:
        """Reads a name."""
        return self.take(self.unsigned()).decode()

    def since(self, start: int) -> bytes:
        """What was read since the position `start`."""
        return self.data[start : self.at]


def unsigned(value: int) -> bytes:
    """Encodes an unsigned number."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def signed(value: int) -> bytes:
    """Encodes a signed number."""
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value & 0x7F])


def sized(content: bytes) -> bytes:
    """`content` behind its length."""
    return unsigned(len(content)) + content


def named(text: str) -> bytes:
    """Encodes a name."""
    return sized(text.encode())


def vector(items: Sequence[bytes]) -> bytes:
    """`items` behind their number."""
    return unsigned(len(items)) + b"".join(items)


def read_sections(data: bytes) -> tuple[dict[Section, bytes], list[bytes]]:
    """The sections of a module, and its custom ones. Raises `BuildError`."""
    if not data.startswith(HEADER):
        raise BuildError("this is no WebAssembly module")
    sections: dict[Section, bytes] = {}
    customs = []
    file = WasmReader(data, len(HEADER))
    while file.left:
        number = file.byte()
        content = file.take(file.unsigned())
        if number:
            sections[Section(number)] = content
        else:
            customs.append(content)
    return sections, customs


def read_data(sections: Mapping[Section, bytes]) -> list[Data]:
    """The segments of data, in order. Raises `BuildError` if one has no fixed address."""
    reader = WasmReader(sections.get(Section.DATA, b"\0"))
    return [_read_data(reader) for _ in range(reader.unsigned())]


def memory_of(segments: Sequence[Data]) -> bytearray:
    """What segments write to memory, from address 0 to the end of the last one."""
    memory = bytearray(max(one.address + len(one.content) for one in segments))
    for one in segments:
        memory[one.address : one.address + len(one.content)] = one.content
    return memory


def parse(data: bytes) -> WasmModule:
    """Reads a module. Raises `BuildError` for what no part of this room understands."""
    module = WasmModule(*read_sections(data))
    for section, read in _READ.items():
        if section in module.sections:
            reader = WasmReader(module.sections[section])
            for _ in range(reader.unsigned()):
                read(module, reader)
    return module


def encode(sections: dict[Section, bytes], customs: Iterable[bytes] = ()) -> bytes:
    """A file of these sections."""
    parts = [b"\0" + sized(content) for content in customs]
    parts += [bytes([section]) + sized(sections[section]) for section in Section if section in sections]
    return b"".join([HEADER, *parts])


def _read_type(module: WasmModule, reader: WasmReader) -> None:
    if reader.byte() != FUNCTION_TYPE:
        raise BuildError("the module has types other than functions")
    module.types.append(FunctionType(reader.take(reader.unsigned()), reader.take(reader.unsigned())))


def _read_import(module: WasmModule, reader: WasmReader) -> None:
    names = reader.name(), reader.name()
    kind = Kind(reader.byte())
    start = reader.at
    if kind is Kind.FUNCTION:
        module.functions.append(reader.unsigned())
    else:
        _READ_TYPES[kind](module, reader)
    module.imports.append(Import(*names, kind, reader.since(start)))


def _read_typed(items: str, first_bytes: int, module: WasmModule, reader: WasmReader) -> None:
    """Reads an item whose type is some bytes and then limits: a table or a memory."""
    start = reader.at
    reader.take(first_bytes)
    bounded = reader.byte() & 1
    for _ in range(1 + bounded):
        reader.skip()
    getattr(module, items).append(reader.since(start))


def _read_tag(module: WasmModule, reader: WasmReader) -> None:
    start = reader.at
    reader.byte()
    reader.skip()
    module.tags.append(reader.since(start))


def _read_global(module: WasmModule, reader: WasmReader) -> None:
    module.globals.append(reader.take(2))


def _read_own_global(module: WasmModule, reader: WasmReader) -> None:
    _read_global(module, reader)
    module.initial.append(_constant(reader))


def _read_export(module: WasmModule, reader: WasmReader) -> None:
    module.exports.append(Export(reader.name(), Kind(reader.byte()), reader.unsigned()))


def _read_element(module: WasmModule, reader: WasmReader) -> None:
    if reader.unsigned() != 0:
        raise BuildError("the module has element segments of another kind")
    _constant(reader)
    module.elements.append(tuple(reader.unsigned() for _ in range(reader.unsigned())))


def _constant(reader: WasmReader) -> bytes:
    """Reads a constant expression of numbers and globals."""
    start = reader.at
    while (instruction := reader.byte()) != END:
        if instruction in {0x43, 0x44}:  # f32.const, f64.const
            reader.take(4 if instruction == 0x43 else 8)
        elif instruction in {0x23, 0x41, 0x42, 0xD0, 0xD2}:  # global.get, i32.const, i64.const, ref.null, ref.func
            reader.skip()
        elif instruction not in {0x6A, 0x6B, 0x6C, 0x7C, 0x7D, 0x7E}:  # sums and products
            raise BuildError(f"a constant has the unknown instruction {instruction:#x}")
    return reader.since(start)


def _read_body(module: WasmModule, reader: WasmReader) -> None:
    module.bodies.append(reader.take(reader.unsigned()))


def _read_data(reader: WasmReader) -> Data:
    if reader.take(2) != bytes([0, I32_CONST]):
        raise BuildError("the module has data segments of another kind")
    address = reader.signed()
    reader.byte()
    return Data(address, reader.take(reader.unsigned()))


_read_table: Final = partial(_read_typed, "tables", 1)
_read_memory: Final = partial(_read_typed, "memories", 0)

_READ_TYPES: Final[dict[Kind, Callable[[WasmModule, WasmReader], None]]] = {
    Kind.TABLE: _read_table,
    Kind.MEMORY: _read_memory,
    Kind.GLOBAL: _read_global,
    Kind.TAG: _read_tag,
}
_READ: Final[dict[Section, Callable[[WasmModule, WasmReader], None]]] = {
    Section.TYPE: _read_type,
    Section.IMPORT: _read_import,
    Section.FUNCTION: lambda module, reader: module.functions.append(reader.unsigned()),
    Section.TABLE: _read_table,
    Section.MEMORY: _read_memory,
    Section.TAG: _read_tag,
    Section.GLOBAL: _read_own_global,
    Section.EXPORT: _read_export,
    Section.ELEMENT: _read_element,
    Section.CODE: _read_body,
}
"""What reads one item of each section that is a list. A table with an initial value is not known."""
