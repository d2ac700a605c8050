"""The publication delay: entries wait for a random time, so that those of different people mix in the feed."""

import secrets


def due_times(n: int, max_delay: int, now: int) -> list[int]:
    """The time at which each of `n` entries is due: random within `max_delay` seconds, or `now` if that is 0."""
    # From a secure source: with delays that can be computed, a case's entries could be found in the feed again.
    return [now + (1 + secrets.randbelow(max_delay) if max_delay else 0) for _ in range(n)]
