"""Decides on a batch of stored signals or pictures, and returns the rows that match. Pure, except that it reads files.

The same batch and list always give the same rows, on any worker.
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
"""The only column of a batch of pictures. A batch of signals has `KEY_COLUMN`, and columns named after signal types."""
ASSUMED_QUALITY: Final = 100
"""Quality of a stored PDQ hash that has none."""
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
        ("votes", pa.int32()),
        ("error", pa.string()),
    ]
)
"""A row for each entry that a stored upload matched, or a row with the reason why the upload could not be hashed.

The `decision` is `error` for a missing file or an invalid row; for an unreadable file it is the policy's.
"""
_FIELDS: Final = ("entry", "type", "distance", "quality", "variant", "dihedral", "votes")

type ScanRow = dict[str, Any]


class Checker(Protocol):
    """The part of a gate that a scan uses."""

    def check(self, upload: bytes) -> Decision:
        """Decides on a file."""

    def check_signals(self, signals: list[Signal]) -> Decision:
        """Decides on an upload that was hashed already."""


def scan_batch(batch: pa.RecordBatch, gate: Checker) -> pa.RecordBatch:
    """Returns the rows of `MATCHES_SCHEMA` for `batch`, in its order, including a row for each error."""
    one = _picture if ADDRESS_COLUMN in batch.schema.names else _stored
    rows = [found for row in batch.to_pylist() for found in _decided(row, gate, one)]
    return pa.RecordBatch.from_pylist(rows, schema=MATCHES_SCHEMA)


def _decided(row: ScanRow, gate: Checker, one: Callable[[ScanRow, Checker], Decision]) -> Iterator[ScanRow]:
    key = row.get(ADDRESS_COLUMN, row.get(KEY_COLUMN))
    key = None if key is None else str(key)
    # A row at fault must not end the scan, so each error becomes a row of the results.
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
    """Returns the row for an upload that could not be decided on."""
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
    """Returns the signals of a row: from columns named after their types, or from `type` and `value`.

    Raises `InvalidSignal` if one is malformed or of an unknown type.
    """
    quality = row.get("quality")
    named = [(kind, row.get(kind.value)) for kind in SignalType]
    if row.get("type") is not None:
        named = [(_type(row["type"]), row.get("value"))]
    return [_signal(kind, value, quality) for kind, value in named if value not in {None, ""}]


def _type(name: str) -> SignalType:
    try:
        return SignalType(name)
    except ValueError as error:
        raise InvalidSignal("unknown signal type", "type") from error


def _signal(kind: SignalType, value: object, quality: object) -> Signal:
    """Converts a stored signal, which may be bytes, or text in upper or lower case."""
    text = value.hex() if isinstance(value, bytes) else str(value)
    if kind is not SignalType.VPDQ:
        text = text.lower()
    if kind is not SignalType.PDQ:
        return Signal(kind, text)
    return Signal(kind, text, ASSUMED_QUALITY if quality is None else int(str(quality)))
