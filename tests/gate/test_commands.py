import json
import os
import signal as signals
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from takeback import chain
from takeback.cli import main
from takeback.errors import StateDamaged
from takeback.gate import Match
from takeback.gate.feed.state import STATE_FILE
from takeback.gate.rules.policy import Policy, parse
from takeback.gate.settings import GateSettings, save
from tests.gate.feeds import KEY, entry_id, signal
from tests.gate.pictures import drawing, jpeg, sent
from tests.gate.servers import Registry, problem, running

PICTURE = drawing(1)


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A registry that publishes PICTURE."""
    with running() as started:
        for one in sent(jpeg(PICTURE)):
            started.log.add(one)
        yield started


@pytest.fixture
def home(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gate's folder, in the environment too."""
    monkeypatch.delenv("TAKEBACK_PLATFORM_KEY", raising=False)
    monkeypatch.setenv("TAKEBACK_GATE_HOME", str(tmp_path / "gate"))
    save(tmp_path / "gate", GateSettings(registry.url, KEY))
    return tmp_path / "gate"


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    """bad.jpg is PICTURE saved again and smaller, good.jpg another, broken.jpg is cut in its header, text.jpg lies."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    (folder / "bad.jpg").write_bytes(jpeg(PICTURE.resize((400, 300)), 70))
    (folder / "good.jpg").write_bytes(jpeg(drawing(2)))
    (folder / "broken.jpg").write_bytes(jpeg(drawing(2))[:300])
    (folder / "text.jpg").write_text("hello")
    return folder


def run(*arguments: str | Path, given: str | bytes | None = None) -> Result:
    """`takeback gate` with these arguments."""
    result = CliRunner().invoke(main, ["gate", *map(str, arguments)], input=given)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_init(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate is set up with a key from a file, standard input or the environment, and follows at once."""
    monkeypatch.delenv("TAKEBACK_PLATFORM_KEY", raising=False)
    line = f"{KEY} {chain.public_hex(registry.keys[0])}"
    (tmp_path / "key").write_text(f"{line}\n")
    ways: list[tuple[list[str], str | None]] = [
        (["--key-file", str(tmp_path / "key")], None),
        (["--key-file", "-"], f"  {line}\n"),
        ([], None),
    ]
    for number, (option, given) in enumerate(ways):
        if not option:
            monkeypatch.setenv("TAKEBACK_PLATFORM_KEY", line)
        home = tmp_path / str(number)
        result = run("init", "--home", home, "--registry", f"{registry.url}/", *option, given=given)
        assert result.exit_code == 0, result.output
        assert KEY not in result.output
        assert (home / "gate.toml").stat().st_mode & 0o777 == 0o600
        assert run("sync", "--home", home).output == "3 added, 0 removed, at number 3 of 3\n"


def test_init_asks_for_the_feeds_key(registry: Registry, tmp_path: Path) -> None:
    """Without the feed's key nothing is set up, unless the first one shall be believed; it is asked for once."""
    where = ["--home", str(tmp_path / "gate"), "--registry", registry.url, "--key-file", "-"]
    asked = run("init", *where, given=KEY)
    assert (asked.exit_code, "--trust-first-feed-key" in asked.output) == (2, True)
    assert not (tmp_path / "gate" / "gate.toml").exists()
    assert run("init", *where, "--trust-first-feed-key", given=KEY).exit_code == 0
    assert run("sync", "--home", tmp_path / "gate").exit_code == 0
    assert run("init", *where, given=KEY).exit_code == 0
    assert run("init", *where, given=f"{KEY} {'0' * 64}").exit_code == 0
    assert "rule 6" in run("sync", "--home", tmp_path / "gate").output


def test_init_refuses(home: Path, tmp_path: Path, registry: Registry) -> None:
    """No key, a wrong key, an open address and another registry's folder are refused in one line."""
    wrong = {
        "give the platform key by": ["--home", str(tmp_path / "a"), "--registry", registry.url],
        "key is not one": ["--home", str(tmp_path / "b"), "--registry", registry.url, "--key-file", "-"],
        "must start with https://": [
            "--home",
            str(tmp_path / "c"),
            "--registry",
            "http://h.example",
            "--key-file",
            "-",
        ],
        "this folder follows": ["--home", str(home), "--registry", "https://other.example", "--key-file", "-"],
    }
    run("sync")
    for complaint, arguments in wrong.items():
        result = run("init", *arguments, given="short" if "b" in arguments[1][-1:] else KEY)
        assert (result.exit_code, result.output.count("\n")) == (2, 1), result.output
        assert complaint in result.output
    assert run("sync").exit_code == 0


