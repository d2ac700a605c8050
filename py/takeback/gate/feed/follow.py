"""Following the feed: checks a page by the numbered rules of PROTOCOL.md and says what it changes. Pure.

Whatever breaks a rule raises `FeedBroken` naming the number, before anything is applied: the checkpoint stays.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from takeback import chain
from takeback.chain import FIRST_LINK
from takeback.errors import FeedBroken
from takeback.protocol import MAX_FEED_ENTRIES, EntryStatus, FeedAction, FeedEntry, FeedHead, FeedPage
from takeback.signals import Signal, SignalKey


@dataclass(frozen=True, slots=True)
class FeedPosition:
    """How far the feed is applied (`checkpoint`), the newest number the registry has told of (`head`).

    `link` is the checkpoint's link in the feed's chain: it stands for every line that was applied.
    """

    checkpoint: int = 0
    head: int = 0
    link: bytes = FIRST_LINK


@dataclass(frozen=True, slots=True)
class ActiveEntry:
    """An entry that is there: the number of its `add`, and its signal, `None` if that is erased."""

    number: int
    signal: SignalKey | None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the entries and signals a page speaks of; it may know more, and must not know less.

    `active` holds the entries that are there; `retired` the ids that were there once.
    """

    active: Mapping[str, ActiveEntry] = field(default_factory=dict)
    retired: AbstractSet[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Added:
    """An entry that came: its number in the feed, its id, its signal, the strongest decision it may lead to."""

    number: int
    entry: str
    signal: Signal
    standing: EntryStatus = EntryStatus.BLOCK


@dataclass(frozen=True, slots=True)
class Removed:
    """An entry that went: its number in the feed and its id."""

    number: int
    entry: str


@dataclass(frozen=True, slots=True)
class Changed:
    """An entry whose standing is another now."""

    number: int
    entry: str
    standing: EntryStatus


@dataclass(frozen=True, slots=True)
class Erased:
    """An entry that came without its signal, because it was removed since; its removal follows."""

    number: int
    entry: str


type Step = Added | Removed | Changed | Erased


@dataclass(frozen=True, slots=True)
class Changes:
    """What a page changes, in the feed's order, from one position to the next."""

    before: FeedPosition
    after: FeedPosition
    steps: tuple[Step, ...]


def follow(position: FeedPosition, known: Known, page: FeedPage, limit: int = MAX_FEED_ENTRIES) -> Changes:
    """The changes that `page`, asked for after `position` with `limit`, brings. Raises `FeedBroken`."""
    _check_numbers(position, page)
    _check_head(position, page, limit)
    steps, link = _check_entries(known, page, position.link)
    after = FeedPosition(position.checkpoint + len(page.entries), page.head, link)
    return Changes(position, after, steps)


def agree(changes: Changes, head: FeedHead) -> None:
    """Rule 5: what was signed is what the page leads to, so that nothing of the whole feed is another.

    Raises `FeedBroken`.
    """
    after = changes.after
    if (head.number, head.newest) != (after.checkpoint, after.head):
        raise FeedBroken(
            f"rule 5: the registry signed number {head.number} of {head.newest}, "
            f"and the page leads to number {after.checkpoint} of {after.head}"
        )
    if head.chain != after.link.hex():
        raise FeedBroken(f"rule 5: the feed up to number {after.checkpoint} is not the one that the registry signed")


def _check_numbers(position: FeedPosition, page: FeedPage) -> None:
    """Rule 1: the first entry is `after + 1`, each next one is one more."""
    for expected, entry in enumerate(page.entries, position.checkpoint + 1):
        if entry.number != expected:
            what = "a gap" if entry.number > expected else "a repeat"
            raise FeedBroken(f"rule 1: {what} at number {expected}: the registry sent number {entry.number}")


def _check_head(position: FeedPosition, page: FeedPage, limit: int) -> None:
    """Rule 2: `head` is at least the last number, and never falls; fewer entries than `limit` means the end."""
    last = position.checkpoint + len(page.entries)
    if page.head < position.head:
        raise FeedBroken(f"rule 2: the feed's head fell from number {position.head} to {page.head}")
    if page.head < last:
        raise FeedBroken(f"rule 2: number {last} lies beyond the feed's head, number {page.head}")
    if len(page.entries) > limit:
        raise FeedBroken(f"rule 2: more than {limit} entries after number {position.checkpoint}")
    if len(page.entries) < limit and last < page.head:
        raise FeedBroken(f"rule 2: number {last + 1} is withheld: the page ends before the head, number {page.head}")


def _check_entries(known: Known, page: FeedPage, link: bytes) -> tuple[tuple[Step, ...], bytes]:
    """Rules 3 and 4, entry by entry, each seeing what the ones before it did; and the last one's link."""
    active = dict(known.active)
    retired = set(known.retired)
    taken = {there.signal for there in active.values()} - {None}
    steps: list[Step] = []
    for line in page.entries:
        step = _step(line, active, retired, taken)
        link = chain.link(link, chain.leaf(line, active[line.entry].number))
        if isinstance(step, Removed):
            taken.discard(active.pop(line.entry).signal)
            retired.add(line.entry)
        steps.append(step)
    return tuple(steps), link


def _step(
    line: FeedEntry, active: dict[str, ActiveEntry], retired: AbstractSet[str], taken: set[SignalKey | None]
) -> Step:
    """What a line says, once it is checked; what comes is there from now on."""
    if line.signal is not None:
        _check_new(line, active, retired)
        return _add(line, line.signal.signal(), active, taken)
    if line.action is FeedAction.ERASED:
        _check_new(line, active, retired)
        active[line.entry] = ActiveEntry(line.number, None)
        return Erased(line.number, line.entry)
    _check_there(line, active)
    if line.standing is not None:
        return Changed(line.number, line.entry, line.standing)
    return Removed(line.number, line.entry)


def _add(line: FeedEntry, signal: Signal, active: dict[str, ActiveEntry], taken: set[SignalKey | None]) -> Added:
    """Rule 4: no active entry carries the signal."""
    key = (signal.type, signal.value)
    if key in taken:
        raise FeedBroken(f"rule 4: number {line.number} adds a signal that an active entry carries already")
    active[line.entry] = ActiveEntry(line.number, key)
    taken.add(key)
    return Added(line.number, line.entry, signal, line.standing or EntryStatus.BLOCK)


def _check_new(line: FeedEntry, active: Mapping[str, ActiveEntry], retired: AbstractSet[str]) -> None:
    """Rule 3, first half: an added entry is new."""
    if line.entry in active:
        raise FeedBroken(f"rule 3: number {line.number} adds an entry that is there already")
    if line.entry in retired:
        raise FeedBroken(f"rule 3: number {line.number} adds an entry that was removed before")


def _check_there(line: FeedEntry, active: Mapping[str, ActiveEntry]) -> None:
    """Rule 3, second half: a removed or changed entry is there."""
    if line.entry not in active:
        raise FeedBroken(f"rule 3: number {line.number} {line.action}s an entry that is not there")
