"""Takes out of CPython what a worker never reads: its own copies of modules that the archives have, and docstrings.

CPython carries the bytecode of some modules of its library, for its start. A worker gives it a table of its own before
it runs (`web/worker/frozen.js`) with those that are used. So in CPython's own the bytecode is emptied, and the entries
lose their names: an import that no archive answers fails, and says so. The three modules by which CPython imports all
others stand in another table, and stay.

What follows the signature of a built-in function is its docstring; a CPython that is built without docstrings has
nothing there. One that code or data names in its middle is left: a text that ends like another shares its bytes.
"""

import re
from collections.abc import Iterator
from itertools import chain, pairwise
from typing import Final

from builder import BuildError
from builder.split.binary import Data, Section, encode, memory_of, parse, read_data, vector
from builder.split.instructions import addresses

MODULES: Final = (
    *("abc", "codecs", "io", "_collections_abc", "_sitebuiltins", "genericpath", "ntpath", "posixpath", "os", "site"),
    *("stat", "importlib.util", "importlib.machinery", "runpy"),
)
"""The table of CPython's own modules, `_PyImport_FrozenStdlib`, in order."""
_WORD: Final = 4
_ENTRY_BYTES: Final = 16
"""`struct _frozen`: name, code, size, and whether it is a package, 32 bits each."""
_CODE: Final = ord("c")
"""The first byte of a marshalled code object, without the flag that others may refer to it."""
_DOCSTRING: Final = re.compile(rb"--\n\n([^\0]+)\0")


def without_unread(data: bytes) -> bytes:
    """The module with zeros in place of what is never read. Raises `BuildError` if CPython is not as it was."""
    module = parse(data)
    segments = read_data(module.sections)
    memory = memory_of(segments)
    named = set(chain.from_iterable(map(addresses, module.bodies)))
    for docstring in list(_docstrings(memory, named)):
        memory[docstring.start : docstring.stop] = bytes(len(docstring))
    for entry, bytecode in list(_modules(memory)):
        memory[bytecode.start : bytecode.stop] = bytes(len(bytecode))
        # Its name is empty now: that is what stands where the bytecode was.
        memory[entry : entry + _ENTRY_BYTES] = bytecode.start.to_bytes(_WORD, "little") + bytes(_ENTRY_BYTES - _WORD)
    emptied = [Data(one.address, bytes(memory[one.address : one.address + len(one.content)])) for one in segments]
    sections = {**module.sections, Section.DATA: vector([one.encode() for one in emptied])}
    return encode(sections, module.customs)


def _docstrings(memory: bytearray, by_code: set[int]) -> Iterator[range]:
    """Where the docstrings stand that neither code nor data names."""
    by_data = set(memoryview(memory)[: len(memory) // _WORD * _WORD].cast("I"))
    for found in _DOCSTRING.finditer(memory):
        place = range(*found.span(1))
        if by_code.isdisjoint(place) and by_data.isdisjoint(place):
            yield place


def _modules(memory: bytearray) -> Iterator[tuple[int, range]]:
    """Where the entry of each module stands, and its bytecode. Raises `BuildError`."""
    table = _table(memory)
    found = [_words(memory, table + at * _ENTRY_BYTES) for at in range(len(MODULES))]
    bytecode = [range(code, code + size) for _, code, size, _ in found]
    in_order = all(one.stop <= other.start for one, other in pairwise(bytecode))
    if not in_order or not all(memory[one.start] & 0x7F == _CODE for one in bytecode):
        raise BuildError("CPython's table of its own modules does not lead to their bytecode")
    yield from ((table + at * _ENTRY_BYTES, one) for at, one in enumerate(bytecode))


def _table(memory: bytearray) -> int:
    """The address of the table of CPython's own modules. Raises `BuildError` if there is not exactly one."""
    places = range(0, len(memory) - (len(MODULES) + 1) * _ENTRY_BYTES, _WORD)
    last = len(MODULES) * _ENTRY_BYTES
    tables = [
        at for at in places if _is_named(memory, at, MODULES[0]) and not any(memory[at + last : at + last + _WORD])
    ]
    names = [all(_is_named(memory, at + n * _ENTRY_BYTES, name) for n, name in enumerate(MODULES)) for at in tables]
    if sum(names) != 1:
        raise BuildError("CPython does not have the table of its own modules that it had")
    return tables[names.index(True)]


def _is_named(memory: bytearray, at: int, name: str) -> bool:
    """Whether an entry begins with the address of this name."""
    text = int.from_bytes(memory[at : at + _WORD], "little")
    return memory[text : text + len(name) + 1] == f"{name}\0".encode()


def _words(memory: bytearray, at: int) -> tuple[int, ...]:
    return tuple(memoryview(memory)[at : at + _ENTRY_BYTES].cast("I"))
