import hashlib
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from takeback import protocol
from takeback.errors import InvalidMessage
from takeback.protocol import (
    AgeBand,
    CaseState,
    CaseStatus,
    EntryStatus,
    FeedAction,
    Feedback,
    FeedbackEvent,
    FeedbackReceipt,
    FeedEntry,
    FeedHead,
    FeedKey,
    FeedKeys,
    FeedPage,
    NewCase,
    Picture,
    PictureKind,
    PictureStatus,
    PlatformList,
    Problem,
    SignalMessage,
    Verdict,
    Withdrawal,
    decode,
    decode_request,
    encode,
)
from takeback.signals import HEX_DIGITS, Signal, SignalType, Variant, patches_value, why_uninformative

SPEC: Final = Path(protocol.__file__).with_name("PROTOCOL.md").read_text()
EXAMPLES: Final = dict(re.findall(r"^```json ([\w-]+)\n(.*?)^```$", SPEC, re.MULTILINE | re.DOTALL))
KINDS: Final[dict[str, type[Struct]]] = {
    "problem": Problem,
    "new-case": NewCase,
    "case-status": CaseStatus,
    "withdrawal": Withdrawal,
    "platforms": PlatformList,
    "feed-page": FeedPage,
    "feed-head": FeedHead,
    "feed-keys": FeedKeys,
    "feedback": Feedback,
    "feedback-receipt": FeedbackReceipt,
}

DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
IDS = st.binary(min_size=16, max_size=16).map(bytes.hex)
TIMES = st.just("2026-11-23T10:00:00Z")

HALF = (1 << 128) - 1
TELLING = st.integers(0, HALF).map(lambda bits: f"{bits << 128 | (bits ^ HALF):064x}")
"""Hashes of PDQ with half of their bits set."""


PATCHES = st.lists(
    st.sets(st.integers(0, 2**32 - 1).map(lambda bits: f"{bits << 32 | (bits ^ (2**32 - 1)):016x}"), min_size=3),
    min_size=1,
    max_size=12,
).map(lambda frames: patches_value(list(hashes)[:16] for hashes in frames))
"""Local hashes with half of their bits set."""


@st.composite
def signals(draw: st.DrawFn) -> SignalMessage:
    """Any signal."""
    kind = draw(st.sampled_from(SignalType))
    if kind is SignalType.PATCHES:
        return SignalMessage(kind, draw(PATCHES))
    size = HEX_DIGITS.get(kind, 64) // 2
    value = draw(st.binary(min_size=size, max_size=size)).hex()
    if kind in {SignalType.PDQ, SignalType.VPDQ}:
        value = draw(TELLING)
    elif kind is SignalType.PHASH:
        value = f"{draw(st.integers(1, 2**64 - 1)):016x}"
    if kind is SignalType.VPDQ:
        other = f"{int(value, 16) ^ (2**256 - 1):064x}"
        value = f"0,{draw(st.integers(0, 100))},{value},0.000;30,7,{other},{draw(st.integers(1, 10**6))}.000"
    quality = draw(st.integers(0, 100)) if kind is SignalType.PDQ else None
    return SignalMessage(kind, value, quality, draw(st.sampled_from(Variant)))


