"""What each site may occupy of the service at once, so that one that asks very fast delays itself and nobody else."""

import asyncio
from dataclasses import dataclass
from typing import Final

from takeback.gate.serve.uploads import BodyBudget

MAX_SITE_BYTES: Final = 16 << 20
"""Bytes of a site's requests that arrive or wait for an answer: some hundred pictures with all their patches."""
MAX_SITE_PLACES: Final = 2
"""Look-ups of a site that wait for the thread, so that another site's waits for few of each."""


@dataclass(frozen=True, slots=True)
class SiteShare:
    """A site's limit on bytes, and its places."""

    room: BodyBudget
    places: asyncio.Semaphore


class SiteShares:
    """The shares of all sites. Only the event loop's thread uses it."""

    def __init__(self) -> None:
        self._shares: dict[str, SiteShare] = {}

    def of(self, site: str) -> SiteShare:
        """Returns the share of a site."""
        if site not in self._shares:
            self._shares[site] = SiteShare(BodyBudget(MAX_SITE_BYTES), asyncio.Semaphore(MAX_SITE_PLACES))
        return self._shares[site]
