"""How much is sent, and how much from one part of the network, so that nobody fills the registry alone.

It is counted in lots (`cases.lots`): what a person sends is one or a few, whether it makes a case or adds to one.

What is counted by is no address: an HMAC of a shortened one, under a key that is in memory alone and for a day at most.
Each process counts for itself.
"""

import hmac
import secrets
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from takeback.errors import TooManyCases

WINDOW_SECONDS: Final = 60 * 60
LOTS_PER_DOUBLING: Final = 20
"""Lots of an hour from one part of the network, after which each next one costs twice the work."""
BUSY_HOUR_LOTS: Final = 2000
"""The same from everywhere; here what is twice as much costs twice the work."""
MAX_DOUBLINGS: Final = 6
KEY_LIFE_SECONDS: Final = 24 * 60 * 60
IPV4_PREFIX_BITS: Final = 24
IPV6_PREFIX_BITS: Final = 48
"""Of an address that are looked at: a household or a school's floor, not a person."""

type Network = IPv4Network | IPv6Network


def network_of(address: str) -> str | None:
    """The part of the network that an address is in; nothing for one that is no public address."""
    try:
        found = ip_address(address.strip())
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    if not found.is_global:
        return None
    kind, bits = (IPv6Network, IPV6_PREFIX_BITS) if found.version == 6 else (IPv4Network, IPV4_PREFIX_BITS)
    return str(kind(f"{found}/{bits}", strict=False))


def networks(text: str) -> tuple[Network, ...]:
    """The networks of a text, apart by spaces or commas. Raises `ValueError` for what is none."""
    return tuple(ip_network(word) for word in text.replace(",", " ").split())


class Proxies:
    """Who is believed about where a request comes from: proxies in these `networks`, and nobody else."""

    def __init__(self, networks: Sequence[Network] = ()) -> None:
        self._networks = networks

    def sender(self, peer: str, forwarded: Sequence[str]) -> str | None:
        """The part of the network that a request comes from; nothing where that is not known.

        `forwarded` are its headers `X-Forwarded-For`. From the last word on, each proxy of ours is believed about who
        stands before it; what anybody else says counts for nothing.
        """
        words = [word.strip() for line in forwarded for word in line.split(",")]
        while self._are(peer):
            if not words:
                return None
            peer = words.pop()
        return network_of(peer)

    def _are(self, peer: str) -> bool:
        try:
            found = ip_address(peer)
        except ValueError:  # a socket without an address
            return False
        if isinstance(found, IPv6Address) and found.ipv4_mapped:
            found = found.ipv4_mapped
        return any(found in network for network in self._networks)


class RateLimit:
    """Counts lots; `most` in an hour from one network, 0 for any number. `clock` gives seconds that only grow."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self._key = b""
        self._key_from = self._window_from = float("-inf")
        self._counts: dict[bytes, int] = {}
        self._all = 0

    def check(self, network: str | None) -> None:
        """Raises `TooManyCases` if nothing further may come from there now."""
        now = self._clock()
        if now - self._key_from >= KEY_LIFE_SECONDS:
            self._key, self._key_from, self._window_from = secrets.token_bytes(32), now, float("-inf")
        if now - self._window_from >= WINDOW_SECONDS:
            self._counts, self._window_from, self._all = {}, now, 0
        if self._most and network is not None and self._count(network) >= self._most:
            wait = int(self._window_from + WINDOW_SECONDS - now) + 1
            raise TooManyCases("very much came from your network; this can be sent a little later", wait)

    def take(self, network: str | None, lots: int = 1) -> None:
        """Counts a message before it is kept. Raises `TooManyCases`."""
        self.check(network)
        if network is not None:
            self._counts[self._mark(network)] = self._count(network) + lots
        self._all += lots

    def give_back(self, network: str | None, lots: int = 1) -> None:
        """Nothing new was kept of it: it does not count."""
        self._all = max(0, self._all - lots)
        if network is not None and (count := self._count(network)):
            self._counts[self._mark(network)] = max(0, count - lots)

    def demand(self, network: str | None) -> int:
        """How many times the work of a quiet hour the next lot from there costs: 1, 2, 4 and so on to 64."""
        here = 0 if network is None else self._count(network) // LOTS_PER_DOUBLING
        return 1 << min(MAX_DOUBLINGS, max(here, (self._all // BUSY_HOUR_LOTS).bit_length()))

    def _count(self, network: str) -> int:
        return self._counts.get(self._mark(network), 0)

    def _mark(self, network: str) -> bytes:
        return hmac.digest(self._key, network.encode(), "sha256")
