"""The feed as an exchange for python-threatexchange (`tx`) and hasher-matcher-actioner, which honours withdrawals.

    tx config extensions add takeback.integrations.threatexchange
    tx config collab edit takeback --create mine --registry https://registry.example
    TAKEBACK_PLATFORM_KEY=tbk_... tx fetch

Records are stored by entry id, so that a removal finds its entry. Each page is checked against the feed's rules 1 to
4; a page that breaks one is not applied, and the checkpoint stays. The signed hash chain is not checked, because that
needs the stored entries, which an exchange cannot see. The gate checks it.

Every record is complete, because not every store merges records with `fetch_value_merge`: hasher-matcher-actioner
replaces the old record by the new one, and drops records that nothing can match.
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
"""Names in python-threatexchange of the signals that both sides know; other signals are stored, but never match."""

type Followed = tuple[FeedPage, FeedPosition]
"""A page, and the feed position after it."""


# A base class of its own, because a field without a default must come before those with one.
@dataclass
class _Required:
    registry: str = field(metadata={"help": "address of the registry, https://..."})


@dataclass
class Config(CollaborationConfigWithDefaults, _Required):
    """The configuration of a collaboration: which registry to follow."""

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
    """How far the feed is applied, and the newest number that the registry has announced."""

    number: int
    head: int


@dataclass
class ExchangeRecord:
    """A complete entry: its entry status, the name of its signal type (empty if `tx` has none), and its value."""

    standing: str
    name: str
    value: str


@dataclass
class Metadata(FetchedSignalMetadata):
    """The metadata of a signal: its entry's id for this platform, and its entry status."""

    entry: str
    standing: str

    @override
    def get_as_opinions(self) -> Sequence[SignalOpinion]:
        """Returns a confirmed match if the entry may lead to a block, else one for a person to look at."""
        blocks = self.standing == EntryStatus.BLOCK
        category = SignalOpinionCategory.POSITIVE_CLASS if blocks else SignalOpinionCategory.INVESTIGATION_SEED
        return [SignalOpinion(is_mine=False, category=category, tags=set())]


class Exchange(
    SignalExchangeWithAuth[Config, Credentials], SignalExchangeAPI[Config, Checkpoint, Metadata, str, ExchangeRecord]
):
    """Follows one registry. Raises `GateError` or `SettingsError`, which end a fetch and keep its checkpoint."""

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
        """Yields the feed after `checkpoint` up to its head, one page at a time, in complete records.

        If an entry from before `checkpoint` changes, the feed has only its new entry status; the rest of its record is
        read from the registry's snapshot, once for all pages. Raises `FeedBroken` if the feed breaks a rule, and
        `RegistryUnreachable` or another `GateError`.
        """
        number, head = (checkpoint.number, checkpoint.head) if checkpoint else (0, 0)
        # Without local hashes, which `tx` cannot match.
        with Client(self._settings, types=frozenset()) as client:
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
        """Returns the signals that may match, without paused ones and those of a type that `tx` does not know."""
        by_name = {kind.get_name(): kind for kind in signal_types}
        signals: dict[type[TheirSignal], dict[str, Metadata]] = {}
        for entry, record in fetched.items():
            kind = by_name.get(record.name)
            if kind is not None and record.standing != EntryStatus.PAUSED:
                signals.setdefault(kind, {})[record.value] = Metadata(entry, record.standing)
        return signals


def _presumed(page: FeedPage) -> Known:
    """Presumes that entries that a page mentions but does not add are active, because the store is not visible here."""
    brought: set[str] = set()
    there: set[str] = set()
    for line in page.entries:
        if line.action in {FeedAction.ADD, FeedAction.ERASED}:
            brought.add(line.entry)
        elif line.entry not in brought:
            there.add(line.entry)
    # Any number will do: only the chain depends on it, which is not checked here.
    return Known(dict.fromkeys(there, ActiveEntry(1, None)))


def _pages(client: Client, position: FeedPosition) -> Iterator[Followed]:
    """Yields the pages up to the feed's head, with the position after each."""
    while True:
        page = client.feed(position.checkpoint).page
        position = follow(position, _presumed(page), page).after
        yield page, position
        if position.checkpoint == position.head:
            return


def _changed(pages: Iterable[FeedPage]) -> set[str]:
    """Returns the entries that change on `pages` and are not added there before."""
    brought: set[str] = set()
    changed: set[str] = set()
    for line in (line for page in pages for line in page.entries):
        if line.action in {FeedAction.ADD, FeedAction.ERASED}:
            brought.add(line.entry)
        elif line.action is FeedAction.CHANGE and line.entry not in brought:
            changed.add(line.entry)
    return changed


def _records(client: Client, entries: AbstractSet[str], number: int) -> dict[str, ExchangeRecord]:
    """Reads the records of entries from the snapshot, which must be at `number` or later; removed entries are absent.

    Raises `RegistryUnreachable` if the snapshot is older.
    """
    if not entries:
        return {}
    with client.snapshot() as reader:
        lines = (line_of(record) for record in reader if record.add and record.entry.hex() in entries)
        records = {line.entry: _record(line) for line in lines}
        if client.signed(reader).number < number:
            raise RegistryUnreachable("the registry's snapshot is older than its feed: try again")
    return records


def _updates(page: FeedPage, known: dict[str, ExchangeRecord]) -> dict[str, ExchangeRecord | None]:
    """Returns the record of each entry after a page, None for a removed one, and updates `known`.

    A changed entry that is not in `known` was removed since, or is a tombstone: its record is None.
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
    """Returns the record of an added entry; a PDQ hash of low quality gets no type name, so that it never matches."""
    assert line.signal is not None
    weak = line.signal.quality is not None and line.signal.quality < PDQ_QUALITY_FLOOR
    name = "" if weak else _THEIRS.get((line.kind, line.signal.type), "")
    return ExchangeRecord(line.standing or EntryStatus.BLOCK, name, line.signal.value)


TX_MANIFEST: Final = ThreatExchangeExtensionManifest(apis=(Exchange,))
