"""The feed in bulk: reads and writes tiles and snapshots, a compact binary form of the feed.

The registry writes it and gates read it. PROTOCOL.md specifies the layout, byte by byte. Numbers are big-endian.
"""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from hashlib import sha256
from struct import Struct
from typing import Final, NamedTuple

from takeback.errors import FeedBroken, InvalidMessage, InvalidSignal
from takeback.protocol import AgeBand, EntryStatus, FeedAction, FeedEntry, FeedHead, PictureKind, SignalMessage, decode
from takeback.signals import HEX_DIGITS, SignalType, Variant

TILE_LINES: Final = 10_000
"""Lines of a tile."""
MEDIA_TYPE: Final = "application/octet-stream"
MAX_HEAD_BYTES: Final = 4096
"""Bytes of the head at the end of a file; it has about 400."""
MAGIC: Final = {False: b"TBKTILE1", True: b"TBKSNAP1"}
"""First bytes of a tile (`False`) and a snapshot (`True`), which has no salts, because it is not in the chain."""

TYPES: Final = (
    SignalType.PDQ,
    SignalType.PHASH,
    SignalType.SHA256,
    SignalType.MD5,
    SignalType.VPDQ,
    SignalType.PATCHES,
)
"""The position is the code, so new types must be appended."""
ACTIONS: Final = (FeedAction.ERASED, FeedAction.ADD, FeedAction.REMOVE, FeedAction.CHANGE)
ENTRY_STATUSES: Final = (EntryStatus.BLOCK, EntryStatus.REVIEW, EntryStatus.PAUSED)
VARIANTS: Final = tuple(Variant)
"""In the order of `signals.py`, which PROTOCOL.md repeats. New variants must be appended: the position is the code."""
VARIANT_CODES: Final = {variant: code for code, variant in enumerate(VARIANTS)}
TYPE_CODES: Final = {kind: code for code, kind in enumerate(TYPES)}
ENTRY_STATUS_CODES: Final = {standing: code for code, standing in enumerate(ENTRY_STATUSES)}
VALUE_BYTES: Final = tuple(HEX_DIGITS[kind] // 2 if kind in HEX_DIGITS else 0 for kind in TYPES)
"""Bytes of a value, by type code; 0 for text, which is preceded by its length."""
VIDEO, AI_MADE, WAS_MINOR, ENTRY_STATUS_SHIFT = 2, 4, 8, 4
NO_QUALITY: Final = 255

# A line's number, action and entry id.
_LINE: Final = Struct(">QB16s")
# Of an `add`: type, variant, flags, quality, and days since 1970.
_ADD: Final = Struct(">BBBBH")
_LENGTH: Final = Struct(">H")
_HEAD: Final = Struct(">I")
# A line starts with its number, which is at least 1, so none starts with eight zero bytes.
_END: Final = bytes(8)
_EPOCH: Final = date(1970, 1, 1)


class Add(NamedTuple):
    """The content of an `add`, as encoded in the file; `since` is in days since 1970, 0 if absent."""

    type: int
    variant: int
    flags: int
    quality: int
    since: int
    salt: bytes
    value: bytes


class BulkRecord(NamedTuple):
    """A line as encoded in the file. `add` is set for `add`, `standing` for `change`, `leaf` for `erased`."""

    number: int
    action: FeedAction
    entry: bytes
    add: Add | None = None
    standing: EntryStatus | None = None
    leaf: bytes | None = None


def write_add(number: int, entry: bytes, add: Add) -> bytes:
    """Encodes an `add`; without a salt it is one of a snapshot."""
    size = b"" if VALUE_BYTES[add.type] else _LENGTH.pack(len(add.value))
    head = _LINE.pack(number, 1, entry) + _ADD.pack(add.type, add.variant, add.flags, add.quality, add.since)
    return head + add.salt + size + add.value


def write_line(line: FeedEntry) -> bytes:
    """Encodes a line of a tile."""
    entry = bytes.fromhex(line.entry)
    if line.signal is not None:
        return write_add(line.number, entry, _add_of(line, line.signal))
    tail = bytes.fromhex(line.leaf or "") if line.standing is None else bytes([ENTRY_STATUS_CODES[line.standing]])
    return _LINE.pack(line.number, ACTIONS.index(line.action), entry) + tail


def encode_end(head: bytes) -> bytes:
    """Encodes what follows the last line: the head, which is signed for all preceding bytes."""
    return _END + _HEAD.pack(len(head)) + head


def flags_of(kind: str, ai_made: bool, age_band: str, standing: str) -> int:
    """Encodes an entry's kind, `ai_made`, age band and status in one byte."""
    return (
        (VIDEO if kind == PictureKind.VIDEO else 0)
        | (AI_MADE if ai_made else 0)
        | (WAS_MINOR if age_band == AgeBand.WAS_MINOR else 0)
        | ENTRY_STATUS_CODES[EntryStatus(standing)] << ENTRY_STATUS_SHIFT
    )


def line_of(record: BulkRecord) -> FeedEntry:
    """Decodes a record to a line of the feed. Raises `FeedBroken` if it breaks the protocol."""
    try:
        return _line_of(record)
    except (ValueError, InvalidSignal, IndexError, OverflowError) as wrong:
        raise FeedBroken(f"number {record.number} breaks the protocol: {wrong}") from wrong


def value_of(type_code: int, value: bytes) -> str:
    """Returns a signal's value as the protocol writes it. Raises `FeedBroken` if the text is not ASCII."""
    try:
        return value.hex() if VALUE_BYTES[type_code] else value.decode("ascii")
    except UnicodeDecodeError as wrong:
        raise FeedBroken("the feed holds a value that is not valid text") from wrong


class Reader:
    """Reads a tile or a snapshot from chunks of bytes: iterate over it, then read `head` and `digest`.

    Iterating raises `FeedBroken` if the file is malformed or truncated.
    """

    def __init__(self, chunks: Iterable[bytes], *, snapshot: bool) -> None:
        self._chunks = iter(chunks)
        self._snapshot = snapshot
        self._buffer = b""
        self._at = 0
        self._digest = sha256()
        self._ended = False
        self.head: FeedHead | None = None

    @property
    def digest(self) -> bytes:
        """SHA-256 of all bytes before the end marker."""
        return self._digest.digest()

    def __iter__(self) -> Iterator[BulkRecord]:
        if self._take(8) != MAGIC[self._snapshot]:
            raise FeedBroken("the file is not a tile or snapshot in a known format")
        while True:
            start = self._take(8)
            if start == _END:
                break
            yield self._record(start)
        self._digest.update(self._buffer[: self._at - len(_END)])
        self._ended = True
        (size,) = _HEAD.unpack(self._take(4))
        # A crafted length may be 4 GB, all of which would be buffered before it is decoded.
        if size > MAX_HEAD_BYTES:
            raise FeedBroken("the end of the file is malformed")
        try:
            self.head = decode(self._take(size), FeedHead)
        except InvalidMessage as wrong:
            raise FeedBroken(f"the end of the file breaks the protocol: {wrong}") from wrong
        if self._at != len(self._buffer) or any(self._chunks):
            raise FeedBroken("the file continues after its end")

    def _record(self, start: bytes) -> BulkRecord:
        number, code, entry = _LINE.unpack(start + self._take(17))
        if code >= len(ACTIONS):
            raise FeedBroken(f"number {number} has an unknown action")
        action = ACTIONS[code]
        if action is FeedAction.ADD:
            return BulkRecord(number, action, entry, self._add(number))
        if action is FeedAction.CHANGE:
            standing = self._take(1)[0]
            if standing >= len(ENTRY_STATUSES):
                raise FeedBroken(f"number {number} has an unknown standing")
            return BulkRecord(number, action, entry, standing=ENTRY_STATUSES[standing])
        return BulkRecord(number, action, entry, leaf=self._take(32) if action is FeedAction.ERASED else None)

    def _add(self, number: int) -> Add:
        kind, variant, flags, quality, since = _ADD.unpack(self._take(6))
        if kind >= len(TYPES) or variant >= len(VARIANTS) or flags >> ENTRY_STATUS_SHIFT >= len(ENTRY_STATUSES):
            raise FeedBroken(f"number {number} has an unknown type, variant or standing")
        salt = b"" if self._snapshot else self._take(16)
        size = VALUE_BYTES[kind] or _LENGTH.unpack(self._take(2))[0]
        return Add(kind, variant, flags, quality, since, salt, self._take(size))

    def _take(self, size: int) -> bytes:
        """The next `size` bytes. Bytes are added to the digest when the next chunk is read."""
        while len(self._buffer) - self._at < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                raise FeedBroken("the file is truncated")
            if not self._ended:
                self._digest.update(self._buffer[: self._at])
            self._buffer = self._buffer[self._at :] + chunk
            self._at = 0
        self._at += size
        return self._buffer[self._at - size : self._at]


def _add_of(line: FeedEntry, signal: SignalMessage) -> Add:
    code = TYPE_CODES[signal.type]
    return Add(
        code,
        VARIANT_CODES[signal.variant],
        flags_of(line.kind, line.ai_made, line.age_band, line.standing or EntryStatus.BLOCK),
        NO_QUALITY if signal.quality is None else signal.quality,
        days_of(line.since),
        bytes.fromhex(line.salt or ""),
        bytes.fromhex(signal.value) if VALUE_BYTES[code] else signal.value.encode("ascii"),
    )


def days_of(day: str | None) -> int:
    """Converts an ISO date to days since 1970; `None` gives 0."""
    return 0 if day is None else (date.fromisoformat(day) - _EPOCH).days


def _line_of(record: BulkRecord) -> FeedEntry:
    name = record.entry.hex()
    if record.add is None:
        leaf = None if record.leaf is None else record.leaf.hex()
        return FeedEntry(record.number, record.action, name, standing=record.standing, leaf=leaf)
    add = record.add
    standing = ENTRY_STATUSES[add.flags >> ENTRY_STATUS_SHIFT]
    return FeedEntry(
        record.number,
        record.action,
        name,
        SignalMessage(
            TYPES[add.type],
            value_of(add.type, add.value),
            None if add.quality == NO_QUALITY else add.quality,
            VARIANTS[add.variant],
        ),
        PictureKind.VIDEO if add.flags & VIDEO else PictureKind.IMAGE,
        bool(add.flags & AI_MADE),
        AgeBand.WAS_MINOR if add.flags & WAS_MINOR else AgeBand.MINOR,
        (_EPOCH + timedelta(days=add.since)).isoformat() if add.since else None,
        None if standing is EntryStatus.BLOCK else standing,
        add.salt.hex() or None,
    )
