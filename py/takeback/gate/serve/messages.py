"""What callers ask of the sidecar. The answers are decisions, as `Decision.as_dict` words them.

Strict as the protocol is: an unknown field, a wrong type or a value outside its limits is refused.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

from takeback.gate.rules.media import MediaKind
from takeback.gate.rules.policy import Action
from takeback.protocol import EntryId, SignalMessage, Verdict
from takeback.signals import SignalType

MAX_SIGNALS: Final = 64
"""Of one upload: more than any picture's copies, and room for a platform's own."""
MAX_UPLOADER_CHARS: Final = 256
"""Characters of a name for who uploads, such as an account's number."""
MAX_BATCH_UPLOADS: Final = 1000
"""Uploads of one batch; it keeps a process busy for about a tenth of a second."""
MAX_OUTCOME_ENTRIES: Final = 4096
"""Entries of one feedback: what one upload may have matched."""
MAX_BODY_BYTES: Final = 16 * 1024 * 1024
"""Bytes of a JSON request: a full batch of uploads with 64 signals each."""


class _Message(Struct, frozen=True, forbid_unknown_fields=True):
    """The base of every message."""


class Hashes(_Message, frozen=True):
    """One upload that the caller has hashed already; `uploader` is any name that the caller has for who uploads it."""

    signals: Annotated[list[SignalMessage], Meta(min_length=1, max_length=MAX_SIGNALS)]
    uploader: Annotated[str, Meta(max_length=MAX_UPLOADER_CHARS)] | None = None


class DecisionBatch(_Message, frozen=True):
    """Many uploads; the decisions come in their order."""

    uploads: Annotated[list[Hashes], Meta(min_length=1, max_length=MAX_BATCH_UPLOADS)]


class Outcome(_Message, frozen=True):
    """What became of an upload that matched: `id` and `entries` are from its decision.

    `confirmed` says that a person looked at it.
    """

    id: EntryId
    entries: Annotated[list[EntryId], Meta(min_length=1, max_length=MAX_OUTCOME_ENTRIES)]
    verdict: Verdict
    confirmed: bool = False


class Kept(_Message, frozen=True):
    """How many events of feedback are on disk now, to be sent with the next sync."""

    kept: int


class SidecarHealth(_Message, frozen=True):
    """Whether the sidecar runs (`/healthz`), or can decide (`/readyz`); `detail` says what is missing."""

    status: str
    detail: str = ""


class MatchAnswer(Struct, frozen=True):
    """Why an upload is stopped; more may stand in it."""

    entry: str
    type: SignalType
    distance: int
    quality: int | None
    variant: str
    dihedral: str
    action: Action
    because: str
    shares: tuple[float, float] | None


class DecisionAnswer(Struct, frozen=True):
    """A decision as it is answered; more may stand in it. `id` is for feedback.

    `kind` is what the file turned out to be; `why` a stable code for what kept an unreadable one from being hashed.
    """

    decision: Action
    explanation: str
    matches: list[MatchAnswer]
    notes: list[str]
    kind: MediaKind
    why: str
    checkpoint: int
    id: EntryId


class BatchAnswer(Struct, frozen=True):
    """The decisions of a batch, in the order of its uploads."""

    decisions: list[DecisionAnswer]
