"""`build.py bench`: its options, and that the benchmark of hostile files finds faults."""

import os
import signal
import time
from pathlib import Path

import pytest

from builder.options import parse
from takeback.errors import DamagedPicture
from tests.bench import hostile
from tests.bench._mutations import mutated, seeds
from tests.builder.test_entry import one_line, run

SEEDS = seeds()
PICTURES = {"JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "MPO", "HEIC", "AVIF", "JXL"}
VIDEOS = {"MP4", "MOV", "3GP", "WEBM", "MKV", "AVI", "FLV", "WMV", "MPG", "TS"}


def ends(_: bytes) -> None:
    """A decoder that crashes on every picture."""
    os.kill(os.getpid(), signal.SIGSEGV)


def raises(data: bytes) -> None:
    """A decoder that leaks an error of its own."""
    raise KeyError(len(data))


def refuses(_: bytes) -> None:
    """A decoder that reports the picture as damaged."""
    raise DamagedPicture("broken")


def turns(_: bytes) -> None:
    """A decoder that never ends."""
    while True:
        pass


def waits(_: bytes) -> None:
    """A decoder that waits for input that never comes."""
    time.sleep(3600)


def takes(_: bytes) -> None:
    """A decoder that allocates more memory than allowed."""
    bytearray(2 * hostile.MEMORY)


def drops(_: bytes) -> None:
    """A decoder whose error cannot be caught."""

    class Dropped:
        def __del__(self) -> None:
            raise KeyError

    Dropped()


def test_every_seed_is_a_good_file_of_a_format_that_is_read() -> None:
    """Each seed can be hashed, and together they cover every supported format."""
    for seed in SEEDS:
        hostile.hash_file(seed.data)
    assert {seed.format.removesuffix(" moving").removesuffix(" progressive") for seed in SEEDS} == PICTURES | VIDEOS


def test_a_number_always_makes_the_same_file() -> None:
    """A number denotes one file, and nearly every number a different file, unlike its seed."""
    once, again = ([mutated(number, SEEDS)[1] for number in range(400)] for _ in range(2))
    assert once == again
    assert len(set(once)) > 380
    assert sum(data == mutated(number, SEEDS)[0].data for number, data in enumerate(once)) < 20


def test_mutated_files_are_hashed_or_refused() -> None:
    """Among the first mutated files none ends its worker, hangs, or raises an error that is not ours."""
    outcomes = dict(hostile.run(range(200), SEEDS))
    assert sorted(outcomes) == list(range(200))
    assert [outcome.fault for outcome in outcomes.values() if outcome.fault] == []
    assert {outcome.said for outcome in outcomes.values()} >= {"hashed", "damaged-picture"}


@pytest.mark.parametrize(
    ("hashing", "fault"),
    [(ends, "SIGSEGV"), (raises, "KeyError"), (turns, "over its budget"), (takes, "MemoryError"), (drops, "nobody")],
)
def test_a_fault_is_found(hashing: hostile.Hash, fault: str) -> None:
    """A crash, a foreign error, a loop, too much memory and a lost error are each found, file by file."""
    numbers = range(3) if hashing is not turns else range(1)
    found = dict(hostile.run(numbers, SEEDS[:1], hashing))
    assert sorted(found) == list(numbers)
    assert all(fault in outcome.fault for outcome in found.values()), found


def test_a_worker_that_waits_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that uses no processor time and never ends is a finding too."""
    monkeypatch.setattr(hostile, "PATIENCE", 2)
    ((_, outcome),) = hostile.run(range(1), SEEDS[:1], waits)
    assert outcome.said == "hung"


@pytest.mark.parametrize(("hashing", "status"), [(raises, 1), (refuses, 0)])
def test_a_finding_is_kept_and_told(
    hashing: hostile.Hash,
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A finding is printed, kept as a file by its number, and changes the exit status; a refusal is no finding."""
    monkeypatch.setattr(hostile, "KEPT", tmp_path)
    monkeypatch.setattr(hostile, "hash_file", hashing)
    assert hostile.main(files=2, first=7) == status
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    made = [(number, *mutated(number, SEEDS)) for number in (7, 8)]
    assert kept == ({f"{number}-{seed.name}": data for number, seed, data in made} if status else {})
    assert f"{2 * status} findings" in capsys.readouterr().out


def test_options_of_a_benchmark() -> None:
    """Numbers are options of `bench`, listed in its help, and passed to the benchmark that takes them."""
    assert parse(["bench", "hostile", "--files", "5", "--first", "9"]).measure == {"files": 5, "first": 9}
    assert parse(["bench"]).measure == {}
    told = run("bench", "--help").stdout
    assert all(f"--{option} N" in told for option in ("files", "first", "kills"))
    assert run("bench", "--files", "none").returncode == 2


def test_an_option_of_another_benchmark_is_refused() -> None:
    """An option that the named benchmark does not take is refused in one line, before anything runs."""
    assert "--files is for another benchmark" in one_line(run("bench", "hashing", "--files", "5"))
