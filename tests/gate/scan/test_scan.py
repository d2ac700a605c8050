import json
import multiprocessing
import os
import shutil
import signal as stops
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, override

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result

from takeback.cli import main
from takeback.errors import SettingsError
from takeback.gate import Gate
from takeback.gate.scan import pool, shared, snapshot
from takeback.gate.scan.backfill import last
from takeback.gate.scan.pool import KILLED_REASON
from takeback.gate.scan.run import Progress, ScanPlan, ScanResources, run_scan
from takeback.gate.scan.sources import CHUNK_PICTURES, PictureChunk
from takeback.gate.scan.work import MATCHES_SCHEMA, scan_batch
from takeback.gate.settings import GateSettings, save
from takeback.hashing import hash_picture
from takeback.signals import SignalType
from tests.gate.feeds import KEY, Log, entry_id, signal
from tests.gate.pictures import drawing, jpeg
from tests.gate.servers import running

LISTED = jpeg(drawing(1))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A gate's folder that has read a feed of one picture (entries 1 to 3) and one signal (entry 4)."""
    log = Log()
    signals = {one.type: one for one in reversed(hash_picture(LISTED).signals)}
    for kind in (SignalType.PDQ, SignalType.SHA256, SignalType.MD5):
        log.add(signals[kind])
    log.add(signal(7))
    folder = tmp_path / "gate"
    with running(log) as registry:
        save(folder, GateSettings(registry.url, KEY))
        with Gate.open(folder) as gate:
            gate.sync()
        yield folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with two copies of the listed picture among 70 others, a text, and a truncated picture."""
    folder = tmp_path / "pictures"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "copy.jpg").write_bytes(jpeg(drawing(1).resize((400, 300)), 70))
    (folder / "same.jpg").write_bytes(LISTED)
    (folder / "text.txt").write_text("hello")
    (folder / "cut.jpg").write_bytes(LISTED[:3000])
    other = jpeg(drawing(2, (64, 48)))
    for number in range(70):
        (folder / f"other-{number:02}.jpg").write_bytes(other)
    return folder


def table(rows: int = 1000) -> pa.Table:
    """Stored signals: row 10 and the middle one match entry 4, row 11 is no hash, row 12 has too low a quality."""
    stored = [{"id": f"u{n}", "hash": signal(1000 + n).value, "quality": 90, "note": n} for n in range(rows)]
    stored[10]["hash"] = signal(7).value.upper()
    stored[11]["hash"] = "xyz"
    stored[12] |= {"hash": signal(7).value, "quality": 10}
    stored[rows // 2]["hash"] = f"{int(signal(7).value, 16) ^ 0b111:064x}"
    return pa.Table.from_pylist(stored)


COLUMNS = {"key": "id", "pdq": "hash"}


def found(out: Path) -> list[dict[str, Any]]:
    """The rows of matches.parquet."""
    rows: list[dict[str, Any]] = pa.parquet.read_table(out / "matches.parquet").to_pylist()
    return rows


def summary(out: Path) -> dict[str, int]:
    return {row["what"]: row["count"] for row in pa.csv.read_csv(out / "summary.csv").to_pylist()}


def run(*arguments: object) -> Result:
    """`takeback gate` with these arguments."""
    result = CliRunner().invoke(main, ["gate", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_a_folder_of_pictures(home: Path, pictures: Path, tmp_path: Path) -> None:
    """Copies are found in any subfolder, a picture that cannot be hashed is a row with the reason, a text passes."""
    done = run("scan", pictures, "--home", home, "--out", tmp_path / "out", "--workers", "2")
    assert done.exit_code == 0, done.output
    rows = found(tmp_path / "out")
    blocked = {Path(row["key"]).name for row in rows if row["decision"] == "block"}
    assert blocked == {"copy.jpg", "same.jpg"}
    told = [(Path(row["key"]).name, row["decision"], row["error"]) for row in rows if row["error"]]
    assert told == [("cut.jpg", "review", "damaged-picture")]
    expected = {"scanned": 74, "allow": 71, "review": 1, "block": 2, "error": 0, "entries": 3, "checkpoint": 4}
    assert summary(tmp_path / "out") == expected
    assert (tmp_path / "out" / "distances.png").read_bytes().startswith(b"\x89PNG")
    assert "scanned     74" in done.output


@pytest.mark.parametrize("kind", ["parquet", "csv", "sqlite"])
def test_a_table_of_signals(home: Path, tmp_path: Path, kind: str) -> None:
    """A table gives the same rows from Parquet, CSV and a database; an invalid hash is an error."""
    source, more = tmp_path / f"stored.{kind}", []
    if kind == "parquet":
        pa.parquet.write_table(table(), source, row_group_size=300)
    elif kind == "csv":
        pa.csv.write_csv(table(), source)
    else:
        with sqlite3.connect(source) as database:
            database.execute("CREATE TABLE photos (id TEXT, hash TEXT, quality INTEGER, note INTEGER)")
            database.executemany("INSERT INTO photos VALUES (:id, :hash, :quality, :note)", table().to_pylist())
        database.close()
        more = ["--table", "photos"]
    given = f"sqlite:///{source}" if kind == "sqlite" else source
    columns = [part for ours, theirs in COLUMNS.items() for part in ("--column", f"{ours}={theirs}")]
    done = run("scan", given, *columns, *more, "--home", home, "--out", tmp_path / "out", "--workers", "1")
    assert done.exit_code == 0, done.output
    rows = {row["key"]: row for row in found(tmp_path / "out")}
    assert set(rows) == {"u10", "u11", "u500"}
    assert (rows["u10"]["entry"], rows["u10"]["distance"], rows["u500"]["distance"]) == (entry_id(4), 0, 3)
    assert rows["u11"]["decision"] == "error"
    assert rows["u11"]["error"].startswith("invalid-signal")
    assert summary(tmp_path / "out")["scanned"] == 1000


def test_other_shapes_of_tables(home: Path) -> None:
    """A signal may be given by columns of type and value, as bytes, without quality; an empty row is an error."""
    value = signal(7).value
    long = pa.RecordBatch.from_pylist(
        [
            {"key": 1, "type": "pdq", "value": value},
            {"key": 2, "type": "tlsh", "value": value},
            {"key": 3, "type": "md5", "value": None},
        ]
    )
    wide = pa.RecordBatch.from_pylist([{"key": "a", "pdq": bytes.fromhex(value), "md5": None}])
    with Gate.open(home) as gate:
        assert [(row["key"], row["decision"]) for row in scan_batch(long, gate).to_pylist()] == [
            ("1", "block"),
            ("2", "error"),
            ("3", "error"),
        ]
        again = scan_batch(wide, gate)
        assert [row["decision"] for row in again.to_pylist()] == ["block"]
        assert again.schema == MATCHES_SCHEMA
        assert again == scan_batch(wide, gate)


def test_it_goes_on_where_it_was_stopped(home: Path, tmp_path: Path) -> None:
    """A scan that is stopped in the middle resumes with the remaining chunks, with the same result."""
    source = tmp_path / "stored.parquet"
    pa.parquet.write_table(table(), source, row_group_size=100)
    plan = ScanPlan([str(source)], COLUMNS)

    def stop(progress: Progress) -> None:
        if progress.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_scan(home, tmp_path / "out", plan, ScanResources(1), stop)
    with Gate.open(home) as gate:  # a sync meanwhile does not change the frozen list
        gate.sync()
    told: list[Progress] = []
    resumed = run_scan(home, tmp_path / "out", plan, ScanResources(1), told.append)
    whole = run_scan(home, tmp_path / "whole", plan, ScanResources(2), lambda _: None)
    assert told[0] == Progress(4, 10, 400)
    assert len(told) == 7
    assert resumed == whole
    assert found(tmp_path / "out") == found(tmp_path / "whole")


def test_a_folder_of_results_is_of_one_scan(home: Path, tmp_path: Path) -> None:
    """A folder with another scan, a finished one, or something else is refused in one line."""
    source = tmp_path / "stored.csv"
    pa.csv.write_csv(table(), source)
    arguments = ["--column", "key=id", "--column", "pdq=hash", "--home", home, "--workers", "1"]
    assert run("scan", source, *arguments, "--out", tmp_path / "out").exit_code == 0
    again = run("scan", source, *arguments, "--out", tmp_path / "out")
    assert again.exit_code == 2
    assert "is finished" in again.output
    assert "another scan" in run("scan", tmp_path / "b.csv", *arguments, "--out", tmp_path / "out").output
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("x")
    refused = run("scan", source, *arguments, "--out", foreign)
    assert "thesis.txt" in refused.output
    assert (foreign / "thesis.txt").exists()


@pytest.mark.parametrize("name", [".git", ".ssh", ".draft-1", "list", "parts", "plan.new"])
def test_what_a_scan_did_not_make_stays(home: Path, tmp_path: Path, name: str) -> None:
    """A folder with any other file, even hidden or with a scan's name, is refused and left unchanged."""
    source, out = tmp_path / "stored.csv", tmp_path / "out"
    pa.csv.write_csv(table(), source)
    (out / name).mkdir(parents=True)
    (out / name / "id_ed25519").write_text("secret")
    refused = run("scan", source, "--column", "key=id", "--column", "pdq=hash", "--home", home, "--out", out)
    assert (refused.exit_code, name in refused.output) == (2, True)
    assert [str(file.relative_to(out)) for file in out.rglob("*")] == [name, f"{name}/id_ed25519"]


