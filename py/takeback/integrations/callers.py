"""Who may call a service of ours: whoever sends its token, as bearer or as the password of basic authentication.

Some senders cannot set a header, but take a user and a password in the address: Amazon SNS and pict-rs.
"""

import binascii
from base64 import b64decode
from hmac import compare_digest

from takeback.connections import is_loopback
from takeback.errors import SettingsError


def is_caller(authorization: str, token: str) -> bool:
    """Returns whether the field `Authorization` holds the token. Without a token everybody may call."""
    if not token:
        return True
    scheme, _, given = authorization.strip().partition(" ")
    held = given.strip().encode("utf-8", "surrogateescape")
    if scheme.lower() == "basic":
        try:
            held = b64decode(held, validate=True).partition(b":")[2]
        except binascii.Error:
            return False
    elif scheme.lower() != "bearer":
        return False
    return compare_digest(held, token.encode())


def require_token(host: str, token: str, variable: str, danger: str) -> None:
    """Raises `SettingsError` if a service without a token would be open to other machines."""
    if not token and not is_loopback(host):
        raise SettingsError(f"anyone who reaches {host} could {danger}: set {variable}, which callers must then send")
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise SettingsError(f"{variable} must be printable ASCII without spaces")
