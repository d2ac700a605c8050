"""When an entry's moment in the feed comes: by chance, so that entries of different people mix."""

import secrets


def moments(n: int, mix: int, now: int) -> list[int]:
    """When each of `n` entries is due: a moment of its own within `mix` seconds, or `now` where nothing is mixed."""
    return [now + (1 + secrets.randbelow(mix) if mix else 0) for _ in range(n)]