@pytest.mark.parametrize("content", ["[]", "{}", '{"plan": 1}', "x"])
def test_a_plan_of_another_program_stays(home: Path, tmp_path: Path, content: str) -> None:
    """A `plan.json` that no scan wrote is refused in one line, and kept."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "plan.json").write_text(content)
    refused = run("scan", tmp_path, "--home", home, "--out", tmp_path / "out")
    assert refused.exit_code == 2
    assert "use another folder" in refused.stderr.splitlines()[-1] or "cannot be used" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert (tmp_path / "out" / "plan.json").read_text() == content


def test_a_refused_scan_leaves_the_folder_empty(tmp_path: Path) -> None:
    """A scan that cannot start leaves nothing behind, so that the next one can start."""
    save(tmp_path / "new", GateSettings("http://127.0.0.1:9", KEY))
    assert run("scan", tmp_path, "--home", tmp_path / "new", "--out", tmp_path / "out").exit_code == 2
    assert list((tmp_path / "out").iterdir()) == []


def test_a_scan_that_was_killed_before_it_began_begins(home: Path, pictures: Path, tmp_path: Path) -> None:
    """A list that a killed scan left unfinished is made again."""
    out = tmp_path / "out"
    (out / "list.new").mkdir(parents=True)
    (out / "list.new" / "state.sqlite").write_text("half")
    plan: dict[str, object] = {
        "inputs": [str(pictures)],
        "columns": {},
        "table": None,
        "newer_than": 0,
        "checkpoint": None,
    }
    (out / "plan.json").write_text(json.dumps(plan))
    assert run_scan(home, out, ScanPlan([str(pictures)]), ScanResources(1), lambda _: None).scanned == 74
    assert {file.name for file in out.iterdir()} == {"plan.json", "matches.parquet", "summary.csv", "distances.png"}


def stop_after(parts: int) -> Callable[[Progress], None]:
    """Stops a scan after this number of chunks."""

    def stop(progress: Progress) -> None:
        if progress.done == parts:
            raise KeyboardInterrupt

    return stop


def test_a_scan_that_goes_on_scans_what_came_meanwhile(home: Path, pictures: Path, tmp_path: Path) -> None:
    """A picture that was added meanwhile is scanned, and none is scanned twice."""
    plan = ScanPlan([str(pictures)])
    with pytest.raises(KeyboardInterrupt):
        run_scan(home, tmp_path / "out", plan, ScanResources(1), stop_after(1))
    (pictures / "a-new-one.jpg").write_bytes(LISTED)
    assert run_scan(home, tmp_path / "out", plan, ScanResources(1), lambda _: None).scanned == 75
    whole = run_scan(home, tmp_path / "whole", plan, ScanResources(1), lambda _: None)
    assert (whole.scanned, whole.block) == (75, 3)

    def named(out: Path) -> list[str]:
        return sorted(row["key"] for row in found(out))

    assert named(tmp_path / "out") == named(tmp_path / "whole")


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_table_that_changed_meanwhile_is_scanned_anew(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Rows that changed meanwhile are scanned again, and replace the old ones."""
    monkeypatch.setattr("takeback.gate.scan.sources.CHUNK_ROWS", 100)
    source = tmp_path / f"stored.{kind}"

    def write(stored: pa.Table) -> None:
        if kind == "parquet":
            pa.parquet.write_table(stored, source, row_group_size=100)
        else:
            pa.csv.write_csv(stored, source)

    plan, stored = ScanPlan([str(source)], COLUMNS), table(300)
    write(stored)
    with pytest.raises(KeyboardInterrupt):
        run_scan(home, tmp_path / "out", plan, ScanResources(1), stop_after(2))
    rows = stored.to_pylist()
    rows[10]["hash"], rows[20]["hash"] = signal(1010).value, signal(7).value
    write(pa.Table.from_pylist(rows))
    resumed = run_scan(home, tmp_path / "out", plan, ScanResources(1), lambda _: None)
    assert resumed == run_scan(home, tmp_path / "whole", plan, ScanResources(1), lambda _: None)
    assert found(tmp_path / "out") == found(tmp_path / "whole")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing.parquet"], "does not exist, or is empty"),
        (["stored.csv"], "key=NAME"),
        (["stored.csv", "--column", "key=id"], "no column of signals"),
        (["stored.csv", "--column", "key=id", "--column", "pdq=nothing"], "has no column nothing"),
        (["stored.csv", "--column", "key"], "OURS=THEIRS"),
        (["stored.csv", "--column", "who=id"], "unknown column who"),
        (["sqlite:///stored.sqlite"], "--table NAME"),
        (["sqlite:///stored.sqlite", "--table", "none"], "cannot be read"),
        (["text.parquet"], "cannot be read as Parquet"),
    ],
)
def test_what_cannot_be_scanned(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    """An unusable input is reported in one line that says what to do."""
    monkeypatch.chdir(tmp_path)
    pa.csv.write_csv(table(), "stored.csv")
    Path("text.parquet").write_text("hello")
    refused = run("scan", *arguments, "--home", home, "--out", "out", "--workers", "1")
    assert refused.exit_code == 2
    assert said in refused.stderr.splitlines()[-1]
    assert "Traceback" not in refused.output


def test_a_gate_without_a_list_is_refused(tmp_path: Path) -> None:
    """A scan refuses a gate that has never read the feed, because it would find nothing."""
    save(tmp_path / "new", GateSettings("http://127.0.0.1:9", KEY))
    (tmp_path / "a.jpg").write_bytes(LISTED)
    refused = run("scan", tmp_path / "a.jpg", "--home", tmp_path / "new", "--out", tmp_path / "out")
    assert (refused.exit_code, "takeback gate sync" in refused.output) == (2, True)


class Deadly(PictureChunk):
    """Pictures, some of which kill the process that opens them, as a fault in a decoder would."""

    @override
    def load(self) -> pa.RecordBatch:
        if multiprocessing.parent_process() is not None and any("other-33" in name for name in self.addresses):
            os.kill(os.getpid(), stops.SIGKILL)
        return super().load()


def test_a_picture_that_kills_its_process(home: Path, tmp_path: Path) -> None:
    """A chunk that kills its process is halved until the rows at fault are found; these are errors."""
    snapshot.freeze(home, tmp_path / "list")
    listed = tmp_path / "same.jpg"
    listed.write_bytes(LISTED)
    parts = [Deadly((str(listed),) * 3), Deadly(("other-33",)), Deadly((str(listed),))]
    done = {number: (rows, found) for number, rows, found in pool.run(enumerate(parts), tmp_path / "list", 2)}
    assert {number: rows for number, (rows, _) in done.items()} == {0: 3, 1: 1, 2: 1}
    assert done[1][1].to_pylist()[0]["error"] == KILLED_REASON
    assert {row["decision"] for number in (0, 2) for row in done[number][1].to_pylist()} == {"block"}


def test_backfill(home: Path, tmp_path: Path) -> None:
    """`backfill` matches the entries that are new since the last one, and only those."""
    source = tmp_path / "stored.parquet"
    pa.parquet.write_table(table(), source)
    columns = ["--column", "key=id", "--column", "pdq=hash", "--workers", "1", "--home", home]
    first = run("backfill", source, *columns, "--out", tmp_path / "1")
    assert first.exit_code == 0, first.output
    assert {row["key"] for row in found(tmp_path / "1") if row["decision"] == "block"} == {"u10", "u500"}
    assert last(home) == 4
    run("backfill", source, *columns, "--out", tmp_path / "2")
    assert [row for row in found(tmp_path / "2") if row["decision"] != "error"] == []
    run("backfill", source, *columns, "--since", "3", "--out", tmp_path / "3")
    assert {row["entry"] for row in found(tmp_path / "3") if row["decision"] == "block"} == {entry_id(4)}
    assert "takeback gate sync" in run("backfill", source, *columns, "--since", "9", "--out", tmp_path / "4").output
    (home / "backfill").write_text("x")
    assert "--since NUMBER" in run("backfill", source, *columns, "--out", tmp_path / "5").output


def test_a_snapshot_travels(home: Path, tmp_path: Path) -> None:
    """A packed snapshot unpacks once to a private folder that decides alike and holds no platform key."""
    (home / "policy.toml").write_text("[md5]\naction = 'review'")
    (home / "well-known.txt").write_text(f"pdq {'5' * 64}")
    snapshot.freeze(home, tmp_path / "list")
    packed = snapshot.pack(tmp_path / "list")
    folder = shared.unpack(packed)
    try:
        assert shared.unpack(packed) == folder
        assert folder.stat().st_mode & 0o077 == 0
        assert all(KEY.encode() not in file.read_bytes() for file in folder.iterdir())
        with Gate.open(folder) as gate:
            assert gate.check(LISTED).action == "block"
            assert gate.policy.md5 == "review"
            assert (folder / "index.bin").exists()
            assert (folder / "well-known.txt").read_bytes() == (home / "well-known.txt").read_bytes()
    finally:
        shutil.rmtree(folder)


WORKER = """
import sys, time
from takeback.gate.scan.shared import unpack
print(unpack(sys.stdin.buffer.read(int(sys.argv[1]))), flush=True)
time.sleep(600)
"""


def test_a_snapshot_goes_with_its_last_worker(home: Path, tmp_path: Path) -> None:
    """An unpacked list stays while any worker lives, and is removed when the last is killed."""
    snapshot.freeze(home, tmp_path / "list")
    packed, node = snapshot.pack(tmp_path / "list"), tmp_path / "node"
    node.mkdir()

    def start() -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-c", WORKER, str(len(packed))]
        environment = {**os.environ, "TMPDIR": str(node)}
        worker = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert worker.stdin is not None
        worker.stdin.write(packed)
        worker.stdin.flush()
        return worker

    def end(worker: "subprocess.Popen[bytes]") -> None:
        worker.kill()
        worker.communicate()

    first, second = start(), start()
    assert first.stdout is not None
    assert second.stdout is not None
    folders = {Path(worker.stdout.readline().decode().strip()) for worker in (first, second) if worker.stdout}
    assert folders == set(node.iterdir())
    assert len(folders) == 1
    end(first)
    time.sleep(0.5)
    assert set(node.iterdir()) == folders
    end(second)
    while list(node.iterdir()):
        time.sleep(0.02)  # the test's timeout ends this
    third = start()
    assert third.stdout is not None
    assert Path(third.stdout.readline().decode().strip()).is_dir()
    end(third)


def test_parts_are_small_enough_to_lose(home: Path, pictures: Path, tmp_path: Path) -> None:
    """During a scan each finished chunk is a file; at the end only results and plan are left."""
    kept: list[int] = []

    def watch(_: Progress) -> None:
        kept.append(len(list((tmp_path / "out" / "parts").glob("*.parquet"))))

    run_scan(home, tmp_path / "out", ScanPlan([str(pictures)]), ScanResources(1), watch)
    assert kept == [0, 1, -(-74 // CHUNK_PICTURES)]
    left = {file.name for file in (tmp_path / "out").iterdir()}
    assert left == {"plan.json", "matches.parquet", "summary.csv", "distances.png"}
    assert json.loads((tmp_path / "out" / "plan.json").read_text())["checkpoint"] == 4


def test_a_list_that_is_too_old(home: Path, tmp_path: Path) -> None:
    """Entries after a number beyond the gate's checkpoint cannot be requested."""
    with pytest.raises(SettingsError, match="takeback gate sync"):
        snapshot.freeze(home, tmp_path / "list", 5)
