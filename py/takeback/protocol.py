"""The messages between page, registry and platforms. PROTOCOL.md beside this file is the specification.

Every message is strict: an unknown field, a missing field, a wrong type or a value outside its limits is refused.
`decode` is the only way in and `encode` the only way out, so nothing else speaks JSON.
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
from takeback.signals import MAX_FRAMES, Signal, SignalType, Variant, emptiness

MAX_BODY_BYTES: Final = 64 * 1024
"""Bytes of a request. About 30 pictures with all their views fit in; no photograph worth the name does."""
MAX_PICTURES: Final = 50
MAX_ALL_SIGNALS: Final = 2000
"""Signals of a request, each frame of a `vpdq` counting as one: more than its bytes hold."""
MAX_CASE_PICTURES: Final = 1000
"""Pictures of one case, over all the messages that added to it."""
MAX_SIGNALS: Final = 24
VIEWS: Final = frozenset({SignalType.PDQ, SignalType.PHASH, SignalType.VPDQ})
"""Types of which a picture has one for each variant, and so at most 15 PDQ."""
MAX_VALUE_CHARACTERS: Final = 91 * MAX_FRAMES
"""Characters of a signal's value: a `vpdq` of the most frames with the longest numbers."""
MAX_FEED_ENTRIES: Final = 1000
MAX_WAIT_SECONDS: Final = 30
"""Seconds that a platform may wait for news of the feed."""
MAX_FEEDBACK_EVENTS: Final = 500
MAX_FEEDBACK_ENTRIES: Final = 64

# Patterns end with `\Z`: Python's `$` lets a line feed follow. `schemas` publishes them with `$`, as ECMA 262 has it.
PIN_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""30 characters that are hard to mistake for each other: 12 of them carry 58.9 bits."""
PIN_PATTERN: Final = rf"^[{PIN_ALPHABET}]{{4}}-[{PIN_ALPHABET}]{{4}}-[{PIN_ALPHABET}]{{4}}\Z"
CASE_NUMBER_PATTERN: Final = r"^[0-9]{10}\Z"
ENTRY_ID_PATTERN: Final = r"^[0-9a-f]{32}\Z"
IDEMPOTENCY_KEY_PATTERN: Final = r"^[0-9a-f]{32}\Z"
DIGEST_PATTERN: Final = r"^[0-9a-f]{64}\Z"
_DAY: Final = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
DAY_PATTERN: Final = rf"^{_DAY}\Z"
MOMENT_PATTERN: Final = rf"^{_DAY}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z\Z"

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


class CaseState(StrEnum):
    """Where a case stands."""

    RECEIVED = "received"
    ACTIVE = "active"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class FeedAction(StrEnum):
    """What an entry of the feed asks of a platform."""

    ADD = "add"
    REMOVE = "remove"
    CHANGE = "change"
    """The entry's standing is another now."""
    ERASED = "erased"
    """An `add` whose entry was removed since and whose signal the registry no longer keeps."""


class EntryStatus(StrEnum):
    """The strongest decision that an entry may lead to."""

    BLOCK = "block"
    REVIEW = "review"
    PAUSED = "paused"
    """The registry holds the entry back until it changes again; a gate asks for a review, or as its policy says."""


class PictureKind(StrEnum):
    """What a picture is."""

    IMAGE = "image"
    VIDEO = "video"


class AgeBand(StrEnum):
    """The age of the person in the pictures: a minor now, or an adult who was a minor in them."""

    MINOR = "minor"
    WAS_MINOR = "was_minor"


class Verdict(StrEnum):
    """What a platform says of an entry."""

    BLOCKED = "blocked"
    NOT_BLOCKED = "not_blocked"
    PENDING_REVIEW = "pending_review"


class _Message(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=False):
    """The base of every message."""


class SignalMessage(_Message, frozen=True, omit_defaults=True):
    """A signal on the wire. `quality` goes with `pdq`, and only with `pdq`."""

    type: SignalType
    value: Annotated[str, Meta(max_length=MAX_VALUE_CHARACTERS)]
    quality: Annotated[int, Meta(ge=0, le=100)] | None = None
    variant: Variant = Variant.WHOLE

    def __post_init__(self) -> None:
        self.signal()

    def signal(self) -> Signal:
        """The signal it stands for."""
        return Signal(self.type, self.value, self.quality, self.variant)

    @classmethod
    def of(cls, signal: Signal) -> "SignalMessage":
        """The message that stands for `signal`."""
        return cls(signal.type, signal.value, signal.quality, signal.variant)


