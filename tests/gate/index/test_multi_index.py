from collections.abc import Sequence
from threading import Event, Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from takeback.gate.index.multi_index import MERGE_ROWS, HeldFrame, Hit, MultiIndex, Reach
from takeback.signals import PDQ_MATCH_DISTANCE, Frame, Signal, SignalType
from tests.gate.codes import as_rows, as_signals, flip, found, near, pdq, shaped
from tests.gate.feeds import entry_id, signal

CODES = st.integers(0, 2**256 - 1)
SHAPES = ("random", "clustered", "duplicate", "adversarial")


def filled(held: dict[str, Signal], reach: Reach | None = None) -> MultiIndex:
    """An index of these signals, in buckets."""
    return MultiIndex.of(reach or Reach(), as_rows(held))


def video(*hashes: tuple[int, int]) -> Signal:
    """A vpdq signal whose frames have these codes and qualities."""
    frames = [Frame(place, quality, f"{code:064x}", float(place)) for place, (code, quality) in enumerate(hashes)]
    return Signal(SignalType.VPDQ, ";".join(map(str, frames)))


@given(CODES, st.integers(0, 256), st.integers(), st.integers(0, 63), st.booleans())
def test_every_distance(code: int, bits: int, seed: int, limit: int, bucketed: bool) -> None:
    """A code is found at its distance if that is within the limit, up to the code's own complement."""
    held = {entry_id(1): pdq(flip(code, bits, seed))}
    index = filled(held, Reach(pdq=limit)) if bucketed else MultiIndex(Reach(pdq=limit))
    index.add(entry_id(1), held[entry_id(1)])
    assert found(index, pdq(code)) == ({(entry_id(1), bits)} if bits <= limit else set())


@pytest.mark.parametrize("limit", range(64))
def test_every_limit(limit: int) -> None:
    """Built for any limit from 0 to 63, the index finds among thousands all codes at distances that it should."""
    numbers = shaped("random", 1, limit)
    held = as_signals(
        [*(flip(numbers[0], bits, bits + 99 * limit) for bits in range(65)), *shaped("random", 2000, limit + 100)]
    )
    index = filled(held, Reach(pdq=limit))
    assert found(index, pdq(numbers[0])) == {(f"{bits:032x}", bits) for bits in range(limit + 1)}


