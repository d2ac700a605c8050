"""Lists of suffixes: the listed SHA-256 that begin with what a site sent, among decoys that no one can tell from them.

The site compares by itself, so that not even an exact match tells the service anything. With the decoys, somebody who
asks for every prefix does not get the list of hashes, nor how long it is.
"""

import hmac
import secrets
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Final

from takeback.gate import Action, Gate
from takeback.gate.rate_brake import RateBrake
from takeback.gate.service import Question
from takeback.lookup.messages import PREFIX_DIGITS, SUFFIX_DIGITS, ExactAnswer, ExactSuffix
from takeback.signals import Signal, SignalType

SUFFIXES_STEP: Final = 16
"""Suffixes of an answer, or a multiple of it: on a list of a million pictures one answer has about one true one."""


class ExactLists:
    """Makes the lists of one service. The decoys of a prefix stay the same, as listed hashes do."""

    def __init__(self, gate: Gate, secret: bytes, seal: Callable[[str, str, list[str]], str]) -> None:
        """`secret` is 32 random bytes. `seal` makes an id of a site, the id of a decision and its entries."""
        self._gate = gate
        self._key = hmac.digest(secret, b"decoys", sha256)
        self._seal = seal
        # A site that reads a list has seen no upload that matches, so nothing is counted.
        self._no_brake = RateBrake(0, 1.0)

    def answer(self, site: str, prefix: str) -> ExactAnswer:
        """Returns the answer to a site for the first `PREFIX_DIGITS` hex digits of a SHA-256. Raises `GateError`."""
        found = list(self._listed(site, prefix))
        missing = SUFFIXES_STEP - len(found) % SUFFIXES_STEP
        found += [self._decoy(site, prefix, number) for number in range(missing)]
        return ExactAnswer(sorted(found, key=lambda one: one.suffix))

    def _listed(self, site: str, prefix: str) -> Iterator[ExactSuffix]:
        for value in self._gate.listed_beginning(SignalType.SHA256, prefix):
            decision = self._gate.check_question(Question([Signal(SignalType.SHA256, value)]), self._no_brake)
            if decision.matches and decision.action is not Action.ALLOW:
                sealed = self._seal(site, decision.id, [match.entry for match in decision.matches])
                yield ExactSuffix(value[PREFIX_DIGITS:], decision.action, sealed)

    def _decoy(self, site: str, prefix: str, number: int) -> ExactSuffix:
        suffix = hmac.digest(self._key, f"{prefix} {number}".encode(), sha256).hex()[:SUFFIX_DIGITS]
        return ExactSuffix(suffix, Action.BLOCK, self._seal(site, secrets.token_hex(16), []))
