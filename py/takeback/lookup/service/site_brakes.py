"""The rate brake of each site, so that no site can brake a picture, or release its brake, for the others."""

from collections import OrderedDict
from collections.abc import Collection, Iterable
from threading import Lock
from typing import Final, override

from takeback.gate.rate_brake import RateBrake
from takeback.gate.rules.policy import Policy
from takeback.protocol import Verdict

MAX_CONFIRMED: Final = 10_000
"""Entries that a site confirmed which are remembered until the service stops; the oldest is dropped first."""


class SiteBrake(RateBrake):
    """A site's rate brake. It does not brake what the site's moderators confirmed as blocked."""

    def __init__(self, matches: int, seconds: float) -> None:
        super().__init__(matches, seconds)
        self._confirmed: OrderedDict[str, None] = OrderedDict()
        self._guard = Lock()

    @override
    def count(self, entries: Collection[str], uploader: str | None = None) -> bool:
        is_flood = super().count(entries, uploader)
        with self._guard:
            return is_flood and self._confirmed.keys().isdisjoint(entries)

    def note(self, entries: Iterable[str], verdict: Verdict, *, confirmed: bool) -> None:
        """Notes a verdict of the site: one that is `confirmed` as blocked releases the brake, `not_blocked` sets it."""
        with self._guard:
            for entry in entries:
                if verdict is Verdict.NOT_BLOCKED:
                    self._confirmed.pop(entry, None)
                elif verdict is Verdict.BLOCKED and confirmed:
                    self._confirmed[entry] = None
            while len(self._confirmed) > MAX_CONFIRMED:
                self._confirmed.popitem(last=False)


class SiteBrakes:
    """The brakes of all sites, with the limits of the gate's policy. Thread-safe."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._brakes: dict[str, SiteBrake] = {}
        self._lock = Lock()

    def of(self, site: str) -> SiteBrake:
        """Returns the brake of a site."""
        with self._lock:
            if site not in self._brakes:
                self._brakes[site] = SiteBrake(self._policy.flood_matches, self._policy.flood_minutes * 60)
            return self._brakes[site]
