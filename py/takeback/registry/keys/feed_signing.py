"""The key that signs the feed: in a file of its own beside the PIN key, with its public halves in the database."""

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

LOOK: Final = 1.0
"""Seconds between looks whether the key was rotated: every process goes on with the new one by itself."""
WHAT: Final = "feed key"


class Signer:
    """Signs what the feed answers. Safe to call from any thread."""

    def __init__(self, engine: Engine, path: Path, clock: Callable[[], float] = time.time) -> None:
        """The key in the file at `path`, made if there never was one; `clock` gives seconds since 1970.

        Raises `SettingsError`.
        """
        self._clock = clock
        self._engine = engine
        self._path = path
        with engine.execution_options(**WRITES).begin() as connection:
            feed_queries.lock(connection)  # of several first starts one makes the key, and the others find it
            if connection.execute(select(t.feed_keys.c.number)).first() is None:
                made = Ed25519PrivateKey.from_private_bytes(make_secret(path, keep=True))
                connection.execute(insert(t.feed_keys), {"number": 1, "key": chain.public_hex(made)})
        self._mtime = 0
        self._mtime = self._changed()
        self._key = self._read()
        self._looked = time.monotonic()

    def sign(self, number: int, link: bytes, newest: int, platform: str, body: bytes) -> str:
        """The header for an answer of this `body` that leads to `number`, to the platform of this key id."""
        return self.sign_digest(number, link, newest, platform, sha256(body).digest())

    def sign_digest(self, number: int, link: bytes, newest: int, platform: str, digest: bytes) -> str:
        """The same for a body of which only the digest is known."""
        self._look()
        head = FeedHead(number, link.hex(), newest, moment(int(self._clock())), "0" * 64)
        return protocol.encode(chain.sign(self._key, head, platform, digest)).decode()

    def keys(self) -> FeedKeys:
        """Every key that ever signed, in order."""
        return FeedKeys(list(public_keys(self._engine)))

    def _look(self) -> None:
        """Takes another key if the file holds one."""
        now = time.monotonic()
        if now - self._looked >= LOOK:
            self._looked = now
            if (changed := self._changed()) != self._mtime:
                try:
                    self._key, self._mtime = self._read(), changed
                except SettingsError as error:  # half copied, or another registry's: the key stays as it is
                    LOG.error("the feed key is not changed: %s", error)

    def _read(self) -> Ed25519PrivateKey:
        """The key in the file, if the database knows it. Raises `SettingsError`."""
        key = read_key(self._path)
        if chain.public_hex(key) not in {known.key for known in public_keys(self._engine)}:
            raise SettingsError(
                f"{self._path} is not the feed key of this database; restore the right one from your backup"
            )
        return key

    def _changed(self) -> int:
        """What tells the file from another; one that is away for a moment leaves the key as it is."""
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return self._mtime


def read_key(path: Path) -> Ed25519PrivateKey:
    """The private key in the file. Raises `SettingsError`."""
    secret = read_secret(path, WHAT, "no gate would believe the feed")
    if len(secret) != 32:
        raise SettingsError(f"{path} is not a feed key; restore the right one from your backup")
    return Ed25519PrivateKey.from_private_bytes(secret)


def public_keys(engine: Engine) -> Sequence[FeedKey]:
    """The public keys in the database, in order."""
    with engine.begin() as connection:
        return _keys(connection)


def check_newest(path: Path, keys: Sequence[FeedKey]) -> Ed25519PrivateKey:
    """The private key in the file, which must be that of the last of the keys. Raises `SettingsError`."""
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
    """Puts a new key in the place of the one in the file, which signs it, unless it is `lost`.

    1. The new key is written to a file of its own. 2. The database takes its public half. 3. The new file replaces the
    old: a process that finds a key there must find its succession too. Whatever stops this in between, the next
    rotation goes on from there. Raises `SettingsError` if the key in the file is not the newest.
    """
    new = Ed25519PrivateKey.generate()
    with _alone(path.parent):
        with writing(engine) as connection:
            feed_queries.lock(connection)
            keys = _keys(connection)
            if not keys:
                raise SettingsError("there is no feed key yet: the first start of the registry makes it")
            _finish(path, keys[-1].key)
            successor = FeedKey(chain.public_hex(new)) if lost else chain.sign_successor(check_newest(path, keys), new)
            write_secret(_next(path), new.private_bytes_raw())
            row = {"number": len(keys) + 1, "key": successor.key, "signature": successor.signature}
            connection.execute(insert(t.feed_keys), row)
        _finish(path, successor.key)
    return successor


def _finish(path: Path, newest: str) -> None:
    """Ends a rotation: the next key replaces the one in the file if the database has it, else it never was."""
    try:
        if _pending(path) == newest:
            _next(path).replace(path)
            sync_folder(path.parent)
        _next(path).unlink(missing_ok=True)
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from error


def _pending(path: Path) -> str | None:
    """The public half of the next key, if a rotation is under way or was cut short."""
    return chain.public_hex(read_key(_next(path))) if _next(path).exists() else None


def _next(path: Path) -> Path:
    return path.with_name(f"{path.name}.next")


def _keys(connection: Connection) -> list[FeedKey]:
    rows = connection.execute(select(t.feed_keys).order_by(t.feed_keys.c.number))
    return [FeedKey(row.key, row.signature) for row in rows]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else on this machine rotates the key in the folder meanwhile; who is on another waits for the database."""
    if os.name != "posix":
        yield
        return
    import fcntl

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
