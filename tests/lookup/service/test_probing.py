from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.lookup.messages import RemoteQuestion
from takeback.lookup.service import probing
from takeback.lookup.service.probing import (
    FREE_QUESTIONS,
    MAX_WAIT_SECONDS,
    SPACING_SECONDS,
    WINDOW_SECONDS,
    ProbingBrake,
)
from takeback.protocol import SignalMessage
from takeback.signals import Signal, SignalType, patches_value
from tests.gate.feeds import signal


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def about(*signals: Signal, **more: object) -> RemoteQuestion:
    return RemoteQuestion([SignalMessage.of(one) for one in signals], **more)  # type: ignore[arg-type]


def pdq(value: int) -> Signal:
    return Signal(SignalType.PDQ, f"{value:064x}", 100)


def walk(seed: int, flips: int = 1) -> list[RemoteQuestion]:
    """The questions of somebody who changes a hash bit by bit."""
    numbers = Random(seed)
    base = numbers.getrandbits(256)
    return [about(pdq(base ^ sum(1 << bit for bit in numbers.sample(range(256), flips)))) for _ in range(400)]


@pytest.mark.parametrize("flips", [1, 4, 16])
def test_a_walk_is_noticed(flips: int) -> None:
    """Questions that differ in a few bits are free at first, and then spaced out."""
    clock = Clock()
    brake = ProbingBrake(clock)
    waits = [brake.wait("forum", question) for question in walk(1, flips)]
    assert set(waits[:FREE_QUESTIONS]) == {0.0}
    slowed = [wait for wait in waits if wait]
    assert len(slowed) > 100
    assert max(slowed) > MAX_WAIT_SECONDS


def test_a_walk_takes_hours() -> None:
    """Whoever waits as told gets hardly more than one answer in `SPACING_SECONDS` and the free ones of each period."""
    clock = Clock()
    brake = ProbingBrake(clock)
    answered = 0
    numbers = Random(2)
    base = numbers.getrandbits(256)
    while clock.now < 3 * WINDOW_SECONDS:
        wait = brake.wait("forum", about(pdq(base ^ 1 << numbers.randrange(256) ^ 1 << numbers.randrange(256))))
        answered += wait <= MAX_WAIT_SECONDS
        clock.now += 1
    # Two questions share a sample in most cases, not in all.
    assert answered < 3 * (2 * FREE_QUESTIONS + WINDOW_SECONDS / SPACING_SECONDS) * 2


def test_strangers_are_not_slowed() -> None:
    """Ten thousand questions about pictures that have nothing to do with each other are all answered at once."""
    clock = Clock()
    brake = ProbingBrake(clock)
    numbers = Random(3)
    assert not any(brake.wait("forum", about(pdq(numbers.getrandbits(256)))) for _ in range(10_000))


def test_the_same_question_is_not_slowed() -> None:
    """A picture that is uploaded again and again is asked about again and again."""
    brake = ProbingBrake(Clock())
    assert not any(brake.wait("forum", about(signal(1))) for _ in range(1000))


def test_only_the_site_and_the_neighbourhood_are_slowed() -> None:
    """Another site, and other pictures of the same site, are answered at once."""
    brake = ProbingBrake(Clock())
    steps = walk(4)
    for question in steps:
        brake.wait("prober", question)
    assert brake.wait("prober", steps[-1]) or brake.wait("prober", steps[-2])
    assert brake.wait("forum", steps[-1]) == 0
    assert brake.wait("prober", about(signal(9))) == 0


def test_forms_patches_and_frames_are_walked_too() -> None:
    """A walk is noticed wherever in a question the changing hash stands."""
    numbers = Random(5)
    base = numbers.getrandbits(256)
    codes = [f"{numbers.getrandbits(64):016x}" for _ in range(12)]
    frames = [numbers.getrandbits(256) for _ in range(8)]

    def changed() -> int:
        return base ^ 1 << numbers.randrange(256)

    def patches() -> list[str]:
        return sorted([*codes, f"{numbers.getrandbits(64):016x}"])

    def video() -> Signal:
        shown = [*frames, numbers.getrandbits(256)]
        value = ";".join(f"{place},90,{frame:064x},{place}.000" for place, frame in enumerate(shown))
        return Signal(SignalType.VPDQ, value)

    places: tuple[Callable[[], RemoteQuestion], ...] = (
        lambda: about(signal(numbers.randrange(10**9)), dihedral={"rot90": f"{changed():064x}"}),
        lambda: about(signal(1), patches=[(code, 0, 0) for code in patches()]),
        lambda: about(Signal(SignalType.PATCHES, patches_value([patches()]))),
        lambda: about(video()),
        lambda: about(Signal(SignalType.PHASH, f"{0x1234567890ABCDEF ^ 1 << numbers.randrange(32):016x}"), signal(1)),
    )
    for make in places:
        brake = ProbingBrake(Clock())
        assert any(brake.wait("forum", make()) for _ in range(400))


def test_counting_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the period, or very many questions, a site starts from nothing, so that memory is bounded."""
    monkeypatch.setattr(probing, "MAX_WINDOW_QUESTIONS", 50)
    clock = Clock()
    brake = ProbingBrake(clock)
    steps = walk(6)
    waits = [brake.wait("forum", question) for question in steps[:49]]
    assert any(waits)
    brake.wait("forum", about(signal(1)))
    assert brake.wait("forum", steps[60]) == 0
    for question in steps[100:140]:
        brake.wait("forum", question)
    clock.now += WINDOW_SECONDS + 1
    assert brake.wait("forum", steps[200]) == 0


@given(st.lists(st.integers(0, (1 << 256) - 1), min_size=1, max_size=8))
def test_any_question_is_counted(values: list[int]) -> None:
    """A wait is never negative, whatever is asked."""
    brake = ProbingBrake(Clock())
    assert brake.wait("forum", about(*map(pdq, values))) == 0
