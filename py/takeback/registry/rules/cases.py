"""The rules of cases and of the feed: pure functions, without a clock, a database or a network.

The store reads the present state, calls these functions, and writes the result. A signal does not enter the feed when
its case arrives. Its entry becomes due at a random time, and the feed then publishes the state at that time. So the
entries of different people mix, both when they are added and when they are removed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from takeback.protocol import (
    AgeBand,
    CaseState,
    CaseStatus,
    FeedAction,
    FeedbackEvent,
    FeedbackReceipt,
    NewCase,
    Picture,
    PictureKind,
    PictureStatus,
    SignalMessage,
    signal_count,
)
from takeback.registry.rules.entry_status import DEFAULT_LIMITS, StatusLimits
from takeback.registry.rules.platform_list import Reached
from takeback.signals import SignalKey
from takeback.times import DAY_SECONDS, moment

QUIET_SECONDS: Final = 120
"""Seconds after a change is in the feed before its case says how many platforms have received it.

By then every platform that uses the long poll, or polls at least once a minute, has polled and been counted, whether or
not the change added lines to the feed. So a case's status does not reveal whether others sent the same picture before.
"""
EXPIRY_WARNING_SECONDS: Final = 30 * DAY_SECONDS
"""Seconds before a case expires from which its status warns."""

MAX_LOT_PICTURES: Final = 15
"""Pictures in one lot, at most."""
MAX_LOT_SIGNALS: Final = 240
"""Signals in one lot, at most, as `signal_count` counts them."""

type Shuffle = Callable[[list[int]], None]


@dataclass(frozen=True, slots=True)
class CasePolicy:
    """The operator's choices that the rules of cases depend on."""

    delay_seconds: int = 0
    """The longest publication delay; 0 publishes at once."""
    expiry_seconds: int = 0
    """How long after its last new picture a case expires; 0 is never."""
    retention_seconds: int = 30 * DAY_SECONDS
    """How long ended cases and removed entries are kept before they are erased."""
    limits: StatusLimits = DEFAULT_LIMITS
    """When feedback changes the status of an entry."""

    @property
    def quiet_seconds(self) -> int:
        """Seconds after a change is in the feed during which its case reports no platforms; 0 without a delay."""
        return QUIET_SECONDS if self.delay_seconds else 0


@dataclass(frozen=True, slots=True)
class Entry:
    """A new entry: its internal number, its signal, and what the sender said about the picture."""

    number: int
    signal: SignalMessage
    kind: PictureKind
    ai_made: bool
    age_band: AgeBand


@dataclass(frozen=True, slots=True)
class Registered:
    """The result of new cases: the new entries and, by case and picture, the numbers of the entries that it holds."""

    entries: tuple[Entry, ...]
    held: tuple[tuple[tuple[int, ...], ...], ...]


def register(new: Sequence[NewCase], active: Mapping[SignalKey, int], last: int) -> Registered:
    """Makes an entry for every signal of the `new` cases that has no active entry yet.

    `active` maps signals to the numbers of their active entries. `last` is the newest entry's number; new entries are
    numbered from `last + 1`.
    """
    entries: list[Entry] = []
    numbers = dict(active)
    for case, picture, signal in _signals(new):
        key = (signal.type, signal.value)
        if key not in numbers:
            numbers[key] = last + len(entries) + 1
            entries.append(Entry(numbers[key], signal, picture.kind, picture.ai_made, case.age_band))
    held = tuple(
        tuple(tuple(numbers[s.type, s.value] for s in picture.signals) for picture in case.pictures) for case in new
    )
    return Registered(tuple(entries), held)


@dataclass(frozen=True, slots=True)
class Due:
    """An entry that is due: whether it is in the feed now, and whether a picture of an open case holds it."""

    number: int
    in_feed: bool
    held: bool


@dataclass(frozen=True, slots=True)
class Settled:
    """The result for entries that were due: the feed's next lines, and the entries that never entered the feed."""

    lines: tuple[tuple[FeedAction, int], ...]
    dropped: tuple[int, ...]


