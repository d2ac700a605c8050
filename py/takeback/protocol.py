"""The messages between page, registry and platforms. PROTOCOL.md beside this file is the specification.

All messages are strict: an unknown field, a missing field, a wrong type or a value outside its limits is refused. All
JSON is parsed by `decode` and written by `encode`.
"""

import json
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from takeback.errors import InvalidMessage, InvalidSignal
from takeback.signals import MAX_FRAMES, Signal, SignalType, Variant, why_uninformative

MAX_BODY_BYTES: Final = 64 * 1024
"""Bytes of a request. About 30 pictures with all their signals fit in; no usable photograph does."""
MAX_PICTURES: Final = 50
MAX_ALL_SIGNALS: Final = 2000
"""Signals of a request, as `signal_count` counts them: more than fit into `MAX_BODY_BYTES`."""
PATCHES_PER_SIGNAL: Final = 4
"""Local hashes that count as one signal: together they have the bits of a PDQ hash, and cost an index as much."""
MAX_CASE_PICTURES: Final = 1000
"""Pictures of one case, over all requests that added to it."""
MAX_SIGNALS: Final = 24
VIEWS: Final = frozenset({SignalType.PDQ, SignalType.PHASH, SignalType.VPDQ, SignalType.PATCHES})
"""Types of which a picture has one signal per variant, and so at most 15 PDQ and one `patches`."""
SIGNAL_TYPES: Final = "Takeback-Signal-Types"
"""The request header in which a platform names those of the `LATER_TYPES` that its client knows."""
LATER_TYPES: Final = frozenset({SignalType.PATCHES})
"""Types that are newer than the first gates, which would stop at one. A platform gets them only if it names them."""
SMALL_SITES: Final = "Takeback-Small-Sites"
"""The request header in which a look-up service tells how many small sites it serves."""
MAX_SMALL_SITES: Final = 1_000_000
"""Small sites of one look-up service that are believed: more than ask any such service."""
MAX_VALUE_CHARACTERS: Final = 91 * MAX_FRAMES
"""Characters of a signal's value: a `vpdq` with the most frames and the longest numbers."""
MAX_FEED_ENTRIES: Final = 1000
MAX_WAIT_SECONDS: Final = 30
"""Seconds of a long poll of the feed."""
MAX_FEEDBACK_EVENTS: Final = 500
MAX_FEEDBACK_ENTRIES: Final = 64
MAX_PUBLISHED_NAME_CHARACTERS: Final = 60
"""Characters of the name under which everybody sees a platform: what fits into two lines on a phone."""

# Patterns end with `\Z`, because Python's `$` also matches before a line feed. `schemas` publishes them with `$`.
PIN_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""30 characters that are hard to confuse: 12 of them carry 58.9 bits."""
PIN_PATTERN: Final = rf"^[{PIN_ALPHABET}]{{4}}-[{PIN_ALPHABET}]{{4}}-[{PIN_ALPHABET}]{{4}}\Z"
CASE_NUMBER_PATTERN: Final = r"^[0-9]{10}\Z"
ENTRY_ID_PATTERN: Final = r"^[0-9a-f]{32}\Z"
IDEMPOTENCY_KEY_PATTERN: Final = r"^[0-9a-f]{32}\Z"
DIGEST_PATTERN: Final = r"^[0-9a-f]{64}\Z"
_DAY: Final = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
DAY_PATTERN: Final = rf"^{_DAY}\Z"
MOMENT_PATTERN: Final = rf"^{_DAY}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z\Z"
_SHOWN: Final = r"[^\x00-\x20\x7f-\xa0\u2028\u2029]"
PUBLISHED_NAME_PATTERN: Final = rf"^{_SHOWN}( *{_SHOWN})*\Z"
"""A line of text without control characters, and without spaces at its ends."""

CaseNumber = Annotated[str, Meta(pattern=CASE_NUMBER_PATTERN)]
EntryId = Annotated[str, Meta(pattern=ENTRY_ID_PATTERN)]
FeedbackId = Annotated[str, Meta(pattern=ENTRY_ID_PATTERN)]
FeedNumber = Annotated[int, Meta(ge=0)]
Day = Annotated[str, Meta(pattern=DAY_PATTERN)]
Moment = Annotated[str, Meta(pattern=MOMENT_PATTERN)]
Hex = Annotated[str, Meta(pattern=r"^[0-9a-f]*\Z")]
Word = Annotated[str, Meta(pattern=r"^[a-z]{1,32}\Z")]
Digest = Annotated[str, Meta(pattern=DIGEST_PATTERN)]
Salt = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
Signature = Annotated[str, Meta(pattern=r"^[0-9a-f]{128}\Z")]
PublishedName = Annotated[str, Meta(pattern=PUBLISHED_NAME_PATTERN, max_length=MAX_PUBLISHED_NAME_CHARACTERS)]


class CaseState(StrEnum):
    """The state of a case."""

    RECEIVED = "received"
    ACTIVE = "active"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class FeedAction(StrEnum):
    """What a line of the feed tells a platform to do."""

    ADD = "add"
    REMOVE = "remove"
    CHANGE = "change"
    """The entry's status has changed."""
    ERASED = "erased"
    """The tombstone of an `add` whose entry has been removed and whose signal the registry no longer keeps."""


