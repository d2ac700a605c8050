"""What our HTTP clients ask of an address, and what they say when a connection fails. Standard library only."""

import re
import socket
import ssl
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from takeback.errors import SettingsError

_ADDRESS: Final = re.compile(r"[!#-\[\]-~]+")
"""Printable ASCII without the quote and the backslash, so that an address stands in TOML as it is."""


def check_address(address: str, owner: str, danger: str) -> None:
    """Raises `SettingsError` unless `address` is `https://HOST[:PORT]`, or `http://` on this machine.

    `owner` says whose address it is (`the registry`); `danger` says what plain HTTP would allow.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise SettingsError(f"{owner}'s address is not one: expected https://HOST[:PORT]") from error
    if not _ADDRESS.fullmatch(address) or parts.scheme not in {"http", "https"} or not host:
        raise SettingsError(f"{owner}'s address is not one: expected https://HOST[:PORT]")
    if not {"@", "?", "#"}.isdisjoint(address):
        raise SettingsError(f"{owner}'s address may hold no user, password, query or fragment")
    if parts.scheme == "http" and not is_loopback(host):
        raise SettingsError(f"{owner}'s address must start with https://, or {danger}")


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an IP address, is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def unreadable_certificates(error: OSError) -> SettingsError:
    """What to raise when a client cannot be made because of the certificates that the environment names."""
    text = f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read: {error.strerror or error}"
    return SettingsError(text)


def why(error: BaseException) -> str:
    """The reason for a failed connection, from the first cause that names one: each needs a different remedy."""
    cause: BaseException | None = error
    while cause is not None:
        match cause:
            case ssl.SSLCertVerificationError():
                return (
                    f"its certificate is not trusted ({cause.verify_message}); if an authority of your own signed it, "
                    "set SSL_CERT_FILE to the file of that authority's certificate"
                )
            case ssl.SSLError():
                return f"TLS fails ({cause.reason or 'no reason given'}); does this address and port speak HTTPS?"
            case socket.gaierror():
                return f"its name cannot be looked up (DNS: {cause.strerror}); correct the address, or mend the DNS"
            case ConnectionRefusedError():
                return "the connection is refused; nothing listens at this address and port, or a firewall says so"
            case OSError() if cause.strerror:
                return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return f"it broke off the conversation ({type(error).__name__})"
