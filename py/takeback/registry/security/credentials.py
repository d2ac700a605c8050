"""Credentials: the PINs of cases, the keys of platforms, and the limit on PIN guesses."""

import hashlib
import hmac
import os
import re
import secrets
import stat
import tempfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from takeback.errors import NotAPlatform, SettingsError, TooManyGuesses
from takeback.private import sync_folder
from takeback.registry.security.entry_ids import EntryIds
from takeback.times import DAY_SECONDS

PIN_KEY_BYTES: Final = 32
"""Length of each secret: that of a SHA-256 digest, beyond which HMAC gains nothing (RFC 2104)."""
MAX_SECRETS: Final = 3
"""Secrets in the file of the PIN key: the newest, the previous one while it has cases, and the first."""
PIN_BYTES: Final = 32
"""Length of a stored PIN's HMAC, which the secret's tag follows."""
TAG_BYTES: Final = 4
"""Length of the tag that tells which secret a stored PIN was made with."""
MAX_GUESSES: Final = 10
"""Wrong PINs for a case from one network (/24 or /48) in `GUESS_WINDOW_SECONDS`."""
GUESS_WINDOW_SECONDS: Final = 15 * 60
"""The time over which the wrong PINs of one network are counted."""
MAX_DAILY_GUESSES: Final = 1000
"""Wrong PINs for a case in a day, from all networks together."""
MAX_WATCHED_KEYS: Final = 100_000
"""Keys that are counted at the same time, in about 20 MB. Beyond this the oldest count is dropped."""