KINDS_OF_PICTURE = st.sampled_from(PictureKind)
AGES = st.sampled_from(AgeBand)
STANDINGS = st.sampled_from(EntryStatus)
DAYS = st.just("2026-11-23")
PICTURES = st.builds(
    Picture,
    st.lists(
        signals(), min_size=1, max_size=24, unique_by=(lambda s: (s.type, s.value), lambda s: (s.type, s.variant))
    ),
    KINDS_OF_PICTURE,
    st.booleans(),
)
NUMBERS = st.integers(1, 2**40)
ENTRIES = st.one_of(
    st.builds(
        FeedEntry,
        NUMBERS,
        st.just(FeedAction.ADD),
        IDS,
        signals(),
        KINDS_OF_PICTURE,
        st.booleans(),
        AGES,
        st.none() | DAYS,
        st.none() | STANDINGS,
        st.none() | IDS,
    ),
    st.builds(FeedEntry, NUMBERS, st.just(FeedAction.REMOVE), IDS),
    st.builds(FeedEntry, NUMBERS, st.just(FeedAction.ERASED), IDS, leaf=DIGESTS),
    st.builds(FeedEntry, NUMBERS, st.just(FeedAction.CHANGE), IDS, standing=STANDINGS),
)
COUNTS = st.integers(0, 2**40)
SHOWN_NAMES = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=60)
MESSAGES = st.one_of(
    st.builds(NewCase, st.lists(PICTURES, min_size=1, max_size=3), AGES),
    st.builds(Withdrawal, st.lists(st.integers(0, 999), min_size=1, max_size=5)),
    st.builds(
        CaseStatus,
        number=st.from_regex(protocol.CASE_NUMBER_PATTERN, fullmatch=True, alphabet=st.characters(codec="ascii")),
        state=st.sampled_from(CaseState),
        received_at=TIMES,
        withdrawn_at=st.none() | TIMES,
        platforms=COUNTS,
        pictures=st.lists(
            st.builds(
                PictureStatus, COUNTS, COUNTS, st.none() | TIMES, st.none() | TIMES, COUNTS, COUNTS, st.none() | TIMES
            ),
            max_size=3,
        ),
        expires_at=st.none() | TIMES,
        expires_soon=st.booleans(),
    ),
    st.builds(PlatformList, st.lists(SHOWN_NAMES, max_size=3), COUNTS),
    st.builds(FeedPage, st.lists(ENTRIES, max_size=5), COUNTS),
    st.builds(FeedHead, COUNTS, DIGESTS, COUNTS, TIMES, DIGESTS, DIGESTS.map(lambda half: half * 2)),
    st.builds(FeedKeys, st.lists(st.builds(FeedKey, DIGESTS, st.none() | DIGESTS.map(lambda half: half * 2)))),
    st.builds(
        Feedback,
        st.lists(
            st.builds(FeedbackEvent, IDS, st.sampled_from(Verdict), st.lists(IDS, min_size=1, max_size=64)),
            min_size=1,
            max_size=5,
        ),
    ),
    st.builds(FeedbackReceipt, COUNTS, st.lists(IDS, max_size=5)),
    st.builds(
        Problem, st.just("urn:takeback:problem:not-found"), st.text(), st.integers(400, 599), st.text(), st.text()
    ),
)


def test_every_message_has_its_example() -> None:
    """The specification has one example of each message, and of nothing else."""
    assert EXAMPLES.keys() == KINDS.keys()


@pytest.mark.parametrize("name", KINDS)
def test_the_examples_are_true(name: str) -> None:
    """Each example in the specification decodes, and encodes to the same JSON."""
    message = decode(EXAMPLES[name].encode(), KINDS[name])

    assert json.loads(encode(message)) == json.loads(EXAMPLES[name])


@given(MESSAGES)
def test_every_message_survives_the_wire(message: Struct) -> None:
    """An encoded message decodes to the same message."""
    assert decode(encode(message), type(message)) == message
    assert decode_request(encode(message), type(message)) == message


@given(MESSAGES, st.data())
def test_an_unknown_field_is_refused(message: Struct, data: st.DataObject) -> None:
    """An unknown field is refused by its name, in every message."""
    name = data.draw(st.text(alphabet="abcxyz_", min_size=1).filter(lambda n: not hasattr(message, n)))
    body = json.dumps({name: 1, **json.loads(encode(message))}).encode()

    with pytest.raises(InvalidMessage) as refused:
        decode(body, type(message))
    assert refused.value.field == name


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode), st.sampled_from(list(KINDS.values())))
def test_no_bytes_make_it_stumble(body: bytes, kind: type[Struct]) -> None:
    """Arbitrary bytes decode to a message or raise `InvalidMessage`."""
    with suppress(InvalidMessage):
        assert isinstance(decode_request(body, kind), Struct)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["pictures", "signals", "type", "value", "quality", "x"]), inner)
        ),
    )
)
def test_no_json_makes_it_stumble(value: object) -> None:
    """Arbitrary JSON decodes to a case or raises `InvalidMessage`."""
    with suppress(InvalidMessage):
        assert isinstance(decode_request(json.dumps(value).encode(), NewCase), Struct)


