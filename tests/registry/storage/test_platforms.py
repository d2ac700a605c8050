"""Who is on the public list as time passes, and two operators who publish at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine

from takeback.errors import SettingsError
from takeback.protocol import PlatformList
from takeback.registry.rules.platform_list import FOLLOWING_SECONDS
from takeback.registry.storage.engine.database import open_database
from takeback.registry.storage.feedback_store import PlatformPosition
from takeback.registry.storage.platforms import Platforms
from takeback.registry.storage.store import Store
from tests.registry.conftest import NewDatabase

NOW = 1_800_000_000


@pytest.fixture
def engine(new_database: NewDatabase) -> Iterator[Engine]:
    """An empty database."""
    made = open_database(new_database())
    yield made
    made.dispose()


def test_who_stopped_reading_is_no_longer_named(engine: Engine) -> None:
    """A platform is on the list for 7 days after it was last sent the feed, and is back when it reads again."""
    now = [NOW]
    store, platforms = Store(engine, lambda: now[0]), Platforms(engine, lambda: now[0])
    photos, videos = (platforms.check(platforms.add(name)).id for name in ("photos", "videos"))
    for one in (photos, videos):
        store.feedback.move(PlatformPosition(one, 0)).result()
    platforms.publish("photos", "Example Social")
    both = PlatformList(["Example Social"], 1)
    assert platforms.public_list() == both
    now[0] += FOLLOWING_SECONDS
    assert platforms.public_list() == both
    now[0] += 1
    assert platforms.public_list() == PlatformList([], 0)
    store.feedback.move(PlatformPosition(photos, 0)).result()
    assert platforms.public_list() == PlatformList(["Example Social"], 0)
    store.close()


def test_consent_has_its_time(engine: Engine) -> None:
    """When a platform was published is kept, renewed with another name, and erased by `unpublish`."""
    now = [NOW]
    platforms = Platforms(engine, lambda: now[0])
    platforms.add("photos")
    for shown in ("Example Social", "Other Site"):
        now[0] += 10
        platforms.publish("photos", shown)
        (one,) = platforms.all()
        assert (one.published_name, one.published_at) == (shown, now[0])
    platforms.unpublish("photos")
    (one,) = platforms.all()
    assert (one.published_name, one.published_at) == (None, None)


def test_two_cannot_take_one_name_at_once(engine: Engine) -> None:
    """Of concurrent commands that publish platforms under one name, one succeeds."""
    platforms = Platforms(engine)
    names = [f"photos {n}" for n in range(8)]
    for name in names:
        platforms.add(name)

    def publish(name: str) -> bool:
        try:
            platforms.publish(name, "Example Social")
        except SettingsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(publish, names)) == [False] * 7 + [True]
    assert [one.published_name for one in platforms.all() if one.published_name] == ["Example Social"]
