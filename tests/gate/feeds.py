"""A feed in memory that numbers entries as PROTOCOL.md says, and values for tests of feeds."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import batched

from hypothesis import strategies as st
from msgspec import structs

from takeback import chain
from takeback.protocol import EntryStatus, FeedAction, FeedEntry, FeedPage, SignalMessage
from takeback.signals import HEX_DIGITS, PATCH_DIGITS, Signal, SignalType, patches_value

KEY = "tbk_" + "a" * 16 + "_" + "5" * 64


def entry_id(number: int) -> str:
    """The same entry id for the same number."""
    return sha256(b"entry %d" % number).hexdigest()[:32]


def signal(seed: int, kind: SignalType = SignalType.PDQ, quality: int = 90) -> Signal:
    """The same signal for the same seed."""
    value = sha256(b"signal %d" % seed).hexdigest()
    if kind is SignalType.VPDQ:
        return Signal(kind, f"0,{quality},{value},0.000")
    if kind is SignalType.PATCHES:
        return Signal(kind, patches_value([_hashes(value)]))
    return Signal(kind, value[: HEX_DIGITS[kind]], quality if kind is SignalType.PDQ else None)


def _hashes(value: str) -> list[str]:
    return ["".join(digits) for digits in batched(value, PATCH_DIGITS)]


@dataclass
class Log:
    """An honest feed: `add` and `remove` append to it, `page` reads it, `active` is what a follower must have."""

    lines: list[FeedEntry] = field(default_factory=list)
    active: dict[str, Signal] = field(default_factory=dict)

    def add(self, new: Signal) -> str:
        """Publishes a signal under a new entry."""
        number = len(self.lines) + 1
        entry = entry_id(number)
        self.lines.append(FeedEntry(number, FeedAction.ADD, entry, SignalMessage.of(new)))
        self.active[entry] = new
        return entry

    def change(self, entry: str, standing: EntryStatus) -> None:
        """Changes an entry's status."""
        self.lines.append(FeedEntry(len(self.lines) + 1, FeedAction.CHANGE, entry, standing=standing))

    def remove(self, entry: str) -> None:
        """Removes an entry."""
        self.lines.append(FeedEntry(len(self.lines) + 1, FeedAction.REMOVE, entry))
        del self.active[entry]

    def link(self, number: int) -> bytes:
        """The link of a number in the hash chain, which covers the whole feed up to it."""
        added: dict[str, int] = {}
        link = chain.FIRST_LINK
        for line in self.lines[:number]:
            link = chain.link(link, chain.leaf(line, added.setdefault(line.entry, line.number)))
        return link

    def page(self, after: int, limit: int = 1000, types: AbstractSet[str] = frozenset(SignalType)) -> FeedPage:
        """The answer to `GET /v1/feed`, for a client that knows these types."""
        lines = [as_told(line, types) for line in self.lines[after : after + limit]]
        return FeedPage(lines, len(self.lines))

    def snapshot(self, types: AbstractSet[str] = frozenset(SignalType)) -> list[FeedEntry]:
        """The lines of `GET /v1/feed/snapshot`, for a client that knows these types."""
        gone = {line.entry for line in self.lines if line.action is FeedAction.REMOVE}
        lines = {line.entry: line for line in self.lines if line.signal and line.entry not in gone}
        standings = {line.entry: line.standing for line in self.lines if line.action is FeedAction.CHANGE}
        return [
            structs.replace(line, standing=standings.get(entry, line.standing)) if told is line else told
            for entry, line in lines.items()
            for told in [as_told(line, types)]
        ]


def as_told(line: FeedEntry, types: AbstractSet[str]) -> FeedEntry:
    """The line as a client that knows these types gets it."""
    if line.signal is None or line.signal.type in types:
        return line
    return chain.tombstone(line.number, line.entry, chain.leaf(line, line.number))


@st.composite
def logs(draw: st.DrawFn, max_size: int = 40) -> Log:
    """Random honest feeds, in which signals are added, removed and added again."""
    log = Log()
    for _ in range(draw(st.integers(1, max_size))):
        leaves = draw(st.booleans())
        if leaves and log.active:
            log.remove(draw(st.sampled_from(sorted(log.active))))
            continue
        held = {(s.type, s.value) for s in log.active.values()}
        new = signal(draw(st.integers(0, 15)), draw(st.sampled_from(list(SignalType))), draw(st.integers(0, 100)))
        if (new.type, new.value) not in held:
            log.add(new)
    return log
