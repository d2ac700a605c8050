"""A walk over a function's code, to find the functions, globals and addresses that it names.

`OPERANDS` says for each instruction what follows it. An instruction that is not in it stops the build: its length is
unknown, or it names segments of data or elements, which are not the same in both parts of a module.
"""

from typing import Final

from builder import BuildError
from builder.split.binary import I32_CONST, WasmReader

_NONE, _NUMBER, _TWO_NUMBERS, _FOUR_BYTES, _EIGHT_BYTES, _CALL, _GLOBAL, _LIST, _TARGETS, _CATCHES, _MORE = range(11)
_UNKNOWN: Final = 255


def _operands() -> bytes:
    """The kind of operands of each instruction, by its first byte."""
    table = bytearray([_UNKNOWN] * 256)
    none = [0x00, 0x01, 0x05, 0x0A, 0x0B, 0x0F, 0x19, 0x1A, 0x1B, 0xD1, *range(0x45, 0xC5)]
    number = [0x02, 0x03, 0x04, 0x06, 0x07, 0x08, 0x09, 0x0C, 0x0D, 0x14, 0x15, 0x18, 0x20, 0x21, 0x22]
    number += [0x25, 0x26, 0x3F, 0x40, 0x41, 0x42, 0xD0]
    kinds = {
        _NONE: none,
        _NUMBER: number,
        _TWO_NUMBERS: [0x11, 0x13, *range(0x28, 0x3F)],
        _FOUR_BYTES: [0x43],
        _EIGHT_BYTES: [0x44],
        _CALL: [0x10, 0x12],
        _GLOBAL: [0x23, 0x24],
        _LIST: [0x1C],
        _TARGETS: [0x0E],
        _CATCHES: [0x1F],
        _MORE: [0xFC],
    }
    for kind, instructions in kinds.items():
        for instruction in instructions:
            table[instruction] = kind
    return bytes(table)


OPERANDS: Final = _operands()
_LOADS_AND_STORES: Final = range(0x28, 0x3F)
_MORE_NUMBERS: Final = {**dict.fromkeys(range(8), 0), 10: 2, 11: 1, 14: 2, 15: 1, 16: 1, 17: 1}
"""How many numbers follow each instruction that begins with 0xFC: conversions, then those of memories and tables."""


def code_start(body: bytes) -> int:
    """Where the code of a body starts, behind its locals."""
    reader = WasmReader(body)
    for _ in range(reader.unsigned()):
        reader.skip()
        reader.byte()
    return reader.at


def references(body: bytes) -> tuple[set[int], set[int]]:
    """The functions that a body calls and the globals that it uses, by index. Raises `BuildError`."""
    calls: set[int] = set()
    used: set[int] = set()
    reader = WasmReader(body, code_start(body))
    at, end = reader.at, len(body)
    while at < end:
        kind = OPERANDS[body[at]]
        at += 1
        if kind == _NONE:
            continue
        if kind == _NUMBER:  # most instructions: read here, because a call would double the time
            while body[at] >= 0x80:
                at += 1
            at += 1
            continue
        reader.at = at
        if kind == _CALL:
            calls.add(reader.unsigned())
        elif kind == _GLOBAL:
            used.add(reader.unsigned())
        else:
            _skip_operands(kind, reader)
        at = reader.at
    return calls, used


def addresses(body: bytes) -> set[int]:
    """The numbers in a body that may be addresses: constants, and offsets of loads and stores. Raises `BuildError`."""
    found: set[int] = set()
    reader = WasmReader(body, code_start(body))
    while reader.left:
        instruction = reader.byte()
        kind = OPERANDS[instruction]
        if instruction == I32_CONST:
            found.add(reader.signed() & 0xFFFFFFFF)
        elif instruction in _LOADS_AND_STORES:
            reader.skip()
            found.add(reader.unsigned())
        elif kind in {_NUMBER, _CALL, _GLOBAL}:
            reader.skip()
        elif kind != _NONE:
            _skip_operands(kind, reader)
    return found


def _skip_operands(kind: int, reader: WasmReader) -> None:
    """Skips the operands of the rarer kinds. Raises `BuildError`."""
    if kind == _TWO_NUMBERS:
        reader.skip()
        reader.skip()
    elif kind in {_FOUR_BYTES, _EIGHT_BYTES}:
        reader.at += 4 if kind == _FOUR_BYTES else 8
    elif kind in {_LIST, _TARGETS}:
        for _ in range(reader.unsigned() + (kind == _TARGETS)):
            reader.skip()
    elif kind == _CATCHES:
        _skip_catches(reader)
    elif kind == _MORE and (numbers := _MORE_NUMBERS.get(reader.unsigned())) is not None:
        for _ in range(numbers):
            reader.skip()
    else:
        raise BuildError(f"a function has the unknown instruction {reader.data[reader.at - 1]:#x}")


def _skip_catches(reader: WasmReader) -> None:
    """Skips the type of a `try_table`, and its clauses: a kind, a tag for the first two kinds, a label."""
    reader.skip()
    for _ in range(reader.unsigned()):
        numbers = 2 if reader.byte() < 2 else 1
        for _ in range(numbers):
            reader.skip()