class EntryStatus(StrEnum):
    """The strongest decision that an entry may lead to (`standing` in the messages)."""

    BLOCK = "block"
    REVIEW = "review"
    PAUSED = "paused"
    """Suspended by the registry until the next change; a gate asks for a review, or follows its policy."""


class PictureKind(StrEnum):
    """Image or video."""

    IMAGE = "image"
    VIDEO = "video"


class AgeBand(StrEnum):
    """The age of the person in the pictures: a minor now, or an adult who was a minor in them."""

    MINOR = "minor"
    WAS_MINOR = "was_minor"


class Verdict(StrEnum):
    """A platform's decision on an upload that matched an entry."""

    BLOCKED = "blocked"
    NOT_BLOCKED = "not_blocked"
    PENDING_REVIEW = "pending_review"


class Action(StrEnum):
    """What to do with an upload."""

    ALLOW = "allow"
    REVIEW = "review"
    BLOCK = "block"

    @property
    def weight(self) -> int:
        """Returns the strength for comparisons: 0 for `allow`, 1 for `review`, 2 for `block`."""
        return _WEIGHTS[self]


_WEIGHTS: Final = {action: weight for weight, action in enumerate(Action)}


class _Message(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=False):
    """The base class of all messages."""


class SignalMessage(_Message, frozen=True, omit_defaults=True):
    """A signal in a message. `quality` is required for `pdq`, and allowed only there.

    Raises `InvalidSignal` if the value does not fit the type.
    """

    type: SignalType
    value: Annotated[str, Meta(max_length=MAX_VALUE_CHARACTERS)]
    quality: Annotated[int, Meta(ge=0, le=100)] | None = None
    variant: Variant = Variant.WHOLE

    def __post_init__(self) -> None:
        self.signal()

    def signal(self) -> Signal:
        """Returns the signal that the message holds."""
        return Signal(self.type, self.value, self.quality, self.variant)

    @classmethod
    def of(cls, signal: Signal) -> "SignalMessage":
        """Returns the message for `signal`."""
        return cls(signal.type, signal.value, signal.quality, signal.variant)


def signal_count(signals: Iterable[SignalMessage]) -> int:
    """The number of signals that `signals` count as.

    Each frame of a `vpdq` counts as one, and so do up to `PATCHES_PER_SIGNAL` hashes of a `patches`.
    `web/page/registry/client.js` counts in the same way.
    """
    return sum(map(_count_of, signals))


