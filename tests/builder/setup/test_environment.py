"""The environment: the messages when it cannot be made."""

import errno
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from builder import BuildError, cache_folder
from builder.demo.serve import make_data_folder, nearby
from builder.entry import run_plainly
from builder.setup import environment

LOG = Path("setup.log")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("ERROR: [Errno 28] No space left on device", "no space left"),
        ("npm error code ENOSPC", "no space left"),
        ("npm error code ENOTFOUND", "check the network"),
        ("npm error code EAI_AGAIN", "check the network"),
        ("NewConnectionError: [Errno -3] Temporary failure in name resolution", "check the network"),
        ("npm error code EACCES", "may not be written"),
        ("ERROR: [Errno 13] Permission denied: '/x'", "may not be written"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "not the one that the lock names"),
        ("npm error code EINTEGRITY", "not the one that the lock names"),
        ("first\nsomething new", "npm failed: something new"),
        ("", "npm failed: no output"),
    ],
)
def test_a_failed_installer_is_explained(said: str, told: str) -> None:
    """The output of pip or npm becomes one line that says what to do."""
    text = environment.explain_failure(said, "npm failed", LOG)
    assert told in text
    assert "\n" not in text


def test_a_full_disk_is_told_before_it_is_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    """With too little disk space nothing is begun, and both sizes are named."""
    usage = namedtuple("usage", "free")  # noqa: PYI024 - stands for what shutil gives
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(300_000_000))
    with pytest.raises(BuildError, match=r"0\.3 GB left and 1\.5 GB are needed"):
        environment.check_space()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/x/dist"), "/x/dist: no space left on the disk"),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/x/dist"), "/x/dist: may not be written"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS), "/x"), "/x: may not be written"),
        (OSError(errno.EIO, os.strerror(errno.EIO), "/x"), "/x: Input/output error"),
        (BuildError("do this"), "build.py: do this"),
    ],
)
def test_nobody_sees_a_traceback(error: Exception, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A system error is reported in one line, and the status is 1."""

    def fail() -> int:
        raise error

    assert run_plainly(fail) == 1
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1


def test_ctrl_c_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends a command with the shell's status for it, without a message."""

    def stop() -> int:
        raise KeyboardInterrupt

    assert run_plainly(stop) == 130
    assert capsys.readouterr().err.strip() == ""


def test_data_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A data folder that cannot be created or written is named, with the option that selects another."""
    (tmp_path / "file").touch()
    with pytest.raises(BuildError, match="choose another folder with --data"):
        make_data_folder(tmp_path / "file" / "data")


def test_data_is_for_its_owner_alone(tmp_path: Path) -> None:
    """The folder with cases and keys is readable by its owner only."""
    make_data_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(("host", "near"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("localhost", "localhost")])
def test_the_address_that_is_shown_can_be_opened(host: str, near: str) -> None:
    """Listening on all addresses is shown as an address of this computer."""
    assert nearby(host) == near


def test_downloads_are_kept_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache is our folder under XDG_CACHE_HOME, created on demand."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert cache_folder() == tmp_path / "caches" / "takeback"
    assert cache_folder().is_dir()


def test_a_cache_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the cache cannot be created, the line names the variable that moves it."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(BuildError, match="set XDG_CACHE_HOME"):
        cache_folder()
