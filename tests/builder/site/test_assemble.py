"""`dist/`: complete, reproducible, every script with its hash."""

import gzip
import json
import re
import subprocess
import zipfile
from base64 import b64encode
from hashlib import sha256, sha384
from pathlib import Path

import brotli
import pytest

from builder import ROOT, BuildError
from builder.setup.cache import Cache
from builder.site import compression, source
from builder.site.assemble import (
    FOR_OTHER_PAGES,
    LATER,
    RUNTIME_ORDER,
    STYLES,
    WEB,
    build_site,
    seal_index,
    styles,
)
from builder.site.bundle import WORKER, bundle_worker

BUDGET = 4_600_000
"""Bytes with brotli up to the first hash."""
PAGE_BUDGET = 60 * 1024
"""Bytes with brotli of the page without the worker and the runtime, in English."""
LANGUAGE_BUDGET = 13_500
"""Bytes with brotli of the words of another language."""
RUNTIME = {f"runtime/{name}": b"x" for name in (*RUNTIME_ORDER, *LATER)}


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A freshly built site."""
    folder = tmp_path_factory.mktemp("site") / "dist"
    build_site(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def plain(folder: Path) -> set[str]:
    """The files that are not a compressed form of another."""
    return {path for path in contents(folder) if not path.endswith((".br", ".gz"))}


@pytest.mark.timeout(600)
def test_two_builds_give_the_same_files(dist: Path, tmp_path: Path) -> None:
    """Building into another folder gives the same bytes for every path."""
    build_site(tmp_path)
    assert contents(tmp_path) == contents(dist)


def test_the_styles_are_joined_in_their_order(tmp_path: Path) -> None:
    """The served style sheet holds every sheet whole, in the order of the table; one that is not in it is refused."""
    for name in STYLES:
        (tmp_path / f"{name}.css").write_bytes((WEB / "styles" / f"{name}.css").read_bytes())
    assert styles(tmp_path) == b"\n".join((WEB / "styles" / f"{name}.css").read_bytes() for name in STYLES)
    (tmp_path / "forgotten.css").write_text("body{}")
    with pytest.raises(BuildError, match=r"web/styles/forgotten\.css has no place"):
        styles(tmp_path)


@pytest.mark.timeout(600)
def test_the_manifest_is_complete_and_true(dist: Path) -> None:
    """The manifest lists every served file but itself, with its size and sha256."""
    listed = {entry["path"]: entry for entry in json.loads((dist / "manifest.json").read_bytes())["files"]}
    assert listed.keys() == plain(dist) - {"manifest.json"}
    for path, entry in listed.items():
        data = (dist / path).read_bytes()
        assert (entry["size"], entry["sha256"]) == (len(data), sha256(data).hexdigest())


@pytest.mark.timeout(600)
def test_compressed_forms_are_the_same_file(dist: Path) -> None:
    """Every file except the source archive has a brotli and a gzip form that unpack to it."""
    for path in plain(dist) - {source.NAME}:
        data = (dist / path).read_bytes()
        assert brotli.decompress((dist / f"{path}.br").read_bytes()) == data
        assert gzip.decompress((dist / f"{path}.gz").read_bytes()) == data


@pytest.mark.timeout(600)
def test_what_a_phone_must_load_stays_within_the_budget(dist: Path) -> None:
    """Up to the first hash at most 4.6 MB are sent, of which the page itself is at most 60 KB."""
    later = {
        "notices.txt",
        "manifest.json",
        "video.js",
        "keeper.js",
        "leave.txt",
        source.NAME,
        *(f"runtime/{name}" for name in LATER),
        *(path for path in plain(dist) if path.endswith(FOR_OTHER_PAGES)),
    }
    sizes = {path: (dist / f"{path}.br").stat().st_size for path in plain(dist) - later}
    # English comes with the scripts; of the other languages a phone loads one, if any.
    languages = [sizes.pop(path) for path in list(sizes) if path.startswith("words/") and path.endswith(".json")]
    assert max(languages) <= LANGUAGE_BUDGET
    assert sum(sizes.values()) + max(languages) <= BUDGET
    page = sum(size for path, size in sizes.items() if path != "worker.js" and not path.startswith("runtime/"))
    assert page <= PAGE_BUDGET


@pytest.mark.timeout(600)
def test_every_script_and_style_of_the_page_has_its_hash(dist: Path) -> None:
    """Each script and style in index.html has the sha384 of the served file."""
    page = (dist / "index.html").read_text()
    tags = re.findall(r"<(?:script|link rel=\"stylesheet\")[^>]*>", page)
    assert tags
    for tag in tags:
        found = re.search(r'(?:src|href)="/([^"]+)".*integrity="([^"]+)"', tag)
        assert found, tag
        digest = sha384((dist / found[1]).read_bytes()).digest()
        assert found[2] == f"sha384-{b64encode(digest).decode()}"


@pytest.mark.timeout(600)
def test_the_source_is_served_and_is_all_that_a_build_takes(dist: Path, tmp_path: Path) -> None:
    """The unpacked archive gives the same archive again, with every source file and no build products."""
    with zipfile.ZipFile(dist / source.NAME) as archive:
        archive.extractall(tmp_path)
    root = tmp_path / "takeback"
    assert source.source_zip(root) == (dist / source.NAME).read_bytes()
    assert not [path for path in root.rglob("*") if path.suffix == ".pyc" or path.name == "node_modules"]
    tracked = subprocess.run(["git", "ls-files", *source.PARTS], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode == 0:
        listed = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
        assert listed >= set(tracked.stdout.split())


@pytest.mark.timeout(600)
def test_the_service_worker_keeps_the_whole_page_and_nothing_else(dist: Path) -> None:
    """It lists all files by sha256, except itself, the way to remove it, the manifest and what other pages load."""
    found = re.search(r"FILES=(\[\[.*?\]\])", (dist / "keeper.js").read_text())
    assert found
    listed = {path.removeprefix("/") or "index.html": digest for path, digest in json.loads(found[1])}
    others = {path for path in plain(dist) if path.endswith(FOR_OTHER_PAGES)}
    assert len(others) == 2
    assert listed.keys() == plain(dist) - {"keeper.js", "leave.txt", "manifest.json", source.NAME} - others
    assert listed == {path: sha256((dist / path).read_bytes()).hexdigest() for path in listed}


@pytest.mark.timeout(600)
def test_files_of_an_earlier_build_do_not_stay(tmp_path: Path) -> None:
    """Files of an earlier build that this one does not make are removed."""
    stale = tmp_path / "page" / "gone.js"
    stale.parent.mkdir()
    stale.write_text("old")
    (tmp_path / "manifest.json").write_text('{"files": [{"path": "page/gone.js"}]}')
    build_site(tmp_path)
    assert not stale.exists()


@pytest.mark.timeout(600)
def test_the_notices_carry_every_licence(dist: Path) -> None:
    """notices.txt contains the licence texts of everything that is shipped."""
    text = (dist / "notices.txt").read_text()
    for words in (
        "Apache License",
        "Mozilla Public License Version 2.0",
        "PYTHON SOFTWARE FOUNDATION LICENSE",
        "MIT-CMU",
        "LIBTIFF",
        "LIBWEBP",
        "GNU LESSER GENERAL PUBLIC LICENSE",
        "GNU GENERAL PUBLIC LICENSE",
        "LIBAOM",
        "Alliance for Open Media Patent License",
        "LIBJXL",
        "NumPy Developers",
        "Johannes Buchner",
    ):
        assert words in text


def page_with(tags: str, **modules: str) -> dict[str, bytes]:
    files = {f"page/{name}.js": source.encode() for name, source in modules.items()}
    return {**RUNTIME, **files, "index.html": f"<head>\n{tags}\n</head>".encode()}


def test_a_listed_file_that_is_missing_stops_the_build() -> None:
    """A tag that names a missing file is reported."""
    with pytest.raises(BuildError, match=r"/page/none\.js"):
        seal_index(page_with('<script type="module" src="/page/none.js"></script>'))


@pytest.mark.timeout(600)
def test_the_page_is_one_script_that_loads_no_other(dist: Path) -> None:
    """Everything that the page imports is in `page.js`, the only script that index.html names."""
    assert re.findall(r'<script[^>]*src="([^"]*)"', (dist / "index.html").read_text()) == ["/page.js"]
    assert not re.search(r"""(?:^|[;}])import[\s{*"'(]""", (dist / "page.js").read_text())


def test_the_worker_is_one_script_that_loads_nothing(tmp_path: Path) -> None:
    """The bundle is reproducible, and its only static imports are those of Node, behind a condition."""
    first, second = tmp_path / "first.js", tmp_path / "second.js"
    bundle_worker(WORKER, first)
    bundle_worker(WORKER, second)
    assert first.read_bytes() == second.read_bytes()
    assert not re.search(r'(?:^|;)import[\s{*"][^(]*?["\']\./', first.read_text())


def test_a_worker_that_cannot_be_bundled_is_told(tmp_path: Path) -> None:
    """An import of a missing file is reported."""
    broken = tmp_path / "broken.js"
    broken.write_text('import "./nothing.js";')
    with pytest.raises(BuildError, match=r"nothing\.js"):
        bundle_worker(broken, tmp_path / "out.js")


def test_unchanged_files_are_not_compressed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second request for the same content is answered from the cache."""
    cache = Cache(tmp_path)
    first = compression.compressed("a.js", b"content" * 100, cache)
    monkeypatch.setattr(brotli, "compress", None)
    assert compression.compressed("b.js", b"content" * 100, cache) == first
