"""A little work for the computer before a new case, so that a flood of cases costs whoever sends it.

The work is altcha's: the page solves it in a second or less and asks the person nothing. Nothing is kept of it. It is
made for one idempotency key, under which only one case can ever be made; so it serves once, in every process.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Callable
from typing import Final

import msgspec
from altcha import create_challenge, verify_solution

from takeback.protocol import Challenge

ALGORITHM: Final = "PBKDF2/SHA-256"
ITERATIONS: Final = 1000
"""Of each try: about half a millisecond on a phone, and a quarter for the registry, which makes one try."""
LIFE: Final = 10 * 60
"""Seconds in which the work must be done and shown."""
MAX_SHOWN: Final = 4096
"""Characters of the header that shows it."""


class Work:
    """Asks for work and knows it when it is done.

    `secret` signs it, the same in all processes. `tries` are those of a quiet hour, 0 for no work; `now` gives seconds
    since 1970.
    """

    def __init__(self, secret: bytes, tries: int, now: Callable[[], float]) -> None:
        self._secret = secret
        self._tries = tries
        self._now = now

    def ask(self, key: str, demand: int) -> Challenge | None:
        """Work for a message with this idempotency key, `demand` times that of a quiet hour; none if none is wanted.

        The one try that counts is drawn from the second half, so that nobody is lucky and nobody waits for long.
        """
        most = self._tries * demand
        if not most:
            return None
        made = create_challenge(
            ALGORITHM,
            ITERATIONS,
            counter=most // 2 + secrets.randbelow(most - most // 2),
            expires_at=int(self._now()) + LIFE,
            data={"key": _mark(key)},
            hmac_secret=self._secret,
        )
        return msgspec.convert(made.to_dict(), Challenge)

    def done(self, shown: str, key: str) -> bool:
        """Whether what a message with this idempotency key shows is work that was asked for it, and done in time."""
        if not self._tries:
            return True
        if not shown or len(shown) > MAX_SHOWN or not verify_solution(shown, self._secret).verified:
            return False
        data = json.loads(base64.b64decode(shown))["challenge"]["parameters"]["data"]
        return bool(data == {"key": _mark(key)})


def _mark(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
