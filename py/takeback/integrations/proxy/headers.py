"""Which header fields a request and an answer keep on their way through the proxy. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

type HeaderFields = list[tuple[bytes, bytes]]

DECISION_HEADER: Final = b"takeback-decision"
"""Tells the application what was decided of a checked upload; callers cannot set it."""
_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Fields that belong to one connection (RFC 9110, 7.6.1)."""
_FORWARDED: Final = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-proto", b"x-real-ip"}
)
"""Fields that say where a request came from, which only a trusted proxy in front may set."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Who sent a request: an address, and whether it is a trusted proxy."""

    address: str
    is_trusted: bool

    @classmethod
    def of(cls, address: str, trusted: Sequence[IPv4Network | IPv6Network]) -> "Peer":
        """Returns the peer with this address; it is trusted if it lies in one of the networks."""
        try:
            ip = ip_address(address)
        except ValueError:
            return cls(address, is_trusted=False)
        return cls(address, any(ip in network for network in trusted))


def end_to_end(fields: Iterable[tuple[bytes, bytes]]) -> HeaderFields:
    """Returns the fields without those that belong to one connection, and those that `Connection` names."""
    fields = list(fields)
    named = {
        name.strip().lower() for field, value in fields if field.lower() == b"connection" for name in value.split(b",")
    }
    # A caller must not have fields removed on which the application or this proxy depends.
    dropped = _HOP_BY_HOP | (named - {b"host", b"content-length", b"content-type"})
    return [(name, value) for name, value in fields if name.lower() not in dropped]


def request_fields(fields: Iterable[tuple[bytes, bytes]], peer: Peer, scheme: str) -> HeaderFields:
    """Returns the fields of a request for the application: end to end, and with X-Forwarded-For, -Proto and -Host."""
    fields = list(fields)
    kept = [
        (name, value)
        for name, value in end_to_end(fields)
        # CGI and WSGI do not tell `_` from `-` in a name.
        if name.lower().replace(b"_", b"-") not in _FORWARDED | {b"expect", DECISION_HEADER}
    ]
    told = [(name.lower(), value) for name, value in fields if peer.is_trusted and name.lower() in _FORWARDED]
    before = [value for name, value in told if name == b"x-forwarded-for"]
    kept.append((b"x-forwarded-for", b", ".join([*before, peer.address.encode("latin-1", "replace")])))
    kept += [(name, value) for name, value in told if name != b"x-forwarded-for"]
    names = {name for name, _ in told}
    if b"x-forwarded-proto" not in names:
        kept.append((b"x-forwarded-proto", scheme.encode("ascii")))
    host = next((value for name, value in fields if name.lower() == b"host"), b"")
    if b"x-forwarded-host" not in names and host:
        kept.append((b"x-forwarded-host", host))
    return kept


def response_fields(fields: Iterable[tuple[bytes, bytes]], status: int) -> HeaderFields:
    """Returns the fields of the application's answer for the caller."""
    # An answer 304 may give the length of a body that does not follow it, which the server would wait for.
    return [(name, value) for name, value in end_to_end(fields) if status != 304 or name.lower() != b"content-length"]
