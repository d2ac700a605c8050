from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from takeback.errors import FeedBroken
from takeback.gate.feed.follow import ActiveEntry, Added, Changes, FeedPosition, Known, Removed, follow
from takeback.protocol import FeedAction, FeedEntry, FeedPage, SignalMessage
from takeback.signals import SignalType
from tests.gate.feeds import Log, entry_id, logs, signal

ACTIVE = signal(1)
KNOWN = Known({entry_id(1): ActiveEntry(1, (ACTIVE.type, ACTIVE.value))}, frozenset({entry_id(2)}))
AT = FeedPosition(checkpoint=3, head=5)


def add(number: int, entry: int = 0, seed: int = 0) -> FeedEntry:
    """An `add` line; its id and signal are derived from its number unless given."""
    return FeedEntry(number, FeedAction.ADD, entry_id(entry or number), SignalMessage.of(signal(seed or number)))


def remove(number: int, entry: int) -> FeedEntry:
    """A `remove` line."""
    return FeedEntry(number, FeedAction.REMOVE, entry_id(entry))


BROKEN = {
    "a gap at the start": (FeedPage([add(5)], 5), "rule 1: a gap at number 4: the registry sent number 5"),
    "a gap inside": (FeedPage([add(4), add(6)], 6), "rule 1: a gap at number 5"),
    "a number applied already": (FeedPage([add(3), add(4)], 5), "rule 1: a repeat at number 4: .* number 3"),
    "a number twice": (FeedPage([add(4), add(4, 9, 9)], 5), "rule 1: a repeat at number 5"),
    "a falling head": (FeedPage([], 4), "rule 2: the feed's head fell from number 5 to 4"),
    "a number past the head": (FeedPage([add(4), add(5), add(6)], 5), "rule 2: number 6 lies beyond"),
    "more than asked for": (FeedPage([add(n) for n in range(4, 9)], 8), "rule 2: more than 4 entries"),
    "entries withheld": (FeedPage([add(4)], 6), "rule 2: number 5 is withheld"),
    "an empty page before the head": (FeedPage([], 5), "rule 2: number 4 is withheld"),
    "an entry that is there": (
        FeedPage([add(4, entry=1), add(5)], 5),
        "rule 3: number 4 adds an entry that is active already",
    ),
    "an entry twice on a page": (FeedPage([add(4), add(5, entry=4)], 5), "rule 3: number 5 adds an entry"),
    "an entry that was there once": (FeedPage([add(4), add(5, entry=2)], 5), "rule 3: number 5 .* removed before"),
    "removing the unknown": (FeedPage([add(4), remove(5, 9)], 5), "rule 3: number 5 removes an entry that is not"),
    "removing twice": (FeedPage([remove(4, 1), remove(5, 1)], 5), "rule 3: number 5 removes"),
    "adding the removed again": (FeedPage([remove(4, 1), add(5, entry=1)], 5), "rule 3: number 5 .* removed before"),
    "a signal that is active": (FeedPage([add(4), add(5, seed=1)], 5), "rule 4: number 5 adds a signal"),
    "a signal twice on a page": (FeedPage([add(4), add(5, seed=4)], 5), "rule 4: number 5 adds a signal"),
}


