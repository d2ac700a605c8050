"""Follows the feed: checks a page against the numbered rules of PROTOCOL.md and returns what it changes. Pure.

A page that breaks a rule raises `FeedBroken` naming the number, before anything is applied: the checkpoint stays.
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
    """How far the feed is applied (`checkpoint`), and the newest number that the registry has announced (`head`).

    `link` is the checkpoint's link in the hash chain (32 bytes), which commits to every line applied.
    """

    checkpoint: int = 0
    head: int = 0
    link: bytes = FIRST_LINK


@dataclass(frozen=True, slots=True)
class ActiveEntry:
    """An active entry: the number of its `add`, and its signal, None for a tombstone."""

    number: int
    signal: SignalKey | None


@dataclass(frozen=True, slots=True)
class Known:
    """What the gate knows of the entries and signals that a page mentions; it may know more, but not less.

    `active` holds the active entries by id, `retired` the ids of removed ones.
    """

    active: Mapping[str, ActiveEntry] = field(default_factory=dict)
    retired: AbstractSet[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Added:
    """An added entry: its feed number, id, signal, and entry status, which limits the decision that it may lead to."""

    number: int
    entry: str
    signal: Signal
    status: EntryStatus = EntryStatus.BLOCK


@dataclass(frozen=True, slots=True)
class Removed:
    """A removed entry: its feed number and id."""

    number: int
    entry: str


@dataclass(frozen=True, slots=True)
class Changed:
    """An entry whose entry status changed."""

    number: int
    entry: str
    status: EntryStatus


@dataclass(frozen=True, slots=True)
class Erased:
    """A tombstone: an entry that comes without its signal because it was removed later; its removal follows."""

    number: int
    entry: str


type Step = Added | Removed | Changed | Erased


@dataclass(frozen=True, slots=True)
class Changes:
    """The steps of a page in the feed's order, and the positions before and after it."""

    before: FeedPosition
    after: FeedPosition
    steps: tuple[Step, ...]


def follow(position: FeedPosition, known: Known, page: FeedPage, limit: int = MAX_FEED_ENTRIES) -> Changes:
    """Returns the changes that `page` brings, which was requested after `position` with `limit`.

    Raises `FeedBroken` if the page breaks one of the rules 1 to 4 of PROTOCOL.md.
    """
    _check_numbers(position, page)
    _check_head(position, page, limit)
    steps, link = _check_entries(known, page, position.link)
    after = FeedPosition(position.checkpoint + len(page.entries), page.head, link)
    return Changes(position, after, steps)


def check_signed_head(changes: Changes, head: FeedHead) -> None:
    """Rule 5: the signed head is the position that the page leads to, so that every gate is given the same feed.

    Raises `FeedBroken` if they differ.
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
    """Rule 1: the first entry is `after + 1`, and numbers increase by one."""
    for expected, entry in enumerate(page.entries, position.checkpoint + 1):
        if entry.number != expected:
            what = "a gap" if entry.number > expected else "a repeat"
            raise FeedBroken(f"rule 1: {what} at number {expected}: the registry sent number {entry.number}")


def _check_head(position: FeedPosition, page: FeedPage, limit: int) -> None:
    """Rule 2: `head` is at least the last number and never falls; a page with fewer entries than `limit` ends at it."""
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
    """Checks rules 3 and 4 entry by entry, applying each before the next; returns the steps and the last link."""
    active = dict(known.active)
    retired = set(known.retired)
    # Tombstones have no signal, and any number of them may be active.
    taken = {there.signal for there in active.values()} - {None}
    steps: list[Step] = []
    for line in page.entries:
        step = _step(line, active, retired, taken)
        # Before the entry leaves `active`: the leaf of its removal names the number of its `add`.
        link = chain.link(link, chain.leaf(line, active[line.entry].number))
        if isinstance(step, Removed):
            taken.discard(active.pop(line.entry).signal)
            retired.add(line.entry)
        steps.append(step)
    return tuple(steps), link


def _step(
    line: FeedEntry, active: dict[str, ActiveEntry], retired: AbstractSet[str], taken: set[SignalKey | None]
) -> Step:
    """Checks a line and returns its step; an added entry goes into `active`."""
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
        raise FeedBroken(f"rule 3: number {line.number} adds an entry that is active already")
    if line.entry in retired:
        raise FeedBroken(f"rule 3: number {line.number} adds an entry that was removed before")


def _check_there(line: FeedEntry, active: Mapping[str, ActiveEntry]) -> None:
    """Rule 3, second half: a removed or changed entry is active."""
    if line.entry not in active:
        raise FeedBroken(f"rule 3: number {line.number} {line.action}s an entry that is not active")
