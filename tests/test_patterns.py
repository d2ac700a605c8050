"""Every text in every message has a pattern that allows no trailing characters; every time of a leap year is valid."""

import importlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct
from msgspec import inspect as shapes

import takeback
from takeback import bulk, chain, protocol
from takeback.errors import InvalidMessage, RegistryUnreachable
from takeback.gate.serve import openapi as sidecar
from takeback.protocol import FeedAction, FeedEntry, FeedHead, FeedPage, SignalMessage, decode, encode
from takeback.registry.http import openapi
from takeback.signals import SignalType
from takeback.times import day as day_of
from takeback.times import moment as moment_of
from tests.test_protocol import EXAMPLES, KINDS

FREE: Final = {
    "Problem.title": "words for a person",
    "Problem.detail": "words for a person",
    "Problem.field": "the path of a field that somebody sent, whatever it is called",
    "SignalMessage.value": "its type says the shape; test_no_example_takes_a_line_feed and test_no_signal_takes_one",
    "HashFeedback.tags": "StopNCII's free words, which are not kept",
    "registry.http.openapi.Health.status": "answered, never taken",
    "messages.SidecarHealth.status": "answered, never taken",
    "messages.SidecarHealth.detail": "words for a person",
    "MatchAnswer": "answered, never taken",
    "DecisionAnswer": "answered, never taken",
    "pin_keys.PinKeyUsage.name": "answered, never taken",
    "Hashes.uploader": "a platform's own word for who uploads, of which a keyed hash is kept",
    "lookup.messages.LookUpHealth.status": "answered, never taken",
    "lookup.messages.LookUpHealth.detail": "words for a person",
    "lookup.messages.RemoteQuestion.dihedral": "names of forms, checked against those that there are",
    "lookup.messages.RemoteQuestion.uploader": "a site's own word for who uploads, of which a keyed hash is kept",
    "lookup.reading._Found.signals": "Signal says the shape; a reading process is not believed",
    "lookup.reading._Found.dihedral": "names of forms; hashes have a pattern",
    "lookup.reading._Found.text": "words for a person",
    "lookup.reading._Found.code": "looked up among the kinds that there are",
    "bucket.events._Bucket": "an object store's word, which is compared, or names an object",
    "bucket.events._Envelope": "an object store's word, which is compared, or names an object",
    "bucket.events._FilerChange": "an object store's word, which is compared, or names an object",
    "bucket.events._FilerEntry": "an object store's word, which is compared, or names an object",
    "bucket.events._Object": "an object store's word, which is compared, or names an object",
    "bucket.events._Record": "an object store's word, which is compared, or names an object",
    "hashing_process._Found.signals": "Signal says the shape; a hashing process is not believed",
    "hashing_process._Found.dihedral": "read as a PDQ hash before it is used",
    "hashing_process._Found.notes": "words for a person",
    "hashing_process._Refused.text": "words for a person",
    "hashing_process._Refused.code": "looked up among the kinds that there are",
    "hashing_process._ProcessMessage.sealed": "names of seals, which are only shown",
}
"""Texts without a pattern, each with the reason. No others may lack one."""
OWN_FILES: Final = (
    "gate.index.file",
    "registry.http.static_files",
    "registry.operations.backup",
    "registry.storage.status_queries",
    "registry.storage.canaries",
)
"""Modules whose structures are stored in our own files or nowhere: they are not messages."""
YEAR: Final = 2028
"""A leap year."""


ELSEWHERE: Final = {"hashing.sealed", "integrations.synapse.module", "integrations.django", "integrations.wagtail"}
"""What loads in a browser, or in other software, alone."""


