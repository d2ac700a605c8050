"""A registry in memory that numbers entries as PROTOCOL.md says, and what tests make feeds from."""

from dataclasses import dataclass, field
from hashlib import sha256

from hypothesis import strategies as st

from takeback import chain
from takeback.protocol import EntryStatus, FeedAction, FeedEntry, FeedPage, SignalMessage
from takeback.signals import HEX_DIGITS, Signal, SignalType

KEY = "tbk_" + "a" * 16 + "_" + "5" * 64


def entry_id(number: int) -> str:
    """An entry's id, the same for the same number."""
    return sha256(b"entry %d" % number).hexdigest()[:32]


def signal(seed: int, kind: SignalType = SignalType.PDQ, quality: int = 90) -> Signal:
    """A signal, the same for the same seed."""
    value = sha256(b"signal %d" % seed).hexdigest()
    value = f"0,{quality},{value},0.000" if kind is SignalType.VPDQ else value[: HEX_DIGITS[kind]]
    return Signal(kind, value, quality if kind is SignalType.PDQ else None)


@dataclass
class Log:
    """An honest feed: `add` and `remove` append to it, `page` reads from it, `active` is what a follower must have."""

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
        """Gives an entry another standing."""
        self.lines.append(FeedEntry(len(self.lines) + 1, FeedAction.CHANGE, entry, standing=standing))

    def remove(self, entry: str) -> None:
        """Takes an entry back."""
        self.lines.append(FeedEntry(len(self.lines) + 1, FeedAction.REMOVE, entry))
        del self.active[entry]

    def link(self, number: int) -> bytes:
        """The link of a number: what the whole feed up to it adds up to."""
        added: dict[str, int] = {}
        link = chain.FIRST_LINK
        for line in self.lines[:number]:
            link = chain.link(link, chain.leaf(line, added.setdefault(line.entry, line.number)))
        return link

    def page(self, after: int, limit: int = 1000) -> FeedPage:
        """What `GET /v1/feed` answers."""
        return FeedPage(self.lines[after : after + limit], len(self.lines))


@st.composite
def logs(draw: st.DrawFn, max_size: int = 40) -> Log:
    """Random honest feeds: signals come, go, and come back."""
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
