"""The store, the sidecar and the webhook that the tests of this folder share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gate.servers import running
from tests.gate.sidecar import serving
from tests.integrations.proxies import listing
from tests.integrations.s3_stores import S3, installed, s3_store


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with moto's server."""
    return installed(tmp_path_factory.mktemp("moto") / "packages")


@pytest.fixture(scope="session")
def s3(moto: Path) -> Iterator[S3]:
    """A store."""
    with s3_store(moto) as store:
        yield store


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a gate that lists a picture."""
    with running() as registry:
        yield listing(registry, tmp_path_factory.mktemp("gate") / "gate")


@pytest.fixture(scope="session")
def sidecar(home: Path) -> Iterator[str]:
    """The address of a sidecar over that gate."""
    with serving(home) as client:
        yield str(client.base_url).rstrip("/")
