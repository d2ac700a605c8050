"""The registry's settings, read once from `TAKEBACK_...` variables and from options, which take precedence.

README.md beside this file lists them all; a test compares the two.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from takeback.errors import SettingsError
from takeback.registry.rules.cases import CasePolicy
from takeback.registry.rules.entry_status import StatusLimits
from takeback.registry.security.rate_limit import Network, networks
from takeback.times import DAY_SECONDS

PREFIX: Final = "TAKEBACK_"
MAX_PORT: Final = 65_535
LIMITS: Final = {
    "port": (0, MAX_PORT),
    "mix": (0, DAY_SECONDS),
    "expire": (0, 36_500),
    "keep": (1, 36_500),
    "arrivals": (0, 1_000_000),
    "work": (0, 1_000_000),
    "demote": (0, 1000),
    "flood": (0, 1_000_000),
}
"""The minimum and maximum of each numeric setting."""
_MAIL: Final = re.compile(r"(?:mailto:)?([!-.0-9;-?A-~]+@[!-.0-9;-?A-~]+)")
_LINK: Final = re.compile(r"(?:https://|tel:)[!-~]+")


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """Where the registry keeps its data and how it is reached."""

    data: Path = Path("var")
    """Folder of the database, made if it does not exist."""
    database: str = ""
    """PostgreSQL address, `postgresql://user:password@host/name`. Without it, SQLite in the data folder."""
    keys: Path | None = None
    """Folder of the PIN key and the feed key. Without it, `keys` in the data folder."""
    page: Path | None = None
    """Folder of the built page. Without it, only the API is served."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8000
    """Port to listen on; 0 chooses a free one."""
    tls: bool = False
    """Whether people reach the site over HTTPS, through a proxy; HSTS is then sent."""
    mix: int = 300
    """Longest publication delay in seconds, when an entry is added or removed; 0 is for tests only."""
    expire: int = 0
    """Days after its last new picture at which a case expires; 0 is never."""
    keep: int = 30
    """Days after which withdrawn and expired data is erased."""
    proxies: tuple[Network, ...] = ()
    """Networks of your proxies, comma-separated; only these are believed about the sender of a request."""
    arrivals: int = 300
    """Rate limit: lots per hour from one network (/24 or /48), in each process; 0 is no limit."""
    work: int = 250
    """Proof of work: tries that a lot costs the sender's device in a quiet hour, and more in a busy one; 0 is none."""
    demote: int = 3
    """Platforms that must report `not_blocked` before an entry only asks for a review; 0 is never."""
    flood: int = 5000
    """Matches of a picture in an hour, at most half from one platform, that lead to a review; 0 is never."""
    well_known: Path | None = None
    """File with the benign list, a type and a value on each line; entries that match it only ask for a review."""
    ncmec: bool = False
    """Whether to serve clients of NCMEC's Hash Sharing v2 at `/ncmec`."""
    stopncii: bool = False
    """Whether to serve clients of StopNCII's platform API at `/stopncii/v1`."""
    security_contact: tuple[str, ...] = ()
    """Contacts for security faults in `/.well-known/security.txt`: e-mail, `https:` or `tel:`, comma-separated."""

    @property
    def store(self) -> Path | str:
        """The database: the path of the SQLite file, or the PostgreSQL address."""
        return self.database or self.data / "registry.sqlite"

    @property
    def policy(self) -> CasePolicy:
        """The settings that the rules of cases use."""
        return CasePolicy(
            self.mix, self.expire * DAY_SECONDS, self.keep * DAY_SECONDS, StatusLimits(self.demote, self.flood)
        )

    @property
    def pin_key(self) -> Path:
        """The path of the PIN key."""
        return (self.keys or self.data / "keys") / "pin.key"

    @property
    def feed_key(self) -> Path:
        """The path of the feed key."""
        return self.pin_key.with_name("feed.key")

    @property
    def operator_key(self) -> Path:
        """The path of the digest of the operator's key."""
        return self.pin_key.with_name("operator.key")


def read_settings(environ: Mapping[str, str], **options: object) -> RegistrySettings:
    """Reads the settings from `environ` and from the `options` that are not `None`.

    Raises `SettingsError`, which names the variable, if a value is invalid.
    """
    given: dict[str, object] = {}
    for setting in fields(RegistrySettings):
        name = PREFIX + setting.name.upper()
        if options.get(setting.name) is not None:
            given[setting.name] = options[setting.name]
        elif environ.get(name):
            given[setting.name] = _parse(setting.name, name, environ[name])
    return RegistrySettings(**given)  # type: ignore[arg-type]


def read_proxies(value: str, name: str) -> tuple[Network, ...]:
    """The networks in the setting `name`. Raises `SettingsError` if one is not a network."""
    try:
        return networks(value)
    except ValueError as error:
        raise SettingsError(f"{name} is {value!r}; it must be networks such as 10.0.0.0/8,192.0.2.7") from error


def read_contacts(value: str, name: str) -> tuple[str, ...]:
    """The contacts in the setting `name`, as URIs (RFC 9116). Raises `SettingsError` if one is invalid."""
    return tuple(_contact(word.strip(), name) for word in value.split(","))


def _contact(word: str, name: str) -> str:
    if mail := _MAIL.fullmatch(word):
        return f"mailto:{mail[1]}"
    if _LINK.fullmatch(word):
        return word
    raise SettingsError(f"{name} has {word!r}; it must be e-mail addresses, https://... or tel:..., comma-separated")


def _parse(setting: str, name: str, value: str) -> object:
    if setting in {"data", "keys", "page", "well_known"}:
        return Path(value)
    if setting in LIMITS:
        least, most = LIMITS[setting]
        # `isdigit` alone accepts digits of every script, and superscripts, which `int` refuses.
        if not (value.isascii() and value.isdigit() and len(value) < 10 and least <= int(value) <= most):
            raise SettingsError(f"{name} is {value!r}; it must be a number from {least} to {most}")
        return int(value)
    if setting == "proxies":
        return read_proxies(value, name)
    if setting == "security_contact":
        return read_contacts(value, name)
    if setting in {"tls", "ncmec", "stopncii"}:
        if value not in {"0", "1"}:
            raise SettingsError(f"{name} is {value!r}; it must be 0 or 1")
        return value == "1"
    return value
