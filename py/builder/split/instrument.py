"""Changes a module so that it notes which of its functions are entered.

Each function has a bit that it sets. The bits are exported globals, `entered:0`, `entered:1` and so on, of 64 functions
each: no index of the module changes, and nothing has to be imported.
"""

from typing import Final

from builder.split.binary import END, Export, Kind, Section, encode, parse, signed, sized, unsigned, vector
from builder.split.instructions import code_start

PREFIX: Final = "entered:"
BITS: Final = 64
_GLOBAL_GET, _GLOBAL_SET, _I64_CONST, _I64_OR, _I64, _MUTABLE = 0x23, 0x24, 0x42, 0x84, 0x7E, 1


def instrument(data: bytes) -> bytes:
    """The module with a bit for each function that it defines. Raises `BuildError` if it cannot be read."""
    module = parse(data)
    first = len(module.globals)
    added = range(first, first + -(-len(module.bodies) // BITS))
    own = module.globals[module.imported(Kind.GLOBAL) :]
    kept = [kind + value for kind, value in zip(own, module.initial, strict=True)]
    shown = [Export(f"{PREFIX}{index - first}", Kind.GLOBAL, index) for index in added]
    sections = {
        **module.sections,
        Section.GLOBAL: vector([*kept, *[bytes([_I64, _MUTABLE, _I64_CONST, 0, END])] * len(added)]),
        Section.EXPORT: vector([export.encode() for export in [*module.exports, *shown]]),
        Section.CODE: vector([_marked(number, body, first) for number, body in enumerate(module.bodies)]),
    }
    return encode(sections, module.customs)


def _marked(number: int, body: bytes, first: int) -> bytes:
    """A function that sets its bit before anything else."""
    index = unsigned(first + number // BITS)
    bit = 1 << number % BITS
    constant = signed(bit - (1 << BITS) if bit >> (BITS - 1) else bit)
    setting = bytes([_GLOBAL_GET]) + index + bytes([_I64_CONST]) + constant + bytes([_I64_OR, _GLOBAL_SET]) + index
    start = code_start(body)
    return sized(body[:start] + setting + body[start:])