def _count_of(signal: SignalMessage) -> int:
    frames = signal.value.count(";") + 1
    # A frame's hashes are joined by `,`, and frames by `;`.
    hashes = signal.value.count(",") + frames
    match signal.type:
        case SignalType.VPDQ:
            return frames
        case SignalType.PATCHES:
            return -(-hashes // PATCHES_PER_SIGNAL)
        case _:
            return 1


class Picture(_Message, frozen=True, omit_defaults=True):
    """The signals of one picture; `ai_made` as the person stated.

    Raises `ValueError` if a type and value occur twice, and `InvalidSignal` if a type in `VIEWS` has two signals of one
    variant or a signal identifies no picture (`why_uninformative`). These rules apply to what is sent: the feed may
    hold older entries.
    """

    signals: Annotated[list[SignalMessage], Meta(min_length=1, max_length=MAX_SIGNALS)]
    kind: PictureKind = PictureKind.IMAGE
    ai_made: bool = False

    def __post_init__(self) -> None:
        if len({(s.type, s.value) for s in self.signals}) < len(self.signals):
            raise ValueError("a picture holds the same signal twice")
        seen = set()
        for place, signal in enumerate(self.signals):
            if why := why_uninformative(signal.signal()):
                raise InvalidSignal(why, f"signals[{place}].value")
            if signal.type in VIEWS and (signal.type, signal.variant) in seen:
                raise InvalidSignal(
                    f"a picture may have one {signal.type} of each variant", f"signals[{place}].variant"
                )
            seen.add((signal.type, signal.variant))


class NewCase(_Message, frozen=True, omit_defaults=True):
    """`POST /v1/cases` and `POST /v1/cases/{number}/pictures`: everything that leaves a person's device."""

    pictures: Annotated[list[Picture], Meta(min_length=1, max_length=MAX_PICTURES)]
    age_band: AgeBand = AgeBand.MINOR


class Withdrawal(_Message, frozen=True):
    """The body of `POST /v1/cases/{number}/withdraw` that withdraws some pictures, by their indices from 0."""

    pictures: Annotated[
        list[Annotated[int, Meta(ge=0, lt=MAX_CASE_PICTURES)]], Meta(min_length=1, max_length=MAX_CASE_PICTURES)
    ]


class PictureStatus(_Message, frozen=True):
    """What platforms reported about one picture: counts, platforms that blocked it, first and last time.

    Times are UTC in whole seconds. `withdrawn_at` is when this picture was withdrawn, alone or with its case.
    """

    blocked: int
    platforms: int
    first_blocked_at: Moment | None
    last_blocked_at: Moment | None
    pending_review: int = 0
    not_blocked: int = 0
    withdrawn_at: Moment | None = None


class CaseStatus(_Message, frozen=True):
    """The answer to a case's owner. `pictures` are in the order they were sent; no hash is repeated."""

    number: CaseNumber
    state: CaseState
    received_at: Moment
    withdrawn_at: Moment | None
    platforms: int
    """How many platforms have applied the case's last change."""
    pictures: list[PictureStatus]
    expires_at: Moment | None = None
    """When the registry deletes the case by itself, if ever."""
    expires_soon: bool = False
    """The warning that `expires_at` is near."""
    small_sites: Annotated[int, Meta(ge=0)] = 0
    """How many small sites ask look-up services that have applied the case's last change."""


class PlatformList(_Message, frozen=True):
    """`GET /v1/platforms`: the platforms that follow this registry now, for people who decide whether to send."""

    platforms: Annotated[
        list[PublishedName],
        Meta(
            description="The names of those that agreed to be named, sorted without regard to case",
            examples=[["Example Social", "Other Site"]],
        ),
    ]
    unnamed: Annotated[int, Meta(ge=0, description="How many others follow without a name here", examples=[2])]
    small_sites: Annotated[
        int, Meta(ge=0, description="How many small sites ask the look-up services that follow", examples=[12])
    ] = 0


class FeedEntry(_Message, frozen=True, omit_defaults=True):
    """One line of the feed. An `add` carries its signal and its details; the others name their entry.

    `since` is the day (UTC) of the `add`. `standing` belongs to `add`, where it defaults to `block`, and to `change`.
    `salt` belongs to `add`: a random value that keeps the line's leaf in the hash chain from being guessed; `leaf`
    belongs to `erased`. Raises `ValueError` if a field does not belong to the action.
    """

    number: Annotated[int, Meta(ge=1)]
    action: FeedAction
    entry: EntryId
    signal: SignalMessage | None = None
    kind: PictureKind = PictureKind.IMAGE
    ai_made: bool = False
    age_band: AgeBand = AgeBand.MINOR
    since: Day | None = None
    standing: EntryStatus | None = None
    salt: Salt | None = None
    leaf: Digest | None = None

    def __post_init__(self) -> None:
        if (self.action is FeedAction.ADD) != (self.signal is not None):
            raise ValueError("a signal is required for add, and allowed only there")
        if self.action is not FeedAction.ADD and (
            self.since or self.ai_made or self.kind is not PictureKind.IMAGE or self.age_band is not AgeBand.MINOR
        ):
            raise ValueError("kind, ai_made, age_band and since are allowed only for add")
        if self.action is FeedAction.CHANGE and self.standing is None:
            raise ValueError("a change must have a standing")
        if self.action in {FeedAction.REMOVE, FeedAction.ERASED} and self.standing is not None:
            raise ValueError("a standing is allowed only for add and change")
        if self.salt is not None and self.action is not FeedAction.ADD:
            raise ValueError("a salt is allowed only for add")
        if (self.leaf is not None) != (self.action is FeedAction.ERASED):
            raise ValueError("a leaf is required for erased, and allowed only there")
        if self.since is not None:
            check_day(self.since)


class FeedPage(_Message, frozen=True):
    """`GET /v1/feed`: the lines after a cursor, in order and without gaps; `head` is the newest number."""

    entries: Annotated[list[FeedEntry], Meta(max_length=MAX_FEED_ENTRIES)]
    head: FeedNumber


class FeedHead(_Message, frozen=True):
    """The header `Takeback-Feed-Head` of all answers from the feed, which the registry signs (`chain.py`).

    `number` is the last line covered by the answer, `chain` its link, `newest` the feed's newest number, `at` the time
    of signing. Raises `ValueError` if `at` is no valid time.
    """

    number: FeedNumber
    chain: Digest
    newest: FeedNumber
    at: Moment
    key: Digest
    signature: Annotated[str, Meta(pattern=r"^([0-9a-f]{128})?\Z")] = ""

    def __post_init__(self) -> None:
        seconds_of(self.at)


class FeedKey(_Message, frozen=True):
    """A public key of the feed, and its signature by the preceding key; the first has none."""

    key: Digest
    signature: Signature | None = None


class FeedKeys(_Message, frozen=True):
    """`GET /v1/feed/keys`: all keys that ever signed the feed, the oldest first."""

    keys: list[FeedKey]


class FeedbackEvent(_Message, frozen=True):
    """What happened to one upload. The platform chooses `id`, so that an event sent twice counts once."""

    id: FeedbackId
    verdict: Verdict
    entries: Annotated[list[EntryId], Meta(min_length=1, max_length=MAX_FEEDBACK_ENTRIES)]


class Feedback(_Message, frozen=True):
    """`POST /v1/feedback`: events of several uploads."""

    feedback: Annotated[list[FeedbackEvent], Meta(min_length=1, max_length=MAX_FEEDBACK_EVENTS)]


class FeedbackReceipt(_Message, frozen=True):
    """How many events are now on record, and which entries the registry does not have (any longer)."""

    recorded: int
    unknown_entries: list[EntryId]


class WorkParameters(_Message, frozen=True, rename="camel"):
    """The parameters of a challenge, with altcha's names: find the counter whose key starts with `key_prefix` (hex).

    `expires_at` is in seconds since 1970; `data` binds the challenge to one message and limits the number of tries.
    """

    algorithm: Annotated[str, Meta(pattern=r"^[A-Za-z0-9/-]{1,32}\Z")]
    nonce: Hex
    salt: Hex
    cost: int
    key_length: int
    key_prefix: Hex
    expires_at: int
    data: dict[Word, Hex]


class Challenge(_Message, frozen=True):
    """A proof-of-work challenge that altcha's libraries can solve."""

    parameters: WorkParameters
    signature: Hex


class WorkAnswer(_Message, frozen=True):
    """`GET /v1/work`: the proof of work required for a message now, or none."""

    work: Challenge | None = None


class Problem(_Message, frozen=True, omit_defaults=True):
    """`application/problem+json` (RFC 9457). `type` is `urn:takeback:problem:` and an error's code.

    `work` belongs to `work-needed`.
    """

    type: Annotated[str, Meta(pattern=r"^urn:takeback:problem:[a-z-]{1,64}\Z")]
    title: str
    status: int
    detail: str = ""
    field: str = ""
    work: Challenge | None = None


@lru_cache(maxsize=4096)
def check_day(day: str) -> None:
    """Raises `ValueError` for a day that does not exist, such as 30 February."""
    date.fromisoformat(day)


def seconds_of(moment: str) -> int:
    """Converts a time such as `2026-11-23T10:00:00Z` to seconds since 1970. Raises `ValueError` if it is invalid."""
    return int(datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())


def schemas(messages: Iterable[type[Struct]]) -> dict[str, Any]:
    """Returns the messages' JSON schemas by name, for `components` of an OpenAPI document."""
    _, made = msgspec.json.schema_components(messages, ref_template="#/components/schemas/{name}")
    return {name: _published(schema) for name, schema in made.items()}


def published(pattern: str) -> str:
    r"""Converts a pattern to ECMA 262, whose `$` matches only the very end, as `\Z` does in Python."""
    return pattern.removesuffix(r"\Z") + "$" if pattern.endswith(r"\Z") else pattern


def _published(schema: Any) -> Any:
    """The schema with all patterns converted to ECMA 262."""
    match schema:
        case {"pattern": str(pattern), **rest}:
            return {"pattern": published(pattern), **_published(rest)}
        case dict():
            return {name: _published(value) for name, value in schema.items()}
        case list():
            return [_published(value) for value in schema]
        case _:
            return schema


def encode(message: Struct) -> bytes:
    """Encodes a message as JSON."""
    return msgspec.json.encode(message)


def decode[M: Struct](body: bytes, kind: type[M]) -> M:
    """Decodes a message of type `kind`. Raises `InvalidMessage`, which names the field."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        text, _, path = str(error).rpartition(" - at ") if " - at " in str(error) else (str(error), "", "")
        raise InvalidMessage(*_explain(text, path, error.__cause__)) from error
    # A deeply nested body raises RecursionError.
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidMessage("the body is not JSON") from error


def decode_request[M: Struct](body: bytes, kind: type[M]) -> M:
    """Decodes as `decode` does, and also refuses an object with a repeated field, so that nothing is silently ignored.

    Raises `InvalidMessage`.
    """
    message = decode(body, kind)
    # msgspec keeps the last of repeated fields without an error.
    json.loads(body, object_pairs_hook=_refuse_repeats)
    return message


def _refuse_repeats(pairs: list[tuple[str, object]]) -> None:
    seen = set()
    for name, _ in pairs:
        if name in seen:
            raise InvalidMessage("an object holds the same field twice", name)
        seen.add(name)


def _explain(text: str, path: str, cause: BaseException | None) -> tuple[str, str]:
    """Msgspec's message, and the path of the field that it names (`$.a[0].b` becomes `a[0].b`)."""
    field = path.strip("`").removeprefix("$").removeprefix(".")
    named = re.search(r"(?:unknown|required) field `([^`]*)`", text)
    inner = named[1] if named else cause.field if isinstance(cause, InvalidSignal) else ""
    if inner:
        field = f"{field}.{inner}" if field else inner
    return text, field
