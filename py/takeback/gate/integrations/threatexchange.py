"""The feed for python-threatexchange (`tx`) and hasher-matcher-actioner: an exchange that honours withdrawals.

    tx config extensions add takeback.gate.integrations.threatexchange
    tx config collab edit takeback --create mine --registry https://registry.example
    TAKEBACK_PLATFORM_KEY=tbk_... tx fetch

What it takes over are the feed's entries by their ids, so that a removal finds its entry. Each page is held against
the feed's rules of numbers and entries; one that breaks a rule is not applied and the checkpoint stays. The signed
chain is not followed: it takes what is held of each entry, which an exchange is not shown. The gate follows it.

Every record is whole, because not every store merges records by `fetch_value_merge`: hasher-matcher-actioner puts the
new one in the place of the old, and drops what can be matched by nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
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

from takeback.bulk import line_of
from takeback.errors import RegistryUnreachable
from takeback.gate.feed.client import Client
from takeback.gate.feed.follow import ActiveEntry, FeedPosition, Known, follow
from takeback.gate.settings import KEY_VARIABLE, GateSettings
from takeback.protocol import EntryStatus, FeedAction, FeedEntry, FeedPage, PictureKind
from takeback.signals import PDQ_QUALITY_FLOOR, SignalType

NAME: Final = "takeback"
_THEIRS: Final[Mapping[tuple[PictureKind, SignalType], str]] = {
    (PictureKind.IMAGE, SignalType.PDQ): "pdq",
    (PictureKind.VIDEO, SignalType.MD5): "video_md5",
    (PictureKind.VIDEO, SignalType.SHA256): "video_sha256",
}
"""Their names for the signals that both sides know; the others are kept and not matched."""

type Followed = tuple[FeedPage, FeedPosition]
"""A page, and where it leads to."""


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
class ExchangeRecord:
    """An entry, whole: its signal by their name, which is empty where they have none, and what it may lead to."""

    standing: str
    name: str
    value: str


@dataclass
class Metadata(FetchedSignalMetadata):
    """What is known of a signal: its entry, by this platform's id, and whether it may lead to a block."""

    entry: str
    standing: str

    @override
    def get_as_opinions(self) -> Sequence[SignalOpinion]:
        """A confirmed picture where the entry may lead to a block, else one for a person to look at."""
        blocks = self.standing == EntryStatus.BLOCK
        category = SignalOpinionCategory.POSITIVE_CLASS if blocks else SignalOpinionCategory.INVESTIGATION_SEED
        return [SignalOpinion(is_mine=False, category=category, tags=set())]


class Exchange(
    SignalExchangeWithAuth[Config, Credentials], SignalExchangeAPI[Config, Checkpoint, Metadata, str, ExchangeRecord]
):
    """Follows one registry. Raises our `GateError` and `SettingsError`, which end a fetch with its checkpoint kept."""

    def __init__(self, settings: GateSettings) -> None:
        super().__init__()
        self._settings = settings

    @classmethod
    @override
    def for_collab(cls, collab: Config, credentials: Credentials | None = None) -> Self:
        key = (credentials or Credentials.get(cls)).key
        return cls(GateSettings(collab.registry, key))

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
    ) -> Iterator[FetchDelta[str, ExchangeRecord, Checkpoint]]:
        """The feed after `checkpoint`, a page at a time, up to its head, in whole records. Raises `FeedBroken`.

        Of an entry that came before `checkpoint` a changed standing alone is in the feed: what else is known of it is
        read from the registry's snapshot, for all pages at once.
        """
        number, head = (checkpoint.number, checkpoint.head) if checkpoint else (0, 0)
        with Client(self._settings) as client:
            pages: Iterable[Followed] = _pages(client, FeedPosition(number, head))
            known: dict[str, ExchangeRecord] = {}
            if checkpoint:
                pages = list(pages)
                known = _records(client, _changed(page for page, _ in pages), pages[-1][1].checkpoint)
            for page, after in pages:
                yield FetchDelta(_updates(page, known), Checkpoint(after.checkpoint, after.head))

    @classmethod
    @override
    def naive_convert_to_signal_type(
        cls, signal_types: Sequence[type[TheirSignal]], collab: Config, fetched: Mapping[str, ExchangeRecord]
    ) -> dict[type[TheirSignal], dict[str, Metadata]]:
        """What may be matched: not what is paused, nor what has no name on their side."""
        by_name = {kind.get_name(): kind for kind in signal_types}
        told: dict[type[TheirSignal], dict[str, Metadata]] = {}
        for entry, record in fetched.items():
            kind = by_name.get(record.name)
            if kind is not None and record.standing != EntryStatus.PAUSED:
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
    return Known(dict.fromkeys(there, ActiveEntry(1, None)))


def _pages(client: Client, position: FeedPosition) -> Iterator[Followed]:
    """The pages up to the feed's head, and where each leads to."""
    while True:
        page = client.feed(position.checkpoint).page
        position = follow(position, _presumed(page), page).after
        yield page, position
        if position.checkpoint == position.head:
            return


def _changed(pages: Iterable[FeedPage]) -> set[str]:
    """The entries that change on pages which do not bring them."""
    brought: set[str] = set()
    changed: set[str] = set()
    for line in (line for page in pages for line in page.entries):
        if line.action in {FeedAction.ADD, FeedAction.ERASED}:
            brought.add(line.entry)
        elif line.action is FeedAction.CHANGE and line.entry not in brought:
            changed.add(line.entry)
    return changed


def _records(client: Client, entries: AbstractSet[str], number: int) -> dict[str, ExchangeRecord]:
    """The records of entries as they are at a number of the feed, or later; what has gone by then is not among them."""
    if not entries:
        return {}
    with client.snapshot() as reader:
        lines = (line_of(record) for record in reader if record.add and record.entry.hex() in entries)
        records = {line.entry: _record(line) for line in lines}
        if client.signed(reader).number < number:
            raise RegistryUnreachable("the registry's snapshot is older than its feed: try again")
    return records


def _updates(page: FeedPage, known: dict[str, ExchangeRecord]) -> dict[str, ExchangeRecord | None]:
    """What a page leaves of each entry: a whole record, or `None` for one that went; `known` is kept up to date.

    An entry that changes and is not known has gone since, or comes without its signal: nothing is left of it.
    """
    updates: dict[str, ExchangeRecord | None] = {}
    for line in page.entries:
        if line.signal is not None:
            known[line.entry] = _record(line)
        elif line.action is FeedAction.CHANGE and line.entry in known:
            known[line.entry] = replace(known[line.entry], standing=line.standing or EntryStatus.BLOCK)
        else:
            known.pop(line.entry, None)
        updates[line.entry] = known.get(line.entry)
    return updates


def _record(line: FeedEntry) -> ExchangeRecord:
    """An entry that came; a PDQ that says too little of its picture has no name, so that nothing matches by it."""
    assert line.signal is not None
    weak = line.signal.quality is not None and line.signal.quality < PDQ_QUALITY_FLOOR
    name = "" if weak else _THEIRS.get((line.kind, line.signal.type), "")
    return ExchangeRecord(line.standing or EntryStatus.BLOCK, name, line.signal.value)


TX_MANIFEST: Final = ThreatExchangeExtensionManifest(apis=(Exchange,))