class Picture(_Message, frozen=True, omit_defaults=True):
    """The signals of one picture. `ai_made` as the person said.

    Refused are the same type and value twice, two of a type that tells of a view (`VIEWS`) for the same variant, and
    what tells no picture from others (`emptiness`). These rules are for what is sent: the feed may hold older entries.
    """

    signals: Annotated[list[SignalMessage], Meta(min_length=1, max_length=MAX_SIGNALS)]
    kind: PictureKind = PictureKind.IMAGE
    ai_made: bool = False

    def __post_init__(self) -> None:
        if len({(s.type, s.value) for s in self.signals}) < len(self.signals):
            raise ValueError("the same signal stands twice in one picture")
        seen = set()
        for place, signal in enumerate(self.signals):
            if why := emptiness(signal.signal()):
                raise InvalidSignal(why, f"signals[{place}].value")
            if signal.type in VIEWS and (signal.type, signal.variant) in seen:
                raise InvalidSignal(f"a picture has one {signal.type} of each variant", f"signals[{place}].variant")
            seen.add((signal.type, signal.variant))


class NewCase(_Message, frozen=True, omit_defaults=True):
    """`POST /v1/cases` and `POST /v1/cases/{number}/pictures`: all that ever leaves a person's device."""

    pictures: Annotated[list[Picture], Meta(min_length=1, max_length=MAX_PICTURES)]
    age_band: AgeBand = AgeBand.MINOR


class Withdrawal(_Message, frozen=True):
    """The body of `POST /v1/cases/{number}/withdraw` that withdraws some pictures, by their positions from 0."""

    pictures: Annotated[
        list[Annotated[int, Meta(ge=0, lt=MAX_CASE_PICTURES)]], Meta(min_length=1, max_length=MAX_CASE_PICTURES)
    ]


class PictureStatus(_Message, frozen=True):
    """What platforms said of one picture: how often, how many platforms blocked it, the first and the last time.

    Times are UTC in whole seconds. `withdrawn_at` is when this picture left the case, alone or with all.
    """

    blocked: int
    platforms: int
    first_blocked_at: Moment | None
    last_blocked_at: Moment | None
    pending_review: int = 0
    not_blocked: int = 0
    withdrawn_at: Moment | None = None


class CaseStatus(_Message, frozen=True):
    """The answer to a case's owner. `pictures` stand in the order they were sent; no hash is repeated."""

    number: CaseNumber
    state: CaseState
    received_at: Moment
    withdrawn_at: Moment | None
    platforms: int
    """How many platforms have taken over the case's last change."""
    pictures: list[PictureStatus]
    expires_at: Moment | None = None
    """When the registry lets go of the case by itself, if it ever does."""
    expires_soon: bool = False
    """The warning: that moment is near."""


class FeedEntry(_Message, frozen=True, omit_defaults=True):
    """One line of the feed. An `add` carries its signal and what is known of it; the others name their entry.

    `since` is the day (UTC) of the `add`; `standing` goes with `add`, where it is `block` if left out, and `change`.
    `salt` goes with `add`: chance that keeps the line's leaf in the chain from being guessed; `leaf` with `erased`.
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
            raise ValueError("a signal goes with add, and only with add")
        if self.action is not FeedAction.ADD and (
            self.since or self.ai_made or self.kind is not PictureKind.IMAGE or self.age_band is not AgeBand.MINOR
        ):
            raise ValueError("kind, ai_made, age_band and since go with add, and only with add")
        if self.action is FeedAction.CHANGE and self.standing is None:
            raise ValueError("a change says the standing")
        if self.action in {FeedAction.REMOVE, FeedAction.ERASED} and self.standing is not None:
            raise ValueError("a standing goes with add and change, and only with them")
        if self.salt is not None and self.action is not FeedAction.ADD:
            raise ValueError("a salt goes with add, and only with add")
        if (self.leaf is not None) != (self.action is FeedAction.ERASED):
            raise ValueError("a leaf goes with erased, and only with erased")
        if self.since is not None:
            refuse_no_day(self.since)


class FeedPage(_Message, frozen=True):
    """`GET /v1/feed`: the entries after a cursor, in order and without gaps; `head` is the newest number there is."""

    entries: Annotated[list[FeedEntry], Meta(max_length=MAX_FEED_ENTRIES)]
    head: FeedNumber


class FeedHead(_Message, frozen=True):
    """The header `Takeback-Feed-Head` of every answer from the feed: what the registry signs. See `chain.py`.

    `number` is the last that the answer leads to, `chain` its link, `newest` the newest there is, `at` the time.
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
    """A public key of the feed, and its signature by the key before it; the first has none."""

    key: Digest
    signature: Signature | None = None


