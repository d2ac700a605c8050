"""Following the feed: checks a page by the numbered rules of PROTOCOL.md and says what it changes. Pure.

Whatever breaks a rule raises `FeedBroken` naming the number, before anything is applied: the checkpoint stays.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from takeback.errors import FeedBroken
from takeback.protocol import MAX_FEED_LIMIT, FeedAction, FeedEntry, FeedPage, Standing
from takeback.signals import Signal, SignalType

type SignalKey = tuple[SignalType, str]
"""What makes two signals the same to the feed: their type and their value."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far the feed is applied (`checkpoint`) and the newest number the registry has told of (`head`)."""

    checkpoint: int = 0
    head: int = 0


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the entries and signals a page speaks of; it may know more, and must not know less.

    `active` holds the entries that are there, `None` for one whose signal is erased; `retired` the ids that were there
    once.
    """

    active: Mapping[str, SignalKey | None] = field(default_factory=dict)
    retired: AbstractSet[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Added:
    """An entry that came: its number in the feed, its id, its signal, the strongest decision it may lead to."""

    number: int
    entry: str
    signal: Signal
    standing: Standing = Standing.BLOCK


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
    standing: Standing


@dataclass(frozen=True, slots=True)
class Erased:
    """An entry that came without its signal, because it was removed since; its removal follows."""

    number: int
    entry: str


type Step = Added | Removed | Changed | Erased


@dataclass(frozen=True, slots=True)
class Changes:
    """What a page changes, in the feed's order, from one position to the next."""

    before: Position
    after: Position
    steps: tuple[Step, ...]


def follow(position: Position, known: Known, page: FeedPage, limit: int = MAX_FEED_LIMIT) -> Changes:
    """The changes that `page`, asked for after `position` with `limit`, brings. Raises `FeedBroken`."""
    _check_numbers(position, page)
    _check_head(position, page, limit)
    steps = _check_entries(known, page)
    after = Position(position.checkpoint + len(page.entries), page.head)
    return Changes(position, after, steps)


def _check_numbers(position: Position, page: FeedPage) -> None:
    """Rule 1: the first entry is `after + 1`, each next one is one more."""
    for expected, entry in enumerate(page.entries, position.checkpoint + 1):
        if entry.number != expected:
            what = "a gap" if entry.number > expected else "a repeat"
            raise FeedBroken(f"rule 1: {what} at number {expected}: the registry sent number {entry.number}")


def _check_head(position: Position, page: FeedPage, limit: int) -> None:
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


def _check_entries(known: Known, page: FeedPage) -> tuple[Step, ...]:
    """Rules 3 and 4, entry by entry, each seeing what the ones before it did."""
    active = dict(known.active)
    retired = set(known.retired)
    taken = set(active.values()) - {None}
    steps: list[Step] = []
    for line in page.entries:
        if line.signal is not None:
            _check_new(line, active, retired)
            steps.append(_add(line, line.signal.signal(), active, taken))
        elif line.action is FeedAction.ERASED:
            _check_new(line, active, retired)
            active[line.entry] = None
            steps.append(Erased(line.number, line.entry))
        elif line.standing is not None:
            _check_there(line, active)
            steps.append(Changed(line.number, line.entry, line.standing))
        else:
            _check_there(line, active)
            taken.discard(active.pop(line.entry))
            retired.add(line.entry)
            steps.append(Removed(line.number, line.entry))
    return tuple(steps)


def _add(line: FeedEntry, signal: Signal, active: dict[str, SignalKey | None], taken: set[SignalKey | None]) -> Added:
    """Rule 4: no active entry carries the signal."""
    key = (signal.type, signal.value)
    if key in taken:
        raise FeedBroken(f"rule 4: number {line.number} adds a signal that an active entry carries already")
    active[line.entry] = key
    taken.add(key)
    return Added(line.number, line.entry, signal, line.standing or Standing.BLOCK)


def _check_new(line: FeedEntry, active: Mapping[str, SignalKey | None], retired: AbstractSet[str]) -> None:
    """Rule 3, first half: an added entry is new."""
    if line.entry in active:
        raise FeedBroken(f"rule 3: number {line.number} adds an entry that is there already")
    if line.entry in retired:
        raise FeedBroken(f"rule 3: number {line.number} adds an entry that was removed before")


def _check_there(line: FeedEntry, active: Mapping[str, SignalKey | None]) -> None:
    """Rule 3, second half: a removed or changed entry is there."""
    if line.entry not in active:
        raise FeedBroken(f"rule 3: number {line.number} {line.action}s an entry that is not there")
