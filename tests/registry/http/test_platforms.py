"""`GET /v1/platforms`: what everybody may know about who follows, on SQLite and on PostgreSQL."""

from tests.registry.support import Json, Server, md5, problem


def listed(server: Server) -> Json:
    """The platforms that everybody sees."""
    answer = server.http.get("/v1/platforms")
    assert answer.status_code == 200, answer.text
    return answer.json()


def _names(*names: str, unnamed: int) -> Json:
    """A list with these names, and without small sites."""
    return {"platforms": list(names), "unnamed": unnamed, "small_sites": 0}


def publish(server: Server, name: str, shown: str) -> None:
    """Publishes a platform that agreed."""
    assert server.command("platform", "publish", name, "--as", shown, "--consent").returncode == 0


def test_everybody_sees_who_follows(server: Server) -> None:
    """The list has the published names, sorted without regard to case, and the number of the others."""
    before = listed(server)["unnamed"]
    for name, shown in (("a", "other site"), ("b", "Example Social"), ("c", "Zebra"), ("d", "")):
        server.platform(name).page()
        if shown:
            publish(server, name, shown)
    assert listed(server) == _names("Example Social", "other site", "Zebra", unnamed=before + 1)
    for name in "abc":
        server.command("platform", "unpublish", name)
    assert listed(server) == _names(unnamed=before + 4)


def test_who_has_not_read_the_feed_does_not_follow(server: Server) -> None:
    """A platform is neither named nor counted before it first reads the feed, as it is not in a case's status."""
    before = listed(server)
    named, other = server.platform("first"), server.platform("second")
    publish(server, "first", "First Photos")
    number = server.submit([md5()]).json()["number"]
    reached = server.case(number).json()["platforms"]
    assert listed(server) == before
    refused = server.http.get("/v1/feed", headers=named.headers)
    problem(refused, 400, "invalid-message", "after")
    assert listed(server) == before
    head = named.page()["head"]
    named.page(head)
    assert listed(server) == _names("First Photos", unnamed=before["unnamed"])
    assert server.case(number).json()["platforms"] == reached + 1
    other.page(head)
    assert listed(server) == _names("First Photos", unnamed=before["unnamed"] + 1)
    assert server.case(number).json()["platforms"] == reached + 2
    server.command("platform", "unpublish", "first")


def test_a_revoked_platform_is_gone_until_it_has_a_new_key(server: Server) -> None:
    """`revoke` takes a platform off the list at once, named or not, and `rotate` brings it back under its name."""
    before = listed(server)
    for name in ("leaver", "quiet"):
        server.platform(name).page()
    publish(server, "leaver", "Leaver")
    there = _names("Leaver", unnamed=before["unnamed"] + 1)
    assert listed(server) == there
    for name in ("leaver", "quiet"):
        server.command("platform", "revoke", name)
    assert listed(server) == before
    for name in ("leaver", "quiet"):
        server.command("platform", "rotate", name)
    assert listed(server) == there
    server.command("platform", "unpublish", "leaver")


def test_the_list_needs_no_key_and_leaves_no_trace(server: Server) -> None:
    """Nobody has to say who they are; a shared device keeps no copy, as of every answer; parameters are refused."""
    answer = server.http.get("/v1/platforms")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json().keys() == {"platforms", "unnamed", "small_sites"}
    problem(server.http.get("/v1/platforms?name=x"), 400, "invalid-message", "name")