def test_a_signal_knows_its_message() -> None:
    """A signal survives conversion to a message and back."""
    message = SignalMessage(SignalType.PDQ, "a" * 64, 70, Variant.STORED)

    assert SignalMessage.of(message.signal()) == message


def test_a_field_that_stands_twice_is_refused() -> None:
    """A request with a repeated field in an object is refused with that field."""
    with pytest.raises(InvalidMessage) as refused:
        decode_request(b'{"recorded": 1, "recorded": 1, "unknown_entries": []}', FeedbackReceipt)
    assert refused.value.field == "recorded"


MD5 = {"type": "md5", "value": "a" * 32}


@pytest.mark.parametrize(
    ("action", "more", "complaint"),
    [
        ("add", {}, "a signal is required for add, and allowed only there"),
        ("remove", {"signal": MD5}, "a signal is required for add, and allowed only there"),
        ("erased", {"signal": MD5}, "a signal is required for add, and allowed only there"),
        ("change", {"signal": MD5, "standing": "block"}, "a signal is required for add, and allowed only there"),
        ("change", {}, "a change must have a standing"),
        ("remove", {"standing": "block"}, "a standing is allowed only for add and change"),
        ("erased", {"standing": "block"}, "a standing is allowed only for add and change"),
        ("remove", {"since": "2026-11-23"}, "kind, ai_made, age_band and since are allowed only for add"),
        ("remove", {"kind": "video"}, "kind, ai_made, age_band and since are allowed only for add"),
        (
            "change",
            {"standing": "block", "ai_made": True},
            "kind, ai_made, age_band and since are allowed only for add",
        ),
        ("erased", {"age_band": "was_minor"}, "kind, ai_made, age_band and since are allowed only for add"),
        ("remove", {"salt": "0" * 32}, "a salt is allowed only for add"),
        ("erased", {}, "a leaf is required for erased, and allowed only there"),
        ("remove", {"leaf": "0" * 64}, "a leaf is required for erased, and allowed only there"),
    ],
)
def test_each_action_has_its_fields(action: str, more: dict[str, object], complaint: str) -> None:
    """A feed entry that lacks a field of its action, or has one of another action, is refused."""
    entry = {"number": 1, "action": action, "entry": "a" * 32, **more}

    with pytest.raises(InvalidMessage, match=complaint):
        decode(json.dumps({"entries": [entry], "head": 1}).encode(), FeedPage)


def signal(kind: str, value: str, **more: object) -> dict[str, object]:
    """A signal in a message."""
    return {"type": kind, "value": value, **({"quality": 100} if kind == "pdq" else {}), **more}


def frames(*hashes: str) -> str:
    """A `vpdq` of these frames."""
    return ";".join(f"{place},100,{value},{place}.000" for place, value in enumerate(hashes))


def ones(count: int) -> str:
    """A PDQ hash with this number of bits set."""
    return f"{(1 << count) - 1:064x}"


REFUSED = {
    "a pdq of 99 bits": [signal("pdq", ones(99))],
    "a pdq of 157 bits": [signal("pdq", ones(157))],
    "a pdq of a view that is flat": [signal("pdq", "0" * 64, variant="stored")],
    "a phash of 0": [signal("phash", "0" * 16)],
    "sha256 of nothing": [signal("sha256", hashlib.sha256().hexdigest())],
    "md5 of nothing": [signal("md5", hashlib.md5(usedforsecurity=False).hexdigest())],
    "a vpdq of one frame": [signal("vpdq", frames(ones(128)))],
    "a vpdq whose frames are one": [signal("vpdq", frames(ones(128), ones(128)))],
    "two patches": [signal("patches", "00000000fffffffe,00000000ffffffff")],
    "two patches in each frame": [signal("patches", "00000000fffffffe,00000000ffffffff;" * 2 + "00000000ffffffff")],
    "a patch of 15 bits": [signal("patches", "0000000000007fff,00000000fffffffe,00000000ffffffff")],
    "a patch of 49 bits": [signal("patches", "00000000fffffffe,00000000ffffffff,0001ffffffffffff")],
    "a vpdq with a flat frame": [signal("vpdq", frames(ones(128), ones(127), "0" * 64))],
}


