"""Cases are counted by network, and nothing that could be an address is stored."""

from pathlib import Path

import httpx
import pytest

from takeback.errors import SettingsError, TooManyCases
from takeback.registry.security.rate_limit import (
    KEY_LIFE_SECONDS,
    WINDOW_SECONDS,
    Proxies,
    RateLimit,
    network_of,
    networks,
)
from takeback.registry.settings import read_settings
from tests.registry.support import OTHER_PIN, Server, md5, problem, secret_headers, serving


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("8.8.4.4", "8.8.4.0/24"),
        (" 8.8.4.250", "8.8.4.0/24"),
        ("::ffff:8.8.4.4", "8.8.4.0/24"),
        ("2606:4700:1:2:3::4", "2606:4700:1::/48"),
        ("127.0.0.1", None),
        ("10.1.2.3", None),
        ("fe80::1", None),
        ("nobody", None),
        ("", None),
    ],
)
def test_an_address_is_shortened(address: str, network: str | None) -> None:
    """A public address gives its network, anything else gives `None`."""
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("peer", "forwarded", "network"),
    [
        ("8.8.4.4", "", "8.8.4.0/24"),
        ("8.8.4.4", "9.9.9.9", "8.8.4.0/24"),
        ("127.0.0.1", "9.9.9.9", None),
        ("::1", "9.9.9.9", None),
        ("10.0.0.2", "1.1.1.1, 9.9.9.9", None),
        ("172.17.0.1", "9.9.9.9", None),
        ("127.0.0.1", "", None),
    ],
)
def test_nobody_is_believed_unless_named(peer: str, forwarded: str, network: str | None) -> None:
    """Without named proxies the header is ignored, whether the peer's address is private or public."""
    assert Proxies().sender(peer, [forwarded]) == network


@pytest.mark.parametrize(
    ("peer", "forwarded", "network"),
    [
        ("1.2.3.4", ["8.8.4.4, 9.9.9.9"], "9.9.9.0/24"),
        ("::ffff:1.2.3.4", ["9.9.9.9"], "9.9.9.0/24"),
        ("2001:db8::7", ["9.9.9.9"], "9.9.9.0/24"),
        ("2001:db8::7", ["8.8.4.4, 9.9.9.9, 1.2.3.4"], "9.9.9.0/24"),
        ("2001:db8::7", ["8.8.4.4", "9.9.9.9", "1.2.3.4"], "9.9.9.0/24"),
        ("1.2.3.4", ["1.2.3.4"], None),
        ("1.2.3.4", ["nobody"], None),
        ("1.2.3.4", [], None),
        ("1.2.3.9", ["9.9.9.9"], "1.2.3.0/24"),
        ("127.0.0.1", ["9.9.9.9"], None),
        ("nobody", ["9.9.9.9"], None),
    ],
)
def test_named_proxies_are_believed(peer: str, forwarded: list[str], network: str | None) -> None:
    """Each named proxy is believed about the address before it; any other peer is counted by its own address."""
    assert Proxies(networks("1.2.3.4/32, 2001:db8::/32")).sender(peer, forwarded) == network


@pytest.mark.parametrize("text", ["1.2.3.4/24", "proxy.example", "10.0.0.0/33"])
def test_what_is_no_network_is_refused(text: str) -> None:
    """A setting that is not a list of networks is refused in one line that names it."""
    with pytest.raises(SettingsError, match="TAKEBACK_PROXIES is"):
        read_settings({"TAKEBACK_PROXIES": text})


def test_each_network_has_a_limit_an_hour() -> None:
    """Each network has its own limit, which ends with the hour, and no address is stored."""
    now = [0.0]
    arrivals = RateLimit(2, lambda: now[0])
    for _ in range(2):
        arrivals.take("8.8.4.0/24")
    with pytest.raises(TooManyCases) as refused:
        arrivals.take("8.8.4.0/24")
    assert 0 < refused.value.retry_after <= WINDOW_SECONDS + 1
    arrivals.take("9.9.9.0/24")
    assert "8.8.4" not in repr(vars(arrivals))
    now[0] = WINDOW_SECONDS
    arrivals.take("8.8.4.0/24")


