"""Every error of the package. Anything else that escapes is a bug.

TakebackError
├── PictureError            a file that cannot be hashed
│   ├── UnknownFormat       not a picture, or a kind that is not read
│   │   └── SoundOnly       a video's container without any picture in it
│   ├── DamagedPicture      cut short or broken inside
│   ├── PictureTooLarge     over a limit on pixels, frames or bytes
│   └── OverBudget          takes more time or memory than a file may, or ended the process that read it
├── InvalidSignal           a hash or a quality that does not fit its type; `field` says which
├── InvalidMessage          a message that breaks the protocol; `field` says where
├── SettingsError           a setting, option or file that cannot be used
├── RegistryError
│   ├── CaseNotFound        no such case, or not this PIN: the two are told alike
│   ├── TryLater            too much of something; `retry_after` seconds
│   │   ├── TooManyGuesses  wrong PINs for one case
│   │   └── TooManyCases    new cases from one network
│   ├── WorkNeeded          a new case without the work that is asked for
│   ├── KeyReused           an idempotency key that came with another message before
│   ├── CaseClosed          a case that takes no more pictures
│   ├── NotAPlatform        no valid platform key
│   └── StoreUnavailable    the database cannot take the event now
├── GateError
│   ├── RegistryUnreachable the registry did not answer, or not in time
│   ├── KeyRefused          the registry does not know the platform key
│   ├── FeedBroken          a gap, a repeat or a malformed entry; the checkpoint stays
│   ├── StateDamaged        the gate's own files cannot be read
│   ├── SyncElsewhere       another process follows the feed in the same folder just now
│   └── RequestRefused      what a caller of the sidecar sent is too large, too slow, or not allowed; `status` is HTTP's
└── VerifyError
    ├── ReleaseUnusable     a release that is incomplete, changed, or not signed by a known key
    └── SiteUnreachable     the site did not answer, or not in time
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
    """The root. `code` is a stable name that programs may act on; the text is for people."""

    code = "error"


class PictureError(TakebackError):
    """A file that cannot be hashed."""

    code = "picture"


class UnknownFormat(PictureError):
    """Not a picture, or a kind of picture that is not read."""

    code = "unknown-format"


class SoundOnly(UnknownFormat):
    """A file of the videos' container that holds sound and no pictures."""

    code = "sound-only"


class DamagedPicture(PictureError):
    """A picture that is cut short or broken inside."""

    code = "damaged-picture"


class PictureTooLarge(PictureError):
    """A picture over a limit on pixels, frames or bytes; the text names the limit."""

    code = "picture-too-large"


class OverBudget(PictureError):
    """A file that takes more time or memory than a gate gives a file; the text names the limit."""

    code = "over-budget"


class InvalidSignal(TakebackError, ValueError):
    """A hash or a quality that does not fit its type. `field` is `value` or `quality`.

    A `ValueError` too, because that is what msgspec takes for a value that is refused.
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
    """A setting, an option or a file of settings that cannot be used; the text says what to change."""

    code = "settings"


class RegistryError(TakebackError):
    """What the registry refuses."""

    code = "registry"


class CaseNotFound(RegistryError):
    """No such case, or not this PIN; the two are never told apart."""

    code = "case-not-found"


class TryLater(RegistryError):
    """Too much of something. `retry_after` is in seconds."""

    def __init__(self, text: str, retry_after: int) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class TooManyGuesses(TryLater):
    """Too many wrong PINs for one case number."""

    code = "too-many-guesses"


class TooManyCases(TryLater):
    """Too many signals from one part of the network."""

    code = "too-many-cases"


class WorkNeeded(RegistryError):
    """Signals without the work that they take now; `work` is the challenge."""

    code = "work-needed"

    def __init__(self, work: object) -> None:
        super().__init__("solve `work`, and send the same again with the solution in the header Takeback-Work")
        self.work = work


class KeyReused(RegistryError):
    """An idempotency key that came with a different message before."""

    code = "key-reused"


class CaseClosed(RegistryError):
    """A case that takes no more pictures: it was withdrawn, has expired, or is full."""

    code = "case-closed"


class NotAPlatform(RegistryError):
    """A request for the feed without a valid platform key."""

    code = "not-a-platform"


class StoreUnavailable(RegistryError):
    """The database cannot take the event now; nothing of it was kept, so it may be sent again."""

    code = "store-unavailable"


class GateError(TakebackError):
    """What stops a gate from following the feed. The last good state goes on deciding."""

    code = "gate"


class RegistryUnreachable(GateError):
    """The registry did not answer, not in time, or with a passing fault; try again later."""

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
    """Another process follows the feed in the same folder just now; what it applies holds for all."""

    code = "sync-elsewhere"


class RequestRefused(GateError):
    """A request to the sidecar that is not served: `status` is HTTP's, `code` a stable name."""

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
