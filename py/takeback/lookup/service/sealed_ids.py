"""Ids for feedback: what an answer was about, encrypted for one site, so that the service need not remember it.

An id says nothing to the site, not even whether anything matched: all have the same length, and no two are alike. It is
AES-256-GCM (NIST SP 800-38D) of the time, of the upload's id and of the entries, bound to the site's name.
"""

import hmac
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from takeback.errors import InvalidMessage
from takeback.protocol import Verdict

MAX_ENTRIES: Final = 16
"""Entries in an id, the strongest first: those of one picture, of which there are rarely more."""
LIFE_SECONDS: Final = 30 * 86400
"""Time in which feedback may follow, so that moderators can look at an upload first."""
_NONCE_BYTES: Final = 12
_TIME_BYTES: Final = 5
_ID_BYTES: Final = 16
_BODY_BYTES: Final = _TIME_BYTES + _ID_BYTES + 1 + MAX_ENTRIES * _ID_BYTES


class AnsweredUpload(NamedTuple):
    """What an answer was about: the id of the decision, and the entries that the upload matched, strongest first."""

    decision: str
    entries: tuple[str, ...]


class SealedIds:
    """Makes and reads the ids of one service. `clock` returns seconds since 1970."""

    def __init__(self, secret: bytes, clock: Callable[[], float] = time.time) -> None:
        """`secret` is 32 random bytes, which stay the same from start to start."""
        self._cipher = AESGCM(hmac.digest(secret, b"sealed ids", sha256))
        self._events = hmac.digest(secret, b"feedback events", sha256)
        self._clock = clock

    def seal(self, site: str, decision: str, entries: Sequence[str]) -> str:
        """Returns the id for `site`. `decision` and `entries` are 32 hex digits each."""
        kept = entries[:MAX_ENTRIES]
        ends = int(self._clock() + LIFE_SECONDS).to_bytes(_TIME_BYTES, "big")
        body = ends + bytes.fromhex(decision) + bytes([len(kept)]) + bytes.fromhex("".join(kept))
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, body.ljust(_BODY_BYTES, b"\0"), site.encode())
        return urlsafe_b64encode(nonce + sealed).decode()

    def open(self, site: str, sealed: str) -> AnsweredUpload:
        """Reads an id of `site`. Raises `InvalidMessage` if it is another site's, forged or too old, without saying."""
        try:
            data = urlsafe_b64decode(sealed)
            body = self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], site.encode())
        except (NotBase64, ValueError, InvalidTag) as error:
            raise InvalidMessage("the id is not one that this service gave you within 30 days", "id") from error
        if int.from_bytes(body[:_TIME_BYTES], "big") < self._clock():
            raise InvalidMessage("the id is not one that this service gave you within 30 days", "id")
        ids = [body[at : at + _ID_BYTES].hex() for at in range(_TIME_BYTES + 1 + _ID_BYTES, len(body), _ID_BYTES)]
        number = body[_TIME_BYTES + _ID_BYTES]
        return AnsweredUpload(body[_TIME_BYTES : _TIME_BYTES + _ID_BYTES].hex(), tuple(ids[:number]))

    def event(self, site: str, upload: AnsweredUpload, verdict: Verdict) -> str:
        """Returns the name under which feedback is queued; what has the same name counts once at the registry.

        A site says `not_blocked` of the same entries once, however often it asks: it has one vote, not one for each
        upload. Other verdicts count by upload, because the owner is told how many were stopped.
        """
        what = " ".join(sorted(upload.entries)) if verdict is Verdict.NOT_BLOCKED else upload.decision
        return hmac.digest(self._events, f"{site} {verdict} {what}".encode(), sha256).hex()
