"""Proof of work: a computation that the sender's device does before signals are accepted, which makes floods costly.

The challenge is altcha's; the page solves it in a second or less without asking the person. The registry stores nothing
for it. A challenge is bound to one idempotency key, under which only one message is ever accepted, so a solution works
once, whichever process receives it. It carries the number of tries that it is worth, and whether that is enough depends
on the price at the time the solution arrives.
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
"""Iterations of a try: about 0.5 ms on a phone, and 0.25 ms for the registry, which makes one try."""
CHALLENGE_LIFE_SECONDS: Final = 10 * 60
"""Seconds after which a challenge expires."""
MAX_SOLUTION_CHARS: Final = 4096
"""Length of the header with the solution, at most."""


class ProofOfWork:
    """Makes challenges and verifies solutions.

    `secret` signs the challenges and is the same in all processes. `tries` is the cost of one lot in a quiet hour, or 0
    for no work; a `price` is a multiple of it. `now` gives seconds since 1970.
    """

    def __init__(self, secret: bytes, tries: int, now: Callable[[], float]) -> None:
        self._secret = secret
        self._tries = tries
        self._now = now

    def ask(self, key: str, price: int) -> Challenge | None:
        """A challenge of this price for a message with the idempotency key `key`, or `None` if no work is required.

        The solution is drawn from the second half of the range, so that the time it takes varies by a factor of two.
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
        """Whether `shown` solves a challenge for the idempotency key `key`, is worth `price`, and has not expired."""
        if not self._tries:
            return True
        if not shown or len(shown) > MAX_SOLUTION_CHARS or not verify_solution(shown, self._secret).verified:
            return False
        # Only after the verification: before it, `shown` is whatever a stranger sent.
        data = json.loads(base64.b64decode(shown))["challenge"]["parameters"]["data"]
        return bool(data["key"] == _mark(key) and int(data.get("tries", 0)) >= self._tries * price)


def _mark(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
