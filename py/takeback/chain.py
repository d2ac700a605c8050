"""The feed's chain and its signature: what the registry vouches for, and how a gate finds out that it holds.

Every line of the feed has a leaf, a digest of what it says; every number has a link, a digest of the link before it
and of its leaf. So one link stands for the whole feed up to its number, for every platform alike. What the registry
answers to one platform it signs with Ed25519: the link, the newest number, the time, and the answer's own digest.
PROTOCOL.md has the texts that are digested and signed, byte by byte.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from takeback.errors import FeedBroken, RegistryUnreachable
from takeback.protocol import EntryStatus, FeedAction, FeedEntry, FeedHead, FeedKey, seconds_of

FIRST_LINK: Final = bytes(32)
"""The link before the first line."""
MAX_SKEW_SECONDS: Final = 15 * 60
"""Seconds that a signed answer may be away from the gate's own clock; an older one may have been kept back."""


def leaf(line: FeedEntry, added: int) -> bytes:
    """The digest of what a line says. `added` is the number of the `add` that brought its entry."""
    if line.leaf is not None:
        return bytes.fromhex(line.leaf)
    if line.signal is None:
        text = f"{line.action}\n{line.number}\n{added}\n{line.standing or '-'}\n"
        return sha256(b"\x00" + text.encode()).digest()
    signal = line.signal
    text = (
        f"add\n{line.number}\n{signal.type}\n{signal.value}\n{'-' if signal.quality is None else signal.quality}\n"
        f"{signal.variant}\n{line.kind}\n{int(line.ai_made)}\n{line.age_band}\n{line.since or '-'}\n"
        f"{line.standing or EntryStatus.BLOCK}\n"
    )
    return sha256(b"\x00" + bytes.fromhex(line.salt or "") + text.encode()).digest()


def link(before: bytes, leaf: bytes) -> bytes:
    """The link of a number: of the one before it, and of its line's leaf."""
    return sha256(b"\x01" + before + leaf).digest()


def erased(number: int, entry: str, leaf: bytes) -> FeedEntry:
    """The line that stands for an `add` whose signal is no longer kept."""
    return FeedEntry(number, FeedAction.ERASED, entry, leaf=leaf.hex())


def public(key: Ed25519PrivateKey) -> str:
    """The public half of a key, in hex."""
    return key.public_key().public_bytes_raw().hex()


def sign(key: Ed25519PrivateKey, head: FeedHead, platform: str, digest: bytes) -> FeedHead:
    """The head with the key's signature over it, for an answer with this SHA-256 to the platform of this key id."""
    named = FeedHead(head.number, head.chain, head.newest, head.at, public(key))
    return FeedHead(
        head.number, head.chain, head.newest, head.at, named.key, key.sign(_statement(named, platform, digest)).hex()
    )


def check(head: FeedHead, platform: str, digest: bytes) -> None:
    """Raises `FeedBroken` if the head was not signed by the key it names for this answer to this platform."""
    if not _signed(head.key, head.signature, _statement(head, platform, digest)):
        raise FeedBroken("rule 5: the answer is not what the registry signed")


def check_time(head: FeedHead, now: float) -> None:
    """Raises `RegistryUnreachable` for an answer that was signed long ago, or in the future."""
    if abs(now - seconds_of(head.at)) > MAX_SKEW_SECONDS:
        raise RegistryUnreachable(f"the registry's answer was signed at {head.at}: it is old, or a clock is wrong")


def follow_key(pinned: str, key: str, keys: Sequence[FeedKey]) -> str:
    """The key to trust from now on: `key`, if each key from `pinned` to it signed the next.

    Raises `FeedBroken` if not, and `RegistryUnreachable` if `key` was replaced before, as while keys are rotated.
    """
    places = {one.key: place for place, one in enumerate(keys)}
    start, end = places.get(pinned), places.get(key)
    if start is None or end is None:
        raise FeedBroken(f"rule 6: the registry signs with the key {key}, which the known key did not sign")
    if end < start:
        raise RegistryUnreachable("the registry signed with a key that was replaced: its processes are being changed")
    for before, after in zip(keys[start:end], keys[start + 1 : end + 1], strict=True):
        if not succeeds(before.key, after):
            raise FeedBroken(f"rule 6: the registry's key {after.key} was not signed by the one before it")
    return key


def succeed(old: Ed25519PrivateKey, new: Ed25519PrivateKey) -> FeedKey:
    """The new key, signed by the old one."""
    return FeedKey(public(new), old.sign(_succession(public(old), public(new))).hex())


def succeeds(old: str, new: FeedKey) -> bool:
    """Whether the key `old` signed the new one."""
    return new.signature is not None and _signed(old, new.signature, _succession(old, new.key))


def _statement(head: FeedHead, platform: str, digest: bytes) -> bytes:
    return (
        f"takeback feed 1\n{platform}\n{head.number}\n{head.chain}\n{head.newest}\n{head.at}\n{digest.hex()}\n"
    ).encode()


def _succession(old: str, new: str) -> bytes:
    return f"takeback feed key 1\n{old}\n{new}\n".encode()


def _signed(key: str, signature: str, what: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), what)
    except (InvalidSignature, ValueError):
        return False
    return True
