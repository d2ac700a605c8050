"""Address checks and failed connections of our HTTP clients, and sockets of our servers. Standard library only."""

import errno
import re
import socket
import ssl
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from takeback.errors import SettingsError

BACKLOG_CONNECTIONS: Final = 2048
_ADDRESS: Final = re.compile(r"[!#-\[\]-~]+")
"""Printable ASCII without quote and backslash, so that an address needs no escaping in TOML."""


def check_address(address: str, owner: str, danger: str) -> None:
    """Raises `SettingsError` unless `address` is `https://HOST[:PORT]`, or `http://` on this machine.

    `owner` says whose address it is (`the registry`); `danger` says what plain HTTP would allow.
    """
    try:
        parts = urlsplit(address)
        # Reading the port raises ValueError if it is not a number up to 65,535.
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise SettingsError(f"{owner}'s address is malformed: expected https://HOST[:PORT]") from error
    if not _ADDRESS.fullmatch(address) or parts.scheme not in {"http", "https"} or not host:
        raise SettingsError(f"{owner}'s address is malformed: expected https://HOST[:PORT]")
    if not {"@", "?", "#"}.isdisjoint(address):
        raise SettingsError(f"{owner}'s address must not have a user, password, query or fragment")
    if parts.scheme == "http" and not is_loopback(host):
        raise SettingsError(f"{owner}'s address must start with https://, or {danger}")


def is_loopback(host: str) -> bool:
    """Returns whether `host`, a name or an IP address, is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def unreadable_certificates(error: OSError) -> SettingsError:
    """Returns the error for certificates in the environment that prevent a client from being made."""
    text = f"the certificates in SSL_CERT_FILE or SSL_CERT_DIR cannot be read: {error.strerror or error}"
    return SettingsError(text)


def why(error: BaseException) -> str:
    """Returns why a connection failed, from the first cause that is specific enough to act on."""
    cause: BaseException | None = error
    while cause is not None:
        match cause:
            # From the most specific on: certificate errors are SSL errors, and these are OS errors.
            case ssl.SSLCertVerificationError():
                return (
                    f"its certificate is not trusted ({cause.verify_message}); if your own authority signed it, set "
                    "SSL_CERT_FILE to the file with that authority's certificate"
                )
            case ssl.SSLError():
                return f"TLS fails ({cause.reason or 'no reason given'}); check that this port serves HTTPS"
            case socket.gaierror():
                return f"its name cannot be resolved (DNS: {cause.strerror}); correct the address, or repair the DNS"
            case ConnectionRefusedError():
                return "the connection is refused; nothing listens at this address and port, or a firewall blocks it"
            case OSError() if cause.strerror:
                return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return f"the connection was lost ({type(error).__name__})"


def url_of(listener: socket.socket) -> str:
    """Returns the URL at which a listening socket answers plain HTTP."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on `host` and `port`. Raises `SettingsError` if it cannot."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG_CONNECTIONS)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(f"port {port} is in use; choose another with --port") from error
        raise SettingsError(f"cannot listen on {host} port {port}: {error.strerror or error}") from error
    except UnicodeError as error:
        raise SettingsError(f"cannot listen on {host}: it is not a valid host name") from error
