"""A little work for the computer before signals are taken, so that a flood of them costs whoever sends it.

The work is altcha's: the page solves it in a second or less and asks the person nothing. Nothing is kept of it. It is
made for one idempotency key, under which only one message is ever kept; so it serves once, in every process. It says
how many tries it is worth: whether that is enough is told by the price when it is shown.
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
CHALLENGE_LIFE_SECONDS: Final = 10 * 60
"""Seconds in which the work must be done and shown."""
MAX_SOLUTION_CHARS: Final = 4096
"""Characters of the header that shows it."""


class ProofOfWork:
    """Asks for work and knows it when it is done.

    `secret` signs it, the same in all processes. `tries` are those of one lot in a quiet hour, 0 for no work; a `price`
    is how many times that. `now` gives seconds since 1970.
    """

    def __init__(self, secret: bytes, tries: int, now: Callable[[], float]) -> None:
        self._secret = secret
        self._tries = tries
        self._now = now

    def ask(self, key: str, price: int) -> Challenge | None:
        """Work of this price for a message with this idempotency key; none if none is wanted.

        The one try that counts is drawn from the second half, so that nobody is lucky and nobody waits for long.
        """
        most = self._tries * price
        if not most:
            return None
        made = create_challenge(
            ALGORITHM,
            ITERATIONS,
            counter=most // 2 + secrets.randbelow(most - most // 2),
            expires_at=int(self._now()) + CHALLENGE_LIFE_SECONDS,
            data={"key": _mark(key), "tries": str(most)},
            hmac_secret=self._secret,
        )
        return msgspec.convert(made.to_dict(), Challenge)

    def done(self, shown: str, key: str, price: int) -> bool:
        """Whether what a message with this idempotency key shows is work that was asked for it, enough and in time."""
        if not self._tries:
            return True
        if not shown or len(shown) > MAX_SOLUTION_CHARS or not verify_solution(shown, self._secret).verified:
            return False
        data = json.loads(base64.b64decode(shown))["challenge"]["parameters"]["data"]
        return bool(data["key"] == _mark(key) and int(data.get("tries", 0)) >= self._tries * price)


def _mark(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