def settle(due: Iterable[Due], shuffle: Shuffle) -> Settled:
    """Adds entries that are held and not in the feed, and removes those that are in the feed and not held.

    `shuffle` orders the lines, so that their order reveals nothing about which entries belong together.
    """
    actions = {one.number: FeedAction.ADD if one.held else FeedAction.REMOVE for one in due if one.held != one.in_feed}
    order = list(actions)
    shuffle(order)
    dropped = tuple(one.number for one in due if not one.held and not one.in_feed)
    return Settled(tuple((actions[number], number) for number in order), dropped)


@dataclass(frozen=True, slots=True)
class Recorded:
    """The result of feedback: each new event with the numbers of its entries, and the receipt for the platform."""

    events: tuple[tuple[FeedbackEvent, tuple[int, ...]], ...]
    receipt: FeedbackReceipt


def record(events: Sequence[FeedbackEvent], on_record: AbstractSet[str], active: Mapping[str, int]) -> Recorded:
    """Records each event once.

    `on_record` are the ids of events that are stored already. `active` maps ids of active entries to their numbers;
    an event that names none of them is not stored.
    """
    new: dict[str, tuple[FeedbackEvent, tuple[int, ...]]] = {}
    for event in events:
        # A set, because an older and a newer id may name the same entry.
        touched = tuple({active[entry] for entry in event.entries if entry in active})
        if touched and event.id not in on_record:
            new.setdefault(event.id, (event, touched))
    known = on_record | new.keys()
    unknown = {entry: None for event in events for entry in event.entries if entry not in active}
    receipt = FeedbackReceipt(sum(event.id in known for event in events), list(unknown))
    return Recorded(tuple(new.values()), receipt)


@dataclass(frozen=True, slots=True)
class Case:
    """A case as stored. Times are whole seconds since 1970.

    `renewed_at` is when it last received pictures; `withdrawn_at` is when it ended, by withdrawal or expiry. Its last
    change is published at `feed_number`, or will be by `settles_at`. A platform that polls at or after `polls_from`
    has received it.
    """

    number: str
    pin: bytes
    state: CaseState
    received_at: int
    renewed_at: int
    withdrawn_at: int | None
    feed_number: int
    settles_at: int | None
    polls_from: int = 0

    @property
    def is_open(self) -> bool:
        """Whether the case is neither withdrawn nor expired."""
        return self.state in {CaseState.RECEIVED, CaseState.ACTIVE}


NOTHING_SEEN: Final = PictureStatus(0, 0, None, None)


def status(
    case: Case, reached: Reached, pictures: Sequence[PictureStatus], policy: CasePolicy, now: float
) -> CaseStatus:
    """The status that the owner of `case` sees.

    `reached` are those that have received its last change; `now` is in seconds since 1970.
    """
    is_quiet = case.settles_at is not None or now < case.polls_from + policy.quiet_seconds
    expires_at = case.renewed_at + policy.expiry_seconds if policy.expiry_seconds and case.is_open else None
    return CaseStatus(
        number=case.number,
        state=case.state,
        received_at=moment(case.received_at),
        withdrawn_at=None if case.withdrawn_at is None else moment(case.withdrawn_at),
        platforms=0 if is_quiet else reached.platforms,
        pictures=list(pictures),
        expires_at=None if expires_at is None else moment(expires_at),
        expires_soon=expires_at is not None and expires_at - EXPIRY_WARNING_SECONDS <= now,
        small_sites=0 if is_quiet else reached.small_sites,
    )


def lot_count(pictures: int, signals: int) -> int:
    """The number of lots in a message of `pictures` and `signals`: its price, and its share of the rate limit."""
    return max(1, -(-pictures // MAX_LOT_PICTURES), -(-signals // MAX_LOT_SIGNALS))


def case_lot_count(new: NewCase) -> int:
    """The number of lots in the message `new`."""
    return lot_count(len(new.pictures), signal_count(signals_of([new])))


def signals_of(new: Iterable[NewCase]) -> Iterator[SignalMessage]:
    """Every signal of the cases, in the order in which they were sent."""
    return (signal for _, _, signal in _signals(new))


def _signals(new: Iterable[NewCase]) -> Iterator[tuple[NewCase, Picture, SignalMessage]]:
    return ((case, picture, signal) for case in new for picture in case.pictures for signal in picture.signals)
