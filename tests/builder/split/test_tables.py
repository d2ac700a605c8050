"""The tables of the second part: read by nobody before it is there, and whole afterwards."""

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest

from builder import BuildError
from builder.runtime import archives, modules
from builder.runtime.pyodide_release import PYODIDE, pinned_file, run_node
from builder.setup.cache import Cache
from builder.setup.pins import Pins, read_pins
from builder.split import tables
from builder.split.binary import Data, Section, encode, parse, read_data, read_sections, vector
from builder.split.instructions import addresses
from builder.split.loader import lean_loader
from builder.split.parts import divide
from builder.split.profile_file import read_browser_functions, read_profile
from builder.split.runtime import FIRST_PART, SECOND_PART, split_runtime
from builder.split.tables import ICONV, MARGIN_BYTES, find_tables
from builder.split.unread import without_unread

READ: Final = Path(__file__).with_name("read_tables.mjs")
POISON: Final = 0xA5


@pytest.fixture(scope="module")
def pins() -> Pins:
    return read_pins()


@pytest.fixture(scope="module")
def core(pins: Pins) -> bytes:
    """CPython as Pyodide ships it."""
    return pinned_file(pins, FIRST_PART)


@pytest.fixture(scope="module")
def first() -> frozenset[int]:
    return read_profile().functions | read_browser_functions().functions


def with_poison(data: Data) -> bytes:
    """A segment's bytes, other ones where a table is."""
    places = enumerate(data.content, data.address)
    return bytes(POISON if any(at in table for table in read_profile().tables) else byte for at, byte in places)


def memory(segments: Iterable[Data]) -> bytes:
    """What these segments write to memory; no place is written twice."""
    found = bytearray()
    for data in sorted(segments, key=lambda data: data.address):
        assert len(found) <= data.address
        found += bytes(data.address - len(found)) + data.content
    return bytes(found)


def data_of(module: bytes) -> list[Data]:
    return read_data(read_sections(module)[0])


def test_the_tables_are_found_anew(core: bytes, first: frozenset[int]) -> None:
    """The profile has the tables that the rule finds, over a megabyte of them; those of `iconv` come last."""
    found = tuple(find_tables(parse(core), first))
    assert found == read_profile().tables
    assert sum(map(len, found)) > 1_100_000
    whole = memory(data_of(core))
    assert ICONV[:8] in whole[found[-1].start - MARGIN_BYTES - 1024 : found[-1].start]


def test_both_parts_write_what_the_whole_writes(core: bytes, pins: Pins) -> None:
    """No byte of data is lost or moved."""
    files = split_runtime(pins, Cache())
    first, second = data_of(files[FIRST_PART]), data_of(files[SECOND_PART])
    assert memory([*first, *second]) == memory(data_of(without_unread(core)))
    held = read_profile().tables
    assert all(any(data.address in table for table in held) for data in second)
    assert not any(data.address in table for data in first for table in held)


def test_data_that_the_first_part_names_stays(core: bytes, first: frozenset[int]) -> None:
    """A table in which a function of the first part names an address stops the build."""
    module = parse(core)
    own = min(first)
    at = max(addresses(module.bodies[own]) or {4096})
    with pytest.raises(BuildError, match="names data of the second"):
        divide(core, first, read_profile().exports, [range(at, at + 1)])


def test_a_module_that_is_started_early_has_no_tables(
    core: bytes, first: frozenset[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the first hash starts a module, or CPython has it no more, its tables cannot come later."""
    monkeypatch.setattr(tables, "MODULES", ("_io",))
    with pytest.raises(BuildError, match="started before the first hash"):
        find_tables(parse(core), first)
    monkeypatch.setattr(tables, "MODULES", ("no_such_module",))
    with pytest.raises(BuildError, match="no_such_module"):
        find_tables(parse(core), first)


@pytest.mark.timeout(300)
def test_no_sample_reads_a_table(
    core: bytes, first: frozenset[int], pins: Pins, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With other bytes in place of the tables each sample is hashed as before: nobody reads them."""
    profile = read_profile()
    sections, customs = read_sections(core)
    poisoned = [Data(data.address, with_poison(data)) for data in read_data(sections)]
    sections[Section.DATA] = vector([data.encode() for data in poisoned])
    parts = divide(encode(sections, customs), first, profile.exports)
    cache = Cache()
    monkeypatch.setattr(cache, "read", lambda _key: None)
    monkeypatch.setattr(cache, "write", lambda *_: None)
    files = {**split_runtime(pins, Cache()), FIRST_PART: parts.first, SECOND_PART: parts.second}
    modules.check_modules(files, lean_loader(pins), cache)


def test_the_tables_are_there_once_they_are_read(pins: Pins) -> None:
    """Names of characters and Asian encodings work, and bring the second part once."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in {**split_runtime(pins, Cache()), archives.LOADER: lean_loader(pins)}.items():
            Path(folder, name).write_bytes(data)
        said = json.loads(run_node([str(READ), str(PYODIDE), folder]))
    codecs = "shift_jis", "euc_kr", "gb2312", "big5", "big5hkscs"
    assert said == {"before": 0, "bullet": "•", "hex": ["中".encode(codec).hex() for codec in codecs], "asked": 1}
