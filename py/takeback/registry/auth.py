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
from takeback.registry.entry_ids import EntryIds

PIN_KEY_BYTES: Final = 32
MAX_GUESSES: Final = 10
GUESS_WINDOW: Final = 15 * 60
"""Seconds. With 10 guesses in each, a PIN of 58.9 bits outlasts anyone."""
MAX_WATCHED: Final = 100_000
"""Case numbers whose guesses are counted at the same time: some 20 MB. Beyond it the oldest count is dropped."""

_PLATFORM_KEY: Final = re.compile(r"tbk_([0-9a-f]{16})_([0-9a-f]{64})", re.ASCII)
_BEARER: Final = re.compile(r"bearer +(\S+)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True, repr=False)
class PinKey:
    """The secret under which PINs are kept. It lives in a file of its own, never in the database."""

    secret: bytes

    def pin(self, pin: str) -> bytes:
        """What is kept of a PIN."""
        return self._mac("pin", pin.encode())

    def message(self, pin: str, message: bytes) -> bytes:
        """What is kept of a message and its PIN, to know a repeat from another message."""
        return self._mac("message", pin.encode() + b"\n" + message)

    def idempotency_key(self, key: str) -> bytes:
        """What is kept of an idempotency key."""
        return self._mac("idempotency", key.encode())

    def entry_ids(self, platform: int, own_after: int) -> EntryIds:
        """The ids under which a platform sees entries; `own_after` is the last that it knows by an older id."""
        return EntryIds(self._mac("entries", b"%d" % platform), own_after, platform)

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
    secret = read_secret(path, "PIN key", "without it no case can be opened")
    key = PinKey(secret)
    if len(secret) != PIN_KEY_BYTES or (mark is not None and not hmac.compare_digest(mark, key.mark())):
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
        keep_names(path.parent)
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
        keep_names(path.parent)
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


def keep_names(folder: Path) -> None:
    """Makes the names of the files in a folder outlive a power cut."""
    if os.name == "posix":
        held = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(held)
        finally:
            os.close(held)


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


class Guesses:
    """Counts wrong PINs per case number, whether or not there is such a case. `clock` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def take(self, number: str) -> None:
        """Counts a guess before it is checked, so that many at once gain nothing. Raises `TooManyGuesses`."""
        now = self._clock()
        since, count = self._counts.get(number, (now, 0))
        if now - since >= GUESS_WINDOW:
            self._counts.pop(number)
            since, count = now, 0
        if count >= MAX_GUESSES:
            wait = int(since + GUESS_WINDOW - now) + 1
            raise TooManyGuesses("too many wrong PINs for this case; wait a while, then try again", wait)
        self._counts[number] = since, count + 1
        if len(self._counts) > MAX_WATCHED:
            self._counts.popitem(last=False)

    def give_back(self, number: str) -> None:
        """The guess was right, or was never checked: it does not count."""
        since, count = self._counts.get(number, (0.0, 0))
        if count > 1:
            self._counts[number] = since, count - 1
        else:
            self._counts.pop(number, None)
