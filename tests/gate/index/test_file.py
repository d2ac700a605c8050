import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.errors import GateError, StateDamaged
from takeback.gate.index.chunking import MAX_FLIPS, masks, plan
from takeback.gate.index.file import HEAD_BYTES, IndexMarks, load, save
from takeback.gate.index.multi_index import MultiIndex, Reach
from takeback.signals import Signal, SignalType
from tests.gate.codes import as_rows, as_signals, found, shaped
from tests.gate.feeds import entry_id, signal

MARKS = IndexMarks(7, 42, Reach().as_dict())
HELD = {
    **as_signals([*shaped("clustered", 800, 1), *shaped("adversarial", 600, 2)]),
    **{entry_id(seed): signal(seed, kind) for seed, kind in enumerate(SignalType) if kind is not SignalType.PDQ},
}


def saved(folder: Path, held: dict[str, Signal] = HELD) -> Path:
    """A file with these signals."""
    path = folder / "index.bin"
    save(path, MARKS, MultiIndex.of(Reach(), as_rows(held)).contents())
    return path


def test_round_trip(tmp_path: Path) -> None:
    """A saved index is loaded with its marks and all types; only its owner can read the file."""
    path = saved(tmp_path)
    marks, tables = load(path)
    index = MultiIndex(Reach(), tables)
    assert marks == MARKS
    for entry, held in HELD.items():
        assert (entry, 0) in found(index, held)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_changes_on_top(tmp_path: Path) -> None:
    """An index from a file can be changed like any other, and leaves the file unchanged."""
    path = saved(tmp_path)
    before = path.read_bytes()
    index = MultiIndex(Reach(), load(path)[1])
    entry, held = next(iter(HELD.items()))
    index.remove(entry)
    index.add(entry_id(99), signal(99))
    assert entry not in {name for name, _ in found(index, held)}
    assert found(index, signal(99)) == {(entry_id(99), 0)}
    assert path.read_bytes() == before


def test_nothing_to_save(tmp_path: Path) -> None:
    """An index without entries makes a file without tables."""
    assert load(saved(tmp_path, {})) == (MARKS, {})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda _: b"", "is truncated"),
        (lambda data: data[: HEAD_BYTES - 1], "is truncated"),
        (lambda data: data[:-1], "is truncated"),
        (lambda data: data[: HEAD_BYTES + 5000], "is truncated"),
        (lambda data: data + bytes(8), "data after its last table"),
        (lambda data: b"SQLite format 3\0" + data[16:], "not an index of this version"),
        (lambda data: b"takeback index 1" + data[16:], "not an index of this version"),
        (lambda data: data[:30] + b"?" + data[31:], "checksum of its header does not match"),
    ],
)
def test_refused(tmp_path: Path, change: object, complaint: str) -> None:
    """A file that is truncated, too long, foreign or of another version is refused, with its name and the cause."""
    path = saved(tmp_path)
    path.write_bytes(change(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(StateDamaged, match=rf"index\.bin.*{complaint}"):
        load(path)


def test_absent(tmp_path: Path) -> None:
    """A missing file or a folder is refused."""
    with pytest.raises(StateDamaged, match="does not exist"):
        load(tmp_path / "index.bin")
    with pytest.raises(StateDamaged, match="cannot be read"):
        load(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An intact file."""
    return saved(tmp_path_factory.mktemp("whole"))


@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_damage(whole: Path, where: float, bit: int) -> None:
    """A file with any one bit flipped, padding apart, is refused."""
    data = bytearray(whole.read_bytes())
    place = int(where * len(data))
    data[place] ^= 1 << bit
    damaged = whole.with_name("damaged.bin")
    damaged.write_bytes(data)
    try:
        marks, tables = load(damaged)
    except StateDamaged:
        return
    kept = whole.read_bytes()
    inside = load(whole)[1]
    assert marks == MARKS, "only what lies between tables may change unseen"
    assert {name: table.shape for name, table in tables.items()} == {name: t.shape for name, t in inside.items()}
    assert kept[place] == 0


def test_a_writer_is_killed(tmp_path: Path) -> None:
    """A writer that is killed leaves the old file, and its remains do not disturb the next writer."""
    path = saved(tmp_path)
    before = path.read_bytes()
    program = (
        "import os\nfrom pathlib import Path\nfrom tests.gate.index import test_file as t\n"
        "os.fsync = lambda _: os._exit(9)\nt.saved(Path(os.environ['FOLDER']))"
    )
    python = [sys.executable, "-c", program]
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        python, env={**os.environ, "FOLDER": str(tmp_path), "PYTHONPATH": "py:."}, cwd=root, check=False
    )
    assert done.returncode == 9
    assert (path.read_bytes(), path.with_suffix(".new").exists()) == (before, True)
    load(saved(tmp_path))
    assert not path.with_suffix(".new").exists()


def test_no_place(tmp_path: Path) -> None:
    """A missing folder is an error that names the file."""
    with pytest.raises(GateError, match=r"index\.bin cannot be written"):
        saved(tmp_path / "none")


@given(st.integers(1, 10**9), st.sampled_from([64, 128, 256]), st.data())
def test_plans(count: int, bits: int, data: st.DataObject) -> None:
    """Chunks never overlap, and two codes within the distance are within the flips in at least one chunk."""
    distance = data.draw(st.integers(1, bits // 4 - 1))
    chunks = plan(count, bits, distance)
    assert all(a.start + a.bits <= b.start for a, b in pairwise(chunks))
    assert chunks[-1].start + chunks[-1].bits <= bits
    assert all(0 <= chunk.flips <= MAX_FLIPS for chunk in chunks)
    assert sum(chunk.flips + 1 for chunk in chunks) > distance


@given(st.integers(5, 26), st.integers(0, 2))
def test_masks(bits: int, flips: int) -> None:
    """The masks are all changes of up to `flips` bits, each once."""
    found = masks(bits, flips)
    assert len(found) == len(set(found)) == sum([1, bits, bits * (bits - 1) // 2][: flips + 1])
    assert max(mask.bit_count() for mask in found) <= flips