@pytest.mark.parametrize(("codes", "limit"), [(100, 34), (101, 31)])
def test_long_list(codes: int, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list longer than the limit is searched within fewer bits."""
    monkeypatch.setattr("takeback.gate.index.native.LONG_LIST_CODES", 100)
    number = shaped("random", 1, 7)[0]
    near_ones = [flip(number, bits, bits) for bits in range(28, 38)]
    held = as_signals([*near_ones, *shaped("random", codes - len(near_ones), 8)])
    index = filled(held, Reach(pdq=34, long_list_pdq=31))
    assert {bits for _, bits in found(index, pdq(number))} == set(range(28, limit + 1))


@settings(max_examples=60)
@given(st.sampled_from(SHAPES), st.integers(1, 600), st.integers(0, 63), st.integers(0, 2**32), st.integers(0, 80))
def test_against_brute_force(shape: str, count: int, limit: int, seed: int, bits: int) -> None:
    """For any distribution of codes and any limit, the index finds what brute force finds."""
    held = as_signals(shaped(shape, count, seed))
    index = filled(held, Reach(pdq=limit))
    for place in (0, count // 2, count - 1):
        asked = pdq(flip(int(held[f"{place:032x}"].value, 16), bits, seed))
        assert found(index, asked) == near(held, asked, limit)


@pytest.mark.parametrize("shape", SHAPES)
def test_many(shape: str) -> None:
    """Among 20,000 codes that are uniform, clustered, equal or in one bucket, each look-up finds all that are near."""
    held = as_signals(shaped(shape, 20_000, 5))
    index = filled(held)
    for place in range(0, 20_000, 5_000):
        asked = pdq(flip(int(held[f"{place:032x}"].value, 16), place // 1000, place))
        assert found(index, asked) == near(held, asked, PDQ_MATCH_DISTANCE)


@settings(max_examples=40)
@given(st.sampled_from(SHAPES), st.integers(1, 300), st.integers(0, 16), st.integers(0, 2**32))
def test_phash(shape: str, count: int, limit: int, seed: int) -> None:
    """A phash of 64 bits is found within any limit that can be set, as by brute force."""
    codes = shaped(shape, count, seed, 64)
    held = {f"{place:032x}": Signal(SignalType.PHASH, f"{code:016x}") for place, code in enumerate(codes)}
    asked = Signal(SignalType.PHASH, f"{flip(codes[0], seed % 12, seed, 64):016x}")
    assert found(filled(held, Reach(phash=limit)), asked) == near(held, asked, limit)


@pytest.mark.parametrize("kind", [SignalType.SHA256, SignalType.MD5])
def test_exact(kind: SignalType) -> None:
    """Among thousands, a sha256 or md5 is found if it is equal, and not if one bit differs."""
    held = {entry_id(seed): signal(seed, kind) for seed in range(3000)}
    for index in (filled(held), MultiIndex()):
        for seed in (0, 1500, 2999):
            index.add(entry_id(seed), held[entry_id(seed)])
            value = held[entry_id(seed)].value
            assert found(index, held[entry_id(seed)]) == {(entry_id(seed), 0)}
            assert found(index, Signal(kind, f"{int(value, 16) ^ 1:0{len(value)}x}")) == set()


def test_several_at_once() -> None:
    """Hits refer to their signal by its position, whatever the types and order of the signals."""
    held = {entry_id(1): signal(1, SignalType.SHA256), entry_id(2): signal(1, SignalType.MD5), entry_id(3): pdq(7)}
    asked = [signal(2, SignalType.MD5), held[entry_id(2)], pdq(5, 70), held[entry_id(1)], pdq(2**255 - 1)]
    assert sorted(filled(held).query(asked)) == [
        Hit(1, entry_id(2), 0), Hit(2, entry_id(3), 1, 100), Hit(3, entry_id(1), 0),
    ]  # fmt: skip


def test_low_quality() -> None:
    """A pdq below the least quality does not match on either side; a hit has the entry's quality."""
    index = MultiIndex()
    index.add(entry_id(1), pdq(1, 49))
    index.add(entry_id(2), pdq(2, 50))
    assert index.query([pdq(1, 50)]) == [Hit(0, entry_id(2), 2, 50)]
    assert found(index, pdq(2, 49)) == set()
    everything = MultiIndex(Reach(quality=0))
    everything.add(entry_id(1), pdq(1, 49))
    assert everything.query([pdq(1, 0)]) == [Hit(0, entry_id(1), 0, 49)]


def test_videos() -> None:
    """A pdq, and each frame of a video, finds the frames near it and their places, unless its quality is low."""
    codes = shaped("random", 6, 3)
    index = MultiIndex()
    index.add(entry_id(1), video(*((code, 90) for code in codes[:4]), (codes[4], 10)))
    index.add(entry_id(2), video((codes[5], 90)))
    index.add(entry_id(3), pdq(codes[0], 70))
    asked = video((flip(codes[0], 5, 1), 80), (flip(codes[1], 9, 2), 60), (codes[2], 49), (~codes[3] % 2**256, 99))
    assert sorted(index.query([asked])) == [
        Hit(0, entry_id(1), 5, None, HeldFrame(0, 4)), Hit(0, entry_id(1), 9, None, HeldFrame(1, 4)),
    ]  # fmt: skip
    assert index.query([pdq(codes[0], 50), pdq(codes[4]), pdq(codes[5], 49)]) == [
        Hit(0, entry_id(3), 0, 70), Hit(0, entry_id(1), 0, None, HeldFrame(0, 4)),
    ]  # fmt: skip
    index.remove(entry_id(1))
    assert index.query([asked]) == []


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 600)), min_size=1, max_size=20))
def test_frames_have_the_place_of_their_second(held: Sequence[tuple[int, int]]) -> None:
    """Seconds are counted where a frame is first shown, whatever the number of frames in each."""
    codes = shaped("random", 6, 4)
    times = sorted(tenths for _, tenths in held)
    shown = [(code, tenths) for (code, _), tenths in zip(held, times, strict=True)]
    frames = [Frame(n, 90, f"{codes[code]:064x}", tenths / 10) for n, (code, tenths) in enumerate(shown)]
    index = filled({entry_id(1): Signal(SignalType.VPDQ, ";".join(map(str, frames)))})
    first: dict[int, int] = {}
    for code, tenths in shown:
        first.setdefault(code, (tenths + 5) // 10)
    seconds = sorted(set(first.values()))
    for code, second in first.items():
        assert index.query([pdq(codes[code])]) == [
            Hit(0, entry_id(1), 0, None, HeldFrame(seconds.index(second), len(seconds)))
        ]


def test_a_signal_comes_back() -> None:
    """A signal that is added under a new entry before its old entry is removed stays."""
    index = MultiIndex()
    sha = signal(1, SignalType.SHA256)
    index.add(entry_id(1), sha)
    index.add(entry_id(2), sha)
    index.remove(entry_id(1))
    assert found(index, sha) == {(entry_id(2), 0)}


def test_an_entry_gets_another_signal() -> None:
    """An entry that is replaced is found only by its new signal, even if that has another type."""
    index = filled({entry_id(1): pdq(1), entry_id(2): pdq(2**200 - 1)})
    index.add(entry_id(1), pdq(2**255 - 1))
    index.add(entry_id(2), signal(1, SignalType.MD5))
    assert found(index, pdq(1)) == set()
    assert found(index, pdq(2**200 - 1)) == set()
    assert found(index, pdq(2**255 - 1)) == {(entry_id(1), 0)}
    assert found(index, signal(1, SignalType.MD5)) == {(entry_id(2), 0)}


class Model(RuleBasedStateMachine):
    """Adds, replacements and removals in any order, against brute force. Codes lie in two clusters and far away."""

    def __init__(self) -> None:
        super().__init__()
        self.model = {entry_id(number): pdq(flip(0, number * 6, number)) for number in range(5)}
        self.index = filled(self.model)

    @rule(entry=st.integers(0, 12), bits=st.integers(0, 80), seed=st.integers(0, 99))
    def add_pdq(self, entry: int, bits: int, seed: int) -> None:
        """Adds or replaces a code near 0, near 2**255 or in between."""
        self.put(entry_id(entry), pdq(flip(2**255 if seed % 2 else 0, bits, seed), 50 + seed % 2))

    @rule(entry=st.integers(0, 12))
    def add_low(self, entry: int) -> None:
        """Adds or replaces a signal of too low a quality."""
        self.model.pop(entry_id(entry), None)
        self.index.add(entry_id(entry), pdq(0, 49))

    @rule(entry=st.integers(0, 12), seed=st.integers(0, 5), kind=st.sampled_from([SignalType.MD5, SignalType.SHA256]))
    def add_exact(self, entry: int, seed: int, kind: SignalType) -> None:
        """Adds or replaces an exact hash."""
        self.put(entry_id(entry), signal(seed, kind))

    @rule(entry=st.integers(0, 12))
    def remove(self, entry: int) -> None:
        """Removes an entry that may be absent."""
        self.model.pop(entry_id(entry), None)
        self.index.remove(entry_id(entry))

    @rule()
    def merge(self) -> None:
        """Merges all rows into tables, as happens when there are many."""
        for part in self.index._types.values():
            part._merge()

    def put(self, entry: str, new: Signal) -> None:
        """Makes the same change to the index and to the model."""
        self.model[entry] = new
        self.index.add(entry, new)

    @invariant()
    def equals_brute_force(self) -> None:
        """Every look-up finds what brute force finds."""
        for asked in (pdq(0), pdq(2**255), pdq(2**256 - 1), signal(1, SignalType.MD5), signal(2, SignalType.SHA256)):
            reach = PDQ_MATCH_DISTANCE if asked.type is SignalType.PDQ else 0
            assert found(self.index, asked) == near(self.model, asked, reach)


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=40, stateful_step_count=30)


