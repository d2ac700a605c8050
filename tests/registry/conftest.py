from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from takeback.registry.storage.engine.database import open_database
from tests.registry.postgres import Cluster, NoPostgres, cluster
from tests.registry.support import Platform, Server, serving

STORES = ("sqlite", "postgresql")

type NewDatabase = Callable[[], Path | str]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A PostgreSQL server; it need not survive a power cut here, and so it is quicker."""
    try:
        with cluster("fsync=off") as running:
            yield running
    except NoPostgres as why:
        pytest.skip(str(why))


@pytest.fixture(scope="session")
def template(postgresql: Cluster) -> str:
    """The name of a database that is migrated already, to make others from."""
    address = postgresql.new_database()
    open_database(address).dispose()
    return address.rpartition("/")[2]


@pytest.fixture(params=STORES)
def new_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NewDatabase:
    """Makes empty databases, on one store after the other."""
    if request.param == "sqlite":
        return lambda: tmp_path_factory.mktemp("database") / "registry.sqlite"
    made: Cluster = request.getfixturevalue("postgresql")
    template: str = request.getfixturevalue("template")
    return lambda: made.new_database(template)


@pytest.fixture(scope="module", params=STORES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry that the tests of one file share, on one store after the other."""
    environ = {}
    if request.param == "postgresql":
        made: Cluster = request.getfixturevalue("postgresql")
        environ["TAKEBACK_DATABASE"] = made.new_database(request.getfixturevalue("template"))
    with serving(tmp_path_factory.mktemp("registry") / "var", environ=environ) as running:
        yield running


@pytest.fixture(scope="module")
def platform(server: Server) -> Platform:
    """A platform of that registry."""
    return server.platform("Example Photos")
