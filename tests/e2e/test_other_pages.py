"""The wheel of the hashing core in a foreign page: stock Pyodide, served from this machine, in Chromium."""

import json
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Page

from builder import DIST
from builder.runtime.archives import slim_sources
from builder.runtime.pyodide_release import pinned_file
from builder.runtime.zips import stored_zip
from builder.setup.cache import Cache
from builder.setup.fetch import fetch_wheel
from builder.setup.pins import read_pins
from takeback.signals import SignalType, Variant, hamming_distance
from tests.bench.server import CountingServer, serving
from tests.e2e.test_vectors import JPEG_BITS, VECTORS

HERE: Final = Path(__file__).with_name("other_page")
WAYS: Final = {
    "by the lock that ships": "() => byTheLockThatShips()",
    "by its address": "([wheel, imagehash]) => byAddress(wheel, imagehash)",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CountingServer]:
    """Another site: its page, Pyodide with its release's wheels, what our site ships for it, and the pictures."""
    folder = tmp_path_factory.mktemp("other") / "site"
    shutil.copytree(HERE, folder)
    shutil.copytree(DIST / "runtime", folder / "runtime", ignore=shutil.ignore_patterns("*.br", "*.gz"))
    shutil.copytree(VECTORS / "pictures", folder / "pictures")
    pins = read_pins()
    (folder / "pyodide").mkdir()
    for name in pins.files:
        (folder / "pyodide" / name).write_bytes(pinned_file(pins, name))
    for wheel in pins.wheels.values():
        (folder / "pyodide" / wheel.file).write_bytes(fetch_wheel(pins, wheel, Cache()))
    scipy = {name: data for name, data in slim_sources().items() if name.startswith("scipy/")}
    [init] = [file for file in metadata.files("imagehash") or () if file.as_posix() == "imagehash/__init__.py"]
    (folder / "imagehash.zip").write_bytes(stored_zip({**scipy, init.as_posix(): init.read_binary()}))
    with serving(folder, lambda _path: ()) as server:
        yield server


@pytest.mark.parametrize("way", WAYS)
def test_another_page_loads_the_wheel_and_hashes_the_vectors(page: Page, site: CountingServer, way: str) -> None:
    """In a plain page, `hash_picture` from the wheel gives the signals of every vector."""
    vectors = json.loads((VECTORS / "vectors.json").read_text("utf-8"))["vectors"]
    [wheel] = [path.name for path in (DIST / "runtime").glob("*.whl")]
    page.goto(site.address)
    page.wait_for_function("globalThis.loaded")
    python = page.evaluate_handle(WAYS[way], [f"/runtime/{wheel}", "/imagehash.zip"])
    addresses = [f"/pictures/{vector['file']}" for vector in vectors]
    answers = page.evaluate("([python, addresses]) => hashAll(python, addresses)", [python, addresses])
    for vector, answer in zip(vectors, answers, strict=True):
        assert_same(vector, answer)


def assert_same(vector: dict[str, Any], answer: dict[str, Any]) -> None:
    """Compares an answer to its vector: to the bit, except PDQ of a JPEG, which decoders may round differently."""
    for name in ("width", "height", "format"):
        assert answer[name] == vector[name], vector["file"]
    values = {kind: value for kind, value, variant in answer["signals"] if variant == Variant.WHOLE}
    expected = {kind: vector[kind] for kind in SignalType if kind in vector}
    bits = hamming_distance(values.pop(SignalType.PDQ), expected.pop(SignalType.PDQ))
    assert bits <= (JPEG_BITS if vector["format"] in {"JPEG", "MPO"} else 0), vector["file"]
    assert values == expected, vector["file"]
