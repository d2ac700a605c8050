"""The profile: complete, up to date, and refused when it is not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from builder import BuildError
from builder.runtime import archives, modules
from builder.runtime.archives import LOADER
from builder.runtime.pyodide_release import pinned_file
from builder.runtime.samples import write_samples
from builder.runtime.zips import read_zip, stored_zip
from builder.setup.cache import Cache
from builder.setup.pins import Pins, read_pins
from builder.split import profile, profile_file
from builder.split.exports import needed_exports
from builder.split.libraries import LIBRARIES, divide_libraries, library_name, with_second_parts
from builder.split.loader import lean_loader
from builder.split.parts import divide
from builder.split.runtime import FIRST_PART, PACKAGES, SECOND_PART, split_runtime
from tests.starved import starved

DAMAGED: Final = (
    "",
    "{}",
    "[]",
    '{"made_of": {}, "functions": [], "libraries": {"_imaging": [], "_webp": []}, "exports": [], "tables": 5}',
    '{"made_of": {}, "functions": [], "libraries": {"_imaging": []}, "exports": [], "tables": []}',
)


@pytest.fixture(scope="module")
def pins() -> Pins:
    return read_pins()


@pytest.fixture(scope="module")
def files(pins: Pins) -> dict[str, bytes]:
    """The runtime with CPython whole."""
    return archives.runtime_files(pins, Cache())


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """One of the samples."""
    return next(path for path in write_samples(tmp_path) if path.name == "colour.png")


@pytest.mark.parametrize("name", profile_file.PROFILED)
def test_a_profile_that_is_out_of_date_stops_the_build(files: Mapping[str, bytes], name: str) -> None:
    """If a file that decides what is entered has changed, the build names it and the command."""
    with pytest.raises(BuildError, match=rf"older than {name}; make it anew: .*builder\.split\.profile"):
        profile_file.read_profile().check({**files, name: b"another"})


def test_a_profile_of_other_samples_stops_the_build(
    files: Mapping[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Samples that were written since also need another profile."""
    other = Path(__file__)
    monkeypatch.setattr(profile_file, "SAMPLES", (other,))
    with pytest.raises(BuildError, match=other.name):
        profile_file.read_profile().check(files)


def changed(files: Mapping[str, bytes], module: str) -> dict[str, bytes]:
    """The runtime with another CPython or another library."""
    if module in files:
        return {**files, module: b"another"}
    members = read_zip(files[PACKAGES])
    others = {name: b"another" if library_name(name) == module else data for name, data in members.items()}
    return {**files, PACKAGES: stored_zip(others)}


@pytest.mark.parametrize("name", [FIRST_PART, *LIBRARIES])
def test_a_list_for_another_release_stops_the_build(files: Mapping[str, bytes], name: str) -> None:
    """The browsers' functions are numbers in one release's CPython and libraries."""
    with pytest.raises(BuildError, match=rf"another {name}; .*tests\.e2e\.entered"):
        profile_file.read_browser_functions().check(changed(files, name))


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_profile_is_told(tmp_path: Path, text: str) -> None:
    """A file that is no profile names the command that makes one."""
    path = tmp_path / "profile.json"
    path.write_text(text)
    with pytest.raises(BuildError, match="make it anew"):
        profile_file.read_profile(path)


def test_the_profile_is_written_as_it_is_read(tmp_path: Path) -> None:
    """Writing what was read gives the file that is checked in."""
    found = profile_file.read_profile()
    assert found.encode() == profile_file.PROFILE_FILE.read_text("utf-8")
    assert profile_file.read_browser_functions().encode() == profile_file.BROWSERS_FILE.read_text("utf-8")
    path = tmp_path / "profile.json"
    path.write_text(found.encode())
    assert profile_file.read_profile(path) == found


def test_the_exports_are_those_that_are_asked_for(pins: Pins, files: Mapping[str, bytes]) -> None:
    """The profile's exports are what Pyodide's JavaScript, ours and the shipped libraries name, found anew."""
    scripts = [
        *(pinned_file(pins, name).decode() for name in (LOADER, "pyodide.mjs")),
        profile.FROZEN.read_text("utf-8"),
    ]
    libraries = [files["packages.zip"], files["phash.zip"]]
    assert set(needed_exports(files[FIRST_PART], scripts, libraries)) == profile_file.read_profile().exports


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["PyNumber_TrueDivide", "ImagingZipDecode", "_anim_decoder_new"])
def test_a_sample_that_needs_the_second_part_stops_the_build(
    pins: Pins, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A function of CPython or a library that is missing from the profile is noticed, and the sample named."""
    monkeypatch.setattr(
        modules, "write_samples", lambda folder: [p for p in write_samples(folder) if p.stem == "colour"]
    )
    files = {**split_runtime(pins, Cache()), **starved({name})}
    cache = Cache()
    monkeypatch.setattr(cache, "read", lambda _key: None)
    monkeypatch.setattr(cache, "write", lambda *_: None)
    with pytest.raises(BuildError, match=r"colour\.\w+ asks for the second part"):
        modules.check_modules(files, lean_loader(pins), cache)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kept", [0, 1, 2])
def test_what_is_missing_costs_time_and_no_answer(pins: Pins, picture: Path, kept: int) -> None:
    """With any part of the functions in the first part, also none, the answer is that of the whole."""
    files = archives.runtime_files(pins, Cache())
    whole = archives.run_pictures(files, pinned_file(pins, LOADER), [picture])["answers"]
    found = profile_file.read_profile()
    first = frozenset(number for number in found.functions if number % 3 < kept)
    parts = divide(files[FIRST_PART], first, found.exports, found.tables)
    packages, libraries = divide_libraries(files[PACKAGES], found.libraries)
    second = with_second_parts(parts.second, libraries)
    runtime = {**files, FIRST_PART: parts.first, PACKAGES: packages, SECOND_PART: second}
    said = archives.run_pictures(runtime, lean_loader(pins), [picture])
    assert (said["answers"], said["asked"]) == (whole, "start")


@pytest.mark.timeout(300)
def test_entered_functions_are_found(pins: Pins, files: Mapping[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing one sample enters functions of the profile alone, nearly all of those that the start enters."""
    monkeypatch.setattr(profile, "pictures", lambda _seed: {"text": b"not a picture\n"})
    found = profile.entered({**profile.noted(files), LOADER: pinned_file(pins, LOADER)}, seed=3)
    known = profile_file.read_profile()
    assert found.functions <= known.functions
    assert len(found.functions) > 2000
    assert found.libraries["_imaging"] < known.libraries["_imaging"]
    assert found.libraries["_imaging"]
