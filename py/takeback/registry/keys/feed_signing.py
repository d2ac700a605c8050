"""The feed key: its private half is in a file beside the PIN key, and its public halves are in the database."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine, insert, select

from takeback import chain, protocol
from takeback.errors import SettingsError
from takeback.private import sync_folder
from takeback.protocol import FeedHead, FeedKey, FeedKeys
from takeback.registry.logs import LOG
from takeback.registry.security.credentials import make_secret, read_secret, write_secret
from takeback.registry.storage import feed_queries
from takeback.registry.storage.engine import tables as t
from takeback.registry.storage.engine.database import WRITES, writing
from takeback.times import moment

KEY_RELOAD_SECONDS: Final = 1.0
"""Seconds between checks of the key file: after a rotation every process reloads the key by itself."""
FEED_KEY_NAME: Final = "feed key"


class Signer:
    """Signs answers of the feed. May be called from any thread."""

    def __init__(self, engine: Engine, path: Path, clock: Callable[[], float] = time.time) -> None:
        """Reads the key from the file `path`, or makes it for a new database; `clock` gives seconds since 1970.

        Raises `SettingsError` if the file is missing, cannot be read or written, or is not a key of this database.
        """
        self._clock = clock
        self._engine = engine
        self._path = path
        with engine.execution_options(**WRITES).begin() as connection:
            feed_queries.lock(connection)  # if several processes start first, one makes the key
            if connection.execute(select(t.feed_keys.c.number)).first() is None:
                made = Ed25519PrivateKey.from_private_bytes(make_secret(path, keep=True))
                connection.execute(insert(t.feed_keys), {"number": 1, "key": chain.public_hex(made)})
        # The time before the content: a key that is replaced in between is read at the next look.
        self._mtime = 0
        self._mtime = self._changed()
        self._key = self._read()
        self._looked = time.monotonic()

    def sign(self, number: int, link: bytes, newest: int, platform: str, body: bytes) -> str:
        """The signed head of an answer with this `body`, which ends at `number`, to the platform with this key id.

        `link` is the hash chain's value at `number`; `newest` is the feed's newest number.
        """
        return self.sign_digest(number, link, newest, platform, sha256(body).digest())

    def sign_digest(self, number: int, link: bytes, newest: int, platform: str, digest: bytes) -> str:
        """Like `sign`, for a body of which only the SHA-256 digest is known."""
        self._look()
        head = FeedHead(number, link.hex(), newest, moment(int(self._clock())), "0" * 64)
        return protocol.encode(chain.sign(self._key, head, platform, digest)).decode()

    def keys(self) -> FeedKeys:
        """Every public key since the first, in order."""
        return FeedKeys(list(public_keys(self._engine)))

    def _look(self) -> None:
        """Reloads the key if the file has changed."""
        now = time.monotonic()
        if now - self._looked >= KEY_RELOAD_SECONDS:
            self._looked = now
            if (changed := self._changed()) != self._mtime:
                try:
                    self._key, self._mtime = self._read(), changed
                except SettingsError as error:  # an incomplete copy, or another registry's key
                    LOG.error("the feed key is not changed: %s", error)

    def _read(self) -> Ed25519PrivateKey:
        """Reads the key from the file. Raises `SettingsError` if the database does not know it."""
        key = read_key(self._path)
        if chain.public_hex(key) not in {known.key for known in public_keys(self._engine)}:
            raise SettingsError(
                f"{self._path} is not the feed key of this database; restore the right one from your backup"
            )
        return key

    def _changed(self) -> int:
        """The file's time of modification in nanoseconds; unchanged while the file is missing."""
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return self._mtime


def read_key(path: Path) -> Ed25519PrivateKey:
    """Reads the private key from the file `path`.

    Raises `SettingsError` if the file is missing, may be read by others, or is not a feed key.
    """
    secret = read_secret(path, FEED_KEY_NAME, "no gate would believe the feed")
    if len(secret) != 32:
        raise SettingsError(f"{path} is not a feed key; restore the right one from your backup")
    return Ed25519PrivateKey.from_private_bytes(secret)


def public_keys(engine: Engine) -> Sequence[FeedKey]:
    """The public keys in the database, oldest first."""
    with engine.begin() as connection:
        return _keys(connection)


def check_newest(path: Path, keys: Sequence[FeedKey]) -> Ed25519PrivateKey:
    """Reads the private key from the file `path`, which must belong to the last of `keys`.

    Raises `SettingsError` if it does not, or if a rotation was not finished.
    """
    if _pending(path) == keys[-1].key:
        raise SettingsError("a rotation of the feed key was not finished; run: takeback registry feed-key rotate")
    key = read_key(path)
    if chain.public_hex(key) != keys[-1].key:
        raise SettingsError(
            f"{path} is not the newest feed key of this database: copy that one here, or restore it from your backup; "
            "if it is gone, run: takeback registry feed-key rotate --lost"
        )
    return key


def rotate(engine: Engine, path: Path, *, lost: bool = False) -> FeedKey:
    """Replaces the key in the file with a new one, which the old one signs unless it is `lost`.

    1. The new key is written to a file of its own. 2. Its public half is stored in the database. 3. The new file
    replaces the old one, last, because a process that reads a key there must find its succession in the database. If
    the rotation is interrupted at any step, the next one finishes it. Raises `SettingsError` if the key in the file is
    not the newest, if there is no key yet, or if a file cannot be written.
    """
    new = Ed25519PrivateKey.generate()
    # Locked before the database, and until the new file is in its place, which is after the commit.
    with _exclusive(path.parent):
        with writing(engine) as connection:
            feed_queries.lock(connection)
            keys = _keys(connection)
            if not keys:
                raise SettingsError("there is no feed key yet; the registry makes it when it first starts")
            _finish(path, keys[-1].key)
            successor = FeedKey(chain.public_hex(new)) if lost else chain.sign_successor(check_newest(path, keys), new)
            write_secret(_next(path), new.private_bytes_raw())
            row = {"number": len(keys) + 1, "key": successor.key, "signature": successor.signature}
            connection.execute(insert(t.feed_keys), row)
        _finish(path, successor.key)
    return successor


def _finish(path: Path, newest: str) -> None:
    """Finishes a rotation: the next key replaces the one in the file if the database has it, and is deleted if not."""
    try:
        if _pending(path) == newest:
            _next(path).replace(path)
            sync_folder(path.parent)
        _next(path).unlink(missing_ok=True)
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from error


def _pending(path: Path) -> str | None:
    """The public half of the next key, if a rotation is under way or was interrupted."""
    return chain.public_hex(read_key(_next(path))) if _next(path).exists() else None


def _next(path: Path) -> Path:
    return path.with_name(f"{path.name}.next")


def _keys(connection: Connection) -> list[FeedKey]:
    rows = connection.execute(select(t.feed_keys).order_by(t.feed_keys.c.number))
    return [FeedKey(row.key, row.signature) for row in rows]


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Locks the folder against other rotations on this machine; those on other machines wait for the database."""
    if os.name != "posix":
        yield
        return
    import fcntl  # absent on Windows

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise SettingsError(f"cannot write in {folder}: {error.strerror}") from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)
