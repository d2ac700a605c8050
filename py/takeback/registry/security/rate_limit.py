"""The rate limit: how much may be sent from one network in an hour, so that no sender fills the registry alone.

The unit is the lot (`cases.lot_count`): a message is usually one or a few, whether it makes a case or adds to one.

No address is stored. A network is counted by the HMAC of a shortened address, under a key that is kept only in memory,
for a day at most. Each process counts for itself.
"""

import hmac
import secrets
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from takeback.errors import TooManyCases
from takeback.times import DAY_SECONDS, HOUR_SECONDS

WINDOW_SECONDS: Final = HOUR_SECONDS
"""The time over which lots are counted."""
LOTS_PER_DOUBLING: Final = 20
"""Lots per hour from one network before proof of work gets harder; it doubles with every further 20."""
BUSY_HOUR_LOTS: Final = 2000
"""Lots per hour from all networks before proof of work gets harder; it doubles whenever this number doubles."""
MAX_DOUBLINGS: Final = 6
"""Doublings of the work, at most: a factor of 64."""
KEY_LIFE_SECONDS: Final = DAY_SECONDS
"""The time after which the key for the HMACs of networks is replaced."""
IPV4_PREFIX_BITS: Final = 24
IPV6_PREFIX_BITS: Final = 48
"""Bits of an address that count: a household or a floor of a school, not a person."""

type Network = IPv4Network | IPv6Network


def network_of(address: str) -> str | None:
    """The network of `address`, as its /24 or /48 prefix; `None` if it is not a public address."""
    try:
        found = ip_address(address.strip())
    except ValueError:
        return None
    # A socket for both versions names IPv4 peers like this: ::ffff:192.0.2.7.
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    if not found.is_global:
        return None
    kind, bits = (IPv6Network, IPV6_PREFIX_BITS) if found.version == 6 else (IPv4Network, IPV4_PREFIX_BITS)
    return str(kind(f"{found}/{bits}", strict=False))


def networks(text: str) -> tuple[Network, ...]:
    """The networks in `text`, separated by spaces or commas. Raises `ValueError` if one is not a network."""
    return tuple(ip_network(word) for word in text.replace(",", " ").split())


class Proxies:
    """The trusted proxies: only those in `networks` are believed about the address that a request comes from."""

    def __init__(self, networks: Sequence[Network] = ()) -> None:
        self._networks = networks

    def sender(self, peer: str, forwarded: Sequence[str]) -> str | None:
        """The network that a request comes from, or `None` if it is unknown.

        `peer` is the address of the connection, and `forwarded` are the values of its `X-Forwarded-For` headers. They
        are read from the end: each trusted proxy is believed about the address before its own, and nobody else is.
        """
        words = [word.strip() for line in forwarded for word in line.split(",")]
        while self._are(peer):
            # Every address was a proxy's, and a proxy is never counted as a sender.
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
    """Counts lots by network: at most `most` in an hour, or any number if 0. `clock` is monotonic, in seconds."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self._key = b""
        self._key_from = self._window_from = float("-inf")
        self._counts: dict[bytes, int] = {}
        self._all = 0

    def check(self, network: str | None) -> None:
        """Raises `TooManyCases` if `network` has reached the limit."""
        now = self._clock()
        if now - self._key_from >= KEY_LIFE_SECONDS:
            # Under a new key no network finds its old count, so a new window begins.
            self._key, self._key_from, self._window_from = secrets.token_bytes(32), now, float("-inf")
        if now - self._window_from >= WINDOW_SECONDS:
            self._counts, self._window_from, self._all = {}, now, 0
        if self._most and network is not None and self._count(network) >= self._most:
            wait = int(self._window_from + WINDOW_SECONDS - now) + 1
            raise TooManyCases("too many cases came from your network in the last hour; try again later", wait)

    def take(self, network: str | None, lots: int = 1) -> None:
        """Counts a message before it is stored. Raises `TooManyCases` if `network` has reached the limit."""
        self.check(network)
        if network is not None:
            self._counts[self._mark(network)] = self._count(network) + lots
        self._all += lots

    def give_back(self, network: str | None, lots: int = 1) -> None:
        """Takes back the count of a message that was not stored."""
        # The window of `take` may be over, so that nothing of it is left to take back.
        self._all = max(0, self._all - lots)
        if network is not None and (count := self._count(network)):
            self._counts[self._mark(network)] = max(0, count - lots)

    def demand(self, network: str | None) -> int:
        """The price of the next lot from `network`, as a multiple of that in a quiet hour: 1, 2, 4 and so on to 64."""
        here = 0 if network is None else self._count(network) // LOTS_PER_DOUBLING
        return 1 << min(MAX_DOUBLINGS, max(here, (self._all // BUSY_HOUR_LOTS).bit_length()))

    def _count(self, network: str) -> int:
        return self._counts.get(self._mark(network), 0)

    def _mark(self, network: str) -> bytes:
        return hmac.digest(self._key, network.encode(), "sha256")
