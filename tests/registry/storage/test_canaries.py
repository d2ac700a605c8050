"""Canaries: only one platform sees them, gates follow the feed as before, and a leaked list is traced."""

import itertools
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from takeback.gate import Gate, settings
from takeback.gate.feed import snapshot_import
from takeback.hashing import hash_picture, with_variants
from takeback.protocol import SignalMessage, encode
from takeback.registry.storage import canaries
from takeback.registry.storage.canaries import CanaryTrace
from takeback.registry.storage.engine.database import open_database, writing
from takeback.registry.storage.platforms import Platforms
from takeback.signals import hamming_distance
from tests.gate.pictures import drawing, jpeg
from tests.registry.conftest import NewDatabase
from tests.registry.support import Json, Platform, Server, md5, patches, problem

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
    """Runs `takeback registry canary` on the server's data, and returns its output."""
    ran = server.command("registry", "canary", *arguments)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def traced(server: Server, file: Path) -> list[list[str]]:
    """The words of each line that `trace` prints for a file."""
    return [line.split() for line in canary(server, "trace", str(file)).splitlines()[1:]]


def lines(platform: Platform, after: int) -> list[Json]:
    """A platform's view of the feed's lines after a number."""
    found: list[Json] = platform.page(after)["entries"]
    return found


@dataclass
class Made:
    """The number of canaries, and the feed's number before them."""

    entries: int
    before: int


def make(server: Server, pair: Pair) -> Made:
    """Makes canaries of two pictures for the first of the pair and waits until the feed has them."""
    before: int = pair.told.page()["head"]
    said = canary(server, "add", pair.names[0], "--pictures", "2")
    made = Made(int(said.split()[0]), before)
    _wait(pair, before + made.entries)
    return made


def _wait(pair: Pair, head: int) -> None:
    end = time.monotonic() + 30
    while pair.told.page()["head"] < head:
        assert time.monotonic() < end
        time.sleep(0.2)


def test_one_platform_is_told_and_the_other_is_not(server: Server, pair: Pair) -> None:
    """A canary is an ordinary `add` for its platform and a tombstone for the other, whose feed has no gaps."""
    made = make(server, pair)
    told, other = lines(pair.told, made.before), lines(pair.other, made.before)
    assert [line["action"] for line in told] == ["add"] * made.entries
    assert [line["action"] for line in other] == ["erased"] * made.entries
    assert [line["number"] for line in told] == [line["number"] for line in other]
    for line in told:
        assert line["signal"]["value"] not in json.dumps(pair.other.page(made.before))


def page_sends(seed: int) -> list[Json]:
    """The signals that the page sends for a picture."""
    hashed = with_variants(hash_picture(jpeg(drawing(seed, (1000, 800)))))
    return [json.loads(encode(SignalMessage.of(signal))) for signal in hashed.signals]


def of_type(list_: list[Json], kind: str) -> list[Json]:
    """The lines with one type of signal."""
    return [line for line in list_ if line["signal"]["type"] == kind]


def lonely(list_: list[Json]) -> list[Json]:
    """An attack on a list: finds whole-picture PDQ hashes that are over 60 bits from every crop."""
    views = [line["signal"]["value"] for line in of_type(list_, "pdq") if "variant" in line["signal"]]
    wholes = [line for line in of_type(list_, "pdq") if "variant" not in line["signal"]]
    return [one for one in wholes if all(hamming_distance(one["signal"]["value"], view) > 60 for view in views)]


def test_nothing_in_a_list_betrays_canaries(server: Server, pair: Pair) -> None:
    """Canaries have crops, phash, exact hashes, quality and fields like real pictures, and as many for each picture."""
    start = pair.told.page()["head"]
    assert {server.submit(page_sends(seed)).status_code for seed in range(6)} == {201}
    middle = pair.told.page()["head"]
    said = canary(server, "add", pair.names[0], "--pictures", "6")
    _wait(pair, middle + int(said.split()[0]))
    everything = lines(pair.told, start)
    real, canaries = ([line for line in everything if (line["number"] > middle) is new] for new in (False, True))

    assert [line["number"] for line in lonely(everything) if line["number"] > middle] == []
    assert len(real) * 0.7 < len(canaries) < len(real) * 1.3
    for kind in ("pdq", "phash", "sha256", "md5"):
        ours, theirs = of_type(canaries, kind), of_type(real, kind)
        wholes = [sum("variant" not in line["signal"] for line in part) for part in (ours, theirs)]
        assert wholes == [6, 6], kind
        assert {frozenset(line) for line in ours} == {frozenset(line) for line in theirs}
        assert {frozenset(line["signal"]) for line in ours} == {frozenset(line["signal"]) for line in theirs}
    variants = [{line["signal"].get("variant") for line in part} for part in (canaries, real)]
    assert variants[0] <= variants[1] | {"trimmed", "shape-4-5", "shape-3-4"}
    pdqs = [line["signal"] for line in of_type(canaries, "pdq")]
    assert all(100 <= int(signal["value"], 16).bit_count() <= 156 for signal in pdqs)
    assert {signal["quality"] for signal in pdqs if "variant" not in signal} == {100}


