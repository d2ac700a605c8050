from dataclasses import replace
from typing import Any

import pytest

from takeback.protocol import (
    AgeBand,
    CaseState,
    FeedAction,
    FeedbackEvent,
    NewCase,
    Picture,
    PictureKind,
    PictureStatus,
    SignalMessage,
    Verdict,
)
from takeback.registry.rules import cases
from takeback.registry.rules.platform_list import Reached
from takeback.signals import SignalKey, SignalType
from takeback.times import DAY_SECONDS

A, B, C = (SignalMessage(SignalType.MD5, digit * 32) for digit in "abc")


def new_case(*pictures: list[SignalMessage]) -> NewCase:
    """A case of these pictures."""
    return NewCase([Picture(signals) for signals in pictures])


def register(*new: NewCase, active: dict[SignalKey, int] | None = None) -> cases.Registered:
    """Registers cases when ten entries exist."""
    return cases.register(new, active or {}, 10)


def test_every_new_signal_is_one_entry() -> None:
    """A signal in several pictures and cases becomes one entry, which all of them hold."""
    registered = register(new_case([A, B], [A]), new_case([B, C]))

    assert [(one.number, one.signal) for one in registered.entries] == [(11, A), (12, B), (13, C)]
    assert registered.held == (((11, 12), (11,)), ((12, 13),))


def test_an_active_signal_is_held_and_not_added() -> None:
    """A signal that already has an active entry is held through that entry."""
    registered = register(new_case([A, B]), active={(A.type, A.value): 3})

    assert [one.signal for one in registered.entries] == [B]
    assert registered.held == (((3, 11),),)


def test_the_first_sender_says_what_an_entry_is() -> None:
    """If one transaction has a hash twice with different qualities, kinds and ages, the first is kept."""
    first, second = (SignalMessage(SignalType.PDQ, "c" * 64, quality) for quality in (90, 10))
    one = NewCase([Picture([first], PictureKind.VIDEO, ai_made=True)], AgeBand.WAS_MINOR)

    (entry,) = register(one, new_case([second])).entries

    assert entry == cases.Entry(11, first, PictureKind.VIDEO, True, AgeBand.WAS_MINOR)


@pytest.mark.parametrize(
    ("in_feed", "held", "lines", "dropped"),
    [
        (False, True, ((FeedAction.ADD, 5),), ()),
        (True, False, ((FeedAction.REMOVE, 5),), ()),
        (True, True, (), ()),
        (False, False, (), (5,)),
    ],
)
def test_the_feed_publishes_the_state_when_an_entry_is_due(
    in_feed: bool, held: bool, lines: tuple[object, ...], dropped: tuple[int, ...]
) -> None:
    """A due entry is added if a picture holds it, removed if none does, and dropped if it never entered the feed."""
    settled = cases.settle([cases.Due(5, in_feed, held)], lambda _: None)

    assert (settled.lines, settled.dropped) == (lines, dropped)


def test_lines_that_are_due_together_are_shuffled() -> None:
    """Additions and removals that are due together are published in the shuffled order."""
    due = [cases.Due(number, in_feed=number % 2 == 0, held=number % 2 == 1) for number in (1, 2, 3)]

    settled = cases.settle(due, lambda order: order.reverse())

    assert [number for _, number in settled.lines] == [3, 2, 1]


def event(number: int, *entries: str) -> FeedbackEvent:
    """A blocked upload."""
    return FeedbackEvent(f"{number:032x}", Verdict.BLOCKED, list(entries))


def test_feedback_is_stored_once_and_only_for_active_entries() -> None:
    """An event is stored once, with its active entries; one without any is not, and the receipt names unknown ids."""
    first, repeat, foreign, known = event(1, "x", "y", "gone"), event(1, "y"), event(2, "gone"), event(3, "x")
    recorded = cases.record([first, repeat, foreign, known], {known.id}, {"x": 1, "y": 2})

    assert [(e, sorted(touched)) for e, touched in recorded.events] == [(first, [1, 2])]
    assert recorded.receipt.recorded == 3
    assert recorded.receipt.unknown_entries == ["gone"]


def case(**more: Any) -> cases.Case:
    """An old case, with these fields changed."""
    return replace(cases.Case("0000000001", b"", CaseState.ACTIVE, 0, 0, None, 1, None), **more)


def test_a_status_has_pictures_and_times() -> None:
    """A status has the given pictures, and times in the protocol's format."""
    seen = PictureStatus(3, 1, "1970-01-01T00:00:01Z", "1970-01-01T00:00:02Z")

    status = cases.status(case(), Reached(4, 12), [cases.NOTHING_SEEN, seen], cases.CasePolicy(), 0)

    assert status.pictures == [PictureStatus(0, 0, None, None), seen]
    assert (status.platforms, status.small_sites) == (4, 12)
    assert (status.received_at, status.withdrawn_at) == ("1970-01-01T00:00:00Z", None)
    assert (status.expires_at, status.expires_soon) == (None, False)


def test_no_platform_has_an_unpublished_change() -> None:
    """Until its last change is in the feed, a case counts no platforms and no small sites."""
    status = cases.status(case(settles_at=5), Reached(4, 12), [], cases.CasePolicy(), 0)
    assert (status.platforms, status.small_sites) == (0, 0)


@pytest.mark.parametrize(("now", "soon"), [(70 * DAY_SECONDS - 1, False), (70 * DAY_SECONDS, True)])
def test_a_status_warns_before_a_case_expires(now: int, soon: bool) -> None:
    """A case's status warns from 30 days before it expires, which is counted from its last new picture."""
    status = cases.status(
        case(renewed_at=10 * DAY_SECONDS), Reached(0, 0), [], cases.CasePolicy(expiry_seconds=90 * DAY_SECONDS), now
    )

    assert (status.expires_at, status.expires_soon) == ("1970-04-11T00:00:00Z", soon)


def test_an_ended_case_does_not_expire() -> None:
    """The status of a withdrawn case has no time of expiry."""
    ended = case(state=CaseState.WITHDRAWN, withdrawn_at=1)

    policy = cases.CasePolicy(expiry_seconds=DAY_SECONDS)
    assert cases.status(ended, Reached(0, 0), [], policy, 10 * DAY_SECONDS).expires_at is None
