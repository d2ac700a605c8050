"""The runtime: fetched by hash, compiled reproducibly, with every module that hashing needs."""

import ast
import http.server
import io
import json
import shutil
import threading
import urllib.error
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, override

import pytest
from PIL import ExifTags
from pyodide_lock import PyodideLockSpec

from builder import BuildError
from builder.native.kernel import build_for_webassembly
from builder.native.kernel_check import check_kernel
from builder.runtime import archives, modules
from builder.runtime.browser_wheel import own_sources
from builder.runtime.bytecode import compile_archives
from builder.runtime.pyodide_release import PYODIDE, pinned_file, run_node
from builder.runtime.samples import samples, write_samples
from builder.runtime.zips import read_zip, stored_zip
from builder.setup import fetch
from builder.setup.cache import Cache, sha256
from builder.setup.pins import Pins, Wheel, read_pins
from builder.split.loader import lean_loader
from builder.split.runtime import split_runtime

FAILING = """
import fs from "node:fs";
const [folder, module] = process.argv.slice(1);
const { loadPyodide } = await import(`${folder}/pyodide.mjs`);
const pyodide = await loadPyodide({ indexURL: folder });
pyodide.FS.writeFile("/module.pyc", fs.readFileSync(module));
pyodide.pyimport("sys").path.append("/");
try {
  pyodide.pyimport("module").fail();
} catch (error) {
  console.log(error.message);
}
"""
ORIGINS = """
const [script, pyodideFolder, folder] = process.argv.slice(1);
const { startRuntime } = await import(script);
const { pyodide } = await startRuntime({ pyodideFolder, folder });
const modules = pyodide.pyimport("sys").modules;
const origins = [...modules.keys()].map((name) => [name, modules.get(name).__spec__?.origin ?? ""]);
process.stdout.write(JSON.stringify(origins), () => process.exit());
"""
WHEEL_BYTES = b"a wheel" * 1000
WHEEL = Wheel("pillow", "12.2.0", "pillow.whl", sha256(WHEEL_BYTES))


@pytest.fixture
def pins() -> Pins:
    return read_pins()


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """An empty cache with the real downloads, so that nothing is fetched twice."""
    downloads = Cache().folder / "downloads"
    if downloads.is_dir():
        shutil.copytree(downloads, tmp_path / "cache" / "downloads")
    return Cache(tmp_path / "cache")


@pytest.fixture
def unchanged(monkeypatch: pytest.MonkeyPatch) -> Cache:
    """The real cache, in which nothing is kept of what a test makes."""
    cache = Cache()
    monkeypatch.setattr(cache, "write", lambda *_: None)
    return cache


def no_source(_pins: Pins, _wheel: Wheel) -> bytes:
    raise urllib.error.URLError("no route to host")


def test_a_kept_wheel_is_not_fetched_again(tmp_path: Path, pins: Pins, monkeypatch: pytest.MonkeyPatch) -> None:
    """A download from the first source is taken from the cache the second time."""
    cache = Cache(tmp_path)
    monkeypatch.setattr(fetch, "from_cdn", lambda _pins, _wheel: WHEEL_BYTES)
    assert fetch.fetch_wheel(pins, WHEEL, cache) == WHEEL_BYTES
    monkeypatch.setattr(fetch, "from_cdn", no_source)
    monkeypatch.setattr(fetch, "from_carrier", no_source)
    assert fetch.fetch_wheel(pins, WHEEL, cache) == WHEEL_BYTES


@pytest.mark.parametrize("damage", [b"", b"short", b"\0" * 40], ids=["empty", "short", "changed"])
def test_a_damaged_cache_is_healed(tmp_path: Path, pins: Pins, monkeypatch: pytest.MonkeyPatch, damage: bytes) -> None:
    """A damaged wheel in the cache is fetched and stored again."""
    cache = Cache(tmp_path)
    monkeypatch.setattr(fetch, "from_cdn", lambda _pins, _wheel: WHEEL_BYTES)
    fetch.fetch_wheel(pins, WHEEL, cache)
    [kept] = [path for path in tmp_path.rglob("*") if path.is_file()]
    kept.write_bytes(damage)
    assert fetch.fetch_wheel(pins, WHEEL, cache) == WHEEL_BYTES
    assert cache.read(kept.relative_to(tmp_path).as_posix()) == WHEEL_BYTES


