"""The gate with the real registry, each in its own process."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from PIL import Image

from takeback.gate import Gate
from takeback.gate.feed import client, snapshot_import, state
from takeback.gate.settings import GateSettings, save
from takeback.protocol import SignalMessage, encode
from tests.gate.pictures import drawing, jpeg, sent
from tests.registry.support import Json, Server, command, md5, patches, pdq

KEY_FILE = ("--trust-first-feed-key", "--key-file")
PICTURE = drawing(7, (1200, 900))


@contextmanager
def serving(data: Path) -> Iterator[Server]:
    """A registry that runs until the block ends."""
    server = Server(data)
    try:
        yield server
    finally:
        server.stop()


def wire(data: bytes) -> list[Json]:
    """A picture's signals as the page sends them."""
    return [json.loads(encode(SignalMessage.of(signal))) for signal in sent(data)]


def gate(*arguments: str | Path) -> "CompletedProcess[str]":
    """`takeback gate` in a separate process."""
    return command("gate", *arguments)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The path of a gate's folder that does not exist yet."""
    return tmp_path / "gate"


def test_main_path(tmp_path: Path, home: Path) -> None:
    """A sent picture is blocked if re-saved, resized, mirrored or rotated; its owner sees it; withdrawn, it passes."""
    copies = {
        "resized.jpg": jpeg(PICTURE.resize((500, 375)), 55),
        "mirrored.jpg": jpeg(PICTURE.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
        "turned.jpg": jpeg(PICTURE.transpose(Image.Transpose.ROTATE_90), orientation=6),
    }
    for name, data in {**copies, "other.jpg": jpeg(drawing(8))}.items():
        (tmp_path / name).write_bytes(data)
    with serving(tmp_path / "var") as server:
        (tmp_path / "key").write_text(server.platform("forum").key)
        made = gate("init", "--home", home, "--registry", server.address, *KEY_FILE, tmp_path / "key")
        assert made.returncode == 0, made.stderr
        case = server.submit(wire(jpeg(PICTURE, 95))).json()
        assert gate("sync", "--home", home).stdout == "3 added, 0 removed, at number 3 of 3\n"
        assert server.case(case["number"]).json()["platforms"] == 1
        for name in copies:
            assert gate("check", "--home", home, tmp_path / name).stdout.startswith("BLOCK ")
        assert gate("check", "--home", home, tmp_path / "other.jpg").stdout.startswith("ALLOW ")
        assert gate("check", "--home", home, "--report", tmp_path / "resized.jpg").returncode == 1
        assert server.case(case["number"]).json()["pictures"][0]["blocked"] == 1
        assert server.withdraw(case["number"]).json()["state"] == "withdrawn"
        assert gate("sync", "--home", home).stdout == "0 added, 3 removed, at number 6 of 6\n"
        for name in copies:
            assert gate("check", "--home", home, tmp_path / name).returncode == 0


def test_long_feed(tmp_path: Path, home: Path) -> None:
    """A feed of several pages arrives completely, and after withdrawals the gate holds the rest."""
    with serving(tmp_path / "var") as server:
        numbers = []
        for place in range(30):
            pictures = [[{"type": "md5", "value": f"{place * 50 + one:032x}"}] for one in range(50)]
            numbers.append(server.submit(*pictures).json()["number"])
        (tmp_path / "key").write_text(server.platform("forum").key)
        gate("init", "--home", home, "--registry", server.address, *KEY_FILE, tmp_path / "key")
        assert gate("sync", "--home", home).stdout == "1500 added, 0 removed, at number 1500 of 1500\n"
        for number in numbers[:10]:
            server.withdraw(number)
        assert gate("sync", "--home", home).stdout == "0 added, 500 removed, at number 2000 of 2000\n"
        assert "1000 md5" in gate("status", "--home", home).stdout


def test_key_and_outage(tmp_path: Path, home: Path) -> None:
    """A revoked key and a stopped registry are reported in one line with status 2."""
    with serving(tmp_path / "var") as server:
        (tmp_path / "key").write_text(server.platform("forum").key)
        gate("init", "--home", home, "--registry", server.address, *KEY_FILE, tmp_path / "key")
        command("platform", "revoke", "forum", "--data", tmp_path / "var")
        refused = gate("sync", "--home", home)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
        assert "refuses the platform key" in refused.stderr
    away = gate("sync", "--home", home)
    assert (away.returncode, away.stderr.count("\n")) == (2, 1)
    assert "cannot be reached" in away.stderr


@pytest.mark.parametrize("start", ["pages", "snapshot"])
def test_an_older_gate_goes_on(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, start: str) -> None:
    """A gate that does not know local hashes follows the feed; upgraded, it finds those that it did not get."""
    if start == "snapshot":
        monkeypatch.setattr(snapshot_import, "MIN_SNAPSHOT_LINES", 0)
    with serving(tmp_path / "var") as server:
        save(home, GateSettings(server.address, server.platform("forum").key))
        gone = server.submit([md5(), patches(12)]).json()["number"]
        server.submit([pdq(), patches()])
        with monkeypatch.context() as patch:
            for module in (client, state):
                patch.setattr(module, "LATER_TYPES", frozenset())
            with Gate.open(home) as older:
                older.sync()
                assert older.status().entries == {"pdq": 1, "md5": 1}
                server.withdraw(gone)
                older.sync()
                assert older.status().entries == {"pdq": 1}
        with Gate.open(home) as gate:
            assert gate.sync().added == 1
            assert gate.status().entries == {"pdq": 1, "patches": 1}
            server.submit([patches()])
            assert gate.sync().added == 1
            assert gate.status().entries == {"pdq": 1, "patches": 2}
