"""A service over the list of a registry that publishes one picture."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gate.pictures import sent
from tests.gate.servers import Registry, followed, running
from tests.lookup.services import FILE, Service, running_service


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A registry that publishes FILE."""
    with running() as started:
        for one in sent(FILE):
            started.log.add(one)
        yield started


@pytest.fixture
def home(registry: Registry, tmp_path: Path) -> Path:
    """A gate's folder that has followed the feed."""
    return followed(registry, tmp_path / "gate")


@pytest.fixture
def service(home: Path) -> Iterator[Service]:
    """A service with one site."""
    with running_service(home) as started:
        yield started
