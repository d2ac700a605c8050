"""Canaries: one platform alone is told them, every gate follows on, and a list that leaked tells whose it was."""

import itertools
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from takeback.gate import Gate, cold, settings
from tests.registry.support import Json, Platform, Server, md5, pdq, problem

MADE = 6
_names = (f"Forum {n}" for n in itertools.count())


class Pair:
    """Two platforms of one registry, of which the first gets canaries."""

    def __init__(self, server: Server) -> None:
        self.names = next(_names), next(_names)
        self.told, self.other = map(server.platform, self.names)


@pytest.fixture
def pair(server: Server) -> Pair:
    """Two new platforms."""
    return Pair(server)


def canary(server: Server, *arguments: str) -> str:
    """Runs `takeback registry canary` on the server's data; what it prints."""
    ran = server.command("registry", "canary", *arguments)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def traced(server: Server, file: Path) -> list[list[str]]:
    """The words of each line of what `trace` finds in a file."""
    return [line.split() for line in canary(server, "trace", str(file)).splitlines()[1:]]


def lines(platform: Platform, after: int) -> list[Json]:
    """The feed's lines after a number, as a platform sees them."""
    found: list[Json] = platform.page(after)["entries"]
    return found


def make(server: Server, pair: Pair) -> int:
    """Makes canaries for the first of the pair and waits until the feed has them; the number before them."""
    before: int = pair.told.page()["head"]
    assert f"{MADE} entries" in canary(server, "add", pair.names[0], "--pictures", "2")
    _wait(pair, before + MADE)
    return before


def _wait(pair: Pair, head: int) -> None:
    end = time.monotonic() + 30
    while pair.told.page()["head"] < head:
        assert time.monotonic() < end
        time.sleep(0.2)


def test_one_platform_is_told_and_the_other_is_not(server: Server, pair: Pair) -> None:
    """What is an `add` like any other to one is `erased` to the other, and its feed stays one without gaps."""
    before = make(server, pair)
    told, other = lines(pair.told, before), lines(pair.other, before)
    assert [line["action"] for line in told] == ["add"] * MADE
    assert sorted(line["signal"]["type"] for line in told) == sorted(["pdq", "sha256", "md5"] * 2)
    assert [line["action"] for line in other] == ["erased"] * MADE
    assert [line["number"] for line in told] == [line["number"] for line in other]
    ordinary = server.submit([pdq()])
    assert ordinary.status_code == 201
    real = lines(pair.told, before + MADE)[0]
    assert real.keys() == {**next(line for line in told if line["signal"]["type"] == "pdq")}.keys()
    for line in told:
        assert line["signal"]["value"] not in json.dumps(pair.other.page(before))


@pytest.mark.parametrize("start", ["pages", "snapshot"])
def test_every_gate_follows(
    server: Server, pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    """Gates of both platforms check the chain through canaries that come and go, from page one or from a snapshot."""
    if start == "snapshot":
        monkeypatch.setattr(cold, "FROM", 0)
    server.submit([md5()])
    before = make(server, pair)
    homes = []
    for name, platform in zip(pair.names, (pair.told, pair.other), strict=True):
        homes.append(tmp_path / name)
        settings.save(homes[-1], settings.Settings(server.address, platform.key))
        with Gate.open(homes[-1]) as gate:
            gate.sync()
    sizes = [_size(home) for home in homes]
    assert sizes[0] - sizes[1] == MADE
    assert f"{MADE} entries" in canary(server, "remove", pair.names[0])
    _wait(pair, before + 2 * MADE)
    for home in homes:
        with Gate.open(home) as gate:
            gate.sync()
    assert [size - _size(home) for size, home in zip(sizes, homes, strict=True)] == [MADE, 0]


def _size(home: Path) -> int:
    with Gate.open(home) as gate:
        return sum(gate.status().entries.values())


def test_a_list_that_leaked_is_traced(server: Server, pair: Pair, tmp_path: Path) -> None:
    """A list in any form names the platform that was told its canaries, and no other; so does an old one."""
    before = make(server, pair)
    values = [line["signal"]["value"] for line in lines(pair.told, before)]
    ours = tmp_path / "ours.json"
    ours.write_text(json.dumps({"hashes": [value.upper() for value in values[:4]] + ["ab" * 32]}))
    others = tmp_path / "others.csv"
    others.write_text("\n".join(str(line) for line in lines(pair.other, 0)))
    assert traced(server, ours) == [[*pair.names[0].split(), "4", "of", str(MADE)]]
    assert canary(server, "trace", str(others)) == "No canary of any platform stands in it.\n"
    assert pair.names[0] in canary(server, "list")
    canary(server, "remove", pair.names[0])
    assert pair.names[0] not in canary(server, "list")
    assert traced(server, ours) == [[*pair.names[0].split(), "4", "of", str(MADE)]]


def test_commands_write_beside_a_busy_registry(server: Server, pair: Pair) -> None:
    """While cases keep coming, canaries and pauses are taken all the same: they wait for their turn."""
    with ThreadPoolExecutor(4) as people:
        busy = [people.submit(lambda: [server.submit([md5()]).status_code for _ in range(60)]) for _ in range(3)]
        for _ in range(3):
            canary(server, "add", pair.names[0], "--pictures", "1")
            assert server.command("registry", "pause", "1").returncode == 0
    assert {status for one in busy for status in one.result()} == {201}


def test_trouble_is_told(server: Server, tmp_path: Path) -> None:
    """A platform that is not there and a list without anything in it are told in a line."""
    empty = tmp_path / "empty"
    empty.touch()
    for arguments, told in ((("add", "Nobody"), "no platform 'Nobody'"), (("trace", str(empty)), "is empty")):
        ran = server.command("registry", "canary", *arguments)
        assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
        assert told in ran.stderr


def test_the_feed_still_proves_itself(server: Server, pair: Pair) -> None:
    """`takeback registry check` follows canaries as it does all else, and a canary cannot be fetched unseen."""
    make(server, pair)
    ran = server.command("registry", "check")
    assert ran.returncode == 0, ran.stderr
    problem(server.http.get("/v1/feed/snapshot"), 401, "not-a-platform")