@pytest.mark.parametrize("start", ["pages", "snapshot"])
def test_every_gate_follows(
    server: Server, pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    """Gates of both platforms verify the hash chain with canaries added and removed, from the feed and a snapshot."""
    if start == "snapshot":
        monkeypatch.setattr(snapshot_import, "MIN_SNAPSHOT_LINES", 0)
    server.submit([md5()])
    made = make(server, pair)
    homes = []
    for name, platform in zip(pair.names, (pair.told, pair.other), strict=True):
        homes.append(tmp_path / name)
        settings.save(homes[-1], settings.GateSettings(server.address, platform.key))
        with Gate.open(homes[-1]) as gate:
            gate.sync()
    sizes = [_size(home) for home in homes]
    assert sizes[0] - sizes[1] == made.entries
    assert f"{made.entries} entries" in canary(server, "remove", pair.names[0])
    _wait(pair, made.before + 2 * made.entries)
    for home in homes:
        with Gate.open(home) as gate:
            gate.sync()
    assert [size - _size(home) for size, home in zip(sizes, homes, strict=True)] == [made.entries, 0]


def _size(home: Path) -> int:
    with Gate.open(home) as gate:
        return sum(gate.status().entries.values())


def test_a_list_that_leaked_is_traced(server: Server, pair: Pair, tmp_path: Path) -> None:
    """A list in any form, even an old one, is traced to the platform of its canaries and to no other."""
    made = make(server, pair)
    values = [line["signal"]["value"] for line in lines(pair.told, made.before)]
    ours = tmp_path / "ours.json"
    ours.write_text(json.dumps({"hashes": [value.upper() for value in values[:4]] + ["ab" * 32]}))
    others = tmp_path / "others.csv"
    others.write_text("\n".join(str(line) for line in lines(pair.other, 0)))
    assert traced(server, ours) == [[*pair.names[0].split(), "4", "of", str(made.entries)]]
    assert canary(server, "trace", str(others)) == "The list contains no canaries.\n"
    assert pair.names[0] in canary(server, "list")
    canary(server, "remove", pair.names[0])
    assert pair.names[0] not in canary(server, "list")
    assert traced(server, ours) == [[*pair.names[0].split(), "4", "of", str(made.entries)]]


def test_local_hashes_are_traced(new_database: NewDatabase) -> None:
    """A canary of several hashes is in a list that has them all, in any order, and not in one that lacks a hash."""
    sent = patches(2, 3)
    engine = open_database(new_database())
    Platforms(engine).add("Forum")
    with writing(engine) as connection:
        assert canaries.make(connection, "Forum", [[msgspec.convert(sent, SignalMessage)]], 0, 1_800_000_000) == 1
        *most, last = sent["value"].replace(";", ",").split(",")
        assert canaries.trace(connection, " ".join([last, *most]).upper().encode()) == [CanaryTrace("Forum", 1, 1)]
        assert canaries.trace(connection, " ".join(most).encode()) == []
    engine.dispose()


def test_commands_write_beside_a_busy_registry(server: Server, pair: Pair) -> None:
    """While cases arrive, commands that add canaries and pause entries wait for the lock and succeed."""
    with ThreadPoolExecutor(4) as people:
        busy = [people.submit(lambda: [server.submit([md5()]).status_code for _ in range(60)]) for _ in range(3)]
        for _ in range(3):
            canary(server, "add", pair.names[0], "--pictures", "1")
            assert server.command("registry", "pause", "1").returncode == 0
    assert {status for one in busy for status in one.result()} == {201}


def test_trouble_is_told(server: Server, tmp_path: Path) -> None:
    """An unknown platform and an empty list each give a one-line error."""
    empty = tmp_path / "empty"
    empty.touch()
    for arguments, told in ((("add", "Nobody"), "no platform 'Nobody'"), (("trace", str(empty)), "is empty")):
        ran = server.command("registry", "canary", *arguments)
        assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
        assert told in ran.stderr


def test_the_feed_still_proves_itself(server: Server, pair: Pair) -> None:
    """`takeback registry check` verifies a feed with canaries, and without a key no snapshot can be read."""
    make(server, pair)
    ran = server.command("registry", "check")
    assert ran.returncode == 0, ran.stderr
    problem(server.http.get("/v1/feed/snapshot"), 401, "not-a-platform")
