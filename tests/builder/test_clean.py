"""The build removes nobody else's files: links, foreign environments, files beside a gate's."""

import json
from pathlib import Path

import pytest

from builder import BuildError, clean
from builder.demo.serve import GATE_FILES, make_data_folder
from builder.setup import environment
from builder.setup.cache import Cache
from builder.site.assemble import write_site
from takeback.gate import index_handle, settings
from takeback.gate.feed import state


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty clone."""
    root = tmp_path / "clone"
    (root / "py").mkdir(parents=True)
    monkeypatch.setattr(clean, "ROOT", root)
    return root


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """A folder with a file that the build did not make."""
    folder = tmp_path / "others"
    folder.mkdir()
    (folder / "thesis.txt").write_text("x")
    return folder


@pytest.mark.parametrize("name", [*clean.MADE, clean.DATA])
def test_clean_keeps_links(clone: Path, others: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """A link in place of a folder is kept, with everything behind it, and a line says so."""
    (clone / name).symlink_to(others)
    (clone / "py" / "__pycache__").symlink_to(others)
    clean.clean(everything=True)
    assert (clone / name).is_symlink()
    assert (clone / "py" / "__pycache__").is_symlink()
    assert (others / "thesis.txt").exists()
    assert f"kept {name}, which is a link to {others}" in capsys.readouterr().out


@pytest.mark.parametrize("name", [name for name, mark in clean.MADE.items() if mark])
def test_clean_keeps_what_it_did_not_make(clone: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """A folder with a name that the build uses is kept unless the build or its tool left its mark in it."""
    (clone / name / "bin").mkdir(parents=True)
    clean.clean(everything=False)
    assert (clone / name / "bin").is_dir()
    assert f"kept {name}/" in capsys.readouterr().out
    (clone / name / clean.MADE[name]).touch()
    clean.clean(everything=False)
    assert not (clone / name).exists()


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_an_environment_of_ones_own_stays(
    tmp_path: Path, others: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A `.venv` that is a link, or was made by somebody else, is never cleared; the error says what to do."""
    there = tmp_path / ".venv"
    if kind == "link":
        there.symlink_to(others)
    else:
        others.rename(there)
    monkeypatch.setattr(environment, "VENV", there)
    monkeypatch.setattr(environment, "STAMPS", there / "stamps")
    with pytest.raises(BuildError, match=r"move it away|remove the link") as told:
        environment._make_venv()
    assert "incomplete" not in str(told.value)
    assert (there / "thesis.txt").exists()


def test_packages_behind_a_link_stay(tmp_path: Path, others: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `node_modules` that is a link is not given to npm, which would clear its target."""
    (tmp_path / "node_modules").symlink_to(others)
    monkeypatch.setattr(environment, "NODE_MODULES", tmp_path / "node_modules")
    with pytest.raises(BuildError, match="remove the link"):
        environment._install_javascript()
    assert (others / "thesis.txt").exists()


def test_a_build_removes_what_the_build_before_made(tmp_path: Path) -> None:
    """From `dist/`, files are removed that the last manifest lists and this one does not; others are kept."""
    dist, cache = tmp_path / "dist", Cache(tmp_path / "cache")
    (dist / "page").mkdir(parents=True)
    (dist / "thesis.txt").write_text("x")

    def manifest(*paths: str) -> bytes:
        return json.dumps({"files": [{"path": path} for path in paths]}).encode()

    old = {"page/old.js": b"old;" * 500, "new.js": b"new"}
    write_site(dist, {**old, "manifest.json": manifest(*old)}, cache)
    assert (dist / "page" / "old.js.gz").exists()
    write_site(dist, {"new.js": b"newer", "manifest.json": manifest("new.js")}, cache)
    assert not (dist / "page").exists()
    assert (dist / "new.js").read_bytes() == b"newer"
    assert (dist / "thesis.txt").exists()


def test_a_probe_removes_nothing(tmp_path: Path) -> None:
    """Checking whether a data folder is writable changes no existing file."""
    (tmp_path / ".probe").write_text("x")
    make_data_folder(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [".probe"]


def test_the_demo_platform_is_all_that_is_begun_anew() -> None:
    """From the demo platform's folder, only files that a gate makes are removed."""
    made = {settings.SETTINGS_FILE, state.STATE_FILE, state.LOCK_FILE, state.INDEX_LOCK_FILE, index_handle.INDEX_FILE}
    assert set(GATE_FILES) == made | {"registry", f"{state.STATE_FILE}-wal", f"{state.STATE_FILE}-shm"}
