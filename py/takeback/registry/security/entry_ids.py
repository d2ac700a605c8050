"""The ids under which a platform sees entries: its own, so that two platforms cannot compare what they hold.

An id is the entry's inner number, encrypted as one block of AES under a key of the platform. The key is derived from
the registry's secret, outside the database. So no id is stored, none tells its number, its case or its neighbours, and
the registry alone reads it back when feedback names it.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import ECB

_BLOCK_BYTES: Final = 16
_PADDING: Final = bytes(8)
"""Half of each block; an id that somebody made up does not decrypt to it, but for one in 2**64."""


class EntryIds:
    """The ids of one platform, by its inner number.

    `key` has 32 bytes; `own_after` is the last entry that it knows by an older id.
    """

    def __init__(self, key: bytes, own_after: int = 0, platform: int = 0) -> None:
        self.platform = platform
        self._cipher = Cipher(AES256(key), ECB())  # noqa: S305 - each block is another number: nothing repeats
        self.own_after = own_after

    def of(self, numbers: Sequence[int]) -> list[str]:
        """The ids of entries, by their inner numbers: 32 hex digits each."""
        blocks = self._cipher.encryptor().update(b"".join(n.to_bytes(_BLOCK_BYTES) for n in numbers)).hex()
        return [blocks[at : at + 2 * _BLOCK_BYTES] for at in range(0, len(blocks), 2 * _BLOCK_BYTES)]

    def numbers(self, ids: Iterable[str]) -> dict[str, int]:
        """The inner numbers of those of the `ids` that are this platform's."""
        asked = list(ids)
        blocks = self._cipher.decryptor().update(bytes.fromhex("".join(asked)))
        halves = [
            (blocks[at : at + 8], blocks[at + 8 : at + _BLOCK_BYTES]) for at in range(0, len(blocks), _BLOCK_BYTES)
        ]
        return {
            one: int.from_bytes(number)
            for one, (padding, number) in zip(asked, halves, strict=True)
            if padding == _PADDING and number[0] < 0x80
        }
