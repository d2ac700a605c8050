"""Reading a release: its sums, its signature, its manifest, and what is refused."""

import gzip
import json
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.errors import ReleaseUnusable
from takeback.verify import release as module
from takeback.verify.release import read_release, release_of
from tests.verify.support import FILES, archive_of, build, make_key, release, sign, write_sums


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """A page that was built."""
    return build(tmp_path / "dist")


@pytest.fixture
def folder(tmp_path: Path, dist: Path) -> Path:
    """A release of it."""
    return release(tmp_path / "release", dist)


def test_every_form_of_a_release_says_the_same(dist: Path, folder: Path) -> None:
    """A release's folder, its archive, a built folder and a manifest alone list the same files."""
    (archive,) = folder.glob("*.tar.gz")
    read = [read_release(place) for place in (folder, archive, dist, dist / "manifest.json")]
    assert {one.digest for one in read} == {read[0].digest}
    assert read[0].files.keys() == FILES.keys() | {"manifest.json"}
    assert not read[0].signed


def test_a_changed_archive_is_refused(folder: Path) -> None:
    """An archive that is not the one in the sums is refused before it is opened."""
    (archive,) = folder.glob("*.tar.gz")
    archive.write_bytes(archive.read_bytes() + b"\0")
    with pytest.raises(ReleaseUnusable, match="was changed: its SHA-256 is not the one in SHA256SUMS"):
        read_release(folder)


@pytest.mark.parametrize(
    ("sums", "told"),
    [
        ("", "does not list takeback-1.2.3-page.tar.gz"),
        ("nonsense\n", "is malformed: expected a SHA-256, two spaces and a name"),
        (f"{'0' * 64}  other.txt\n", "does not list"),
        (f"{'0' * 64}  ../takeback-1.2.3-page.tar.gz\n", "is malformed"),
    ],
)
def test_sums_that_say_nothing_of_the_archive_are_refused(folder: Path, sums: str, told: str) -> None:
    """Sums that are malformed or leave the archive out are no sums of it."""
    (folder / "SHA256SUMS").write_text(sums)
    with pytest.raises(ReleaseUnusable, match=told):
        read_release(folder)


def test_a_signature_of_a_known_key_is_believed(tmp_path: Path, folder: Path) -> None:
    """A release that one of the signers signed is signed."""
    (tmp_path / "signers").write_text(make_key(tmp_path / "key"))
    sign(folder, tmp_path / "key")
    assert read_release(folder, tmp_path / "signers").signed


def test_a_signature_that_does_not_hold_is_refused(tmp_path: Path, folder: Path) -> None:
    """Another key, another purpose, sums that changed since, and a missing signature are all refused."""
    signers = tmp_path / "signers"
    signers.write_text(make_key(tmp_path / "key"))
    make_key(tmp_path / "other")
    with pytest.raises(ReleaseUnusable, match=r"SHA256SUMS\.sig is not there"):
        read_release(folder, signers)
    sign(folder, tmp_path / "other")
    with pytest.raises(ReleaseUnusable, match="is not the signature of a key in"):
        read_release(folder, signers)
    sign(folder, tmp_path / "key", "file")
    with pytest.raises(ReleaseUnusable, match="is not the signature of a key in"):
        read_release(folder, signers)
    sign(folder, tmp_path / "key")
    (folder / "more.txt").write_text("more")
    write_sums(folder)
    with pytest.raises(ReleaseUnusable, match="is not the signature of a key in"):
        read_release(folder, signers)
    with pytest.raises(ReleaseUnusable, match="nobody is not there"):
        read_release(folder, tmp_path / "nobody")


def test_a_signature_without_ssh_keygen_is_refused(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where OpenSSH is missing, a signature that was to be checked is not passed over."""
    (tmp_path / "signers").write_text(make_key(tmp_path / "key"))
    sign(folder, tmp_path / "key")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReleaseUnusable, match="ssh-keygen was not found; install OpenSSH"):
        read_release(folder, tmp_path / "signers")


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("nowhere", "nowhere is not there"),
        (".", "neither a page archive"),
        ("empty.tar.gz", "cannot be read"),
        ("cut.tar.gz", "cannot be read"),
        ("other.tar.gz", r"holds no manifest\.json"),
        ("empty.json", "the manifest is malformed"),
        ("huge.json", "over the limit of 1048576"),
        ("huge.tar.gz", "over the limit of 1048576"),
    ],
)
def test_what_is_no_release_is_told_in_a_line(tmp_path: Path, place: str, told: str) -> None:
    """Whatever is named as a release, the error says in one line what is wrong with it."""
    whole = archive_of({"a/manifest.json": b"{}" * 500})
    (tmp_path / "empty.tar.gz").write_bytes(b"")
    (tmp_path / "cut.tar.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "other.tar.gz").write_bytes(archive_of({"a/b/manifest.json": b"{}", "manifest.json": b"{}"}))
    (tmp_path / "empty.json").write_bytes(b"")
    (tmp_path / "huge.json").write_bytes(b" " * (module.MAX_MANIFEST + 1))
    (tmp_path / "huge.tar.gz").write_bytes(archive_of({"a/manifest.json": b" " * (module.MAX_MANIFEST + 1)}))
    with pytest.raises(ReleaseUnusable, match=told) as caught:
        read_release(tmp_path / place)
    assert "\n" not in str(caught.value)


WHOLE: Final = archive_of({"a/index.html": b"page" * 99, "a/manifest.json": b'{"files": []}'})


@given(st.data())
def test_a_damaged_archive_is_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Wherever an archive was cut or changed, and without sums that would tell, it is refused as a release."""
    damaged = bytearray(gzip.decompress(WHOLE))
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=4)):
        damaged[place] = data.draw(st.integers(0, 255))
    packed = bytearray(gzip.compress(bytes(damaged), 1))
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(0, 255))
    file = tmp_path_factory.getbasetemp() / "damaged.tar.gz"
    file.write_bytes(packed[: data.draw(st.integers(0, len(packed)))])
    with pytest.raises(ReleaseUnusable):
        read_release(file)


def test_two_releases_in_a_folder_are_not_guessed_between(folder: Path) -> None:
    """Of two page archives in a folder none is taken."""
    (folder / "takeback-1.2.4-page.tar.gz").write_bytes(b"")
    with pytest.raises(ReleaseUnusable, match="holds 2 releases; name one page archive"):
        read_release(folder)


def entry(path: str = "index.html", size: Any = 1, digest: str = "0" * 64) -> dict[str, Any]:
    return {"path": path, "size": size, "sha256": digest}


@pytest.mark.parametrize(
    "files",
    [
        None,
        [],
        [entry("page.js")],
        [entry(), entry()],
        [entry(), entry("manifest.json")],
        [entry(size=-1)],
        [entry(size=1 << 40)],
        [entry(size="1")],
        [entry(digest="0" * 63)],
        [entry(digest="0" * 64 + "\n")],
        *([entry(), entry(path)] for path in ("/a", "../a", "a/../b", "a//b", "a/", ".", "a/.", "", "a b", "a?b", "ä")),
    ],
)
def test_a_manifest_is_read_strictly(files: Any) -> None:
    """A manifest without the first page, with a file twice, or with a path that could lead elsewhere is refused."""
    with pytest.raises(ReleaseUnusable):
        release_of(json.dumps({"files": files}).encode())


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Whatever a manifest holds, it is either read or refused as one."""
    with pytest.raises(ReleaseUnusable):
        release_of(data)