@pytest.mark.parametrize(("page", "complaint"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_rules(page: FeedPage, complaint: str) -> None:
    """A page that breaks a rule is refused, and the error names the rule and the number."""
    with pytest.raises(FeedBroken, match=complaint):
        follow(AT, KNOWN, page, limit=4)


def test_changes() -> None:
    """A valid page gives its steps in order, and the position after them."""
    changes = follow(AT, KNOWN, FeedPage([remove(4, 1), add(5, seed=1), add(6)], 9), limit=3)
    steps = (Removed(4, entry_id(1)), Added(5, entry_id(5), ACTIVE), Added(6, entry_id(6), signal(6)))
    assert changes == Changes(AT, FeedPosition(6, 9, changes.after.link), steps)


def test_same_value_of_another_type() -> None:
    """A pdq and a sha256 entry may have the same 64 digits: only the same type and value conflict."""
    twin = FeedEntry(4, FeedAction.ADD, entry_id(4), SignalMessage(SignalType.SHA256, ACTIVE.value))
    assert len(follow(AT, KNOWN, FeedPage([twin, add(5)], 5), limit=4).steps) == 2


def test_end_of_the_feed() -> None:
    """An empty page at the head changes nothing."""
    at = FeedPosition(5, 5)
    assert follow(at, KNOWN, FeedPage([], 5)) == Changes(at, at, ())


class Follower:
    """Applies changes to plain dictionaries."""

    def __init__(self) -> None:
        self.position = FeedPosition()
        self.known = Known()

    def take(self, page: FeedPage, limit: int) -> None:
        """Applies one page."""
        changes = follow(self.position, self.known, page, limit)
        active, retired = dict(self.known.active), set(self.known.retired)
        for step in changes.steps:
            if isinstance(step, Added):
                active[step.entry] = ActiveEntry(step.number, (step.signal.type, step.signal.value))
            else:
                del active[step.entry]
                retired.add(step.entry)
        self.position, self.known = changes.after, Known(active, retired)

    def read(self, log: Log, limit: int, until: int) -> None:
        """Applies pages until number `until`."""
        while self.position.checkpoint < until:
            self.take(log.page(self.position.checkpoint, limit), limit)


@given(logs(), st.integers(1, 7))
def test_honest_feeds(log: Log, limit: int) -> None:
    """For any honest feed and any division into pages, a follower ends with its active entries."""
    follower = Follower()
    follower.read(log, limit, len(log.lines))
    known = {entry: there.signal for entry, there in follower.known.active.items()}
    assert known == {entry: (s.type, s.value) for entry, s in log.active.items()}
    end = len(log.lines)
    assert follower.position == FeedPosition(end, end, log.link(end))


def drop(lines: list[FeedEntry], at: int) -> list[FeedEntry]:
    """Without entry `at`."""
    return lines[:at] + lines[at + 1 :]


def repeat(lines: list[FeedEntry], at: int) -> list[FeedEntry]:
    """Entry `at` twice."""
    return [*lines[: at + 1], lines[at], *lines[at + 1 :]]


def swap(lines: list[FeedEntry], at: int) -> list[FeedEntry]:
    """Entry `at` and the next in each other's place."""
    return [*lines[:at], *reversed(lines[at : at + 2]), *lines[at + 2 :]]


def rename(lines: list[FeedEntry], at: int) -> list[FeedEntry]:
    """Removes an entry that never existed instead of a real one."""
    assume(lines[at].action is FeedAction.REMOVE)
    return [*lines[:at], FeedEntry(lines[at].number, FeedAction.REMOVE, "f" * 32), *lines[at + 1 :]]


def add_twice(lines: list[FeedEntry], at: int) -> list[FeedEntry]:
    """Adds the signal of entry `at` again under a new entry, with consecutive numbers."""
    assume(lines[at].signal is not None)
    again = FeedEntry(0, FeedAction.ADD, "f" * 32, lines[at].signal)
    spread = [*lines[: at + 1], again, *lines[at + 1 :]]
    first = lines[0].number
    return [FeedEntry(n, e.action, e.entry, e.signal) for n, e in enumerate(spread, first)]


@given(logs(), st.data(), st.sampled_from([drop, repeat, swap, rename, add_twice]))
def test_corrupt_feeds(
    log: Log, data: st.DataObject, corrupt: Callable[[list[FeedEntry], int], list[FeedEntry]]
) -> None:
    """If any entry of a feed is dropped, repeated, swapped, renamed or duplicated, the page is refused."""
    start = data.draw(st.integers(0, len(log.lines) - 1), label="start")
    follower = Follower()
    follower.read(log, 1, start)
    honest = log.lines[start:]
    at = data.draw(st.integers(0, len(honest) - 1), label="at")
    assume(corrupt is not swap or at + 1 < len(honest))
    lines = corrupt(honest, at)
    before = follower.position
    with pytest.raises(FeedBroken):
        follower.take(FeedPage(lines, max(len(log.lines), before.head)), 1000)
    assert follower.position == before


@given(logs(), st.integers(1, 5))
def test_cut_pages(log: Log, missing: int) -> None:
    """A page that ends before its head, and before the limit, is refused."""
    lines = log.lines[: max(0, len(log.lines) - missing)]
    with pytest.raises(FeedBroken, match="withheld"):
        follow(FeedPosition(), Known(), FeedPage(lines, len(log.lines)))
