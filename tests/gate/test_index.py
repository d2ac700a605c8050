import random
from threading import Event, Thread

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from takeback.gate.index import Hit, ScanningIndex
from takeback.signals import PDQ_MATCH_DISTANCE, Signal, SignalType, hamming_distance
from tests.gate.feeds import entry_id, signal

CODES = st.integers(0, 2**256 - 1)


def pdq(code: int, quality: int = 100) -> Signal:
    """The signal of a code."""
    return Signal(SignalType.PDQ, f"{code:064x}", quality)


def flip(code: int, bits: int, seed: int) -> int:
    """`code` with so many bits changed."""
    for bit in random.Random(seed).sample(range(256), bits):
        code ^= 1 << bit
    return code


def found(index: ScanningIndex, asked: Signal) -> set[tuple[str, int]]:
    """What the index finds for one signal."""
    return {(hit.entry, hit.distance) for hit in index.query([asked])}


@given(CODES, st.integers(0, 256), st.integers(), st.integers(0, 63))
def test_every_distance(code: int, bits: int, seed: int, limit: int) -> None:
    """A code is found at its distance when that is within the limit, up to the code's own complement."""
    index = ScanningIndex(limit)
    index.add("e", pdq(flip(code, bits, seed)))
    assert found(index, pdq(code)) == ({("e", bits)} if bits <= limit else set())


def test_around_the_threshold() -> None:
    """From distance 0 to 64, the index finds 31 and nearer, and nothing farther."""
    index = ScanningIndex()
    code = random.Random(1).getrandbits(256)
    for bits in range(65):
        index.add(entry_id(bits), pdq(flip(code, bits, bits)))
    assert found(index, pdq(code)) == {(entry_id(bits), bits) for bits in range(PDQ_MATCH_DISTANCE + 1)}


def test_beyond_one_block() -> None:
    """Among 70,000 codes, more than are scanned at once, the near ones are found in every part of the array."""
    numbers = random.Random(2)
    codes = [numbers.getrandbits(256) for _ in range(70_000)]
    index = ScanningIndex()
    for place, code in enumerate(codes):
        index.add(str(place), pdq(code))
    for place in (0, 32767, 32768, 65535, 65536, 69_999):
        assert found(index, pdq(flip(codes[place], 20, place))) == {(str(place), 20)}


def test_exact() -> None:
    """A sha256 or md5 is found when it is equal, whichever of the signals asked for it is."""
    index = ScanningIndex()
    sha, md = signal(1, SignalType.SHA256), signal(1, SignalType.MD5)
    index.add("s", sha)
    index.add("m", md)
    assert index.query([signal(2, SignalType.MD5), md, sha]) == [Hit(1, "m", 0), Hit(2, "s", 0)]


def test_low_quality() -> None:
    """A pdq below the quality floor is not used for matching on either side, equal or not."""
    index = ScanningIndex()
    index.add("low", pdq(1, 49))
    index.add("good", pdq(2, 50))
    assert found(index, pdq(1, 50)) == {("good", 2)}
    assert found(index, pdq(2, 49)) == set()


def test_a_signal_comes_back() -> None:
    """A signal that is added under a new entry before its old entry is removed stays."""
    index = ScanningIndex()
    sha = signal(1, SignalType.SHA256)
    index.add("old", sha)
    index.add("new", sha)
    index.remove("old")
    assert index.query([sha]) == [Hit(0, "new", 0)]


class Model(RuleBasedStateMachine):
    """Adds, replacements and removals in any order, against brute force. Codes lie in two clusters and far away."""

    def __init__(self) -> None:
        super().__init__()
        self.index = ScanningIndex()
        self.model: dict[str, Signal] = {}

    @rule(entry=st.integers(0, 12), bits=st.integers(0, 80), seed=st.integers(0, 99), quality=st.integers(40, 60))
    def add_pdq(self, entry: int, bits: int, seed: int, quality: int) -> None:
        """Adds or replaces a code near 0, near 2**255 or in between."""
        self.put(str(entry), pdq(flip(2**255 if seed % 2 else 0, bits, seed), quality))

    @rule(entry=st.integers(0, 12), seed=st.integers(0, 5), kind=st.sampled_from([SignalType.MD5, SignalType.SHA256]))
    def add_exact(self, entry: int, seed: int, kind: SignalType) -> None:
        """Adds or replaces an exact hash."""
        new = signal(seed, kind)
        if new not in self.model.values():
            self.put(str(entry), new)

    @rule(entry=st.integers(0, 12))
    def remove(self, entry: int) -> None:
        """Removes an entry that may be there or not."""
        self.model.pop(str(entry), None)
        self.index.remove(str(entry))

    def put(self, entry: str, new: Signal) -> None:
        """Does the same to both."""
        self.model[entry] = new
        self.index.add(entry, new)

    @invariant()
    def equals_brute_force(self) -> None:
        """Every look-up finds what comparing with everything finds."""
        for asked in (pdq(0), pdq(2**255), pdq(2**256 - 1), signal(1, SignalType.MD5), signal(2, SignalType.SHA256)):
            near = {
                (entry, hamming_distance(held.value, asked.value))
                for entry, held in self.model.items()
                if held.type is asked.type and (held.quality is None or held.quality >= 50)
            }
            reach = PDQ_MATCH_DISTANCE if asked.type is SignalType.PDQ else 0
            assert found(self.index, asked) == {(entry, far) for entry, far in near if far <= reach}


TestModel = Model.TestCase


def test_removing_while_looking_up() -> None:
    """While one thread adds and removes thousands, every look-up finds what stays and nothing that never was near."""
    index = ScanningIndex()
    stays = random.Random(3).getrandbits(256)
    index.add("stays", pdq(stays))
    done = Event()
    wrong: list[set[tuple[str, int]]] = []

    def look() -> None:
        while not done.is_set():
            got = found(index, pdq(stays))
            if ("stays", 0) not in got or any(entry.startswith("far") or far > 31 for entry, far in got):
                wrong.append(got)

    lookers = [Thread(target=look) for _ in range(3)]
    for looker in lookers:
        looker.start()
    for place in range(4000):
        index.add(f"near{place}", pdq(flip(stays, 10, place)))
        index.add(f"far{place}", pdq(flip(stays, 100, place)))
        index.remove(f"near{place}")
        if place % 3:
            index.remove(f"far{place}")
    done.set()
    for looker in lookers:
        looker.join()
    assert wrong == []
    assert found(index, pdq(stays)) == {("stays", 0)}
