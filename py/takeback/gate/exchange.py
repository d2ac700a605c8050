"""The feed for python-threatexchange (`tx`) and hasher-matcher-actioner: an exchange that honours withdrawals.

    tx config extensions add takeback.gate.exchange
    tx config collab edit takeback --create mine --registry https://registry.example
    TAKEBACK_PLATFORM_KEY=tbk_... tx fetch

What it takes over are the feed's entries by their ids, so that a removal finds its entry. Each page is held against
the feed's rules of numbers and entries; one that breaks a rule is not applied and the checkpoint stays. The signed
chain is not followed: it takes what is held of each entry, which an exchange is not shown. The gate follows it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, Self, override

from threatexchange.exchanges.auth import CredentialHelper, SignalExchangeWithAuth
from threatexchange.exchanges.collab_config import CollaborationConfigWithDefaults
from threatexchange.exchanges.fetch_state import (
    FetchCheckpointBase,
    FetchDelta,
    FetchedSignalMetadata,
    SignalOpinion,
    SignalOpinionCategory,
)
from threatexchange.exchanges.signal_exchange_api import SignalExchangeAPI
from threatexchange.extensions.manifest import ThreatExchangeExtensionManifest
from threatexchange.signal_type.signal_base import SignalType as TheirSignal

from takeback.gate.client import Client
from takeback.gate.follow import Known, Position, There, follow
from takeback.gate.settings import KEY_VARIABLE, Settings
from takeback.protocol import FeedAction, FeedEntry, FeedPage, PictureKind, Standing
from takeback.signals import PDQ_QUALITY_FLOOR, SignalType

NAME: Final = "takeback"
_THEIRS: Final[Mapping[tuple[PictureKind, SignalType], str]] = {
    (PictureKind.IMAGE, SignalType.PDQ): "pdq",
    (PictureKind.VIDEO, SignalType.MD5): "video_md5",
    (PictureKind.VIDEO, SignalType.SHA256): "video_sha256",
}
"""Their names for the signals that both sides know; the others are kept and not matched."""


@dataclass
class _Required:
    registry: str = field(metadata={"help": "address of the registry, https://..."})


@dataclass
class Config(CollaborationConfigWithDefaults, _Required):
    """Which registry to follow."""

    api: str = field(init=False, default=NAME)


@dataclass
class Credentials(CredentialHelper):
    """The platform's key."""

    ENV_VARIABLE: ClassVar[str] = KEY_VARIABLE
    FILE_NAME: ClassVar[str] = "~/.tx_takeback_key"

    key: str = field(metadata={"help": "The platform key that the registry gave you."})

    @classmethod
    @override
    def _from_str(cls, s: str) -> "Credentials":
        return cls(s.strip())


@dataclass
class Checkpoint(FetchCheckpointBase):
    """How far the feed is applied, and the newest number it has told of."""

    number: int
    head: int


@dataclass
class Record:
    """An entry: its signal, and the strongest decision it may lead to. Without a `value` it is only a new standing."""

    standing: str
    name: str = ""
    value: str = ""


@dataclass
class Metadata(FetchedSignalMetadata):
    """What is known of a signal: its entry, by this platform's id, and whether it may lead to a block."""

    entry: str
    standing: str

    @override
    def get_as_opinions(self) -> Sequence[SignalOpinion]:
        """A confirmed picture where the entry may lead to a block, else one for a person to look at."""
        blocks = self.standing == Standing.BLOCK
        category = SignalOpinionCategory.POSITIVE_CLASS if blocks else SignalOpinionCategory.INVESTIGATION_SEED
        return [SignalOpinion(is_mine=False, category=category, tags=set())]


