"""What is taken out of CPython: its own copies of modules, and docstrings, and nothing else."""

import json
import tempfile
from pathlib import Path
from typing import Final

import pytest

from builder import BuildError
from builder.runtime import archives
from builder.runtime.pyodide_release import PYODIDE, pinned_file, run_node
from builder.setup.cache import Cache
from builder.setup.pins import Pins, read_pins
from builder.split.binary import Data, Section, encode, read_data, read_sections, sized, vector
from builder.split.loader import lean_loader
from builder.split.runtime import FIRST_PART, split_runtime
from builder.split.unread import MODULES, without_unread

ASK: Final = Path(__file__).with_name("read_unread.mjs")
TABLE: Final = 16
CODE: Final = 1024
TEXTS: Final = 4096


@pytest.fixture(scope="module")
def pins() -> Pins:
    return read_pins()


def made(texts: bytes, *, named: int = 0, names: tuple[str, ...] = MODULES) -> bytes:
    """A module with the table, 64 bytes of bytecode for each module in it, `texts`, and code that names an address."""
    table, code, strings = b"", b"", b""
    start = 2048
    for at, name in enumerate(names):
        entry = (start + len(strings), CODE + at * 64, 64, 0)
        table += b"".join(word.to_bytes(4, "little") for word in entry)
        code += b"\xe3" + bytes([at]) * 63
        strings += f"{name}\0".encode()
    data = [Data(TABLE, table + bytes(16)), Data(CODE, code), Data(start, strings), Data(TEXTS, texts)]
    body = b"\0" + b"\x41" + _signed(named) + b"\x1a\x0b"
    sections = {
        Section.TYPE: vector([b"\x60\0\0"]),
        Section.FUNCTION: vector([b"\0"]),
        Section.CODE: vector([sized(body)]),
        Section.DATA: vector([one.encode() for one in data]),
    }
    return encode(sections)


def _signed(value: int) -> bytes:
    return bytes([value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14])


def memory(module: bytes) -> bytearray:
    """What a module writes."""
    found = bytearray(8192)
    for one in read_data(read_sections(module)[0]):
        found[one.address : one.address + len(one.content)] = one.content
    return found


def test_docstrings_go_and_signatures_stay() -> None:
    """The text after a signature is emptied; other texts stay, and one that code or data names in its middle too."""
    texts = b"len($module, obj, /)\n--\n\nReturn the length.\0Not a -- docstring\0"
    left = memory(without_unread(made(texts)))[TEXTS:]
    kept = b"len($module, obj, /)\n--\n\n"
    assert left.startswith(kept + bytes(len(b"Return the length.")) + b"\0Not a -- docstring\0")
    inside = TEXTS + texts.index(b"the length")
    assert memory(without_unread(made(texts, named=inside)))[TEXTS:].startswith(texts)
    pointed = texts + bytes(-len(texts) % 4) + inside.to_bytes(4, "little")
    assert memory(without_unread(made(pointed)))[TEXTS:].startswith(texts)


def test_modules_lose_their_names() -> None:
    """The table's entries have empty names and lead to no code, which is emptied."""
    left = memory(without_unread(made(b"")))
    assert not any(left[CODE : CODE + 64 * len(MODULES)])
    for at in range(len(MODULES)):
        entry = memoryview(left)[TABLE + 16 * at : TABLE + 16 * at + 16].cast("I")
        assert left[entry[0]] == 0 < entry[0]
        assert list(entry[1:]) == [0, 0, 0]


def test_another_cpython_stops_the_build() -> None:
    """A table with other modules, or one that does not lead to bytecode, is not touched."""
    with pytest.raises(BuildError, match="does not have the table"):
        without_unread(made(b"", names=MODULES[:-1]))
    broken = made(b"").replace(b"\xe3", b"\x00")
    with pytest.raises(BuildError, match="does not lead to their bytecode"):
        without_unread(broken)


def test_cpython_goes_on_without_them(pins: Pins) -> None:
    """Modules of the archives are imported as ever, others are not there; functions lack docstrings, not signatures."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in {**split_runtime(pins, Cache()), archives.LOADER: lean_loader(pins)}.items():
            Path(folder, name).write_bytes(data)
        said = json.loads(run_node([str(ASK), str(PYODIDE), folder]))
    missing = "missing"
    assert said == {"own": "a/b", "excluded": [missing] * 2, "docstring": None, "signature": "($module, obj, /)"}


def test_only_that_changes(pins: Pins) -> None:
    """In CPython as Pyodide ships it, half a megabyte becomes zeros, and no other byte but the names of the entries."""
    core = pinned_file(pins, FIRST_PART)
    before, after = (memory_of(module) for module in (core, without_unread(core)))
    changed = [at for at, (one, other) in enumerate(zip(before, after, strict=True)) if one != other]
    assert sum(after[at] != 0 for at in changed) <= 4 * len(MODULES)
    assert 350_000 < len(changed) < 500_000


def memory_of(module: bytes) -> bytes:
    """All that CPython writes, in order."""
    return b"".join(one.content for one in read_data(read_sections(module)[0]))
