"""Pillow's libraries in two parts: the same each time, whole together, and right with no function in the first part."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from builder.runtime import archives, modules
from builder.runtime.archives import runtime_files
from builder.runtime.samples import write_samples
from builder.runtime.zips import read_zip
from builder.setup.cache import Cache
from builder.setup.pins import Pins, read_pins
from builder.split.binary import Section, WasmReader, parse, read_sections
from builder.split.libraries import LIBRARIES, divide_libraries, library_name, read_libraries
from builder.split.loader import lean_loader
from builder.split.profile_file import first_of_libraries, read_browser_functions, read_profile
from builder.split.runtime import PACKAGES, SECOND_PART, split_runtime
from tests.starved import without_libraries


@pytest.fixture(scope="module")
def pins() -> Pins:
    return read_pins()


@pytest.fixture(scope="module")
def shipped(pins: Pins) -> dict[str, bytes]:
    """The runtime as it ships."""
    return split_runtime(pins, Cache())


@pytest.fixture(scope="module")
def whole(pins: Pins) -> bytes:
    """The archive with the libraries whole."""
    return runtime_files(pins, Cache())[PACKAGES]


def second_parts(second: bytes) -> dict[str, bytes]:
    """The sections of CPython's second part that have names, by name."""
    readers = [WasmReader(custom) for custom in read_sections(second)[1]]
    return {reader.name(): reader.data[reader.at :] for reader in readers}


def functions_of(sections: Mapping[Section, bytes]) -> list[bytes]:
    """The bodies of a part's functions, stubs too."""
    reader = WasmReader(sections[Section.CODE])
    return [reader.take(reader.unsigned()) for _ in range(reader.unsigned())]


@pytest.mark.parametrize(
    ("member", "name"),
    [("PIL/_webp.cpython-314-wasm32-emscripten.so", "_webp"), ("a/_kernel.so", "_kernel"), ("PIL/_webp.pyc", None)],
)
def test_a_library_has_the_name_of_its_module(member: str, name: str | None) -> None:
    """What Python imports names the library, and other members are none."""
    assert library_name(member) == name


def test_the_libraries_are_divided_the_same_each_time(whole: bytes, shipped: Mapping[str, bytes]) -> None:
    """Two divisions give the bytes that ship; every other member of the archive stays as it is."""
    divided, seconds = divide_libraries(whole, first_of_libraries(read_profile(), read_browser_functions()))
    assert divided == shipped[PACKAGES]
    assert second_parts(shipped[SECOND_PART]) == seconds
    before, after = read_zip(whole), read_zip(divided)
    assert before.keys() == after.keys()
    assert {library_name(name) for name in before if before[name] != after[name]} == set(LIBRARIES)


def test_only_code_moves(whole: bytes, shipped: Mapping[str, bytes]) -> None:
    """The first part has all data, all imports and what tells the linker its sizes; each function is in one part."""
    seconds = second_parts(shipped[SECOND_PART])
    for name, data in read_libraries(whole).items():
        module = parse(data)
        first, customs = read_sections(read_libraries(shipped[PACKAGES])[name])
        second, _ = read_sections(seconds[name])
        assert customs == module.customs
        for section in (Section.TYPE, Section.IMPORT, Section.START, Section.DATA_COUNT, Section.DATA):
            assert first[section] == module.sections[section]
        assert Section.DATA not in second
        bodies = functions_of(first), functions_of(second)
        for number, body in enumerate(module.bodies):
            assert body == bodies[number not in read_profile().libraries[name]][number]


def test_the_first_parts_are_small(whole: bytes, shipped: Mapping[str, bytes]) -> None:
    """More than a third of the archive comes later."""
    assert len(shipped[PACKAGES]) < len(whole) * 0.66


@pytest.mark.timeout(300)
def test_without_any_function_each_sample_is_hashed_alike(
    pins: Pins, shipped: Mapping[str, bytes], tmp_path: Path
) -> None:
    """With no function of a library in its first part every sample gives its native answer."""
    pictures = write_samples(tmp_path)
    said = archives.run_pictures({**shipped, **without_libraries()}, lean_loader(pins), pictures)
    answers = said["answers"]
    assert isinstance(answers, dict)
    assert [apart for path in pictures if (apart := modules.fault(path, answers[str(path)]))] == []
    assert said["asked"] == "start"
