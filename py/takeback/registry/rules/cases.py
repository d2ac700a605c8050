"""The rules of cases and of the feed, as values: no clock, no database, no network.

The store reads what is there, asks here what follows, and writes it down. A signal does not go into the feed when its
case arrives: its entry becomes due at a moment of chance, and then the feed says what holds at that moment. So entries
of different people mix, coming and going.
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
)
from takeback.registry.rules.entry_status import DEFAULT, StatusLimits
from takeback.signals import SignalKey, SignalType
from takeback.times import DAY_SECONDS, moment

QUIET: Final = 120
"""Seconds after a change is in the feed before its case says how many platforms were told.

By then every platform that waits for news, or asks at least once a minute, was told and noted, whether or not the
change brought it any lines: so nobody learns by their own case whether others had sent the same picture before.
"""
WARNING: Final = 30 * DAY_SECONDS
"""Seconds before a case expires from which its status warns."""

LOT_PICTURES: Final = 15
LOT_SIGNALS: Final = 240
"""What one lot holds at most: pictures, and signals of them, each frame of a `vpdq` counting as one."""

type Shuffle = Callable[[list[int]], None]


@dataclass(frozen=True, slots=True)
class CasePolicy:
    """How long things take, in seconds.

    To `mix` entries into the feed, for a case to `expire` (0: never), and to `keep` what has ended until it is erased.
    `limits` say when feedback gives an entry another standing.
    """

    mix: int = 0
    expire: int = 0
    keep: int = 30 * DAY_SECONDS
    limits: StatusLimits = DEFAULT

    @property
    def quiet(self) -> int:
        """Seconds after a change is in the feed in which nothing is told of it; nothing is hidden without mixing."""
        return QUIET if self.mix else 0


@dataclass(frozen=True, slots=True)
class Entry:
    """A new entry: its inner number, its signal, and what is known of the picture."""

    number: int
    signal: SignalMessage
    kind: PictureKind
    ai_made: bool
    age_band: AgeBand


@dataclass(frozen=True, slots=True)
class Registered:
    """What new cases bring: entries, and for each case which entries (by number) each of its pictures holds."""

    entries: tuple[Entry, ...]
    held: tuple[tuple[tuple[int, ...], ...], ...]


def register(new: Sequence[NewCase], active: Mapping[SignalKey, int], last: int) -> Registered:
    """Makes an entry of every signal of the `new` cases that is not `active` yet (as the number of its entry).

    `last` is the newest entry's number; the new ones take the numbers after it.
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
    """An entry whose moment has come: whether the feed has it now, and whether a picture of a case holds it."""

    number: int
    in_feed: bool
    held: bool


@dataclass(frozen=True, slots=True)
class Settled:
    """What the feed says of entries that were due: its next lines, and the entries of which it never said anything."""

    lines: tuple[tuple[FeedAction, int], ...]
    dropped: tuple[int, ...]


def settle(due: Iterable[Due], shuffle: Shuffle) -> Settled:
    """Adds what is held and not in the feed, removes what is in the feed and not held, in an order of chance."""
    actions = {one.number: FeedAction.ADD if one.held else FeedAction.REMOVE for one in due if one.held != one.in_feed}
    order = list(actions)
    shuffle(order)
    dropped = tuple(one.number for one in due if not one.held and not one.in_feed)
    return Settled(tuple((actions[number], number) for number in order), dropped)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What feedback brings: for each new event the entries (by number) it touches, and the answer to the platform."""

    events: tuple[tuple[FeedbackEvent, tuple[int, ...]], ...]
    receipt: FeedbackReceipt


def record(events: Sequence[FeedbackEvent], on_record: AbstractSet[str], active: Mapping[str, int]) -> Recorded:
    """Records every event once. `active` maps entry ids to numbers; an event that touches none of them is not kept."""
    new: dict[str, tuple[FeedbackEvent, tuple[int, ...]]] = {}
    for event in events:
        touched = tuple({active[entry] for entry in event.entries if entry in active})
        if touched and event.id not in on_record:
            new.setdefault(event.id, (event, touched))
    known = on_record | new.keys()
    unknown = {entry: None for event in events for entry in event.entries if entry not in active}
    receipt = FeedbackReceipt(sum(event.id in known for event in events), list(unknown))
    return Recorded(tuple(new.values()), receipt)


@dataclass(frozen=True, slots=True)
class Case:
    """A case as it is kept. Times are whole seconds since 1970.

    `renewed_at` is when it last got pictures, `withdrawn_at` when it ended in whatever way. Its last change is in the
    feed up to `feed_number`, or on its way until `settles_at`; a platform that polls from `polls_from` on is told it.
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
        """Whether it is neither withdrawn nor expired."""
        return self.state in {CaseState.RECEIVED, CaseState.ACTIVE}


NOTHING_SEEN: Final = PictureStatus(0, 0, None, None)


def status(case: Case, platforms: int, pictures: Sequence[PictureStatus], policy: CasePolicy, now: float) -> CaseStatus:
    """What the owner of `case` is told. `platforms` are those that were told its last change since it was there."""
    is_quiet = case.settles_at is not None or now < case.polls_from + policy.quiet
    expires_at = case.renewed_at + policy.expire if policy.expire and case.is_open else None
    return CaseStatus(
        number=case.number,
        state=case.state,
        received_at=moment(case.received_at),
        withdrawn_at=None if case.withdrawn_at is None else moment(case.withdrawn_at),
        platforms=0 if is_quiet else platforms,
        pictures=list(pictures),
        expires_at=None if expires_at is None else moment(expires_at),
        expires_soon=expires_at is not None and expires_at - WARNING <= now,
    )


def lots(pictures: int, signals: int) -> int:
    """The lots that a message of so many pictures and signals takes: by them its work is priced, and it is counted."""
    return max(1, -(-pictures // LOT_PICTURES), -(-signals // LOT_SIGNALS))


def lots_of(new: NewCase) -> int:
    """The lots of a message."""
    frames = sum(signal.value.count(";") for signal in signals_of([new]) if signal.type is SignalType.VPDQ)
    return lots(len(new.pictures), frames + sum(len(picture.signals) for picture in new.pictures))


def signals_of(new: Iterable[NewCase]) -> Iterator[SignalMessage]:
    """Every signal of the cases, in the order they were sent."""
    return (signal for _, _, signal in _signals(new))


def _signals(new: Iterable[NewCase]) -> Iterator[tuple[NewCase, Picture, SignalMessage]]:
    return ((case, picture, signal) for case in new for picture in case.pictures for signal in picture.signals)
