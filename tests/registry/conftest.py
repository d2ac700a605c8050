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
    """A PostgreSQL server, faster than by default because it need not survive a power cut."""
    try:
        with cluster("fsync=off") as running:
            yield running
    except NoPostgres as why:
        pytest.skip(str(why))


@pytest.fixture(scope="session")
def template(postgresql: Cluster) -> str:
    """The name of a migrated database, which others are copied from."""
    address = postgresql.new_database()
    open_database(address).dispose()
    return address.rpartition("/")[2]


@pytest.fixture(params=STORES)
def new_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NewDatabase:
    """A function that makes empty databases, first SQLite, then PostgreSQL."""
    if request.param == "sqlite":
        return lambda: tmp_path_factory.mktemp("database") / "registry.sqlite"
    made: Cluster = request.getfixturevalue("postgresql")
    template: str = request.getfixturevalue("template")
    return lambda: made.new_database(template)


@pytest.fixture(scope="module", params=STORES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry that the tests of a file share, first on SQLite, then on PostgreSQL."""
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
