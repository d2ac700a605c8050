"""The work itself: a batch of stored signals or pictures in, the rows that match out. Pure, but reads files.

The same batch and the same list give the same rows, whichever worker does it and however often.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol

import fsspec
import pyarrow as pa

from takeback.errors import InvalidSignal, PictureError, PictureTooLarge
from takeback.gate.rules.decision import Decision
from takeback.gate.rules.media import MediaKind
from takeback.gate.rules.policy import Action
from takeback.hashing.picture import MAX_BYTES
from takeback.signals import Signal, SignalType

KEY_COLUMN: Final = "key"
ADDRESS_COLUMN: Final = "address"
"""A batch of pictures has this column alone; a batch of signals has `KEY_COLUMN`, and columns named after signals."""
ASSUMED_QUALITY: Final = 100
"""Of a stored PDQ that has no quality beside it."""
MATCHES_SCHEMA: Final = pa.schema(
    [
        (KEY_COLUMN, pa.string()),
        ("decision", pa.string()),
        ("entry", pa.string()),
        ("type", pa.string()),
        ("distance", pa.int32()),
        ("quality", pa.int32()),
        ("variant", pa.string()),
        ("dihedral", pa.string()),
        ("error", pa.string()),
    ]
)
"""One row for each entry that a stored upload matched; or one with the reason why the upload could not be hashed.

What is not there, or no row of signals, has the `decision` `error`; a file, what the policy says of unreadable ones.
"""
_FIELDS: Final = ("entry", "type", "distance", "quality", "variant", "dihedral")

type ScanRow = dict[str, Any]


class Checker(Protocol):
    """What is asked of a gate."""

    def check(self, upload: bytes) -> Decision:
        """Decides on a file."""

    def check_signals(self, signals: list[Signal]) -> Decision:
        """Decides on what is hashed already."""


def scan_batch(batch: pa.RecordBatch, gate: Checker) -> pa.RecordBatch:
    """The rows of `MATCHES_SCHEMA` for `batch`, in its order. A row that cannot be decided on is one of them."""
    one = _picture if ADDRESS_COLUMN in batch.schema.names else _stored
    rows = [found for row in batch.to_pylist() for found in _decided(row, gate, one)]
    return pa.RecordBatch.from_pylist(rows, schema=MATCHES_SCHEMA)


def _decided(row: ScanRow, gate: Checker, one: Callable[[ScanRow, Checker], Decision]) -> Iterator[ScanRow]:
    key = row.get(ADDRESS_COLUMN, row.get(KEY_COLUMN))
    key = None if key is None else str(key)
    try:
        decision = one(row, gate)
    except PictureError as error:
        yield error_row(key, error.code)
    except InvalidSignal as error:
        yield error_row(key, f"{error.code}: {error}")
    except (OSError, ValueError) as error:
        yield error_row(key, f"unreadable: {type(error).__name__}")
    else:
        for match in decision.matches:
            yield {
                KEY_COLUMN: key,
                "decision": decision.action.value,
                **{name: getattr(match, name) for name in _FIELDS},
            }
        if decision.kind is MediaKind.UNREADABLE and not decision.matches:
            found = error_row(key, decision.why)
            yield found if decision.action is Action.ALLOW else {**found, "decision": decision.action.value}


def error_row(key: str | None, why: str) -> ScanRow:
    """The row of an upload that could not be decided on."""
    return {KEY_COLUMN: key, "decision": "error", "error": why}


def _picture(row: ScanRow, gate: Checker) -> Decision:
    """Reads the file at an address, and hashes it."""
    with fsspec.open(row[ADDRESS_COLUMN], "rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise PictureTooLarge(f"has more than {MAX_BYTES} bytes")
    return gate.check(data)


def _stored(row: ScanRow, gate: Checker) -> Decision:
    signals = signals_of(row)
    if not signals:
        raise InvalidSignal("the row holds no signal", "value")
    return gate.check_signals(signals)


def signals_of(row: Mapping[str, Any]) -> list[Signal]:
    """The signals of a row: in columns named after their types, or one in `type` and `value`."""
    quality = row.get("quality")
    named = [(kind, row.get(kind.value)) for kind in SignalType]
    if row.get("type") is not None:
        named = [(_type(row["type"]), row.get("value"))]
    return [_signal(kind, value, quality) for kind, value in named if value not in {None, ""}]


def _type(name: str) -> SignalType:
    try:
        return SignalType(name)
    except ValueError as error:
        raise InvalidSignal("there is no such type of signal", "type") from error


def _signal(kind: SignalType, value: object, quality: object) -> Signal:
    """A signal as it may be stored: as text in any case, or as bytes."""
    text = value.hex() if isinstance(value, bytes) else str(value)
    if kind is not SignalType.VPDQ:
        text = text.lower()
    if kind is not SignalType.PDQ:
        return Signal(kind, text)
    return Signal(kind, text, ASSUMED_QUALITY if quality is None else int(str(quality)))
