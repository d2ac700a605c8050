"""Signals: the fingerprints of a picture. Standard library only, because this runs in the browser too."""

import re
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final, override

from takeback.errors import InvalidSignal

MAX_FRAMES: Final = 256
"""Frames of a `vpdq` value: one a second of four minutes, and 21 KB."""
PDQ_BITS: Final = 256
PDQ_MATCH_DISTANCE: Final = 31
"""The distance at which PDQ's authors call two pictures the same (PDQ whitepaper, Meta 2019)."""
PDQ_QUALITY_FLOOR: Final = 50
"""Below this a PDQ hash says too little of the picture and is not used for matching."""


class SignalType(StrEnum):
    """How a signal was computed."""

    PDQ = "pdq"
    SHA256 = "sha256"
    MD5 = "md5"
    PHASH = "phash"
    VPDQ = "vpdq"


class Variant(StrEnum):
    """Which view of the picture a signal describes."""

    WHOLE = "whole"
    """The picture as a person sees it, or the file itself for an exact hash."""
    STORED = "stored"
    """The pixels as the file stores them, its orientation mark ignored: what stock clients hash."""
    INNER_3_3 = "inner-3-3"
    """The upright picture without 3 % on the left and right and 3 % above and below, and so on."""
    INNER_5_5 = "inner-5-5"
    INNER_7_7 = "inner-7-7"
    INNER_3_7 = "inner-3-7"
    INNER_7_3 = "inner-7-3"
    SHAPE_1_1 = "shape-1-1"
    """The largest part in the middle that is as wide as it is high, and so on."""
    SHAPE_4_5 = "shape-4-5"
    SHAPE_3_4 = "shape-3-4"
    SHAPE_9_16 = "shape-9-16"
    SHAPE_16_9 = "shape-16-9"
    LEFT_THIRD = "left-third"
    RIGHT_THIRD = "right-third"
    TRIMMED = "trimmed"
    """The largest thing that stands on the plain ground around it, such as the picture in a screenshot."""


HEX_DIGITS: Final = {SignalType.PDQ: 64, SignalType.SHA256: 64, SignalType.MD5: 32, SignalType.PHASH: 16}
"""How long a value is, for every type whose value is one hash."""
_HEX = frozenset("0123456789abcdef")
_FRAME: Final = re.compile(r"(0|[1-9][0-9]{0,8}),(0|[1-9][0-9]?|100),([0-9a-f]{64}),((?:0|[1-9][0-9]{0,6})\.[0-9]{3})")


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a video: its number from 0, its PDQ `hash` and `quality`, and when it is shown, in `seconds`."""

    number: int
    quality: int
    hash: str
    seconds: float

    @override
    def __str__(self) -> str:
        return f"{self.number},{self.quality},{self.hash},{self.seconds:.3f}"


def frames_of(value: str) -> tuple[Frame, ...]:
    """The frames that a `vpdq` value tells of, in order. Raises `InvalidSignal`."""
    found = [_FRAME.fullmatch(part) for part in value.split(";", MAX_FRAMES)]
    frames = [Frame(int(m[1]), int(m[2]), m[3], float(m[4])) for m in found if m]
    if len(frames) != len(found) or len(frames) > MAX_FRAMES:
        raise InvalidSignal(f"a vpdq value is 1 to {MAX_FRAMES} frames `number,quality,hash,seconds` with `;`", "value")
    if any(a.number >= b.number or a.seconds > b.seconds for a, b in pairwise(frames)):
        raise InvalidSignal("the frames of a vpdq value stand in their order", "value")
    return tuple(frames)


@dataclass(frozen=True, slots=True)
class Signal:
    """One fingerprint: its type, its `value`, and for PDQ its `quality` from 0 to 100.

    The value is a hash in lowercase hex, for vpdq the frames (`frames_of`). Raises `InvalidSignal` when the value does
    not fit the type, or the quality does not.
    """

    type: SignalType
    value: str
    quality: int | None = None
    variant: Variant = Variant.WHOLE

    def __post_init__(self) -> None:
        digits = HEX_DIGITS.get(self.type)
        if digits is None:
            frames_of(self.value)
        elif len(self.value) != digits or not _HEX.issuperset(self.value):
            raise InvalidSignal(f"a {self.type} value is {digits} lowercase hex digits", "value")
        if (self.type is SignalType.PDQ) != (self.quality is not None):
            raise InvalidSignal("quality goes with pdq, and only with pdq", "quality")
        if self.quality is not None and not 0 <= self.quality <= 100:
            raise InvalidSignal("quality is from 0 to 100", "quality")


def hamming_distance(a: str, b: str) -> int:
    """The number of bits in which two hex values of the same length differ."""
    return (int(a, 16) ^ int(b, 16)).bit_count()
