"""Chooses the content coding of an answer (RFC 9110, section 12.5.3)."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

IDENTITY: Final = "identity"
_MIN_QUALITY: Final = 0.001
"""The smallest quality value that is not a refusal."""
_QUALITY: Final = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.ASCII)


def choose(accept_encoding: str, there: Sequence[str]) -> str:
    """The coding in `there` that a client with this `Accept-Encoding` prefers; of equals, the first.

    It is `identity` without a header or if the client accepts nothing in `there`, even if it refuses `identity`, since
    that is better than no answer.
    """
    liked = dict(_read(accept_encoding))
    others = liked.get("*", 0.0)
    wanted = {name: liked.get(name, others) for name in there}
    best = max(wanted, key=lambda name: wanted[name], default=IDENTITY)
    is_wanted = wanted.get(best, 0.0) >= max(liked.get(IDENTITY, 0.0), _MIN_QUALITY)
    return best if is_wanted else IDENTITY


def _read(header: str) -> Iterator[tuple[str, float]]:
    """The codings in the header with their quality values; an invalid quality value counts as 0."""
    for part in header.lower().split(","):
        name, *parameters = (word.strip() for word in part.split(";"))
        quality = _QUALITY.fullmatch(parameters[0].replace(" ", "")) if len(parameters) == 1 else None
        if name:
            # x-gzip is gzip's old name (RFC 9110, section 8.4.1.3).
            yield {"x-gzip": "gzip"}.get(name, name), 1.0 if not parameters else float(quality[1]) if quality else 0.0
