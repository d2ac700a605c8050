"""The key that signs the feed: in a file of its own beside the PIN key, with its public halves in the database."""

import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, insert, select

from takeback import chain, protocol
from takeback.errors import SettingsError
from takeback.protocol import FeedHead, FeedKey, FeedKeys
from takeback.registry import tables as t
from takeback.registry.auth import make_secret, read_secret, write_secret
from takeback.registry.cases import moment
from takeback.registry.database import WRITES

LOOK: Final = 1.0
"""Seconds between looks whether the key was rotated: every process goes on with the new one by itself."""
WHAT: Final = "feed key"


class Signer:
    """Signs what the feed answers. Safe to call from any thread."""

    def __init__(self, engine: Engine, path: Path) -> None:
        """The key in the file at `path`, made if there never was one. Raises `SettingsError`."""
        self._engine = engine
        self._path = path
        with engine.execution_options(**WRITES).begin() as connection:
            if connection.execute(select(t.feed_keys.c.number)).first() is None:
                made = Ed25519PrivateKey.from_private_bytes(make_secret(path, keep=True))
                connection.execute(insert(t.feed_keys), {"number": 1, "key": chain.public(made)})
        self._key = read_key(path)
        self._mtime = self._changed()
        self._looked = time.monotonic()
        if chain.public(self._key) not in {key.key for key in self.keys().keys}:
            raise SettingsError(f"{path} is not the feed key of this database; restore the right one from your backup")

    def sign(self, number: int, link: bytes, newest: int, platform: str, body: bytes) -> str:
        """The header for an answer of this `body` that leads to `number`, to the platform of this key id."""
        return self.sign_digest(number, link, newest, platform, sha256(body).digest())

    def sign_digest(self, number: int, link: bytes, newest: int, platform: str, digest: bytes) -> str:
        """The same for a body of which only the digest is known."""
        self._look()
        head = FeedHead(number, link.hex(), newest, moment(int(time.time())), "0" * 64)
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
                self._key, self._mtime = read_key(self._path), changed

    def _changed(self) -> int:
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return self._mtime  # a file that is away for a moment leaves the key as it is


def read_key(path: Path) -> Ed25519PrivateKey:
    """The private key in the file. Raises `SettingsError`."""
    secret = read_secret(path, WHAT, "no gate would believe the feed")
    if len(secret) != 32:
        raise SettingsError(f"{path} is not a feed key; restore the right one from your backup")
    return Ed25519PrivateKey.from_private_bytes(secret)


def public_keys(engine: Engine) -> Sequence[FeedKey]:
    """The public keys in the database, in order."""
    with engine.begin() as connection:
        rows = connection.execute(select(t.feed_keys).order_by(t.feed_keys.c.number)).all()
    return [FeedKey(row.key, row.signature) for row in rows]


def rotate(engine: Engine, path: Path, *, lost: bool = False) -> FeedKey:
    """Puts a new key in the place of the one in the file, which signs it, unless it is `lost`."""
    new = Ed25519PrivateKey.generate()
    successor = FeedKey(chain.public(new)) if lost else chain.succeed(read_key(path), new)
    number = len(public_keys(engine)) + 1
    # The database first: a process that finds the new key in the file must find its succession too.
    with engine.execution_options(**WRITES).begin() as connection:
        connection.execute(
            insert(t.feed_keys), {"number": number, "key": successor.key, "signature": successor.signature}
        )
    write_secret(path, new.private_bytes_raw())
    return successor
