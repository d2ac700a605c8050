"""The feed in bulk: tiles and snapshots as one compact binary form, written by the registry and read by a gate.

PROTOCOL.md has the layout, byte by byte. Numbers are big-endian.
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
MAGIC: Final = {False: b"TBKTILE1", True: b"TBKSNAP1"}
"""How a tile and a snapshot begin; the latter has no salts, because nothing in it is part of the chain."""

TYPES: Final = (SignalType.PDQ, SignalType.PHASH, SignalType.SHA256, SignalType.MD5, SignalType.VPDQ)
ACTIONS: Final = (FeedAction.ERASED, FeedAction.ADD, FeedAction.REMOVE, FeedAction.CHANGE)
STANDINGS: Final = (EntryStatus.BLOCK, EntryStatus.REVIEW, EntryStatus.PAUSED)
VARIANTS: Final = tuple(Variant)
"""In the order of `signals.py`, which PROTOCOL.md repeats: new ones come after the others."""
VARIANT_CODES: Final = {variant: code for code, variant in enumerate(VARIANTS)}
TYPE_CODES: Final = {kind: code for code, kind in enumerate(TYPES)}
STANDING_CODES: Final = {standing: code for code, standing in enumerate(STANDINGS)}
VALUE_BYTES: Final = tuple(HEX_DIGITS[kind] // 2 if kind in HEX_DIGITS else 0 for kind in TYPES)
"""Bytes of a value of each type; 0 for a text with its length before it."""
VIDEO, AI_MADE, WAS_MINOR, STANDING_SHIFT = 2, 4, 8, 4
NO_QUALITY: Final = 255

_LINE: Final = Struct(">QB16s")
_ADD: Final = Struct(">BBBBH")
_LENGTH: Final = Struct(">H")
_HEAD: Final = Struct(">I")
_END: Final = bytes(8)
_EPOCH: Final = date(1970, 1, 1)


class Add(NamedTuple):
    """What an `add` says, as it stands in the file; `since` is in days since 1970, 0 for none."""

    type: int
    variant: int
    flags: int
    quality: int
    since: int
    salt: bytes
    value: bytes


class BulkRecord(NamedTuple):
    """A line as it stands in the file; `add` goes with `add`, `standing` with `change`, `leaf` with `erased`."""

    number: int
    action: FeedAction
    entry: bytes
    add: Add | None = None
    standing: EntryStatus | None = None
    leaf: bytes | None = None


def write_add(number: int, entry: bytes, add: Add) -> bytes:
    """The bytes of an `add`; without salt it is one of a snapshot."""
    size = b"" if VALUE_BYTES[add.type] else _LENGTH.pack(len(add.value))
    head = _LINE.pack(number, 1, entry) + _ADD.pack(add.type, add.variant, add.flags, add.quality, add.since)
    return head + add.salt + size + add.value


def write_line(line: FeedEntry) -> bytes:
    """The bytes of a line in a tile."""
    entry = bytes.fromhex(line.entry)
    if line.signal is not None:
        return write_add(line.number, entry, _add_of(line, line.signal))
    tail = bytes.fromhex(line.leaf or "") if line.standing is None else bytes([STANDING_CODES[line.standing]])
    return _LINE.pack(line.number, ACTIONS.index(line.action), entry) + tail


def end(head: bytes) -> bytes:
    """The bytes after the last line: the head that is signed for all the bytes before."""
    return _END + _HEAD.pack(len(head)) + head


def flags_of(kind: str, ai_made: bool, age_band: str, standing: str) -> int:
    """What else is known of an entry, in one byte."""
    return (
        (VIDEO if kind == PictureKind.VIDEO else 0)
        | (AI_MADE if ai_made else 0)
        | (WAS_MINOR if age_band == AgeBand.WAS_MINOR else 0)
        | STANDING_CODES[EntryStatus(standing)] << STANDING_SHIFT
    )


def line_of(record: BulkRecord) -> FeedEntry:
    """The line that a record stands for. Raises `FeedBroken`."""
    try:
        return _line_of(record)
    except (ValueError, InvalidSignal, IndexError, OverflowError) as wrong:
        raise FeedBroken(f"number {record.number} breaks the protocol: {wrong}") from wrong


def value_of(type_code: int, value: bytes) -> str:
    """A signal's value as the protocol writes it. Raises `FeedBroken`."""
    try:
        return value.hex() if VALUE_BYTES[type_code] else value.decode("ascii")
    except UnicodeDecodeError as wrong:
        raise FeedBroken("a text in the feed is none") from wrong