@pytest.mark.parametrize("signals", REFUSED.values(), ids=REFUSED)
def test_what_tells_no_picture_from_others_is_refused(signals: list[dict[str, object]]) -> None:
    """It is refused with the field's name, beside a signal that is accepted."""
    sent = {"pictures": [{"signals": [signal("md5", "a" * 32)]}, {"signals": [signal("md5", "b" * 32), *signals]}]}
    with pytest.raises(InvalidMessage) as refused:
        decode_request(json.dumps(sent).encode(), NewCase)
    assert refused.value.field == "pictures[1].signals[1].value"


@pytest.mark.parametrize("signals", REFUSED.values(), ids=REFUSED)
def test_the_feed_may_hold_older_entries(signals: list[dict[str, object]]) -> None:
    """A gate reads entries from before that rule, which applies to what is sent and not to the feed."""
    entry = {"number": 1, "action": "add", "entry": "a" * 32, "signal": signals[0]}
    page = decode(json.dumps({"entries": [entry], "head": 1}).encode(), FeedPage)
    assert page.entries[0].signal


@pytest.mark.parametrize("kind", ["pdq", "phash", "vpdq"])
def test_a_picture_has_one_of_each_variant(kind: str) -> None:
    """Two hashes of the same variant are refused; one of every variant is accepted, so at most 15 PDQ."""

    def value(place: int) -> str:
        if kind == "phash":
            return f"{place + 1:016x}"
        return ones(101 + place) if kind == "pdq" else frames(ones(128), ones(101 + place))

    every = [signal(kind, value(place), variant=variant) for place, variant in enumerate(Variant)]
    assert len(decode(json.dumps({"signals": every}).encode(), Picture).signals) == 15
    for variant in Variant:
        twice: list[object] = [*every, signal(kind, value(20), variant=variant)]
        with pytest.raises(InvalidMessage, match=r"one .* of each variant") as refused:
            decode(json.dumps({"signals": twice}).encode(), Picture)
        assert refused.value.field == "signals[15].variant"


def test_a_picture_has_one_patches() -> None:
    """Two `patches` of one picture are refused: it has one, of up to 16 hashes."""
    first, second = (
        signal("patches", ",".join(f"{0xFFFFFFFF << place:016x}" for place in places))
        for places in ((0, 1, 2), (3, 4, 5))
    )
    assert decode(json.dumps({"signals": [first]}).encode(), Picture).signals
    with pytest.raises(InvalidMessage, match=r"one patches of each variant") as refused:
        decode(json.dumps({"signals": [first, second]}).encode(), Picture)
    assert refused.value.field == "signals[1].variant"


@given(st.integers(0, 256))
def test_a_pdq_is_taken_by_its_bits(count: int) -> None:
    """From 100 to 156 set bits, both included, and no others."""
    message = json.dumps({"signals": [signal("pdq", ones(count))]}).encode()
    if 100 <= count <= 156:
        assert decode(message, Picture).signals
    else:
        with pytest.raises(InvalidMessage):
            decode(message, Picture)


def test_the_local_hashes_in_the_specification() -> None:
    """The example of a `patches` value is one that a registry accepts."""
    (value,) = re.findall(r"^`([0-9a-f]{16}(?:[,;][0-9a-f]{16})+)`$", SPEC, re.MULTILINE)
    assert why_uninformative(Signal(SignalType.PATCHES, value)) == ""
