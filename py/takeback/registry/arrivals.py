"""How many cases come from one part of the network, so that nobody fills the registry alone.

What is counted by is no address: an HMAC of a shortened one, under a key that is in memory alone and for a day at most.
Each process counts for itself.
"""

import hmac
import secrets
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from takeback.errors import TooManyCases

WINDOW: Final = 60 * 60
KEY_LIFE: Final = 24 * 60 * 60
V4_BITS: Final = 24
V6_BITS: Final = 48
"""Of an address that are looked at: a household or a school's floor, not a person."""


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
    kind, bits = (IPv6Network, V6_BITS) if found.version == 6 else (IPv4Network, V4_BITS)
    return str(kind(f"{found}/{bits}", strict=False))


def sender(peer: str, forwarded: str) -> str | None:
    """Where a request comes from: its peer, or what a peer on a private network says of it in its last word.

    A peer at a public address that passes something on may be a proxy for everybody, so nothing is known there.
    """
    if network := network_of(peer):
        return None if forwarded else network
    return network_of(forwarded.rpartition(",")[2])


class Arrivals:
    """Counts new cases; `most` in an hour, 0 for any number. `clock` gives seconds that only grow."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self._key = b""
        self._key_from = self._window_from = float("-inf")
        self._counts: dict[bytes, int] = {}

    def take(self, network: str | None) -> None:
        """Counts a case before it is made. Raises `TooManyCases`."""
        if not self._most or network is None:
            return
        now = self._clock()
        if now - self._key_from >= KEY_LIFE:
            self._key, self._key_from, self._window_from = secrets.token_bytes(32), now, float("-inf")
        if now - self._window_from >= WINDOW:
            self._counts, self._window_from = {}, now
        mark = self._mark(network)
        count = self._counts.get(mark, 0)
        if count >= self._most:
            wait = int(self._window_from + WINDOW - now) + 1
            raise TooManyCases("very many cases came from your network; this one can be sent a little later", wait)
        self._counts[mark] = count + 1

    def give_back(self, network: str | None) -> None:
        """It was no new case: it does not count."""
        if network is not None and (mark := self._mark(network)) in self._counts:
            self._counts[mark] = max(0, self._counts[mark] - 1)

    def _mark(self, network: str) -> bytes:
        return hmac.digest(self._key, network.encode(), "sha256")