def test_thousands_of_changes() -> None:
    """After tens of thousands of changes with merges meanwhile, no entry is lost or left over."""
    index, held = MultiIndex(), dict[str, Signal]()
    codes = shaped("clustered", MERGE_ROWS * 5 // 2, 11)
    for place, code in enumerate(codes):
        held[entry_id(place % (MERGE_ROWS * 3 // 2))] = pdq(code)
        index.add(entry_id(place % (MERGE_ROWS * 3 // 2)), pdq(code))
        if place % 3 == 0:
            held.pop(entry_id(place // 2), None)
            index.remove(entry_id(place // 2))
    index.wait()
    assert any(hasattr(part, "shape") for part in index._types[SignalType.PDQ]._parts)
    for place in range(0, len(codes), 4000):
        asked = pdq(flip(codes[place], 3, place))
        assert found(index, asked) == near(held, asked, PDQ_MATCH_DISTANCE)
    for entry in held:
        index.remove(entry)
    index.wait()
    assert index.query([pdq(code) for code in codes[::100]]) == []


def test_removing_while_looking_up() -> None:
    """While thousands are changed, every look-up finds what stays, and nothing that is far."""
    index = MultiIndex()
    stays = shaped("random", 1, 3)[0]
    index.add(entry_id(0), pdq(stays))
    far = {entry_id(place) for place in range(1, 4000)}
    done = Event()
    wrong: list[set[tuple[str, int]]] = []

    def look() -> None:
        while not done.is_set():
            got = {(hit.entry, hit.distance) for hit in index.query([pdq(stays)])}
            if (entry_id(0), 0) not in got or any(entry in far or distance > 31 for entry, distance in got):
                wrong.append(got)

    lookers = [Thread(target=look) for _ in range(3)]
    for looker in lookers:
        looker.start()
    for place in range(1, 4000):
        index.add(entry_id(-place), pdq(flip(stays, 10, place)))
        index.add(entry_id(place), pdq(flip(stays, 100, place)))
        index.add(entry_id(0), pdq(stays))
        index.remove(entry_id(-place))
        if place % 3:
            index.remove(entry_id(place))
    index.wait()
    done.set()
    for looker in lookers:
        looker.join()
    assert wrong == []
    assert found(index, pdq(stays)) == {(entry_id(0), 0)}
