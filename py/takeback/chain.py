"""The feed's hash chain and signature: how the registry vouches for the feed, and how a gate checks it.

Each line of the feed has a leaf, a digest of its content; each number has a link, a digest of the previous link and its
own leaf. So one link commits to the whole feed up to its number, the same for all platforms. The registry signs each
answer to a platform with Ed25519: the link, the newest number, the time, and the digest of the answer. PROTOCOL.md
specifies the digested and signed texts, byte by byte.
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
"""How far a signed answer's time may differ from the gate's clock; an older answer may have been withheld."""


def leaf(line: FeedEntry, added: int) -> bytes:
    """Returns the digest of a line's content. `added` is the number of the `add` that brought its entry."""
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
    # The salt is deleted with the signal. Without one, anybody could test whether a leaf is that of a given picture.
    return sha256(b"\x00" + bytes.fromhex(line.salt or "") + text.encode()).digest()


def link(before: bytes, leaf: bytes) -> bytes:
    """Returns the link of a number: the digest of the link before it and the line's leaf."""
    # A leaf is made with 00 and a link with 01, so that neither can pass for the other (as in RFC 6962, 2.1).
    return sha256(b"\x01" + before + leaf).digest()


def tombstone(number: int, entry: str, leaf: bytes) -> FeedEntry:
    """Returns the tombstone of an `add` whose signal is no longer kept."""
    return FeedEntry(number, FeedAction.ERASED, entry, leaf=leaf.hex())


def public_hex(key: Ed25519PrivateKey) -> str:
    """Returns the public half of a key, in hex."""
    return key.public_key().public_bytes_raw().hex()


def sign(key: Ed25519PrivateKey, head: FeedHead, platform: str, digest: bytes) -> FeedHead:
    """Returns `head` signed with `key`, for an answer to `platform`, a key id; `digest` is the answer's SHA-256."""
    named = FeedHead(head.number, head.chain, head.newest, head.at, public_hex(key))
    return FeedHead(
        head.number, head.chain, head.newest, head.at, named.key, key.sign(_statement(named, platform, digest)).hex()
    )


def check_signature(head: FeedHead, platform: str, digest: bytes) -> None:
    """Checks the signature of `head` for an answer to `platform`; `digest` is the answer's SHA-256.

    Raises `FeedBroken` if the key that the head names did not sign it.
    """
    if not _signed(head.key, head.signature, _statement(head, platform, digest)):
        raise FeedBroken("rule 5: the answer does not match the registry's signature")


def check_time(head: FeedHead, now: float) -> None:
    """Raises `RegistryUnreachable` if an answer was signed too long ago, or in the future."""
    if abs(now - seconds_of(head.at)) > MAX_SKEW_SECONDS:
        raise RegistryUnreachable(f"the registry's answer was signed at {head.at}: it is too old, or a clock is wrong")


def follow_key(pinned: str, key: str, keys: Sequence[FeedKey]) -> str:
    """Returns `key`, which is trusted from now on, if each key from `pinned` to it signed the next.

    Raises `FeedBroken` if not, and `RegistryUnreachable` if `key` precedes `pinned`, as may happen while keys are
    rotated.
    """
    places = {one.key: place for place, one in enumerate(keys)}
    start, end = places.get(pinned), places.get(key)
    if start is None or end is None:
        raise FeedBroken(f"rule 6: the registry signs with the key {key}, which the pinned key did not sign")
    if end < start:
        raise RegistryUnreachable(
            "the registry signed with a key that it has replaced: a key rotation is still in progress"
        )
    # Each key is checked by the one before, because only the pinned key is trusted so far.
    for before, after in zip(keys[start:end], keys[start + 1 : end + 1], strict=True):
        if not is_successor(before.key, after):
            raise FeedBroken(f"rule 6: the registry's key {after.key} was not signed by its predecessor")
    return key


def sign_successor(old: Ed25519PrivateKey, new: Ed25519PrivateKey) -> FeedKey:
    """Returns the new key, signed by the old one."""
    return FeedKey(public_hex(new), old.sign(_succession(public_hex(old), public_hex(new))).hex())


def is_successor(old: str, new: FeedKey) -> bool:
    """Whether the key `old` signed `new`."""
    return new.signature is not None and _signed(old, new.signature, _succession(old, new.key))


def _statement(head: FeedHead, platform: str, digest: bytes) -> bytes:
    return (
        # It names the platform, because the ids in an answer are those of one platform: another's answer must not pass.
        f"takeback feed 1\n{platform}\n{head.number}\n{head.chain}\n{head.newest}\n{head.at}\n{digest.hex()}\n"
    ).encode()


def _succession(old: str, new: str) -> bytes:
    # The first line differs from that of `_statement`, so that a signed answer cannot pass for a signed key.
    return f"takeback feed key 1\n{old}\n{new}\n".encode()


def _signed(key: str, signature: str, what: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), what)
    except (InvalidSignature, ValueError):
        return False
    return True
