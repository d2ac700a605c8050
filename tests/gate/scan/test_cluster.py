import os
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from takeback.errors import SettingsError
from takeback.gate import Gate
from takeback.gate.scan.run import Progress, ScanPlan, ScanResources, run_scan
from takeback.gate.settings import GateSettings, save
from tests.gate.feeds import KEY, Log, signal
from tests.gate.servers import running

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # from Ray's own sockets and processes
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A gate's folder that has read a feed of five signals."""
    log = Log()
    for number in range(5):
        log.add(signal(number))
    with running(log) as registry:
        save(tmp_path / "gate", GateSettings(registry.url, KEY))
        with Gate.open(tmp_path / "gate") as gate:
            gate.sync()
        yield tmp_path / "gate"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Forty chunks of a hundred stored signals; every hundredth is listed."""
    rows = [{"key": f"u{n}", "pdq": signal(n % 5 if n % 100 == 7 else 1000 + n).value} for n in range(4000)]
    pa.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "stored.parquet", row_group_size=100)
    return tmp_path / "stored.parquet"


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Ray cluster of two nodes on loopback, with one core each, and a head that only coordinates."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(str(Path(place).resolve()) for place in ("py", ".")))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": 100 << 20})
    try:
        workers = [started.add_node(num_cpus=1, object_store_memory=100 << 20) for _ in range(2)]
        started.wait_for_nodes()
        yield started, workers
    finally:
        started.shutdown()  # type: ignore[no-untyped-call]


def found(out: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pa.parquet.read_table(out / "matches.parquet").to_pylist()
    return rows


def test_a_node_that_is_killed_changes_nothing(nodes: Any, home: Path, source: Path, tmp_path: Path) -> None:
    """A scan that loses one of two nodes gives the local result, and leaves no list there."""
    from ray._private.state import available_resources_per_node

    started, workers = nodes
    plan = ScanPlan([str(source)])
    killed: list[int] = []

    def kill_one(progress: Progress) -> None:
        if progress.done >= 3 and not killed:
            killed.append(progress.done)
            left = available_resources_per_node()  # type: ignore[no-untyped-call]
            at_work = next(node for node in workers if not left[node.node_id].get("CPU"))
            started.remove_node(at_work, allow_graceful=False)

    there = run_scan(home, tmp_path / "there", plan, ScanResources(2, started.address), kill_one)
    here = run_scan(home, tmp_path / "here", plan, ScanResources(1), lambda _: None)
    assert 3 <= killed[0] < 40
    assert there == here
    assert there.block == 40
    assert found(tmp_path / "there") == found(tmp_path / "here")
    while left := list(Path(gettempdir()).glob("takeback-scan-*")):
        assert left
        time.sleep(0.1)  # until the workers have ended; the test's timeout ends this too


def test_there_must_be_a_cluster(home: Path, source: Path, tmp_path: Path) -> None:
    """An address without a cluster is refused in one line."""
    with pytest.raises(SettingsError, match="there is no Ray cluster at 127"):
        run_scan(home, tmp_path / "out", ScanPlan([str(source)]), ScanResources(1, "127.0.0.1:9"), lambda _: None)
