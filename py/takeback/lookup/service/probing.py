"""Notices a site that asks many questions which are nearly alike, as one does who walks distances, and slows it.

By answers alone, a hash near a listed one can be changed bit by bit until the answer changes; a few hundred questions
give the listed hash. A site of people asks about pictures that have nothing to do with each other, and about the same
one again, which tells nothing new.

What is counted is one site's, and slows that site alone, and only questions of that neighbourhood: whoever uploads
variants of a picture to an honest site delays these variants, and nobody else's uploads. The answer that is given is
always the true one; beyond `MAX_WAIT_SECONDS` there is none, and `RemoteGate` holds the upload for a person.

All that is kept, in memory and for an hour, are keyed hashes of samples of a question's bits, whose key and samples
only this process has.
"""

import math
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from random import SystemRandom
from threading import Lock
from typing import Final

from takeback.lookup.messages import RemoteQuestion
from takeback.signals import PDQ_BITS, SignalType, frames_of, patches_of

FREE_QUESTIONS: Final = 24
"""Different questions of one neighbourhood that are answered at once within the period."""
WINDOW_SECONDS: Final = 3600.0
SPACING_SECONDS: Final = 60.0
"""Time between further ones: to find the 256 bits of a hash so takes four hours and more."""
MAX_WAIT_SECONDS: Final = 10.0
"""Longest time for which an answer is held back."""
MAX_WINDOW_QUESTIONS: Final = 100_000
"""Questions of a site after which counting begins anew before the period is over, which bounds memory to 60 MB.

Of so many questions about strangers, six fall into a bucket by chance.
"""
_SAMPLES: Final = 8
_SAMPLE_BITS: Final = 14
"""Bits in each sample of a PDQ: two hashes at 8 bits share a sample with 64 %, at 31 bits with 17 %, strangers with
one in 16,384."""
_LEAST_SHARED: Final = 2
"""Samples that must be crowded, because the frames of one closing title are in many different videos."""
_SMALLEST: Final = 4
"""Of many hashes (patches, frames) the smallest by a secret order stand for all; two sets that are alike share them."""
_WORD: Final = (1 << 64) - 1


@dataclass(slots=True)
class _Neighbourhood:
    """The different questions that fell into one bucket, and when the next one may be answered."""

    questions: set[bytes] = field(default_factory=set)
    next_at: float = -math.inf


@dataclass(slots=True)
class _SiteQuestions:
    """What a site asked since `began`: how many questions, and their neighbourhoods."""

    began: float
    count: int = 0
    places: defaultdict[bytes, _Neighbourhood] = field(default_factory=lambda: defaultdict(_Neighbourhood))


class ProbingBrake:
    """The brake of one service. Thread-safe. `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._order = secrets.randbits(64) | 1
        chosen = SystemRandom()
        self._masks = [sum(1 << bit for bit in chosen.sample(range(PDQ_BITS), _SAMPLE_BITS)) for _ in range(_SAMPLES)]
        self._sites: dict[str, _SiteQuestions] = {}
        self._lock = Lock()

    def wait(self, site: str, question: RemoteQuestion) -> float:
        """Counts a question of a site, and returns the seconds after which it may be answered, mostly 0.

        Beyond `MAX_WAIT_SECONDS` the question is not to be answered at all, and does not delay later ones.
        """
        name = self._digest(_canonical(question))
        places = [self._digest(b"%d %x" % place) for place in set(self._places(question))]
        with self._lock:
            now = self._clock()
            held = self._window(site, now)
            held.count += 1
            found = [held.places[place] for place in places]
            crowded = [one for one in found if len(one.questions) >= FREE_QUESTIONS and name not in one.questions]
            if len(crowded) < _LEAST_SHARED:
                for one in found:
                    if len(one.questions) < FREE_QUESTIONS:
                        one.questions.add(name)
                return 0.0
            at = max(now, *(one.next_at for one in crowded))
            if at - now <= MAX_WAIT_SECONDS:
                for one in crowded:
                    one.next_at = at + SPACING_SECONDS
            return at - now

    def _window(self, site: str, now: float) -> _SiteQuestions:
        """Returns the counts of a site, new ones if its period is over."""
        held = self._sites.get(site)
        if held is None or now - held.began > WINDOW_SECONDS or held.count >= MAX_WINDOW_QUESTIONS:
            held = self._sites[site] = _SiteQuestions(now)
        return held

    def _digest(self, data: bytes) -> bytes:
        return blake2b(data, key=self._key, digest_size=8).digest()

    def _places(self, question: RemoteQuestion) -> Iterator[tuple[int, int]]:
        """Yields the buckets of a question: a number for the kind of sample, and the sampled bits."""
        patches = [int(patch[0], 16) for patch in question.patches]
        for value in question.dihedral.values():
            yield from self._samples(value)
        for signal in question.signals:
            match signal.type:
                case SignalType.PDQ:
                    yield from self._samples(signal.value)
                case SignalType.VPDQ:
                    frames = {int(frame.hash, 16) & self._masks[0] for frame in frames_of(signal.value)}
                    yield from ((_SAMPLES, one) for one in self._smallest(frames))
                case SignalType.PATCHES:
                    patches += [int(patch, 16) for frame in patches_of(signal.value) for patch in frame]
                case _:  # a phash matches so coarsely that it leads to reviews alone
                    whole = int(signal.value, 16)
                    yield from ((_SAMPLES + 2 + half, whole >> 32 * half & 0xFFFF_FFFF) for half in range(2))
        yield from ((_SAMPLES + 1, one) for one in self._smallest(patches))

    def _samples(self, pdq: str) -> Iterator[tuple[int, int]]:
        value = int(pdq, 16)
        return ((number, value & mask) for number, mask in enumerate(self._masks))

    def _smallest(self, values: Iterable[int]) -> list[int]:
        return sorted(set(values), key=lambda value: (value % _WORD * self._order & _WORD) >> 32)[:_SMALLEST]


def _canonical(question: RemoteQuestion) -> bytes:
    """Returns what the answer depends on, so that the same question is recognised."""
    asked = sorted(f"{signal.type} {signal.value} {signal.quality} {signal.variant}" for signal in question.signals)
    forms = sorted(f"{name} {value}" for name, value in question.dihedral.items())
    return "\n".join([*asked, *forms, *sorted(map(str, question.patches))]).encode()
