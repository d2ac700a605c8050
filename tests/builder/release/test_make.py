"""A release: the same bytes from two clones, complete, signed, and installable by hash; refused where it is unclear."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest

from builder import ROOT, WORK, BuildError
from builder.native.kernel import INDEX, KERNEL
from builder.release import make, requirement_lists
from builder.release.make import KEY_VARIABLE
from takeback import __version__
from takeback.verify.release import read_release
from tests.registry.support import command, serving
from tests.verify.support import make_key, need

NAME: Final = f"takeback-{__version__}"
pytestmark = pytest.mark.timeout(900)


def make_clone(folder: Path) -> Path:
    """A clone of what is committed here, with what `setup` would make in it: packages and compiled modules."""
    need("git", "git")
    if not (ROOT / ".git").exists():
        pytest.skip("needs a clone with its history")
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    for name in (".venv", "node_modules"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".git" / "info" / "exclude").write_text("/.venv\n/node_modules\n")
    for module in (KERNEL, INDEX):
        shutil.copy(module.native, folder / module.native.relative_to(ROOT))
    return folder


def released(clone: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `release` in a clone, by the Python of this one."""
    return subprocess.run(
        [sys.executable, "-m", "builder", "release"],
        cwd=clone,
        env={**os.environ, "PYTHONPATH": str(clone / "py"), KEY_VARIABLE: "", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def clones(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two clones in which a release was made; the first has signed it by the key beside it."""
    folder = tmp_path_factory.mktemp("clones")
    (folder / "signers").write_text(make_key(folder / "key"))
    first, second = make_clone(folder / "first"), make_clone(folder / "second")
    done = released(first, **{KEY_VARIABLE: str(folder / "key")})
    assert done.returncode == 0, done.stderr
    assert "ssh-keygen -Y verify -f allowed_signers -I takeback -n takeback-release" in done.stdout
    shutil.copytree(first / "build" / "cyclonedx", second / "build" / "cyclonedx", symlinks=True)  # fetched once
    done = released(second)
    assert done.returncode == 0, done.stderr
    assert f"It is not signed: set {KEY_VARIABLE}" in done.stdout
    return first, second


@pytest.fixture
def folder(clones: tuple[Path, Path]) -> Path:
    """The signed release."""
    return clones[0] / "build" / "release"


def test_two_clones_give_the_same_bytes(clones: tuple[Path, Path]) -> None:
    """Every file of a release is the same in two clones of a commit, but for the signature."""
    first, second = (
        {path.name: sha256(path.read_bytes()).hexdigest() for path in (clone / "build" / "release").iterdir()}
        for clone in clones
    )
    assert first.pop("SHA256SUMS.sig")
    assert first == second


def test_a_release_is_complete(folder: Path) -> None:
    """A release holds the wheel, the sdist, the page, the WordPress plugin, lists, SBOMs and all checksums."""
    names = {path.name for path in folder.iterdir()}
    (wheel,) = {name for name in names if name.endswith(".whl")}
    assert re.fullmatch(rf"{NAME}-py3-none-(manylinux|macosx|linux)_\w+\.whl", wheel)
    kinds = ("wheel", "page", "page-python")
    assert names == {
        wheel,
        f"{NAME}.tar.gz",
        f"{NAME}-page.tar.gz",
        f"{NAME}-page-manifest.json",
        f"{NAME}-wordpress.zip",
        *(f"{NAME}-{use}.txt" for use in requirement_lists.USES),
        *(f"{NAME}-{kind}.cdx.json" for kind in kinds),
        "SHA256SUMS",
        "SHA256SUMS.sig",
    }
    listed = {name: digest for digest, name in map(str.split, (folder / "SHA256SUMS").read_text().splitlines())}
    assert listed.keys() == names - {"SHA256SUMS", "SHA256SUMS.sig"}
    assert all(sha256((folder / name).read_bytes()).hexdigest() == digest for name, digest in listed.items())
    assert {KERNEL.inside, INDEX.inside} <= set(zipfile.ZipFile(folder / wheel).namelist())


def test_the_signature_is_the_signers(clones: tuple[Path, Path], folder: Path) -> None:
    """`takeback verify` finds the release whole and signed."""
    signers = clones[0].with_name("signers")
    assert read_release(folder, signers).signed


def test_the_archive_is_the_page_that_a_registry_serves(folder: Path, tmp_path: Path) -> None:
    """The page, unpacked as an operator does it, is served as the release says."""
    with tarfile.open(folder / f"{NAME}-page.tar.gz") as archive:
        assert {(member.mode, member.uid, member.uname) for member in archive} == {(0o644, 0, "root")}
        archive.extractall(tmp_path, filter="data")
    with serving(tmp_path / "var", "--page", tmp_path / f"{NAME}-page") as server:
        done = command("verify", server.address, "--release", folder)
        by_manifest = command("verify", server.address, "--release", folder / f"{NAME}-page-manifest.json")
    assert done.returncode == 0, done.stdout
    assert by_manifest.returncode == 0, by_manifest.stdout


@pytest.mark.parametrize("kind", ["wheel", "page", "page-python"])
def test_sboms_name_what_is_locked(folder: Path, kind: str) -> None:
    """Each SBOM is CycloneDX of this version, has each package with its version, and no random serial number."""
    sbom = json.loads((folder / f"{NAME}-{kind}.cdx.json").read_bytes())
    assert (sbom["bomFormat"], sbom["metadata"]["component"]["version"]) == ("CycloneDX", __version__)
    assert "serialNumber" not in sbom
    named = {component["name"]: component["version"] for component in sbom["components"]}
    assert named.keys() >= {"wheel": {"litestar", "httpx", "pillow"}, "page": {"pyodide"}}.get(
        kind, {"imagehash", "numpy", "pillow"}
    )
    assert all(named.values())


def test_what_is_not_committed_is_not_released(tmp_path: Path) -> None:
    """A clone with a file that is new or changed is refused before anything is made, and the file is named."""
    clone = make_clone(tmp_path / "clone")
    (clone / "notes.txt").write_text("new")
    done = released(clone)
    assert done.returncode == 1
    assert "is made from what is committed, and notes.txt is not: commit, ignore or remove it" in done.stderr
    assert not (clone / "build" / "release").exists()
    (clone / "README.md").write_text("changed")
    assert "README.md and 1 more is not" in released(clone).stderr


def test_a_folder_without_history_is_not_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unpacked sources, also inside another clone, are refused."""
    need("git", "git")
    monkeypatch.setattr(make, "ROOT", tmp_path)
    with pytest.raises(BuildError, match="is made from a clone with its history"):
        make.clean_commit()
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / "inside").mkdir()
    monkeypatch.setattr(make, "ROOT", tmp_path / "inside")
    with pytest.raises(BuildError, match="is made from a clone with its history"):
        make.clean_commit()


def test_a_key_that_is_not_there_is_told_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key's file that is missing is named before anything is made."""
    monkeypatch.setenv(KEY_VARIABLE, "/nowhere/key")
    with pytest.raises(BuildError, match="TAKEBACK_SIGNING_KEY names /nowhere/key, which is not there"):
        make.signing_key()


def test_a_key_that_cannot_sign_is_told(tmp_path: Path) -> None:
    """What is no key leaves the release unsigned, and says so in a line."""
    need("ssh-keygen", "openssh-client")
    (tmp_path / "key").write_text("no key")
    (tmp_path / "SHA256SUMS").write_text("")
    with pytest.raises(BuildError, match="the release is made and not signed: ") as caught:
        make.sign(tmp_path / "SHA256SUMS", tmp_path / "key")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "SHA256SUMS.sig").exists()


def test_the_release_is_ours_to_remove() -> None:
    """`build.py clean` removes releases with what else was made on the way."""
    assert make.RELEASE.is_relative_to(WORK)
