"""The sidecar's requests and answers. Decisions are answered as `Decision.as_dict` returns them.

Requests are validated strictly: an unknown field, a wrong type or a value outside its limits is refused.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

from takeback.gate.rules.media import MediaKind
from takeback.gate.rules.policy import Action
from takeback.protocol import EntryId, SignalMessage, Verdict
from takeback.signals import SignalType

MAX_SIGNALS: Final = 64
"""Signals of one upload: more than the views of any picture, and some of the platform's own."""
MAX_UPLOADER_CHARS: Final = 256
"""Length of an uploader's name, such as an account number."""
MAX_BATCH_UPLOADS: Final = 1000
"""Uploads of one batch, which occupies a process for about a tenth of a second."""
MAX_OUTCOME_ENTRIES: Final = 4096
"""Entries of one feedback request, as many as one upload may have matched."""
MAX_BODY_BYTES: Final = 16 * 1024 * 1024
"""Size of a JSON request: a full batch of uploads with 64 signals each."""


class _Message(Struct, frozen=True, forbid_unknown_fields=True):
    """The base of every message."""


class Hashes(_Message, frozen=True):
    """An upload that the caller hashed; `uploader` is any name that the caller has for the uploading person."""

    signals: Annotated[list[SignalMessage], Meta(min_length=1, max_length=MAX_SIGNALS)]
    uploader: Annotated[str, Meta(max_length=MAX_UPLOADER_CHARS)] | None = None


class DecisionBatch(_Message, frozen=True):
    """Many uploads; the decisions come in the same order."""

    uploads: Annotated[list[Hashes], Meta(min_length=1, max_length=MAX_BATCH_UPLOADS)]


class Outcome(_Message, frozen=True):
    """Feedback on an upload that matched. `id` and `entries` are from its decision.

    `confirmed` says that a moderator has looked at the upload.
    """

    id: EntryId
    entries: Annotated[list[EntryId], Meta(min_length=1, max_length=MAX_OUTCOME_ENTRIES)]
    verdict: Verdict
    confirmed: bool = False


class Kept(_Message, frozen=True):
    """The number of feedback events queued on disk by a request; the next sync sends them."""

    kept: int


class SidecarHealth(_Message, frozen=True):
    """Whether the sidecar runs (`/healthz`) or can decide (`/readyz`); `detail` explains it."""

    status: str
    detail: str = ""


class MatchAnswer(Struct, frozen=True):
    """Why an upload is stopped. Further fields may be added."""

    entry: str
    type: SignalType
    distance: int
    quality: int | None
    variant: str
    dihedral: str
    action: Action
    because: str
    shares: tuple[float, float] | None
    second: int | None
    frame: bool
    votes: int | None
    pose: int | None


class DecisionAnswer(Struct, frozen=True):
    """A decision. Further fields may be added. `id` is for feedback.

    `kind` is what the file turned out to be; `why` is a stable code for the reason why a file is unreadable.
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
