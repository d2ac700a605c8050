from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.errors import InvalidSignal
from takeback.signals import (
    HEX_DIGITS,
    MAX_FRAMES,
    MAX_PATCH_FRAMES,
    MAX_PATCHES,
    MIN_PATCHES,
    PATCH_ONES,
    Frame,
    Signal,
    SignalType,
    Variant,
    frames_of,
    hamming_distance,
    patches_of,
    patches_value,
    why_uninformative,
)

FRAME = f"0,100,{'a' * 64},0.000"
PATCH = "0123456789abcdef"
PATCHES = st.integers(0, 2**64 - 1).map(lambda bits: f"{bits:016x}")
DETAILED = st.permutations(range(64)).flatmap(
    lambda bits: st.sampled_from(PATCH_ONES).map(lambda ones: f"{sum(1 << bit for bit in bits[:ones]):016x}")
)
"""Local hashes with as many set bits as a picture's."""
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
        (SignalType.PATCHES, PATCH, 50, "quality"),
        (SignalType.PATCHES, "", None, "value"),
        (SignalType.PATCHES, ";", None, "value"),
        (SignalType.PATCHES, f"{PATCH};", None, "value"),
        (SignalType.PATCHES, f"{PATCH},", None, "value"),
        (SignalType.PATCHES, PATCH[:-1], None, "value"),
        (SignalType.PATCHES, f"{PATCH}0", None, "value"),
        (SignalType.PATCHES, PATCH.upper(), None, "value"),
        (SignalType.PATCHES, f"{PATCH}\n", None, "value"),
        (SignalType.PATCHES, f"{PATCH}, {PATCH}", None, "value"),
        (SignalType.PATCHES, f"{PATCH},{PATCH}", None, "value"),
        (SignalType.PATCHES, f"{PATCH},{'0' * 16}", None, "value"),
        (SignalType.PATCHES, ",".join(f"{n:016x}" for n in range(MAX_PATCHES + 1)), None, "value"),
        (SignalType.PATCHES, ";".join([PATCH] * (MAX_PATCH_FRAMES + 1)), None, "value"),
    ],
)
def test_a_signal_that_does_not_fit_its_type_is_refused(
    kind: SignalType, value: str, quality: int | None, field: str
) -> None:
    """A hash of the wrong length or alphabet, or a misplaced quality, is refused by the field's name."""
    with pytest.raises(InvalidSignal) as refused:
        Signal(kind, value, quality)
    assert refused.value.field == field


def test_a_signal_that_is_changed_is_checked_too() -> None:
    """`_replace` refuses what the type refuses, and a signal never changes in place."""
    signal = Signal(SignalType.PDQ, "a" * 64, 90)
    assert signal._replace(quality=91) == Signal(SignalType.PDQ, "a" * 64, 91)
    with pytest.raises(InvalidSignal):
        signal._replace(quality=None)
    with pytest.raises(AttributeError):
        signal.quality = 91  # type: ignore[misc]


def test_every_type_has_its_length() -> None:
    """Each type of signal has a fixed number of hex digits, except those of several hashes."""
    assert HEX_DIGITS.keys() == set(SignalType) - {SignalType.VPDQ, SignalType.PATCHES}


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


@given(st.lists(st.lists(PATCHES, min_size=1, max_size=MAX_PATCHES), min_size=1, max_size=MAX_PATCH_FRAMES))
def test_patches_survive_their_text(drawn: list[list[str]]) -> None:
    """The local hashes of each frame are read back in ascending order, each once, and the value is under 4 KB."""
    text = patches_value(drawn)
    assert patches_of(text) == tuple(tuple(sorted(set(hashes))) for hashes in drawn)
    assert patches_value(patches_of(text)) == Signal(SignalType.PATCHES, text).value == text
    assert len(text) < 4096


@given(st.text(alphabet="0123456789abcdef,;\n", max_size=80) | st.text())
def test_any_text_is_patches_or_is_refused(text: str) -> None:
    """Arbitrary text parses to what is written back as the same text, or raises `InvalidSignal`."""
    with suppress(InvalidSignal):
        assert patches_value(patches_of(text)) == text


@pytest.mark.parametrize("variant", [variant for variant in Variant if variant is not Variant.WHOLE])
def test_patches_describe_the_whole_picture(variant: Variant) -> None:
    """Local hashes with another variant than `whole` are refused, by the field's name."""
    with pytest.raises(InvalidSignal) as refused:
        Signal(SignalType.PATCHES, PATCH, variant=variant)
    assert refused.value.field == "variant"


@given(st.lists(st.lists(DETAILED, min_size=1, max_size=5, unique=True), min_size=1, max_size=3))
def test_patches_identify_a_picture_if_one_frame_has_enough(frames: list[list[str]]) -> None:
    """A value identifies a picture if one of its frames has at least three hashes; a lone one identifies nothing."""
    signal = Signal(SignalType.PATCHES, patches_value(frames))
    assert (why_uninformative(signal) == "") == any(len(hashes) >= MIN_PATCHES for hashes in frames)


@given(PATCHES, st.sets(DETAILED, min_size=MIN_PATCHES, max_size=6))
def test_each_of_the_patches_has_detail(patch: str, others: set[str]) -> None:
    """A hash with too few or too many set bits makes the value one that identifies no picture."""
    signal = Signal(SignalType.PATCHES, patches_value([{patch, *others}]))
    assert (why_uninformative(signal) == "") == (16 <= int(patch, 16).bit_count() <= 48)


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