def test_the_key_lives_for_a_day() -> None:
    """After a day the same network is counted under a different HMAC."""
    now = [0.0]
    arrivals = RateLimit(5, lambda: now[0])
    arrivals.take("8.8.4.0/24")
    before = set(vars(arrivals)["_counts"])
    now[0] = KEY_LIFE_SECONDS
    arrivals.take("8.8.4.0/24")
    assert before.isdisjoint(vars(arrivals)["_counts"])


def test_the_price_grows_with_the_load() -> None:
    """The price doubles for every 20 lots of one network, and whenever those of all double; it is 64 at most."""
    now = [0.0]
    arrivals = RateLimit(0, lambda: now[0])

    def come(count: int, network: str | None) -> int:
        for _ in range(count):
            arrivals.take(network)
        return arrivals.demand(network)

    assert [come(n, "8.8.4.0/24") for n in (0, 19, 1, 20, 200)] == [1, 1, 2, 4, 64]
    assert [come(n, None) for n in (0, 2000, 2000)] == [1, 2, 4]
    assert come(1, "9.9.9.0/24") == 4
    for _ in range(4240):
        arrivals.give_back(None)
    assert arrivals.demand(None) == 1
    now[0] = WINDOW_SECONDS
    assert come(1, "8.8.4.0/24") == 1


def test_there_is_no_limit_for_unknown_networks_or_at_0() -> None:
    """Without a public address, and with a limit of 0, nothing is refused."""
    for most, network in ((1, None), (0, "8.8.4.0/24")):
        arrivals = RateLimit(most, lambda: 0.0)
        for _ in range(5):
            arrivals.take(network)


def test_too_many_cases_are_told_and_leave_no_trace(tmp_path: Path) -> None:
    """The third case is refused with the time to wait; repeats of a stored case are answered and not counted."""
    server = Server(tmp_path / "var", "--arrivals", "2", "--proxies", "127.0.0.1")

    def send(headers: dict[str, str] | None = None, body: object = None) -> httpx.Response:
        headers = headers or secret_headers()
        body = body or {"pictures": [{"signals": [md5()]}]}
        return server.http.post("/v1/cases", json=body, headers=headers | {"X-Forwarded-For": "8.8.4.4"})

    known, same = secret_headers(), {"pictures": [{"signals": [md5()]}]}
    first = send(known, same)
    assert [send(known, same).status_code for _ in range(3)] == [200, 200, 200]
    assert [first.status_code, send().status_code] == [201, 201]
    again = send(known, same)
    assert (again.status_code, again.json()) == (200, first.json())
    refused = send()
    problem(refused, 429, "too-many-cases")
    assert int(refused.headers["Retry-After"]) > 0
    server.stop()
    assert "8.8.4" not in server.log.read_text()


def test_where_no_proxy_is_named_nobody_says_where_they_come_from(tmp_path: Path) -> None:
    """A sender that claims other networks neither escapes its own limit nor uses up another's."""
    with serving(tmp_path / "var", "--arrivals", "1") as server:
        for place in range(4):
            headers = secret_headers() | {"X-Forwarded-For": f"8.8.{place % 2}.4"}
            sent = server.http.post("/v1/cases", json={"pictures": [{"signals": [md5()]}]}, headers=headers)
            assert sent.status_code == 201


def test_wrong_pins_are_counted_by_network(tmp_path: Path) -> None:
    """Behind a named proxy, ten wrong PINs from one network do not count against another."""
    with serving(tmp_path / "var", "--proxies", "127.0.0.1") as server:
        number = server.submit([md5()]).json()["number"]

        def guess(address: str) -> int:
            headers = {"Takeback-Pin": OTHER_PIN, "X-Forwarded-For": address}
            return server.http.get(f"/v1/cases/{number}", headers=headers).status_code

        assert [guess("8.8.4.4") for _ in range(12)] == [404] * 10 + [429] * 2
        assert guess("8.8.4.250") == 429
        assert guess("9.9.9.9") == 404