class Reader:
    """Reads a tile or a snapshot from its pieces: iterate over it, then see `head` and `digest`.

    Raises `FeedBroken` for a file that breaks the form or is cut short.
    """

    def __init__(self, pieces: Iterable[bytes], *, snapshot: bool) -> None:
        self._pieces = iter(pieces)
        self._snapshot = snapshot
        self._buffer = b""
        self._at = 0
        self._digest = sha256()
        self._ended = False
        self.head: FeedHead | None = None

    @property
    def digest(self) -> bytes:
        """The SHA-256 of all the bytes before the end."""
        return self._digest.digest()

    def __iter__(self) -> Iterator[BulkRecord]:
        if self._take(8) != MAGIC[self._snapshot]:
            raise FeedBroken("the file is not a part of the feed in a form that is known")
        while True:
            start = self._take(8)
            if start == _END:
                break
            yield self._record(start)
        self._digest.update(self._buffer[: self._at - len(_END)])
        self._ended = True
        (size,) = _HEAD.unpack(self._take(4))
        if size > MAX_HEAD_BYTES:
            raise FeedBroken("the end of the file breaks the form")
        try:
            self.head = decode(self._take(size), FeedHead)
        except InvalidMessage as wrong:
            raise FeedBroken(f"the end of the file breaks the protocol: {wrong}") from wrong
        if self._at != len(self._buffer) or any(self._pieces):
            raise FeedBroken("the file goes on after its end")

    def _record(self, start: bytes) -> BulkRecord:
        number, code, entry = _LINE.unpack(start + self._take(17))
        if code >= len(ACTIONS):
            raise FeedBroken(f"number {number} has an action that is not known")
        action = ACTIONS[code]
        if action is FeedAction.ADD:
            return BulkRecord(number, action, entry, self._add(number))
        if action is FeedAction.CHANGE:
            standing = self._take(1)[0]
            if standing >= len(STANDINGS):
                raise FeedBroken(f"number {number} has a standing that is not known")
            return BulkRecord(number, action, entry, standing=STANDINGS[standing])
        return BulkRecord(number, action, entry, leaf=self._take(32) if action is FeedAction.ERASED else None)

    def _add(self, number: int) -> Add:
        kind, variant, flags, quality, since = _ADD.unpack(self._take(6))
        if kind >= len(TYPES) or variant >= len(VARIANTS) or flags >> STANDING_SHIFT >= len(STANDINGS):
            raise FeedBroken(f"number {number} has a signal that is not known")
        salt = b"" if self._snapshot else self._take(16)
        size = VALUE_BYTES[kind] or _LENGTH.unpack(self._take(2))[0]
        return Add(kind, variant, flags, quality, since, salt, self._take(size))

    def _take(self, size: int) -> bytes:
        """The next bytes. What was read is digested when the next piece comes."""
        while len(self._buffer) - self._at < size:
            piece = next(self._pieces, None)
            if piece is None:
                raise FeedBroken("the file is cut short")
            if not self._ended:
                self._digest.update(self._buffer[: self._at])
            self._buffer = self._buffer[self._at :] + piece
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
    """A day as days since 1970, 0 for none."""
    return 0 if day is None else (date.fromisoformat(day) - _EPOCH).days


def _line_of(record: BulkRecord) -> FeedEntry:
    name = record.entry.hex()
    if record.add is None:
        leaf = None if record.leaf is None else record.leaf.hex()
        return FeedEntry(record.number, record.action, name, standing=record.standing, leaf=leaf)
    add = record.add
    standing = STANDINGS[add.flags >> STANDING_SHIFT]
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