def test_check(home: Path, uploads: Path) -> None:
    """`check` says BLOCK or ALLOW and why, and its exit status says the worst of all files."""
    assert home.is_dir()
    assert run("sync").exit_code == 0
    blocked = run("check", uploads / "bad.jpg")
    assert (blocked.exit_code, blocked.output.split(": ")[0]) == (1, f"BLOCK {uploads}/bad.jpg")
    assert "pdq at distance" in blocked.output
    assert run("check", uploads / "good.jpg").output == f"ALLOW {uploads}/good.jpg\n"
    assert run("check", uploads / "good.jpg").exit_code == 0
    text = run("check", uploads / "text.jpg")
    assert (text.exit_code, text.output) == (0, f"ALLOW {uploads}/text.jpg: not_media: neither a picture nor a video\n")
    broken = run("check", uploads / "broken.jpg")
    assert (broken.exit_code, broken.output.split(": ")[:2]) == (3, [f"REVIEW {uploads}/broken.jpg", "unreadable"])
    nothing = run("check", uploads / "nothing.jpg", uploads / "broken.jpg")
    assert (nothing.exit_code, nothing.stderr) == (2, f"ERROR {uploads}/nothing.jpg: is not there\n")
    names = ("nothing.jpg", "text.jpg", "broken.jpg", "good.jpg", "bad.jpg")
    every = run("check", *(uploads / name for name in names))
    assert every.exit_code == 1
    assert [line.split()[0] for line in every.stdout.splitlines()] == ["ALLOW", "REVIEW", "ALLOW", "BLOCK"]
    piped = run("check", "-", given=(uploads / "bad.jpg").read_bytes())
    assert (piped.exit_code, piped.output[:8]) == (1, "BLOCK -:")


def test_check_json(home: Path, uploads: Path) -> None:
    """With --json each file is one object; a file that is not there is an error object."""
    assert home.is_dir()
    run("sync")
    names = ("bad.jpg", "text.jpg", "broken.jpg", "nothing.jpg", "good.jpg")
    result = run("check", "--json", *(uploads / name for name in names))
    bad, text, broken, nothing, good = map(json.loads, result.stdout.splitlines())
    assert (bad["file"], bad["decision"], good["decision"]) == (f"{uploads}/bad.jpg", "block", "allow")
    assert set(bad["matches"][0]) == {held.name for held in fields(Match)}
    assert (text["decision"], text["kind"], text["why"]) == ("allow", "not_media", "")
    assert (broken["decision"], broken["kind"], broken["why"]) == ("review", "unreadable", "damaged-picture")
    assert nothing["error"] == {"code": "picture", "text": "is not there"}


def test_names_stay_on_their_line(home: Path, uploads: Path) -> None:
    """A file's name cannot forge a line of the output."""
    assert home.is_dir()
    run("sync")
    name = uploads / "a\nALLOW b\x1b.jpg"
    (uploads / "bad.jpg").rename(name)
    output = run("check", name).output
    assert output.count("\n") == 1
    assert r"a\x0aALLOW b\x1b.jpg" in output


def test_never_synced(home: Path, uploads: Path) -> None:
    """A gate that never synced asks for a review with status 3, and warns loudly."""
    assert home.is_dir()
    result = run("check", uploads / "good.jpg")
    assert (result.exit_code, result.stdout.split()[0]) == (3, "REVIEW")
    assert "WARNING: this gate has never read the feed" in result.stderr
    assert "WARNING" in run("status").stderr


def test_report(home: Path, registry: Registry, uploads: Path) -> None:
    """With --report the registry hears of what is blocked, and of nothing else."""
    assert home.is_dir()
    run("sync")
    assert "1 sent" in run("check", "--report", uploads / "good.jpg", uploads / "bad.jpg").stderr
    pdq = next(entry for entry, held in registry.log.active.items() if held.type == "pdq")
    assert list(registry.feedback.values()) == [("blocked", [pdq])]


def test_report_later(home: Path, registry: Registry, uploads: Path) -> None:
    """When the registry is away the decision stands, the report waits, and the next sync sends it."""
    assert home.is_dir()
    run("sync")
    registry.answer = lambda _: problem(503)
    result = run("check", "--report", uploads / "bad.jpg")
    assert result.exit_code == 1
    assert "feedback kept, the next sync sends it" in result.stderr
    registry.answer = registry.honest
    assert run("sync").output == "0 added, 0 removed, at number 3 of 3, 1 feedback sent\n"


