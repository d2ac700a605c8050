import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.errors import InvalidSignal
from takeback.signals import HEX_DIGITS, MAX_FRAMES, Frame, Signal, SignalType, frames_of, hamming_distance

FRAME = f"0,100,{'a' * 64},0.000"
HASHES = st.binary(min_size=32, max_size=32).map(bytes.hex)


@pytest.mark.parametrize(
    ("kind", "value", "quality", "field"),
    [
        (SignalType.PDQ, "a" * 64, None, "quality"),
        (SignalType.PDQ, "a" * 64, -1, "quality"),
        (SignalType.PDQ, "a" * 64, 101, "quality"),
        (SignalType.MD5, "a" * 32, 50, "quality"),
        (SignalType.PDQ, "a" * 63, 50, "value"),
        (SignalType.MD5, "a" * 64, None, "value"),
        (SignalType.SHA256, "A" * 64, None, "value"),
        (SignalType.SHA256, "g" * 64, None, "value"),
        (SignalType.SHA256, "", None, "value"),
        (SignalType.PHASH, "a" * 16, 50, "quality"),
        (SignalType.PHASH, "a" * 15, None, "value"),
        (SignalType.VPDQ, FRAME, 50, "quality"),
        (SignalType.VPDQ, "", None, "value"),
        (SignalType.VPDQ, f"{FRAME};", None, "value"),
        (SignalType.VPDQ, f"{FRAME};{FRAME}", None, "value"),
        (SignalType.VPDQ, f"7,100,{'a' * 64},2.000;8,100,{'a' * 64},1.999", None, "value"),
        (SignalType.VPDQ, f"0,101,{'a' * 64},0.000", None, "value"),
        (SignalType.VPDQ, f"00,100,{'a' * 64},0.000", None, "value"),
        (SignalType.VPDQ, f"0,100,{'a' * 64},0.00", None, "value"),
        (SignalType.VPDQ, f"0,100,{'A' * 64},0.000", None, "value"),
        (SignalType.VPDQ, f"0,100,{'a' * 64},0.000\n", None, "value"),
        (SignalType.VPDQ, ";".join(f"{n},9,{'a' * 64},{n}.000" for n in range(MAX_FRAMES + 1)), None, "value"),
    ],
)
def test_a_signal_that_does_not_fit_its_type_is_refused(
    kind: SignalType, value: str, quality: int | None, field: str
) -> None:
    """A hash of the wrong length or alphabet, or a misplaced quality, is refused by the field's name."""
    with pytest.raises(InvalidSignal) as refused:
        Signal(kind, value, quality)
    assert refused.value.field == field


def test_every_type_has_its_length() -> None:
    """Each type of signal except that of videos has a fixed number of hex digits."""
    assert HEX_DIGITS.keys() == set(SignalType) - {SignalType.VPDQ}


@given(st.lists(st.tuples(HASHES, st.integers(0, 100), st.integers(1, 10**6)), min_size=1, max_size=MAX_FRAMES))
def test_frames_survive_their_text(drawn: list[tuple[str, int, int]]) -> None:
    """A video's frames are read back as written, to the millisecond."""
    number, frames = 0, []
    for value, quality, step in drawn:
        frames.append(Frame(number, quality, value, number / 1000))
        number += step
    text = ";".join(map(str, frames))
    assert frames_of(text) == tuple(frames)
    assert Signal(SignalType.VPDQ, text).value == text


@given(HASHES, HASHES, HASHES)
def test_distance_is_a_distance(a: str, b: str, c: str) -> None:
    """The Hamming distance is a metric: symmetric, 0 only to itself, at most 256, with the triangle inequality."""
    assert hamming_distance(a, b) == hamming_distance(b, a)
    assert (hamming_distance(a, b) == 0) == (a == b)
    assert hamming_distance(a, c) <= hamming_distance(a, b) + hamming_distance(b, c)
    assert hamming_distance(a, b) <= 256


@given(HASHES, st.sets(st.integers(0, 255)))
def test_flipped_bits_are_counted(value: str, bits: set[int]) -> None:
    """The distance to a hash with some bits flipped is the number of flipped bits."""
    flipped = int(value, 16)
    for bit in bits:
        flipped ^= 1 << bit
    assert hamming_distance(value, f"{flipped:064x}") == len(bits)