def _modules() -> Iterator[str]:
    """All modules except migrations, those that load elsewhere alone, and examples, which need a gate to start."""
    folder = Path(takeback.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        name = ".".join(path.relative_to(folder.parent).with_suffix("").parts)
        is_elsewhere = any(f"{name}.".startswith(f"takeback.{one}.") for one in ELSEWHERE)
        if not is_elsewhere and not {"migrations", "examples"} & set(name.split(".")):
            yield name.removesuffix(".__init__")


def _messages() -> list[type[Struct]]:
    """All structures of the package that are sent as messages."""
    for name in _modules():
        importlib.import_module(name)
    found, left = [], list(Struct.__subclasses__())
    while left:
        one = left.pop()
        left += one.__subclasses__()
        here = one.__module__.removeprefix("takeback.")
        if one.__module__.startswith("takeback.") and here not in OWN_FILES and one.__struct_fields__:
            found.append(one)
    return found


def _texts(kind: shapes.Type) -> Iterator[shapes.StrType]:
    """The texts in a type, except those of nested structures, which are checked on their own."""
    match kind:
        case shapes.StrType():
            yield kind
        case shapes.UnionType(types=inner) | shapes.TupleType(item_types=inner):
            for one in inner:
                yield from _texts(one)
        case shapes.ListType(item_type=inner) | shapes.VarTupleType(item_type=inner):
            yield from _texts(inner)
        case shapes.DictType(key_type=key, value_type=value):
            yield from _texts(key)
            yield from _texts(value)
        case shapes.Metadata(type=inner):
            yield from _texts(inner)


def _all_texts() -> list[tuple[str, shapes.StrType]]:
    told = []
    for message in _messages():
        info = shapes.type_info(message)
        assert isinstance(info, shapes.StructType)
        name = f"{message.__module__}.{message.__qualname__}"
        told += [(f"{name}.{field.name}", text) for field in info.fields for text in _texts(field.type)]
    return told


TEXTS: Final = _all_texts()


def _free(name: str, text: shapes.StrType) -> bool:
    return text.pattern is None and any(f".{one}." in f"{name}." for one in FREE)


def test_every_message_is_walked() -> None:
    """The walk finds texts known to exist, and every reason for a missing pattern is in use."""
    names = [name for name, _ in TEXTS]
    wanted = ("FeedHead.at", "FeedbackEvent.id", "FeedbackEvent.entries", "HashFeedback.hashValue", "Outcome.id")
    for one in (*wanted, "PictureStatus.last_blocked_at", "WorkParameters.data"):
        assert any(name.endswith(f".{one}") for name in names), one
    free = [name for name, text in TEXTS if text.pattern is None]
    for one in FREE:
        assert any(f".{one}." in f"{name}." for name in free), one


@pytest.mark.parametrize(("name", "text"), TEXTS, ids=[name for name, _ in TEXTS])
def test_no_text_takes_a_line_feed(name: str, text: shapes.StrType) -> None:
    """A value that fits a field's pattern is accepted; the same value followed by a line feed is refused."""
    if _free(name, text):
        return
    assert text.pattern is not None, f"{name} takes any text: give it a pattern, or a reason here"
    kind = Annotated[str, Meta(pattern=text.pattern)]
    value = _fitting(text.pattern)
    assert msgspec.convert(value, kind) == value
    for after in ("\n", "\r\n", "\u2028", "\x00"):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(value + after, kind)


def _fitting(pattern: str) -> str:
    """A text that fits a pattern, always the same."""
    digits = ("0" * 16, "0" * 32, "0" * 59, "0" * 64, "0" * 128, "0123456789")
    for value in (*digits, "K7QM-2XRW-9DHF", "2028-02-29", "2028-02-29T23:59:59Z"):
        if re.search(pattern, value):
            return value
    for value in ("PBKDF2/SHA-256", "key", "urn:takeback:problem:not-found"):
        if re.search(pattern, value):
            return value
    raise AssertionError(f"write down here what fits {pattern}")


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of texts in JSON."""
    if isinstance(value, str):
        yield path
    for place, inner in (
        value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    ):
        yield from _places(inner, (*path, place))


@pytest.mark.parametrize("name", KINDS)
def test_no_example_takes_a_line_feed(name: str) -> None:
    """A line feed after any text of any example in the specification invalidates the whole message."""
    for path in _places(json.loads(EXAMPLES[name])):
        if name == "problem" and path[0] in {"title", "detail", "field"}:
            continue
        message = json.loads(EXAMPLES[name])
        inner = message
        for place in path[:-1]:
            inner = inner[place]
        inner[path[-1]] += "\n"
        with pytest.raises(InvalidMessage):
            decode(json.dumps(message).encode(), KINDS[name])


@pytest.mark.parametrize("kind", SignalType)
def test_no_signal_takes_one(kind: SignalType) -> None:
    """A value of each type is accepted, and refused with a line feed after it or inside it."""
    hex_ = "0123456789abcdef" * 4
    values = {SignalType.VPDQ: f"0,100,{hex_},0.000;30,7,{hex_},1.001", SignalType.MD5: hex_[:32]}
    values[SignalType.PATCHES] = f"{'0' * 16},{hex_[:16]};{hex_[:16]}"
    value = {**values, SignalType.PHASH: hex_[:16]}.get(kind, hex_)
    signal = {"type": kind, "value": value} | ({"quality": 100} if kind is SignalType.PDQ else {})
    assert msgspec.convert(signal, SignalMessage).value == value
    for wrong in (value + "\n", "\n" + value, value.replace(";", "\n;"), value.replace(",", ",\n"), value[:-1] + "\n"):
        if wrong != value:
            with pytest.raises(msgspec.ValidationError):
                msgspec.convert({**signal, "value": wrong}, SignalMessage)


def _patterns(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        if isinstance(document.get("pattern"), str):
            yield document["pattern"]
        for inner in document.values():
            yield from _patterns(inner)
    elif isinstance(document, list):
        for inner in document:
            yield from _patterns(inner)


@pytest.mark.parametrize("document", [openapi.document_json(), sidecar.document_json()], ids=["registry", "gate"])
def test_published_patterns_are_ecma(document: bytes) -> None:
    r"""Published patterns all end with `$`, and use nothing that ECMA 262 lacks, such as `\Z`."""
    found = list(_patterns(json.loads(document)))
    assert found
    for pattern in found:
        assert pattern.startswith("^")
        assert pattern.endswith("$")
        assert not re.search(r"\\[ZAz]|\(\?[P#aiLmsux]", pattern), pattern


# Time


DAYS: Final = [datetime(YEAR, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(366)]
HOURS: Final = [day + timedelta(hours=hour) for day in DAYS for hour in range(24)]
EDGES: Final = [day + timedelta(hours=23, minutes=59, seconds=59) for day in DAYS]


def test_every_hour_of_a_leap_year() -> None:
    """Every hour and every last second of a day is formatted, accepted as a signing time, and read back."""
    for at in [*HOURS, *EDGES]:
        seconds = int(at.timestamp())
        moment = moment_of(seconds)
        head = decode(encode(FeedHead(1, "0" * 64, 1, moment, "0" * 64)), FeedHead)
        assert protocol.seconds_of(head.at) == seconds
        chain.check_time(head, at.timestamp())
        with pytest.raises(RegistryUnreachable):
            chain.check_time(head, at.timestamp() + chain.MAX_SKEW_SECONDS + 1)


def test_every_day_of_a_leap_year() -> None:
    """Every day is formatted, accepted as the day of an entry, and survives the binary form."""
    signal = SignalMessage(SignalType.MD5, "0" * 32)
    for at in DAYS:
        day = day_of(int(at.timestamp()))
        entry = FeedEntry(1, FeedAction.ADD, "0" * 32, signal, since=day, salt="0" * 32)
        page = decode(encode(FeedPage([entry], 1)), FeedPage)
        assert page.entries == [entry]
        reader = bulk.Reader([bulk.MAGIC[False], bulk.write_line(entry), bulk.encode_end(_head())], snapshot=False)
        assert [bulk.line_of(record) for record in reader] == [entry]


def _head() -> bytes:
    return encode(FeedHead(1, "0" * 64, 1, "2028-02-29T00:00:00Z", "0" * 64))


@given(st.dates(), st.times().map(lambda time: time.replace(microsecond=0)))
def test_any_time_there_is(day: Any, time: Any) -> None:
    """Every time from the year 1000 on fits the patterns and converts to the right number of seconds."""
    at = datetime.combine(day, time, UTC)
    if at.year >= 1000:
        text = f"{at:%Y-%m-%dT%H:%M:%SZ}"
        assert re.search(protocol.MOMENT_PATTERN, text)
        assert re.search(protocol.DAY_PATTERN, text[:10])
        assert protocol.seconds_of(text) == int(at.timestamp())


NO_DAYS: Final = [
    "02-30",
    "02-31",
    "04-31",
    "06-31",
    "09-31",
    "11-31",
    "00-10",
    "13-01",
    "01-00",
    "01-32",
    "1-1",
    "12-1",
]


@pytest.mark.parametrize("day", [f"{YEAR}-{day}" for day in NO_DAYS] + ["2027-02-29", "2100-02-29"])
def test_days_that_no_calendar_has(day: str) -> None:
    """A day that does not exist is refused in an entry and in a head as an invalid message."""
    entry = {
        "number": 1,
        "action": "add",
        "entry": "0" * 32,
        "since": day,
        "signal": {"type": "md5", "value": "0" * 32},
    }
    head = {"number": 1, "chain": "0" * 64, "newest": 1, "at": f"{day}T10:00:00Z", "key": "0" * 64, "signature": ""}
    with pytest.raises(InvalidMessage):
        decode(json.dumps({"entries": [entry], "head": 1}).encode(), FeedPage)
    with pytest.raises(InvalidMessage):
        decode(json.dumps(head).encode(), FeedHead)


@pytest.mark.parametrize("time", ["24:00:00", "23:60:00", "23:59:60", "-1:00:00", "1:00:00"])
def test_times_that_no_clock_shows(time: str) -> None:
    """Hour 24 and second 60 are refused; leap seconds are never written."""
    head = {"number": 1, "chain": "0" * 64, "newest": 1, "at": f"2028-02-29T{time}Z", "key": "0" * 64, "signature": ""}
    with pytest.raises(InvalidMessage):
        decode(json.dumps(head).encode(), FeedHead)
