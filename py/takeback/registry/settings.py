"""The registry's settings: read once, from `TAKEBACK_...` variables and from options, which win.

README.md beside this file lists them all; a test holds the two together.
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
    "mix": (0, 24 * 60 * 60),
    "expire": (0, 36_500),
    "keep": (1, 36_500),
    "arrivals": (0, 1_000_000),
    "work": (0, 1_000_000),
    "demote": (0, 1000),
    "flood": (0, 1_000_000),
}
"""The least and the most of each setting that is a number."""
_MAIL: Final = re.compile(r"(?:mailto:)?([!-.0-9;-?A-~]+@[!-.0-9;-?A-~]+)")
_LINK: Final = re.compile(r"(?:https://|tel:)[!-~]+")


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """Where the registry keeps its data and how it is reached."""

    data: Path = Path("var")
    """Folder of the database. Made if it is not there."""
    database: str = ""
    """Address of PostgreSQL, `postgresql://user:password@host/name`. Without it, SQLite in the data folder."""
    keys: Path | None = None
    """Folder of the PIN key and the feed key. Without it, `keys` in the data folder."""
    page: Path | None = None
    """Folder of the built page. Without it, only the API is served."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8000
    """Port to listen on; 0 takes a free one."""
    tls: bool = False
    """Whether people reach the site over HTTPS, through a proxy: HSTS is sent then."""
    mix: int = 300
    """Seconds over which the entries of a case spread into the feed, and out of it; 0 is at once, for tests alone."""
    expire: int = 0
    """Days after which a case expires, counted from its last new picture; 0 is never."""
    keep: int = 30
    """Days after which what was withdrawn or has expired is erased for good."""
    proxies: tuple[Network, ...] = ()
    """Networks of your proxies, apart by commas: they alone are believed about where a request comes from."""
    arrivals: int = 300
    """Lots in an hour from one part of the network, /24 or /48, in each process; 0 is any number."""
    work: int = 250
    """Tries that each lot costs the sender's computer in a quiet hour, more in a busy one; 0 asks for no work."""
    demote: int = 3
    """Platforms that must say `not_blocked` of an entry before it only asks for a review; 0 is never."""
    flood: int = 5000
    """Matches of a picture in an hour, half at most from one platform, after which it asks for a review; 0 is never."""
    well_known: Path | None = None
    """List of well-known pictures, a type and a value on each line: entries that match only ask for a review."""
    ncmec: bool = False
    """Whether clients of NCMEC's Hash Sharing v2 are served at `/ncmec`."""
    stopncii: bool = False
    """Whether clients of StopNCII's platform API are served at `/stopncii/v1`."""
    security_contact: tuple[str, ...] = ()
    """Contacts for security faults in `/.well-known/security.txt`: e-mail, `https:` or `tel:`, comma-separated."""

    @property
    def store(self) -> Path | str:
        """The database: the file of SQLite, or the address."""
        return self.database or self.data / "registry.sqlite"

    @property
    def policy(self) -> CasePolicy:
        """The same, as the rules of cases know it."""
        return CasePolicy(
            self.mix, self.expire * DAY_SECONDS, self.keep * DAY_SECONDS, StatusLimits(self.demote, self.flood)
        )

    @property
    def pin_key(self) -> Path:
        """The PIN key's file."""
        return (self.keys or self.data / "keys") / "pin.key"

    @property
    def feed_key(self) -> Path:
        """The feed key's file."""
        return self.pin_key.with_name("feed.key")

    @property
    def operator_key(self) -> Path:
        """The file with the digest of the key to the operator's page."""
        return self.pin_key.with_name("operator.key")


def read_settings(environ: Mapping[str, str], **options: object) -> RegistrySettings:
    """The settings of `environ` and of the `options` that are not `None`. Raises `SettingsError`."""
    given: dict[str, object] = {}
    for setting in fields(RegistrySettings):
        name = PREFIX + setting.name.upper()
        if options.get(setting.name) is not None:
            given[setting.name] = options[setting.name]
        elif environ.get(name):
            given[setting.name] = _parse(setting.name, name, environ[name])
    return RegistrySettings(**given)  # type: ignore[arg-type]


def read_proxies(value: str, name: str) -> tuple[Network, ...]:
    """The networks of the setting of this `name`. Raises `SettingsError`."""
    try:
        return networks(value)
    except ValueError as error:
        raise SettingsError(f"{name} is {value!r}; it must be networks such as 10.0.0.0/8,192.0.2.7") from error


def read_contacts(value: str, name: str) -> tuple[str, ...]:
    """The contacts of the setting of this `name`, as the URIs that RFC 9116 asks for. Raises `SettingsError`."""
    return tuple(_contact(word.strip(), name) for word in value.split(","))


def _contact(word: str, name: str) -> str:
    if mail := _MAIL.fullmatch(word):
        return f"mailto:{mail[1]}"
    if _LINK.fullmatch(word):
        return word
    raise SettingsError(f"{name} has {word!r}; it must be an e-mail address, https://... or tel:..., apart by commas")


def _parse(setting: str, name: str, value: str) -> object:
    if setting in {"data", "keys", "page", "well_known"}:
        return Path(value)
    if setting in LIMITS:
        least, most = LIMITS[setting]
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
