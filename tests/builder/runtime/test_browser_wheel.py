"""The wheel of the hashing core for browsers: tagged, compiled and locked by pyodide-build and its sister tools."""

import _imp
import hashlib
import os
import subprocess
import sys
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.utils import parse_wheel_filename

from builder import ROOT, BuildError
from builder.native.kernel import KERNEL, build_for_webassembly
from builder.native.kernel_check import EXPORTS
from builder.runtime import archives
from builder.runtime.browser_wheel import (
    NAME,
    BrowserWheel,
    check_libraries,
    finish_wheel,
    own_sources,
    source_wheel,
)
from builder.runtime.bytecode import compile_archives
from builder.runtime.zips import read_zip, stored_zip
from builder.setup.cache import Cache
from builder.setup.pins import Pins, read_pins
from takeback import __version__


@pytest.fixture(scope="module")
def pins() -> Pins:
    return read_pins()


@pytest.fixture(scope="module")
def wheel(pins: Pins) -> BrowserWheel:
    """The wheel as the build makes it."""
    source = source_wheel(pins)
    return finish_wheel(source, compile_archives(pins, {source.name: source.source}, Cache())[source.name])


def described(wheel: BrowserWheel, name: str) -> bytes:
    """A file of the wheel's `.dist-info`."""
    return read_zip(wheel.data)[f"takeback_hashing-{__version__}.dist-info/{name}"]


def pyodide(*arguments: str) -> str:
    """The output of the command `pyodide`. It looks for `wheel` on PATH, which is beside Python."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [str(Path(sys.executable).with_name("pyodide")), *arguments]
    done = subprocess.run(command, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True)
    return done.stdout


def test_the_tag_is_that_of_the_release(wheel: BrowserWheel, pins: Pins) -> None:
    """pyodide-build gives the wheel the tag of the release's own compiled wheels."""
    name, version, _, tags = parse_wheel_filename(wheel.name)
    assert (name, str(version)) == (NAME, __version__)
    for known in pins.wheels.values():
        assert parse_wheel_filename(known.file)[3] == tags
    [tag] = tags
    assert f"Tag: {tag}\n" in described(wheel, "WHEEL").decode()


def test_the_guide_names_this_release(wheel: BrowserWheel, pins: Pins) -> None:
    """The guide for other pages gives the wheel's name and the version of Pyodide that it is for."""
    guide = (ROOT / "py" / "takeback" / "hashing" / "README.md").read_text("utf-8")
    assert f"Pyodide {pins.version}" in guide
    assert guide.count(wheel.name.replace(__version__, "VERSION")) == 2


def test_the_metadata_is_valid_and_names_what_the_core_imports(wheel: BrowserWheel) -> None:
    """`packaging` parses the metadata without errors; the wheel requires Pillow and imagehash."""
    about = Metadata.from_email(described(wheel, "METADATA"), validate=True)
    assert (about.name, str(about.version)) == (NAME, __version__)
    assert {requirement.name for requirement in about.requires_dist or ()} == {"imagehash", "pillow"}
    for file in about.license_files or ():
        assert described(wheel, f"licenses/{file}")


def test_the_record_is_complete_and_true(wheel: BrowserWheel) -> None:
    """The record lists every member of the wheel with its digest and size, and no other."""
    members = read_zip(wheel.data)
    rows = [line.split(",") for line in described(wheel, "RECORD").decode().splitlines()]
    assert sorted(name for name, _, _ in rows) == sorted(members)
    for name, digest, size in rows:
        if name.endswith(".dist-info/RECORD"):
            assert (digest, size) == ("", "")
            continue
        kind, _, value = digest.partition("=")
        assert urlsafe_b64decode(f"{value}=") == hashlib.new(kind, members[name]).digest()
        assert int(size) == len(members[name])


def test_the_wheel_holds_the_bytecode_of_the_core_and_no_source(wheel: BrowserWheel, pins: Pins) -> None:
    """Each module is bytecode of the release's Python with the hash of its source; the kernel is included."""
    modules = wheel.modules()
    assert modules.pop(KERNEL.inside) == build_for_webassembly()
    sources = own_sources()
    assert modules.keys() == {f"{name}c" for name in sources}
    magic = {data[:4] for data in modules.values()}
    assert magic == {read_zip(archives.runtime_files(pins, Cache())["python.zip"])["enum.pyc"][:4]}
    for name, source in sources.items():
        header = modules[f"{name}c"][:16]
        assert header[8:] == _imp.source_hash(int.from_bytes(header[:4], "little"), source)


def test_auditwheel_passes(wheel: BrowserWheel, tmp_path: Path) -> None:
    """`pyodide auditwheel` finds the kernel alone, with all functions that Python calls and no dependency."""
    path = tmp_path / wheel.name
    path.write_bytes(wheel.data)
    assert pyodide("auditwheel", "show", str(path)).split() == [f"{KERNEL.inside}:"]
    exported = pyodide("auditwheel", "exports", str(path)).split()
    assert set(exported) >= EXPORTS


def test_a_library_more_stops_the_build(wheel: BrowserWheel) -> None:
    """A wheel with a second library, or without the kernel, is refused, and its libraries are named."""
    members = read_zip(wheel.data)
    second = {**members, "takeback/second.so": members[KERNEL.inside]}
    without = {name: data for name, data in members.items() if name != KERNEL.inside}
    for wrong in (second, without):
        with pytest.raises(BuildError, match="the kernel alone"):
            check_libraries(stored_zip(wrong))


def test_a_source_that_does_not_compile_stops_the_build(pins: Pins, tmp_path: Path) -> None:
    """A syntax error stops the build with one line that names the file and the line."""
    with pytest.raises(BuildError) as raised:
        compile_archives(pins, {"wrong.zip": stored_zip({"wrong.py": b"def\n"})}, Cache(tmp_path))
    assert str(raised.value) == 'Pyodide under Node failed: SyntaxError: invalid syntax in "wrong.py", line 1'


def test_the_pages_runtime_is_made_of_the_wheel(wheel: BrowserWheel, pins: Pins) -> None:
    """The worker gets exactly the bytecode and kernel of the wheel that ships beside them."""
    files = archives.runtime_files(pins, Cache())
    assert files[wheel.name] == wheel.data
    packages = read_zip(files["packages.zip"])
    assert {name: data for name, data in packages.items() if name.startswith("takeback/")} == wheel.modules()
