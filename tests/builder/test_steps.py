"""Steps: shown while they run, and skipped if nothing has changed."""

import time
from pathlib import Path

import pytest

from builder import steps


def test_a_quick_step_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A short step prints nothing."""
    with steps.step("blinking"):
        pass
    assert capsys.readouterr().err == ""


def test_a_long_step_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A long step is shown once it has taken a while and when it is done, in plain lines without a terminal."""
    monkeypatch.setattr(steps, "QUIET_SECONDS", 0.01)
    with steps.step("thinking"):
        time.sleep(0.1)
    begun, done = capsys.readouterr().err.splitlines()
    assert begun == "thinking ..."
    assert done.startswith("thinking: done in 0.")


def test_a_step_that_fails_is_not_called_done(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step that fails says that it stopped, and passes the error on."""
    monkeypatch.setattr(steps, "QUIET_SECONDS", 0.0)
    with pytest.raises(ZeroDivisionError), steps.step("dividing"):
        _ = 1 / 0
    assert "dividing: stopped after" in capsys.readouterr().err


def test_a_step_is_left_out_when_nothing_changed(tmp_path: Path) -> None:
    """The same inputs are processed once; another key, or a missing result, runs the step again."""
    stamp, made, runs = tmp_path / "stamps" / "step", tmp_path / "made", list[str]()

    def make() -> None:
        runs.append("run")
        made.touch()

    assert steps.once("making", stamp, "a", [made], make)
    assert not steps.once("making", stamp, "a", [made], make)
    assert steps.once("making", stamp, "b", [made], make)
    made.unlink()
    assert steps.once("making", stamp, "b", [made], make)
    assert len(runs) == 3


def test_a_step_cut_short_runs_again(tmp_path: Path) -> None:
    """A step that fails leaves no stamp, not even the one of an earlier success."""
    stamp = tmp_path / "stamp"
    steps.once("making", stamp, "a", [], lambda: None)
    with pytest.raises(ZeroDivisionError):
        steps.once("making", stamp, "b", [], lambda: 1 / 0)
    assert steps.once("making", stamp, "a", [], lambda: None)


def test_a_fingerprint_follows_content_names_and_facts(tmp_path: Path) -> None:
    """A changed byte, a new file, another name or another fact changes the fingerprint; a second look does not."""
    (tmp_path / "a").write_text("1")
    seen = [steps.fingerprint([tmp_path], "x")]
    assert steps.fingerprint([tmp_path], "x") == seen[0]
    (tmp_path / "a").write_text("2")
    seen.append(steps.fingerprint([tmp_path], "x"))
    (tmp_path / "b").write_text("")
    seen.append(steps.fingerprint([tmp_path], "x"))
    (tmp_path / "b").rename(tmp_path / "c")
    seen.append(steps.fingerprint([tmp_path], "x"))
    seen.append(steps.fingerprint([tmp_path], "y"))
    assert len(set(seen)) == len(seen)


def test_what_python_leaves_behind_does_not_count(tmp_path: Path) -> None:
    """Compiled files beside the sources change no fingerprint."""
    before = steps.fingerprint([tmp_path])
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("x")
    assert steps.fingerprint([tmp_path]) == before
