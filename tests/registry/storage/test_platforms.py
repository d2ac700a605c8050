"""Who is on the public list as time passes, and two operators who publish at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine

from takeback.errors import SettingsError
from takeback.protocol import NewCase, Picture, PlatformList, SignalMessage
from takeback.registry.rules.cases import CasePolicy
from takeback.registry.rules.platform_list import FOLLOWING_SECONDS
from takeback.registry.storage.case_store import Submission
from takeback.registry.storage.engine.database import open_database
from takeback.registry.storage.feedback_store import PlatformPosition
from takeback.registry.storage.platforms import Platforms
from takeback.registry.storage.store import Store
from takeback.signals import SignalType
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


def test_small_sites_are_forgotten(engine: Engine) -> None:
    """The sites of a service count for 7 days after it said so last, on a case too, though it goes on following."""
    now = [NOW]
    store, platforms = Store(engine, lambda: now[0], CasePolicy(delay_seconds=0)), Platforms(engine, lambda: now[0])
    hotline = platforms.check(platforms.add("hotline", is_lookup=True)).id
    signals = [SignalMessage(SignalType.MD5, "a" * 32)]
    message = Submission(bytes(32), bytes(32), bytes(32), NewCase([Picture(signals)]))
    case = store.cases.case(store.cases.submit(message).result().status.number)
    assert case

    def shown() -> tuple[int, int, int]:
        status, listed = store.cases.status(case), platforms.public_list()
        assert listed.unnamed == 0
        return status.platforms, status.small_sites, listed.small_sites

    store.feedback.move(PlatformPosition(hotline, 1, small_sites=12)).result()
    now[0] += FOLLOWING_SECONDS
    store.feedback.move(PlatformPosition(hotline, 1)).result()
    assert shown() == (0, 12, 12)
    now[0] += 1
    assert shown() == (0, 0, 0)
    store.feedback.move(PlatformPosition(hotline, 1, small_sites=3)).result()
    assert shown() == (0, 3, 3)
    now[0] += FOLLOWING_SECONDS + 1
    assert shown() == (0, 0, 0)
    store.close()


def test_only_a_service_that_is_marked_now_is_believed(engine: Engine) -> None:
    """A number that arrives while the operator unmarks a service is not kept, and comes back with no later mark."""
    store, platforms = Store(engine, lambda: NOW), Platforms(engine, lambda: NOW)
    hotline = platforms.check(platforms.add("hotline", is_lookup=True)).id
    for is_lookup, sites in ((False, 0), (True, 0)):
        platforms.set_lookup("hotline", is_lookup)
        if not is_lookup:
            store.feedback.move(PlatformPosition(hotline, 0, small_sites=12)).result()
        (one,) = platforms.all()
        assert (one.is_lookup, one.small_sites, one.small_sites_at) == (is_lookup, sites, None)
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
