"""Who may do what: PINs of cases, keys of platforms, and the limit on guesses."""

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
MAX_SECRETS: Final = 3
"""In the file of the PIN key: the newest, the one before while it has cases, and the first."""
PIN_BYTES: Final = 32
"""Of what is kept of a PIN, before what tells the secret."""
TAG_BYTES: Final = 4
MAX_GUESSES: Final = 10
"""Wrong PINs for a case from one part of the network, /24 or /48, in a `GUESS_WINDOW`."""
GUESS_WINDOW: Final = 15 * 60
"""Seconds."""
MAX_DAILY_GUESSES: Final = 1000
"""Wrong PINs for a case in a day, from everywhere."""
MAX_WATCHED: Final = 100_000
"""Keys that are counted at the same time: some 20 MB. Beyond it the oldest count is dropped."""

_PLATFORM_KEY: Final = re.compile(r"tbk_([0-9a-f]{16})_([0-9a-f]{64})", re.ASCII)
_BEARER: Final = re.compile(r"bearer +(\S+)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True, repr=False)
class PinKey:
    """The secret under which PINs are kept. It lives in a file of its own, never in the database.

    `before` are secrets that it took the place of, the first one last; see `pin_keys.py`.
    """

    secret: bytes
    before: tuple[bytes, ...] = ()

    @classmethod
    def of_file(cls, content: bytes) -> Self | None:
        """The key whose file holds this, if it is one."""
        found = [content[at : at + PIN_KEY_BYTES] for at in range(0, len(content), PIN_KEY_BYTES)]
        whole = len(content) % PIN_KEY_BYTES == 0 and 1 <= len(found) <= MAX_SECRETS
        return cls(found[0], tuple(found[1:])) if whole else None

    def file(self) -> bytes:
        """What its file holds."""
        return self.secret + b"".join(self.before)

    def all(self) -> list["PinKey"]:
        """This key and those before it, each as it was then."""
        return [self, *(PinKey(one, self.before[place:]) for place, one in enumerate(self.before, 1))]

    def pin(self, pin: str) -> bytes:
        """What is kept of a PIN: its HMAC, and which secret that is under."""
        return self._mac("pin", pin.encode()) + self.tag()

    def tag(self) -> bytes:
        """What tells its cases from those of other secrets: nothing for the first."""
        return self.mark()[:TAG_BYTES] if self.before else b""

    def opens(self, kept: bytes, pin: str) -> bool:
        """Whether `kept` is of this PIN, under whichever secret; as slow for a wrong one as for a right one."""
        return sum(hmac.compare_digest(kept, key.pin(pin)) for key in self.all()) > 0

    def message(self, pin: str, message: bytes) -> bytes:
        """What is kept of a message and its PIN, to know a repeat from another message."""
        return self._mac("message", pin.encode() + b"\n" + message)

    def idempotency_key(self, key: str) -> bytes:
        """What is kept of an idempotency key."""
        return self._mac("idempotency", key.encode())

    def entry_ids(self, platform: int, own_after: int) -> EntryIds:
        """The ids under which a platform sees entries; `own_after` is the last that it knows by an older id."""
        first = (self.secret, *self.before)[-1]  # ids stay what they are however often the key is rotated
        return EntryIds(hmac.digest(first, b"entries\n%d" % platform, "sha256"), own_after, platform)

    def work(self) -> bytes:
        """What signs the work that is asked of whoever sends a case."""
        return self._mac("work", b"")

    def mark(self) -> bytes:
        """What the database keeps to know its key again."""
        return self._mac("mark", b"")

    def _mac(self, purpose: str, what: bytes) -> bytes:
        return hmac.digest(self.secret, purpose.encode() + b"\n" + what, "sha256")


def load_pin_key(path: Path, mark: bytes | None) -> PinKey:
    """The key in the file `path`, made if neither it nor a database that belongs to one (its `mark`) is there.

    Raises `SettingsError` if the file is missing, is not the database's, or may be read by others.
    """
    if mark is None:
        make_secret(path, keep=True)
    key = PinKey.of_file(read_secret(path, "PIN key", "without it no case can be opened"))
    if key is None or (mark is not None and mark not in {one.mark() for one in key.all()}):
        raise SettingsError(f"{path} is not the PIN key of this database; restore the right one from your backup")
    return key


def make_secret(path: Path, secret: bytes = b"", *, keep: bool = False) -> bytes:
    """Writes a secret, of chance if none is given, to a new file that only its owner may read; gives it.

    With `keep`, a file that is there already stays, and its secret is given. Raises `SettingsError`.
    """
    secret = secret or secrets.token_bytes(PIN_KEY_BYTES)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = _draft(path, secret)
        try:
            os.link(draft, path)  # whole from its first moment, and never in the place of another
        finally:
            draft.unlink()
        sync_folder(path.parent)
    except FileExistsError as error:
        if keep:
            return path.read_bytes()
        raise SettingsError(f"{path} is there already") from error
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from error
    return secret


def write_secret(path: Path, secret: bytes) -> None:
    """Writes a secret to a file that only its owner may read, in the place of one before. Raises `SettingsError`."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _draft(path, secret).replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from error


def _draft(path: Path, secret: bytes) -> Path:
    """A new file beside `path` that holds the secret durably, and that only its owner may read."""
    descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(descriptor)
    return Path(name)


def read_secret(path: Path, what: str, without: str) -> bytes:
    """The secret in a file. Raises `SettingsError` if it is missing, or may be read by others."""
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
        """A key at random."""
        return cls(secrets.token_hex(8), secrets.token_hex(32))

    @classmethod
    def from_header(cls, authorization: str) -> Self:
        """The key in an `Authorization` header. Raises `NotAPlatform`."""
        bearer = _BEARER.fullmatch(authorization)
        key = bearer and _PLATFORM_KEY.fullmatch(bearer[1])
        if not key:
            raise NotAPlatform("send `Authorization: Bearer KEY` with the key that the registry gave you")
        return cls(key[1], key[2])

    def digest(self) -> bytes:
        """What is kept of it; 256 random bits need no slow hash."""
        return hashlib.sha256(bytes.fromhex(self.secret)).digest()

    def text(self) -> str:
        """The key as the platform uses it."""
        return f"tbk_{self.key_id}_{self.secret}"


class WindowedCounter:
    """Counts what comes under a key, for so many seconds from its first; then it begins anew.

    Where there are too many keys the oldest is forgotten, so that a flood of keys frees somebody and locks out nobody.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._counts: OrderedDict[bytes, tuple[float, int]] = OrderedDict()

    def wait(self, key: bytes, now: float) -> int:
        """Seconds until one more may come; 0 if it may now."""
        since, count = self._counts.get(key, (now, 0))
        over = now - since >= self._seconds
        return 0 if over or count < self._most else int(since + self._seconds - now) + 1

    def add(self, key: bytes, now: float) -> None:
        """Counts one more."""
        while self._counts and now - next(iter(self._counts.values()))[0] >= self._seconds:
            self._counts.popitem(last=False)
        since, count = self._counts.get(key, (now, 0))
        self._counts[key] = since, count + 1
        if len(self._counts) > MAX_WATCHED:
            self._counts.popitem(last=False)

    def clear(self) -> None:
        """Forgets all."""
        self._counts.clear()


class PinGuessLimit:
    """Counts wrong PINs by case number and network, and by case number, whether or not there is such a case.

    A right PIN is never counted and never refused: whoever guesses locks out nobody but themselves. A PIN bears that:
    at 10,000 guesses a second one of 58.9 bits lasts for a million years. What a network is counted by is an HMAC under
    a key that is in memory for a day at most. `clock` gives seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._key = b""
        self._key_from = float("-inf")
        self._here = WindowedCounter(MAX_GUESSES, GUESS_WINDOW)
        self._all = WindowedCounter(MAX_DAILY_GUESSES, DAY_SECONDS)

    def count(self, number: str, network: str | None) -> None:
        """Counts a wrong PIN for a case from a part of the network. Raises `TooManyGuesses`."""
        now = self._clock()
        if now - self._key_from >= DAY_SECONDS:
            self._key, self._key_from = secrets.token_bytes(32), now
            self._here.clear()
        here = hmac.digest(self._key, f"{number} {network or ''}".encode(), "sha256")
        case = number.encode()
        if wait := max(self._here.wait(here, now), self._all.wait(case, now)):
            raise TooManyGuesses(
                "the number or the PIN is wrong, as too often before; check both: the right PIN opens the case at once",
                wait,
            )
        self._here.add(here, now)
        self._all.add(case, now)
