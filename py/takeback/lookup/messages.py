"""The questions and answers of the look-up service. Both sides validate them strictly.

An answer has the same length whatever it says: it is padded with spaces, which JSON allows at its end.
"""

import re
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from takeback.errors import InvalidMessage
from takeback.hashing.kernel import DIHEDRALS
from takeback.hashing.patches import MAX_ASKED, TURNS
from takeback.protocol import Action, SignalMessage, Verdict, signal_count
from takeback.signals import HEX_DIGITS, SignalType

CHECK: Final = "/v1/check/signals"
CHECK_BATCH: Final = "/v1/check/batch"
EXACT: Final = "/v1/sha256/"
"""Followed by the first `PREFIX_DIGITS` of a SHA-256."""
FEEDBACK: Final = "/v1/feedback"

MAX_SIGNALS: Final = 64
"""Signals of one upload, as the sidecar takes."""
MAX_WEIGHT: Final = 320
"""What the signals of one upload may count as: the longest video, and as many others as `MAX_SIGNALS`.

A site is not trusted with more of a core: 256 frames take about 30 ms among a million pictures.
"""
WEIGHT_PER_QUESTION: Final = 64
"""What the signals of one upload may count as before it is charged as a further question."""
MAX_BATCH: Final = 100
"""Uploads of one batch, so that it holds up other sites for less than a tenth of a second."""
MAX_UPLOADER_CHARS: Final = 64
"""Length of an uploader's name, of which `RemoteGate` sends a keyed hash."""
MAX_BODY_BYTES: Final = 4 << 20
"""Size of a request: a batch of pictures with all their patches."""
MAX_FEEDBACK_BYTES: Final = 4096
PREFIX_DIGITS: Final = 5
"""Hex digits of a SHA-256 that a site sends: a 1,048,576th of all files share them."""
PREFIX_PATTERN: Final = re.compile(f"[0-9a-f]{{{PREFIX_DIGITS}}}")
SUFFIX_DIGITS: Final = HEX_DIGITS[SignalType.SHA256] - PREFIX_DIGITS
KEY_PATTERN: Final = re.compile(r"tbl_[0-9a-f]{16}_[0-9a-f]{64}")
"""A site's key: an identifier, which is not secret, and 256 random bits."""
MAX_ID_CHARS: Final = 512
"""Length of an id for feedback, of which all have the same."""
MAX_SUFFIXES: Final = 4096
"""Suffixes of one answer that a client reads; a list of a million pictures has one for each prefix."""
_REFUSED: Final = frozenset({SignalType.SHA256, SignalType.MD5})

type _Pdq = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
type PatchMessage = tuple[
    Annotated[str, Meta(pattern=r"^[0-9a-f]{16}\Z")],
    Annotated[int, Meta(ge=0, lt=TURNS)],
    Annotated[int, Meta(ge=0, le=255)],
]
"""A patch of the upload: its hash, and `turn` and `spot` as of an `AskedPatch`; not where in the picture it is."""
type DecisionId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_=-]+\Z", max_length=MAX_ID_CHARS)]


class _Message(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The base of every message."""


class RemoteQuestion(_Message, frozen=True):
    """The fingerprints of one upload: anything but its exact hashes, which are asked for by prefix.

    `dihedral` holds the PDQ of its turned and mirrored forms by name, and `patches` its local hashes. `uploader` is any
    name that the site has for the uploading person. Raises `InvalidMessage`.
    """

    signals: Annotated[list[SignalMessage], Meta(min_length=1, max_length=MAX_SIGNALS)]
    dihedral: Annotated[dict[str, _Pdq], Meta(max_length=len(DIHEDRALS))] = {}
    patches: Annotated[list[PatchMessage], Meta(max_length=MAX_ASKED)] = []
    uploader: Annotated[str, Meta(max_length=MAX_UPLOADER_CHARS)] | None = None

    def check(self) -> None:
        """Checks what the types do not say. Raises `InvalidMessage`."""
        if any(signal.type in _REFUSED for signal in self.signals):
            raise InvalidMessage(f"ask for exact hashes by the prefix of a SHA-256: GET {EXACT}PREFIX", "signals")
        if signal_count(self.signals) > MAX_WEIGHT:
            raise InvalidMessage(f"an upload has at most {MAX_WEIGHT} hashes and frames", "signals")
        if not self.dihedral.keys() <= set(DIHEDRALS):
            raise InvalidMessage(f"the forms are named {', '.join(DIHEDRALS)}", "dihedral")

    def cost(self) -> int:
        """Returns how many questions this one is charged as."""
        return -(-signal_count(self.signals) // WEIGHT_PER_QUESTION)


class RemoteBatch(_Message, frozen=True):
    """Many uploads; the answers come in the same order."""

    uploads: Annotated[list[RemoteQuestion], Meta(min_length=1, max_length=MAX_BATCH)]


class RemoteAnswer(Struct, frozen=True):
    """What to do with an upload, and an opaque id for feedback. Further fields may be added."""

    decision: Action
    id: DecisionId


class RemoteAnswers(Struct, frozen=True):
    """The answers to a batch, in the order of its uploads."""

    answers: list[RemoteAnswer]


class ExactSuffix(Struct, frozen=True):
    """The rest of a SHA-256, and what to do with an upload that has it. Some are decoys, which no file has."""

    suffix: Annotated[str, Meta(pattern=rf"^[0-9a-f]{{{SUFFIX_DIGITS}}}\Z")]
    decision: Action
    id: DecisionId


class ExactAnswer(Struct, frozen=True):
    """The listed SHA-256 that begin with a prefix, among decoys."""

    suffixes: Annotated[list[ExactSuffix], Meta(max_length=MAX_SUFFIXES)]


class RemoteOutcome(_Message, frozen=True):
    """Feedback on an upload: the id of its answer, and what the site did.

    `confirmed` says that a moderator has looked at it.
    """

    id: DecisionId
    verdict: Verdict
    confirmed: bool = False


class Accepted(Struct, frozen=True):
    """Feedback was taken; it says nothing of what it was about."""

    accepted: bool = True


class LookUpHealth(Struct, frozen=True):
    """Whether the service runs (`/healthz`) or can decide (`/readyz`)."""

    status: str
    detail: str = ""


_LONGEST: Final = max(map(len, Action))


def padded(message: RemoteAnswer | RemoteAnswers | ExactAnswer) -> bytes:
    """Encodes an answer, padded so that its length depends only on how many items it has."""
    if isinstance(message, RemoteAnswer):
        held = [message.decision]
    elif isinstance(message, RemoteAnswers):
        held = [one.decision for one in message.answers]
    else:
        held = [one.decision for one in message.suffixes]
    return msgspec.json.encode(message) + b" " * sum(_LONGEST - len(action) for action in held)