def test_feedback(home: Path, registry: Registry) -> None:
    """`feedback` tells the registry a verdict on entries."""
    assert home.is_dir()
    assert run("feedback", entry_id(1), entry_id(2), "not_blocked").exit_code == 0
    assert list(registry.feedback.values()) == [("not_blocked", [entry_id(1), entry_id(2)])]
    assert run("feedback", entry_id(1), "deleted").exit_code == 2
    assert run("feedback", "x", "blocked").exit_code == 2


def test_status(home: Path, registry: Registry) -> None:
    """`status` shows how far the feed is followed, for people and for programs."""
    assert home.is_dir()
    run("sync")
    text = run("status").output
    assert "checkpoint  3 of 3" in text
    assert "1 md5, 1 pdq, 1 sha256" in text
    assert "seconds ago" in text
    told = json.loads(run("status", "--json").output)
    assert told["registry"] == registry.url
    assert told["entries"] == {"md5": 1, "pdq": 1, "sha256": 1}
    assert KEY not in text


def test_errors_are_one_line(home: Path, registry: Registry, uploads: Path) -> None:
    """A refused key, a damaged state and a missing folder end with one line and status 2."""
    registry.answer = lambda _: problem(401)
    refused = run("sync")
    assert (refused.exit_code, refused.output.count("\n")) == (2, 1)
    assert "refuses the platform key" in refused.output
    (home / STATE_FILE).write_bytes(b"x" * 5000)
    damaged = run("check", uploads / "good.jpg")
    assert (damaged.exit_code, damaged.output.count("\n")) == (2, 1)
    assert "move the file away" in damaged.output
    assert "Traceback" not in damaged.output
    assert StateDamaged.code == "state-damaged"
    assert "takeback gate init" in run("status", "--home", uploads / "none").output


@pytest.mark.parametrize("stop", [signals.SIGINT, signals.SIGTERM])
def test_watch(home: Path, registry: Registry, uploads: Path, stop: signals.Signals) -> None:
    """`watch` follows the feed beside other commands, tells what it does, and ends cleanly when it is stopped."""
    with watching(home) as process:
        assert process.stdout is not None
        assert "following http" in process.stdout.readline()
        assert "3 added, 0 removed, at number 3 of 3" in process.stdout.readline()
        assert run("check", uploads / "bad.jpg").exit_code == 1
        for entry in list(registry.log.active):
            registry.log.remove(entry)
        assert "0 added, 3 removed, at number 6 of 6" in process.stdout.readline()
        assert run("check", uploads / "bad.jpg").exit_code == 0
        registry.answer = lambda _: problem(500)
        assert "trying again in" in process.stdout.readline()
        process.send_signal(stop)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "stopped at number 6" in out


def test_a_broken_feed(home: Path, registry: Registry) -> None:
    """`sync` ends with status 2 and the number where the feed breaks a rule; `watch` tells the same and tries again."""
    registry.log.add(signal(5))
    del registry.log.lines[1]
    result = run("sync")
    assert (result.exit_code, "rule 1: a gap at number 2" in result.output) == (2, True)
    with watching(home) as process:
        assert process.stdout is not None
        assert "following http" in process.stdout.readline()
        told = process.stdout.readline()
        assert "ALARM: the feed is not followed: rule 1: a gap at number 2" in told
        assert "trying again in" in told
        assert process.poll() is None


@contextmanager
def watching(home: Path) -> Iterator[subprocess.Popen[str]]:
    """`watch`, which is ended in the end if it still runs."""
    program = [sys.executable, "-c", "from takeback.cli import main; main()", "gate", "watch", "--interval", "1"]
    environ = {**os.environ, "TAKEBACK_GATE_HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(program, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_policy(home: Path) -> None:
    """`policy` prints all that holds, as it may be written into the file; a wrong file is told with its line."""
    assert parse(run("policy").output) == Policy()
    (home / "policy.toml").write_text("[flood]\nmatches = 7")
    assert parse(run("policy").output).flood_matches == 7
    (home / "policy.toml").write_text("[flood]\nmatches = -7")
    for command in (["policy"], ["status"]):
        result = run(*command)
        assert result.exit_code == 2
        assert "line 2: flood.matches is -7" in result.output
