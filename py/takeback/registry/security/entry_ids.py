"""Entry ids, which differ for each platform, so that two platforms cannot compare their lists by id.

An id is the entry's internal number, encrypted as one block of AES under a key for the platform. That key is derived
from the PIN key's first secret, outside the database. So ids are not stored, they reveal neither number nor case nor
order, and only the registry can decrypt one that feedback names.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import ECB

_BLOCK_BYTES: Final = 16
_PADDING: Final = bytes(8)
"""Half of each block, by which forged ids are recognised: one in 2**64 decrypts to it."""


class EntryIds:
    """The ids of the platform with the internal number `platform`.

    `key` has 32 bytes; `own_after` is the last entry that the platform knows by an older id.
    """

    def __init__(self, key: bytes, own_after: int = 0, platform: int = 0) -> None:
        self.platform = platform
        self._cipher = Cipher(AES256(key), ECB())  # noqa: S305 - no two blocks are equal, since numbers are unique
        self.own_after = own_after

    def of(self, numbers: Sequence[int]) -> list[str]:
        """The ids of the entries with these internal numbers, in their order: 32 hex digits each."""
        blocks = self._cipher.encryptor().update(b"".join(n.to_bytes(_BLOCK_BYTES) for n in numbers)).hex()
        return [blocks[at : at + 2 * _BLOCK_BYTES] for at in range(0, len(blocks), 2 * _BLOCK_BYTES)]

    def numbers(self, ids: Iterable[str]) -> dict[str, int]:
        """The internal numbers of those of the `ids` that belong to this platform; each id has 32 hex digits."""
        asked = list(ids)
        blocks = self._cipher.decryptor().update(bytes.fromhex("".join(asked)))
        halves = [
            (blocks[at : at + 8], blocks[at + 8 : at + _BLOCK_BYTES]) for at in range(0, len(blocks), _BLOCK_BYTES)
        ]
        return {
            one: int.from_bytes(number)
            for one, (padding, number) in zip(asked, halves, strict=True)
            # A larger number is no row id, and the database would refuse it.
            if padding == _PADDING and number[0] < 0x80
        }