_PLATFORM_KEY: Final = re.compile(r"tbk_([0-9a-f]{16})_([0-9a-f]{64})", re.ASCII)
_BEARER: Final = re.compile(r"bearer +(\S+)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True, repr=False)
class PinKey:
    """The secret for the HMACs of PINs. It is stored in a file of its own, never in the database.

    `before` are the secrets that it replaced, the oldest last; see `pin_keys.py`.
    """

    secret: bytes
    before: tuple[bytes, ...] = ()

    @classmethod
    def of_file(cls, content: bytes) -> Self | None:
        """The key in a file with this `content`, or `None` if it is not a PIN key."""
        found = [content[at : at + PIN_KEY_BYTES] for at in range(0, len(content), PIN_KEY_BYTES)]
        whole = len(content) % PIN_KEY_BYTES == 0 and 1 <= len(found) <= MAX_SECRETS
        return cls(found[0], tuple(found[1:])) if whole else None

    def file(self) -> bytes:
        """The content of the key's file."""
        return self.secret + b"".join(self.before)

    def all(self) -> list["PinKey"]:
        """This key and the previous ones, newest first, each as it was before it was replaced."""
        return [self, *(PinKey(one, self.before[place:]) for place, one in enumerate(self.before, 1))]

    def pin(self, pin: str) -> bytes:
        """The stored form of a PIN: its HMAC, followed by the tag of the secret."""
        return self._mac("pin", pin.encode()) + self.tag()

    def tag(self) -> bytes:
        """The tag that marks this secret's cases; empty for the first secret."""
        return self.mark()[:TAG_BYTES] if self.before else b""

    def opens(self, kept: bytes, pin: str) -> bool:
        """Whether `kept` is the stored form of this PIN under any secret; a wrong PIN takes as long."""
        return sum(hmac.compare_digest(kept, key.pin(pin)) for key in self.all()) > 0

    def message(self, pin: str, message: bytes) -> bytes:
        """The stored digest of a message and its PIN, which tells a repeat from a different message."""
        return self._mac("message", pin.encode() + b"\n" + message)

    def idempotency_key(self, key: str) -> bytes:
        """The stored form of an idempotency key."""
        return self._mac("idempotency", key.encode())

    def entry_ids(self, platform: int, own_after: int) -> EntryIds:
        """The ids under which a platform sees entries; `own_after` is the last entry that it knows by an older id."""
        first = (self.secret, *self.before)[-1]  # so that ids stay the same when the key is rotated
        return EntryIds(hmac.digest(first, b"entries\n%d" % platform, "sha256"), own_after, platform)

    def work(self) -> bytes:
        """The secret that signs challenges of proof of work."""
        return self._mac("work", b"")

    def mark(self) -> bytes:
        """The value in the database by which it recognises its key."""
        return self._mac("mark", b"")

    def _mac(self, purpose: str, what: bytes) -> bytes:
        # The purpose keeps the uses of one secret apart: nothing made for one of them is valid for another.
        return hmac.digest(self.secret, purpose.encode() + b"\n" + what, "sha256")


def load_pin_key(path: Path, mark: bytes | None) -> PinKey:
    """Reads the PIN key from the file `path`, or makes it for a new database, whose `mark` is `None`.

    Raises `SettingsError` if the file is missing, is not the key of this database, or others may read it.
    """
    if mark is None:
        make_secret(path, keep=True)
    key = PinKey.of_file(read_secret(path, "PIN key", "without it no case can be opened"))
    if key is None or (mark is not None and mark not in {one.mark() for one in key.all()}):
        raise SettingsError(f"{path} is not the PIN key of this database; restore the right one from your backup")
    return key


def make_secret(path: Path, secret: bytes = b"", *, keep: bool = False) -> bytes:
    """Writes `secret`, or a random one, to a new file that only its owner may read, and returns it.

    With `keep`, an existing file stays and its secret is returned. Raises `SettingsError` if the file exists and `keep`
    is false, or if it cannot be written.
    """
    secret = secret or secrets.token_bytes(PIN_KEY_BYTES)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = _draft(path, secret)
        try:
            os.link(draft, path)  # atomic, and unlike a rename it never replaces a file
        finally:
            draft.unlink()
        sync_folder(path.parent)
    except FileExistsError as error:
        if keep:
            return path.read_bytes()
        raise SettingsError(f"{path} exists already") from error
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from error
    return secret


def write_secret(path: Path, secret: bytes) -> None:
    """Writes a secret to a file that only its owner may read, replacing an existing one.

    Raises `SettingsError` if the file cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _draft(path, secret).replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from error


def _draft(path: Path, secret: bytes) -> Path:
    """Writes the secret durably to a new file beside `path` that only its owner may read; returns the file's path."""
    descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
        file.flush()
        # Before the file gets its name, or a power cut could leave the name with a key that is not whole.
        os.fsync(descriptor)
    return Path(name)


def read_secret(path: Path, what: str, without: str) -> bytes:
    """Reads the secret in the file `path`.

    The error's message names the key as `what` and its loss as `without`. Raises `SettingsError` if it is missing,
    cannot be read, or may be read by others.
    """
    try:
        secret = path.read_bytes()
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError as error:
        text = f"the {what} {path} is missing, and {without}; restore it from your backup"
        raise SettingsError(text) from error
    except OSError as error:
        raise SettingsError(f"cannot use the {what} {path}: {error.strerror}") from error
    if os.name == "posix" and mode & 0o077:
        raise SettingsError(f"others may read the {what} {path}; run: chmod 600 {path}")
    return secret


@dataclass(frozen=True, slots=True, repr=False)
class PlatformKey:
    """A platform's key: `key_id` names it, `secret` proves it."""

    key_id: str
    secret: str

    @classmethod
    def new(cls) -> Self:
        """Makes a random key."""
        return cls(secrets.token_hex(8), secrets.token_hex(32))

    @classmethod
    def from_header(cls, authorization: str) -> Self:
        """Reads the key from an `Authorization` header. Raises `NotAPlatform` if the header holds no platform key."""
        bearer = _BEARER.fullmatch(authorization)
        key = bearer and _PLATFORM_KEY.fullmatch(bearer[1])
        if not key:
            raise NotAPlatform("send `Authorization: Bearer KEY` with the key that the registry gave you")
        return cls(key[1], key[2])

    def digest(self) -> bytes:
        """The digest that the database stores; a secret of 256 random bits needs no slow hash."""
        return hashlib.sha256(bytes.fromhex(self.secret)).digest()

    def text(self) -> str:
        """The key in the form that the platform sends."""
        return f"tbk_{self.key_id}_{self.secret}"


class WindowedCounter:
    """Counts events by key, in a window of `seconds` that starts at a key's first event.

    When there are too many keys, the oldest is dropped: a flood of keys may free somebody early, but locks out nobody.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._counts: OrderedDict[bytes, tuple[float, int]] = OrderedDict()

    def wait(self, key: bytes, now: float) -> int:
        """Seconds until the key may have one more event; 0 if it may now."""
        since, count = self._counts.get(key, (now, 0))
        over = now - since >= self._seconds
        return 0 if over or count < self._most else int(since + self._seconds - now) + 1

    def add(self, key: bytes, now: float) -> None:
        """Counts one more event of the key."""
        # In the order of first events, so the counts that are over are at the start.
        while self._counts and now - next(iter(self._counts.values()))[0] >= self._seconds:
            self._counts.popitem(last=False)
        since, count = self._counts.get(key, (now, 0))
        self._counts[key] = since, count + 1
        if len(self._counts) > MAX_WATCHED_KEYS:
            self._counts.popitem(last=False)

    def clear(self) -> None:
        """Drops all counts."""
        self._counts.clear()


class PinGuessLimit:
    """Counts wrong PINs by case number and network, and by case number alone, whether or not the case exists.

    The right PIN is never counted and never refused, so guesses by others do not lock out the owner of a case. A PIN is
    long enough for that: at 10,000 guesses a second, 58.9 bits last for a million years. Networks are counted by an
    HMAC under a key that is kept only in memory, for a day at most. `clock` is monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._key = b""
        self._key_from = float("-inf")
        self._here = WindowedCounter(MAX_GUESSES, GUESS_WINDOW_SECONDS)
        self._all = WindowedCounter(MAX_DAILY_GUESSES, DAY_SECONDS)

    def count(self, number: str, network: str | None) -> None:
        """Counts a wrong PIN for the case `number` from `network`. Raises `TooManyGuesses` beyond either limit."""
        now = self._clock()
        if now - self._key_from >= DAY_SECONDS:
            self._key, self._key_from = secrets.token_bytes(32), now
            self._here.clear()
        here = hmac.digest(self._key, f"{number} {network or ''}".encode(), "sha256")
        case = number.encode()
        if wait := max(self._here.wait(here, now), self._all.wait(case, now)):
            raise TooManyGuesses(
                "the number or the PIN was wrong too often; check both: the right PIN opens the case at once",
                wait,
            )
        self._here.add(here, now)
        self._all.add(case, now)