class FeedKeys(_Message, frozen=True):
    """`GET /v1/feed/keys`: every key that ever signed the feed, the first one first."""

    keys: list[FeedKey]


class FeedbackEvent(_Message, frozen=True):
    """What happened to one upload. `id` is made by the platform, so that sending it twice counts once."""

    id: FeedbackId
    verdict: Verdict
    entries: Annotated[list[EntryId], Meta(min_length=1, max_length=MAX_FEEDBACK_ENTRIES)]


class Feedback(_Message, frozen=True):
    """`POST /v1/feedback`."""

    feedback: Annotated[list[FeedbackEvent], Meta(min_length=1, max_length=MAX_FEEDBACK_EVENTS)]


class FeedbackReceipt(_Message, frozen=True):
    """How many events are on record now, and which entries the registry does not know (any more)."""

    recorded: int
    unknown_entries: list[EntryId]


class WorkParameters(_Message, frozen=True, rename="camel"):
    """What a challenge asks for, by altcha's own names: the try whose derived key begins with `key_prefix` (hex).

    `expires_at` is in seconds since 1970; `data` binds the challenge to one message, and says how many tries it takes
    at most.
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
    """Work that altcha's libraries can do."""

    parameters: WorkParameters
    signature: Hex


class WorkAnswer(_Message, frozen=True):
    """`GET /v1/work`: the work that a message takes now, or none."""

    work: Challenge | None = None


class Problem(_Message, frozen=True, omit_defaults=True):
    """`application/problem+json` (RFC 9457). `type` is `urn:takeback:problem:` and an error's code.

    `work` goes with `work-needed`.
    """

    type: Annotated[str, Meta(pattern=r"^urn:takeback:problem:[a-z-]{1,64}\Z")]
    title: str
    status: int
    detail: str = ""
    field: str = ""
    work: Challenge | None = None


@lru_cache(maxsize=4096)
def refuse_no_day(day: str) -> None:
    """Raises `ValueError` for a day that no calendar has, such as 30 February."""
    date.fromisoformat(day)


def seconds_of(moment: str) -> int:
    """A moment such as `2026-11-23T10:00:00Z` in seconds since 1970. Raises `ValueError` if no calendar has it."""
    return int(datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())


def schemas(messages: Iterable[type[Struct]]) -> dict[str, Any]:
    """The messages' JSON schemas by name, for `components` of an OpenAPI document."""
    _, made = msgspec.json.schema_components(messages, ref_template="#/components/schemas/{name}")
    return {name: _published(schema) for name, schema in made.items()}


def published(pattern: str) -> str:
    r"""A pattern as ECMA 262 writes it: its `$` is the very end, as `\Z` is here; Python's lets a line feed follow."""
    return pattern.removesuffix(r"\Z") + "$" if pattern.endswith(r"\Z") else pattern


def _published(schema: Any) -> Any:
    """The same with every pattern as ECMA 262 writes it."""
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
    """The message as JSON."""
    return msgspec.json.encode(message)


def decode[M: Struct](body: bytes, kind: type[M]) -> M:
    """The message of the given kind in `body`. Raises `InvalidMessage`, which names the field."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        text, _, path = str(error).rpartition(" - at ") if " - at " in str(error) else (str(error), "", "")
        raise InvalidMessage(*_explain(text, path, error.__cause__)) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidMessage("the body is not JSON") from error


def decode_request[M: Struct](body: bytes, kind: type[M]) -> M:
    """As `decode`, and refuses an object that names a field twice, so that nothing sent is passed over in silence."""
    message = decode(body, kind)
    json.loads(body, object_pairs_hook=_refuse_twice)
    return message


def _refuse_twice(pairs: list[tuple[str, object]]) -> None:
    seen = set()
    for name, _ in pairs:
        if name in seen:
            raise InvalidMessage("a field stands twice in one object", name)
        seen.add(name)


def _explain(text: str, path: str, cause: BaseException | None) -> tuple[str, str]:
    """What msgspec said, as a sentence and the path of the field it means (`$.a[0].b` -> `a[0].b`)."""
    field = path.strip("`").removeprefix("$").removeprefix(".")
    named = re.search(r"(?:unknown|required) field `([^`]*)`", text)
    inner = named[1] if named else cause.field if isinstance(cause, InvalidSignal) else ""
    if inner:
        field = f"{field}.{inner}" if field else inner
    return text, field