class Exchange(
    SignalExchangeWithAuth[Config, Credentials], SignalExchangeAPI[Config, Checkpoint, Metadata, str, Record]
):
    """Follows one registry. Raises our `GateError` and `SettingsError`, which end a fetch with its checkpoint kept."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings

    @classmethod
    @override
    def for_collab(cls, collab: Config, credentials: Credentials | None = None) -> Self:
        key = (credentials or Credentials.get(cls)).key
        return cls(Settings(collab.registry, key))

    @classmethod
    @override
    def get_name(cls) -> str:
        return NAME

    @staticmethod
    @override
    def get_config_cls() -> type[Config]:
        return Config

    @staticmethod
    @override
    def get_checkpoint_cls() -> type[Checkpoint]:
        return Checkpoint

    @staticmethod
    @override
    def get_record_cls() -> type[Metadata]:
        return Metadata

    @staticmethod
    @override
    def get_credential_cls() -> type[Credentials]:
        return Credentials

    @override
    def fetch_iter(
        self, supported_signal_types: Sequence[type[TheirSignal]], checkpoint: Checkpoint | None
    ) -> Iterator[FetchDelta[str, Record, Checkpoint]]:
        """The feed after `checkpoint`, a page at a time, up to its head. Raises `FeedBroken`."""
        number, head = (checkpoint.number, checkpoint.head) if checkpoint else (0, 0)
        with Client(self._settings) as client:
            while True:
                page = client.feed(number).page
                after = follow(Position(number, head), _presumed(page), page).after
                number, head = after.checkpoint, after.head
                yield FetchDelta(_updates(page), Checkpoint(number, head))
                if number == head:
                    return

    @classmethod
    @override
    def fetch_value_merge(cls, old: Record | None, new: Record | None) -> Record | None:
        """A new standing changes the entry that is there; one of an entry whose signal is erased changes nothing."""
        if new is None or new.value:
            return new
        return replace(old, standing=new.standing) if old else None

    @classmethod
    @override
    def naive_convert_to_signal_type(
        cls, signal_types: Sequence[type[TheirSignal]], collab: Config, fetched: Mapping[str, Record]
    ) -> dict[type[TheirSignal], dict[str, Metadata]]:
        """What may be matched: not what is paused, nor what has no name on their side."""
        by_name = {kind.get_name(): kind for kind in signal_types}
        told: dict[type[TheirSignal], dict[str, Metadata]] = {}
        for entry, record in fetched.items():
            kind = by_name.get(record.name)
            if kind is not None and record.standing != Standing.PAUSED:
                told.setdefault(kind, {})[record.value] = Metadata(entry, record.standing)
        return told


def _presumed(page: FeedPage) -> Known:
    """Entries that a page speaks of and does not bring are taken to be there: what is held is not known here."""
    brought: set[str] = set()
    there: set[str] = set()
    for line in page.entries:
        if line.action in {FeedAction.ADD, FeedAction.ERASED}:
            brought.add(line.entry)
        elif line.entry not in brought:
            there.add(line.entry)
    return Known(dict.fromkeys(there, There(1, None)))


def _updates(page: FeedPage) -> dict[str, Record | None]:
    """What a page leaves of each entry: a record, a new standing, or `None` for one that went."""
    updates: dict[str, Record | None] = {}
    for line in page.entries:
        if line.signal is not None:
            updates[line.entry] = _record(line)
        elif line.action is FeedAction.CHANGE:
            standing = Record(line.standing or Standing.BLOCK)
            updates[line.entry] = Exchange.fetch_value_merge(updates.get(line.entry), standing) or standing
        elif line.action is FeedAction.REMOVE:
            updates[line.entry] = None
    return updates


def _record(line: FeedEntry) -> Record:
    """An entry that came; a PDQ that says too little of its picture has no name, so that nothing matches by it."""
    assert line.signal is not None
    weak = line.signal.quality is not None and line.signal.quality < PDQ_QUALITY_FLOOR
    name = "" if weak else _THEIRS.get((line.kind, line.signal.type), "")
    return Record(line.standing or Standing.BLOCK, name, line.signal.value)


TX_MANIFEST: Final = ThreatExchangeExtensionManifest(apis=(Exchange,))
