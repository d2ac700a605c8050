"""What a look-up service says of its small sites, and what people then see, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.registry.http.test_platforms import listed, publish
from tests.registry.support import Json, Platform, Server, md5

NUMBERS = count()
HEADER = "Takeback-Small-Sites"


def say(platform: Platform, sites: str | None) -> Json:
    """The newest page of the feed, read by a platform that says how many small sites it serves."""
    platform.headers.pop(HEADER, None)
    if sites is not None:
        platform.headers[HEADER] = sites
    return platform.page(platform.page()["head"])


@pytest.fixture
def name(server: Server) -> Iterator[str]:
    """The name of a look-up service, which the operator marked; no test before it knows the name."""
    made = f"hotline {next(NUMBERS)}"
    assert server.command("platform", "add", made, "--lookup").returncode == 0
    yield made
    server.command("platform", "revoke", made)


@pytest.fixture
def service(server: Server, name: str) -> Platform:
    """The look-up service with that name."""
    return Platform(server.http, server.command("platform", "rotate", name).stdout.split()[0])


@pytest.fixture
def number(server: Server) -> str:
    """The number of a case that is in the feed."""
    return str(server.submit([md5()]).json()["number"])


def reached(server: Server, number: str) -> tuple[int, int]:
    """The platforms and the small sites that a case's owner sees."""
    status = server.case(number).json()
    return status["platforms"], status["small_sites"]


def test_a_look_up_service_counts_as_its_sites(server: Server, name: str, service: Platform, number: str) -> None:
    """Its small sites are counted and it is not, in the case and on the list, where it is still named if published."""
    before, platforms = listed(server), reached(server, number)[0]
    say(service, "12")
    assert reached(server, number) == (platforms, 12)
    assert listed(server) == before | {"small_sites": 12}
    publish(server, name, "Hotline")
    assert listed(server) == before | {"platforms": ["Hotline"], "small_sites": 12}
    say(service, "7")
    assert reached(server, number) == (platforms, 7)
    say(service, None)
    assert reached(server, number) == (platforms, 7)
    say(service, "0")
    assert reached(server, number) == (platforms, 0)
    assert listed(server) == before | {"platforms": ["Hotline"]}


def test_sites_count_only_once_the_service_has_the_case(server: Server, service: Platform) -> None:
    """A service that has not yet received a case adds none of its sites to it, though it does to the list."""
    say(service, "12")
    number = str(server.submit([md5()]).json()["number"])
    assert (reached(server, number)[1], listed(server)["small_sites"]) == (0, 12)
    say(service, None)
    assert reached(server, number)[1] == 12


def test_the_number_of_any_other_platform_is_ignored(server: Server, number: str) -> None:
    """A platform that is not marked counts as one platform, whatever it says; marked, it counts from its next word."""
    platforms, unnamed = reached(server, number)[0], listed(server)["unnamed"]
    boaster = server.platform("boaster")
    say(boaster, "1000000")
    assert reached(server, number) == (platforms + 1, 0)
    assert server.command("platform", "lookup", "boaster").returncode == 0
    assert reached(server, number) == (platforms, 0)
    say(boaster, "3")
    assert reached(server, number) == (platforms, 3)
    assert server.command("platform", "lookup", "boaster", "--off").returncode == 0
    say(boaster, "3")
    assert reached(server, number) == (platforms + 1, 0)
    assert listed(server)["unnamed"] == unnamed + 1
    server.command("platform", "revoke", "boaster")


@pytest.mark.parametrize("sites", ["1000001", "-1", "1e3", "012", "", "many", "9" * 400])
def test_what_is_no_number_does_not_stop_the_feed(server: Server, service: Platform, number: str, sites: str) -> None:
    """A wrong number is ignored: the feed is answered, and the number of before stays."""
    say(service, "5")
    assert say(service, sites)["entries"] == []
    assert reached(server, number)[1] == 5


def test_a_revoked_service_has_no_sites(server: Server, name: str, service: Platform, number: str) -> None:
    """`revoke` takes the sites off at once."""
    say(service, "5")
    assert reached(server, number)[1] == 5
    server.command("platform", "revoke", name)
    assert (reached(server, number)[1], listed(server)["small_sites"]) == (0, 0)


def test_two_services_are_added_up(server: Server, service: Platform, number: str) -> None:
    """A person sees the sum of all services' sites, up to a million of each."""
    made = server.command("platform", "add", "other hotline", "--lookup")
    say(service, "1000000")
    say(Platform(server.http, made.stdout.split()[0]), "1000000")
    assert reached(server, number)[1] == listed(server)["small_sites"] == 2_000_000
    server.command("platform", "revoke", "other hotline")
