"""Every exception of the package. Any other exception that escapes is a bug.

TakebackError
├── PictureError            a file that cannot be hashed
│   ├── UnknownFormat       not a picture, or an unsupported format
│   │   └── SoundOnly       a video container with sound only
│   ├── DamagedPicture      truncated or damaged
│   ├── PictureTooLarge     over a limit on pixels, frames or bytes
│   └── OverBudget          takes more time or memory than allowed, or crashed the process that read it
├── InvalidSignal           a value or quality that does not fit its type; `field` says which
├── InvalidMessage          a message that breaks the protocol; `field` says where
├── SettingsError           an unusable setting, option or file
├── RegistryError
│   ├── CaseNotFound        no such case, or a wrong PIN: never told apart
│   ├── TryLater            a rate limit; `retry_after` is in seconds
│   │   ├── TooManyGuesses  too many wrong PINs for one case
│   │   └── TooManyCases    too many signals from one network
│   ├── WorkNeeded          signals without the required proof of work
│   ├── KeyReused           an idempotency key used before with another message
│   ├── CaseClosed          a case that accepts no more pictures
│   ├── NotAPlatform        no valid platform key
│   └── StoreUnavailable    the database cannot store the event now
├── GateError
│   ├── RegistryUnreachable the registry did not answer in time
│   ├── KeyRefused          the registry does not know the platform key
│   ├── FeedBroken          a gap, a repeat or a malformed entry; the checkpoint stays
│   ├── StateDamaged        the gate's own files cannot be read
│   ├── SyncElsewhere       another process is following the feed in the same folder
│   └── RequestRefused      a request to the sidecar that is too large, too slow or not allowed; `status` is HTTP's
└── VerifyError
    ├── ReleaseUnusable     a release that is incomplete, changed, or not signed by a known key
    └── SiteUnreachable     the site did not answer in time
"""

__all__ = [
    "CaseClosed",
    "CaseNotFound",
    "DamagedPicture",
    "FeedBroken",
    "GateError",
    "InvalidMessage",
    "InvalidSignal",
    "KeyRefused",
    "KeyReused",
    "NotAPlatform",
    "OverBudget",
    "PictureError",
    "PictureTooLarge",
    "RegistryError",
    "RegistryUnreachable",
    "ReleaseUnusable",
    "RequestRefused",
    "SettingsError",
    "SiteUnreachable",
    "SoundOnly",
    "StateDamaged",
    "StoreUnavailable",
    "SyncElsewhere",
    "TakebackError",
    "TooManyCases",
    "TooManyGuesses",
    "TryLater",
    "UnknownFormat",
    "VerifyError",
    "WorkNeeded",
]


class TakebackError(Exception):
    """The root. `code` is a stable name for programs; the text is for people."""

    code = "error"


class PictureError(TakebackError):
    """A file that cannot be hashed."""

    code = "picture"


class UnknownFormat(PictureError):
    """Not a picture, or a picture in an unsupported format."""

    code = "unknown-format"


class SoundOnly(UnknownFormat):
    """A video container that holds sound and no pictures."""

    code = "sound-only"


class DamagedPicture(PictureError):
    """A picture that is truncated or damaged."""

    code = "damaged-picture"


class PictureTooLarge(PictureError):
    """A picture over a limit on pixels, frames or bytes; the text names the limit."""

    code = "picture-too-large"


class OverBudget(PictureError):
    """A file that takes more time or memory than a gate allows; the text names the limit."""

    code = "over-budget"


class InvalidSignal(TakebackError, ValueError):
    """A value or quality that does not fit its type. `field` is `value` or `quality`.

    It is also a `ValueError`, which msgspec reports as a validation error.
    """

    code = "invalid-signal"

    def __init__(self, text: str, field: str) -> None:
        super().__init__(text)
        self.field = field


class InvalidMessage(TakebackError):
    """A message that breaks the protocol. `field` is a path such as `pictures[0].signals[1].value`, or empty."""

    code = "invalid-message"

    def __init__(self, text: str, field: str = "") -> None:
        super().__init__(text)
        self.field = field


class SettingsError(TakebackError):
    """A setting, an option or a settings file that cannot be used; the text says what to change."""

    code = "settings"


class RegistryError(TakebackError):
    """A request that the registry refuses."""

    code = "registry"


class CaseNotFound(RegistryError):
    """No such case, or a wrong PIN; the two are never told apart."""

    code = "case-not-found"


class TryLater(RegistryError):
    """A rate limit was exceeded. `retry_after` is in seconds."""

    def __init__(self, text: str, retry_after: int) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class TooManyGuesses(TryLater):
    """Too many wrong PINs for one case number."""

    code = "too-many-guesses"


class TooManyCases(TryLater):
    """Too many signals from one network."""

    code = "too-many-cases"


class WorkNeeded(RegistryError):
    """Signals without the required proof of work; `work` is the challenge."""

    code = "work-needed"

    def __init__(self, work: object) -> None:
        super().__init__("solve `work`, then send the same request again with the solution in the header Takeback-Work")
        self.work = work


class KeyReused(RegistryError):
    """An idempotency key that was used before with a different message."""

    code = "key-reused"


class CaseClosed(RegistryError):
    """A case that accepts no more pictures: it was withdrawn, has expired, or is full."""

    code = "case-closed"


class NotAPlatform(RegistryError):
    """A request for the feed without a valid platform key."""

    code = "not-a-platform"


class StoreUnavailable(RegistryError):
    """The database cannot store the event now; nothing of it was kept, so it may be sent again."""

    code = "store-unavailable"


class GateError(TakebackError):
    """An error that stops a gate from following the feed. It keeps deciding by the last good state."""

    code = "gate"


class RegistryUnreachable(GateError):
    """The registry did not answer in time, or answered with a temporary fault; try again later."""

    code = "registry-unreachable"


class KeyRefused(GateError):
    """The registry does not accept the platform key."""

    code = "key-refused"


class FeedBroken(GateError):
    """A gap, a repeat or a malformed entry in the feed; the checkpoint stays where it was."""

    code = "feed-broken"


class StateDamaged(GateError):
    """The gate's own files cannot be read."""

    code = "state-damaged"


class SyncElsewhere(GateError):
    """Another process is following the feed in the same folder; what it applies counts for all."""

    code = "sync-elsewhere"


class RequestRefused(GateError):
    """A request that the sidecar refuses: `status` is HTTP's, `code` a stable name."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code


class VerifyError(TakebackError):
    """What stops a site from being compared with a release."""

    code = "verify"


class ReleaseUnusable(VerifyError):
    """A release that is incomplete, differs from its own sums, or is not signed by a known key."""

    code = "release-unusable"


class SiteUnreachable(VerifyError):
    """The site did not answer, or not within the limits on time and size; try again later."""

    code = "site-unreachable"