def test_the_next_source_is_asked_when_one_fails_or_lies(
    tmp_path: Path, pins: Pins, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a source cannot be reached, or returns other bytes, the next one is tried."""
    monkeypatch.setattr(fetch, "from_carrier", lambda _pins, _wheel: WHEEL_BYTES)
    for number, first in enumerate((no_source, lambda _pins, _wheel: b"something else")):
        monkeypatch.setattr(fetch, "from_cdn", first)
        assert fetch.fetch_wheel(pins, WHEEL, Cache(tmp_path / str(number))) == WHEEL_BYTES


def test_a_wheel_that_cannot_be_had_is_told_with_what_to_do(
    tmp_path: Path, pins: Pins, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the file, both sources with their reasons, and the workaround."""
    monkeypatch.setattr(fetch, "from_cdn", no_source)
    monkeypatch.setattr(fetch, "from_carrier", lambda _pins, _wheel: b"something else")
    with pytest.raises(BuildError) as told:
        fetch.fetch_wheel(pins, WHEEL, Cache(tmp_path))
    for words in ("pillow.whl", "no route to host", "does not match the sha256 in pins.toml", "Check the network"):
        assert words in str(told.value)


class RangeHandler(http.server.BaseHTTPRequestHandler):
    """Answers ranges of `content`, or everything if told to ignore ranges."""

    content = b""
    ignores_ranges = False
    sent = 0

    def do_GET(self) -> None:
        first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
        size = len(self.content)
        start, end = (int(first), int(last)) if first else (size - int(last), size - 1)
        body = self.content if self.ignores_ranges else self.content[start : end + 1]
        self.send_response(200 if self.ignores_ranges else 206)
        self.send_header("Content-Range", f"bytes {start}-{end}/{size}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        type(self).sent += len(body)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def ranges() -> Iterator[tuple[type[RangeHandler], str]]:
    """A server of one large archive that contains the wheel, and its address."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as carrier:
        carrier.writestr("padding", bytes(4_000_000))
        carrier.writestr("folder/pillow.whl", WHEEL_BYTES)
        carrier.writestr("more-padding", bytes(4_000_000))
    handler = type("Handler", (RangeHandler,), {"content": archive.getvalue()})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield handler, f"http://127.0.0.1:{server.server_address[1]}/carrier.whl"
        server.shutdown()
        thread.join()


def test_only_what_is_needed_of_the_carrier_is_read(
    pins: Pins, ranges: tuple[type[RangeHandler], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wheel is read whole from the carrier, most of which is never sent."""
    handler, address = ranges
    monkeypatch.setattr(fetch, "carrier_address", lambda _requirement: address)
    assert fetch.from_carrier(replace(pins, carrier_folder="folder/"), WHEEL) == WHEEL_BYTES
    assert handler.sent < len(handler.content) / 4


def test_a_server_without_ranges_is_told(
    pins: Pins, ranges: tuple[type[RangeHandler], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that ignores ranges is refused instead of being read to the end."""
    handler, address = ranges
    monkeypatch.setattr(handler, "ignores_ranges", True)
    monkeypatch.setattr(fetch, "carrier_address", lambda _requirement: address)
    with pytest.raises(OSError, match="range requests"):
        fetch.from_carrier(pins, WHEEL)


def test_a_changed_npm_file_is_refused(pins: Pins) -> None:
    """A file of the npm package that differs from its pin stops the build."""
    with pytest.raises(BuildError, match="npm ci"):
        pinned_file(replace(pins, files={"pyodide.mjs": "0" * 64}), "pyodide.mjs")


def test_the_pins_are_those_of_pyodides_own_lock(pins: Pins) -> None:
    """The wheels' hashes are those in this Pyodide release's own lock file."""
    lock = json.loads(pinned_file(pins, "pyodide-lock.json"))["packages"]
    for wheel in pins.wheels.values():
        assert (lock[wheel.name]["sha256"], lock[wheel.name]["file_name"]) == (wheel.sha256, wheel.file)


@pytest.mark.timeout(300)
def test_the_runtime_is_the_same_each_time_it_is_made(pins: Pins, cache: Cache) -> None:
    """The build that is served and one that shares only its downloads give the same bytes."""
    assert archives.runtime_files(pins, cache) == archives.runtime_files(pins, Cache())


def test_the_lock_that_ships_is_valid_and_true(pins: Pins) -> None:
    """`pyodide-lock` reads the lock file, which names the archives and the wheel that ship by their hashes."""
    files = archives.runtime_files(pins, Cache())
    lock = PyodideLockSpec.from_dict(json.loads(files["pyodide-lock.json"]))
    assert lock.info.python.startswith(pins.python)
    named = {package.file_name: package.sha256 for package in lock.packages.values()}
    [wheel] = [name for name in files if name.endswith(".whl")]
    assert named == {name: sha256(files[name]) for name in (archives.WHOLE_PACKAGES, "phash.zip", wheel)}
    lock.check_wheel_filenames()


def test_archives_hold_only_bytecode_libraries_and_nothing_compressed(pins: Pins) -> None:
    """No source, test or command line ships, and members are stored as the worker expects."""
    files = archives.runtime_files(pins, Cache())
    for name in ("python.zip", "packages.zip"):
        with zipfile.ZipFile(io.BytesIO(files[name])) as archive:
            for info in archive.infolist():
                assert info.filename.endswith((".pyc", ".so"))
                assert info.compress_type == zipfile.ZIP_STORED
                assert "commands" not in info.filename


@pytest.mark.timeout(300)
def test_modules_come_from_memory_and_libraries_from_files(pins: Pins, tmp_path: Path) -> None:
    """Until it is ready the worker's CPython reads no bytecode from a file."""
    files = split_runtime(pins, Cache())
    for name, data in {**files, archives.LOADER: lean_loader(pins)}.items():
        (tmp_path / name).write_bytes(data)
    script = Path(archives.__file__).with_name("node_runtime.mjs")
    arguments = ["--input-type=module", "--eval", ORIGINS, str(script), str(PYODIDE), str(tmp_path)]
    origins = dict(json.loads(run_node(arguments)))
    shipped = read_zip(files["python.zip"]) | read_zip(files["packages.zip"])
    loaded = {archives.module_name(name) for name in shipped if name.endswith(".pyc")} & origins.keys()
    assert {"enum", "PIL.Image", "takeback.hashing.sealed"} <= loaded
    assert {origins[name] for name in loaded} == {"frozen"}
    assert {name for name, origin in origins.items() if origin.startswith("/")} == {"PIL._imaging"}


def test_every_exif_tag_that_ships_has_its_number(pins: Pins) -> None:
    """Our short list of EXIF tags holds what the shipped modules name, with Pillow's numbers."""
    modules = archives.pick(archives.pillow_sources(pins, Cache()), archives.read_modules())
    shipped = {name: data for name, data in modules.items() if name.endswith(".py")} | own_sources()
    nodes = [node for source in shipped.values() for node in ast.walk(ast.parse(source))]
    assert not [node for node in nodes if isinstance(node, ast.ImportFrom) and str(node.module).endswith("ExifTags")]
    paths = [ast.unparse(node).split(".") for node in nodes if isinstance(node, ast.Attribute)]
    kinds = [path for path in paths if path[0] == "ExifTags" and len(path) == 2]
    tags = [path for path in paths if path[0] == "ExifTags" and len(path) == 3]
    assert len(kinds) == len(tags) > 10  # none is used as a whole
    namespace: dict[str, Any] = {}
    exec(modules["PIL/ExifTags.py"], namespace)
    for _, kind, tag in tags:
        assert getattr(namespace[kind], tag) == getattr(getattr(ExifTags, kind), tag)


def test_no_compiler_and_no_printer_of_tracebacks_ships(pins: Pins) -> None:
    """Of what dataclasses and inspect import nothing is there before phash, and Pyodide's own start is short."""
    members = read_zip(archives.runtime_files(pins, Cache())["python.zip"])
    heavy = {"ast", "dataclasses", "dis", "inspect", "linecache", "textwrap", "tokenize"}
    assert not {f"{name}.pyc" for name in heavy} & members.keys()
    own = [data for name, data in members.items() if name.startswith(("_pyodide/", "pyodide/"))]
    assert sum(map(len, own)) < 10_000  # 107,000 in Pyodide


def test_replacements_are_for_one_release_of_pyodide(pins: Pins, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another Pyodide, or a replacement of a module that it does not have, stops the build."""
    library = read_zip(pinned_file(pins, "python_stdlib.zip"))
    with pytest.raises(BuildError, match=r"not 400\.0\.0"):
        archives.slimmed(replace(pins, version="400.0.0"), library)
    monkeypatch.setattr(archives, "slim_sources", lambda: {"pyodide/unknown.py": b""})
    with pytest.raises(BuildError, match=r"unknown\.py replaces nothing"):
        archives.slimmed(pins, library)


@pytest.mark.timeout(300)
def test_tracebacks_have_lines_for_developers_alone(pins: Pins, cache: Cache, tmp_path: Path) -> None:
    """Bytecode names files and lines if `lines` asks for them; what ships names none, and is smaller."""
    source = {"module.zip": stored_zip({"module.py": b"def fail():\n\n    return 1 / 0\n"})}
    [lean] = read_zip(compile_archives(pins, source, cache)["module.zip"]).values()
    [full] = read_zip(compile_archives(pins, source, cache, lines=True)["module.zip"]).values()
    assert 'File "module.py", line 3, in fail' in traceback_of(full, tmp_path)
    assert 'File "", line -1, in fail' in traceback_of(lean, tmp_path)
    assert len(lean) < len(full)


def traceback_of(bytecode: bytes, folder: Path) -> str:
    """The traceback of the function `fail` of a module, run by Pyodide."""
    module = folder / "module.pyc"
    module.write_bytes(bytecode)
    return run_node(["--input-type=module", "--eval", FAILING, str(PYODIDE), str(module)])


@pytest.mark.timeout(300)
def test_a_missing_module_stops_the_build(pins: Pins, unchanged: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a module that some format needs is missing from the list, hashing the samples detects it."""
    read = archives.read_modules
    monkeypatch.setattr(archives, "read_modules", lambda *file: read(*file) - {"PIL.ImageChops"})
    files = archives.runtime_files(pins, unchanged)
    with pytest.raises(BuildError):
        modules.check_modules(files, pinned_file(pins, archives.LOADER), unchanged)


@pytest.mark.timeout(300)
def test_the_shipped_modules_hash_every_kind_of_picture(pins: Pins) -> None:
    """With only the modules in the list every sample gives its native answer."""
    modules.check_modules(split_runtime(pins, Cache()), lean_loader(pins), Cache())


def test_samples_cover_every_format_and_its_faults() -> None:
    """Each supported format is there whole, truncated and damaged."""
    names = samples().keys()
    for suffix in (".jpg", ".png", ".webp", ".gif", ".bmp", ".tiff", ".mpo", ".heic", ".avif", ".jxl"):
        whole = {name for name in names if name.endswith(suffix) and not name.startswith(("cut-", "broken-", "huge"))}
        assert whole
        assert {f"cut-{name}" for name in whole} | {f"broken-{name}" for name in whole} <= names


@pytest.mark.timeout(300)
def test_a_file_that_is_hashed_in_another_way_stops_the_build(
    pins: Pins, unchanged: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The build's check names each file that the browser's runtime hashes differently, with both answers."""
    real = modules.native_answer

    def other(data: bytes) -> dict[str, Any]:
        answer = real(data)
        return answer if "error" in answer or answer["format"] != "BMP" else {"error": {"code": "damaged-picture"}}

    monkeypatch.setattr(modules, "native_answer", other)
    monkeypatch.setattr(modules, "write_samples", only_bitmaps)
    read = unchanged.read
    monkeypatch.setattr(unchanged, "read", lambda key: None if key.startswith("checked/") else read(key))
    with pytest.raises(
        BuildError, match=r"(?s)colour\.bmp: browser: hashed, native: damaged-picture\n  browser: .*native: "
    ):
        modules.check_modules(split_runtime(pins, unchanged), lean_loader(pins), unchanged)


def only_bitmaps(folder: Path) -> list[Path]:
    """The samples of one format."""
    return [path for path in write_samples(folder) if path.name == "colour.bmp"]


def differences(pins: Pins, pictures: list[Path]) -> list[str]:
    """The differences for each file that the browser's runtime hashes differently from this machine."""
    answers = archives.run_pictures(split_runtime(pins, Cache()), lean_loader(pins), pictures)["answers"]
    assert isinstance(answers, dict)
    return [apart for path in pictures if (apart := modules.fault(path, answers[str(path)]))]


def test_the_browser_and_this_machine_agree_on_every_kind(pins: Pins, tmp_path: Path) -> None:
    """Valid samples of every format, also packed TIFFs, hash the same in the browser's runtime and natively."""
    whole = [path for path in write_samples(tmp_path) if not path.name.startswith(("cut-", "broken-", "huge"))]
    assert {"deflate.tiff", "jpeg.tiff"} <= {path.name for path in whole}
    assert not differences(pins, whole)
    refused = {path.name for path in whole if "error" in modules.native_answer(path.read_bytes())}
    assert refused == {"empty", "noise", "text"}


@pytest.mark.timeout(300)
def test_the_browser_and_this_machine_agree_on_photographs(pins: Pins, shared: Path) -> None:
    """All photographs and vectors beside the repository hash the same in the browser's runtime and natively."""
    kinds = {".jpg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
    folders = (shared / "photos", shared / "vectors")
    pictures = [path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix.lower() in kinds]
    assert not differences(pins, pictures)


def test_the_kernel_can_be_loaded_by_pyodide() -> None:
    """The compiled kernel exports its functions and needs nothing that a browser lacks."""
    check_kernel(build_for_webassembly())


def test_what_is_no_kernel_is_refused() -> None:
    """A file that is not WebAssembly, or lacks the functions, stops the build."""
    for wrong in (b"\x7fELF and so on", b"\0asm\x01\0\0\0"):
        with pytest.raises(BuildError, match="kernel"):
            check_kernel(wrong)


def test_a_complaint_of_node_is_one_short_line(tmp_path: Path) -> None:
    """If Node prints a whole minified source before its error, only the error is shown."""
    script = tmp_path / "fails.mjs"
    script.write_text(f"/* {'x' * 5000} */ throw new RangeError('no room');")
    with pytest.raises(BuildError) as raised:
        run_node([str(script)])
    assert str(raised.value) == "Pyodide under Node failed: RangeError: no room"
