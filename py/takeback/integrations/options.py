"""Options that commands of this zone share: where to listen, and whom to ask."""

import os
from collections.abc import Callable
from typing import Final

import click

from takeback.errors import SettingsError
from takeback.integrations.checker import HOME, LOOKUP, LOOKUP_KEY, SIDECAR, TOKEN, CheckerSettings

_WHOM: Final = (
    click.option("--home", default="", help=f"The gate's folder; also {HOME}."),
    click.option("--sidecar", default="", metavar="URL", help=f"A running `gate serve`; also {SIDECAR}, {TOKEN}."),
    click.option("--lookup", default="", metavar="URL", help=f"A look-up service; also {LOOKUP}. Key: {LOOKUP_KEY}."),
)


def asks[F: Callable[..., object]](command: F) -> F:
    """Adds the options that name a sidecar, a gate's folder or a look-up service."""
    for option in reversed(_WHOM):
        command = option(command)
    return command


def whom(home: str, sidecar: str, lookup: str) -> CheckerSettings:
    """Returns whom to ask: whom an option names, else whom the environment does."""
    if not (home or sidecar or lookup):
        return CheckerSettings.from_environment()
    token, key = os.environ.get(TOKEN, ""), os.environ.get(LOOKUP_KEY, "")
    return CheckerSettings(sidecar=sidecar.rstrip("/"), token=token, home=home, lookup=lookup, key=key)


def listen_address(text: str) -> tuple[str, int]:
    """Reads HOST:PORT, where an IPv6 address stands in brackets. Raises `SettingsError`."""
    host, _, port = text.rpartition(":")
    if not (host and port.isascii() and port.isdecimal() and int(port) <= 65535):
        raise SettingsError(f"cannot listen on {text}: expected HOST:PORT, such as 127.0.0.1:8081")
    return host.removeprefix("[").removesuffix("]"), int(port)
